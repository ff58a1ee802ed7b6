// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/launch/pmix_node.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dsmcore/launch/options.h"
#include "dsmcore/launch/proto.h"

#define HELPER_LINE	3 /* where the helper expects its end */
#define PERSONALITY_ASK 0xffffffffu
#define JOINED_ENV	"DSM_JOINED" /* this process has joined; its children are not part of the job */

bool pmix_node__in_job(void)
{
	return getenv("PMIX_NAMESPACE") && getenv("PMIX_RANK") && !getenv(JOINED_ENV);
}

/* The helper lies beside this library, in the folder procope. */
static int find_helper(char *path, size_t size)
{
	Dl_info self;
	const char *slash;

	if (!dladdr((void *)(uintptr_t)find_helper, &self) || !self.dli_fname)
		return -ENOENT;
	slash = strrchr(self.dli_fname, '/');
	if (snprintf(path, size, "%.*sprocope/dsm-pmix", slash ? (int)(slash + 1 - self.dli_fname) : 0,
		     self.dli_fname) >= (int)size)
		return -ENAMETOOLONG;
	return access(path, X_OK) ? -errno : 0;
}

__attribute__((noreturn)) static void become_helper(const char *path, int line)
{
	char *argv[] = {"dsm-pmix", NULL};
	sigset_t none;

	if (dup2(line, HELPER_LINE) < 0) /* clears close-on-exec, unless they are the same */
		_exit(2);
	close_range(HELPER_LINE + 1, ~0u, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(path, argv);
	_exit(2);
}

int pmix_node__start(int *line)
{
	char path[PATH_MAX];
	int pair[2], rc = find_helper(path, sizeof(path)), status = 0;
	pid_t child;

	if (rc) {
		fprintf(stderr,
			"dsm: this process belongs to a job of mpirun or srun (PMIX_NAMESPACE), for which "
			"Procope "
			"needs '%s': %s; install libpmix-dev and build again, or use dsmrun\n",
			path, strerror(-rc));
		return rc;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	/* Not our child: a program that waits for all its children must not wait for this one. */
	child = fork();
	if (child == 0) {
		if (pair[1] == HELPER_LINE && (pair[1] = dup(pair[1])) < 0)
			_exit(2);
		child = fork();
		if (child == 0)
			become_helper(path, pair[1]);
		_exit(child < 0 ? 2 : 0);
	}
	rc = child < 0 ? -errno : 0;
	close(pair[1]);
	while (!rc && waitpid(child, &status, 0) < 0)
		rc = errno == EINTR ? 0 : -errno;
	if (!rc && status)
		rc = -EAGAIN;
	if (rc) {
		fprintf(stderr, "dsm: cannot start '%s': %s\n", path, strerror(-rc));
		close(pair[0]);
		return rc;
	}
	setenv(JOINED_ENV, "1", 1);
	*line = pair[0];
	return 0;
}

void pmix_node__fix_addresses(char **argv, char **envp)
{
	int now = personality(PERSONALITY_ASK);
	const char *rank = getenv("PMIX_RANK");
	char self[PATH_MAX];
	ssize_t n;

	/* A program that was started by way of the dynamic linker (AT_BASE is 0) would need it again. */
	if (!pmix_node__in_job() || getenv(PROTO_FD_ENV) || (now >= 0 && now & ADDR_NO_RANDOMIZE) ||
	    !getauxval(AT_BASE))
		return;
	if (now >= 0 && personality((unsigned long)(unsigned)now | ADDR_NO_RANDOMIZE) >= 0 &&
	    (personality(PERSONALITY_ASK) & ADDR_NO_RANDOMIZE)) {
		/* By its name, which ps and others show. */
		n = readlink("/proc/self/exe", self, sizeof(self) - 1);
		self[n < 0 ? 0 : n] = 0;
		execve(self, argv, envp);
	}
	if (rank && !strcmp(rank, "0"))
		fprintf(stderr,
			"dsm: warning: the system does not allow to switch address randomisation off "
			"(personality: %s): "
			"libraries and stacks will lie at other addresses in each node\n",
			strerror(errno));
}

void pmix_node__warn_of_strangers(void)
{
	static const struct {
		const char *rank, *size, *remedy;
	} of[] = {
		{"SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "srun --mpi=pmix"},
		{"PMI_RANK", "PMI_SIZE", "an mpirun that speaks PMIx (Open MPI's), or dsmrun --hosts"},
	};

	for (size_t i = 0; i < sizeof(of) / sizeof(*of); i++) {
		const char *rank = getenv(of[i].rank), *size = getenv(of[i].size);
		uint64_t n;

		if (rank && size && !strcmp(rank, "0") && options__number(size, 2, UINT32_MAX, &n) == 0)
			fprintf(stderr,
				"dsm: warning: one of %s processes (%s), but without PMIx: each is a cluster "
				"of its "
				"own; to run them as one use %s\n",
				size, of[i].size, of[i].remedy);
	}
}
