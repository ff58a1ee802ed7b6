/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/launch/dsmcheck.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads until the end, or until the time is up: then the child is killed. */
static int collect(int fd, pid_t child, int seconds, char *buf, size_t size, size_t *used)
{
	long end = now_ms() + seconds * 1000L;
	char spill[512] = {0}; /* what does not fit is read, or the child would wait for us */

	*used = 0;
	for (;;) {
		struct pollfd p = {fd, POLLIN, 0};
		long left = end - now_ms();
		bool full = *used + 1 >= size;
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) == 0) {
			kill(child, SIGKILL);
			return -ETIMEDOUT;
		}
		n = read(fd, full ? spill : buf + *used, full ? sizeof(spill) : size - 1 - *used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		*used += full ? 0 : (size_t)n;
	}
}

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 0x7f00;
	return status;
}

int check_child__run(int (*work)(void *arg, char *why, size_t size), void *arg, int seconds, char *why,
		     size_t size)
{
	int fd[2], result = 0, rc, status;
	size_t used;
	char buf[512];
	pid_t child;

	why[0] = 0;
	fflush(NULL);
	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	child = fork();
	if (child < 0) {
		rc = -errno;
		close(fd[0]);
		close(fd[1]);
		return rc;
	}
	if (!child) {
		char text[512] = {0};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fd[0]);
		result = work(arg, text + sizeof(result), sizeof(text) - sizeof(result));
		memcpy(text, &result, sizeof(result));
		_exit(write(fd[1], text, sizeof(result) + strlen(text + sizeof(result))) > 0 ? 0 : 1);
	}
	close(fd[1]);
	rc = collect(fd[0], child, seconds, buf, sizeof(buf), &used);
	close(fd[0]);
	status = wait_for(child);
	if (rc) {
		snprintf(why, size, "it took more than %d s", seconds);
		return rc;
	}
	if (used < sizeof(result)) {
		snprintf(why, size,
			 WIFSIGNALED(status) ? "it was killed by signal %d (%s)"
					     : "it ended with status %d%s",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
			 WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "");
		return -ECHILD;
	}
	memcpy(&result, buf, sizeof(result));
	buf[used] = 0;
	snprintf(why, size, "%s", buf + sizeof(result));
	return result;
}

static _Noreturn void become(const char *const argv[], int in, int out, int trouble)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execvp(argv[0], (char *const *)argv);
	rc = errno;
	_exit(write(trouble, &rc, sizeof(rc)) > 0 ? 127 : 126);
}

int check_child__command(const char *const argv[], const char *input, int seconds, char *output, size_t size)
{
	int in[2], out[2], trouble[2], rc, status, error = 0;
	size_t used;
	pid_t child;

	output[0] = 0;
	if (pipe2(out, O_CLOEXEC))
		return -errno;
	/* a socket, since writing to it need not raise SIGPIPE */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in)) {
		rc = -errno;
		goto close_out;
	}
	if (pipe2(trouble, O_CLOEXEC)) {
		rc = -errno;
		goto close_in;
	}
	fflush(NULL);
	child = fork();
	if (!child)
		become(argv, in[1], out[1], trouble[1]);
	rc = child < 0 ? -errno : 0;
	close(out[1]);
	close(in[1]);
	close(trouble[1]);
	out[1] = in[1] = -1;
	if (!rc) {
		if (send(in[0], input, strlen(input), MSG_NOSIGNAL) >= 0)
			shutdown(in[0], SHUT_WR);
		rc = collect(out[0], child, seconds, output, size, &used);
		output[rc ? 0 : used] = 0;
		status = wait_for(child);
		if (!rc && read(trouble[0], &error, sizeof(error)) == sizeof(error))
			rc = -error;
		else if (!rc)
			rc = WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
	}
	close(trouble[0]);
close_in:
	close(in[0]);
	if (in[1] >= 0)
		close(in[1]);
close_out:
	close(out[0]);
	if (out[1] >= 0)
		close(out[1]);
	return rc;
}
