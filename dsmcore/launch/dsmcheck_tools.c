/* SPDX-License-Identifier: BSD-2-Clause */
/* dsmcheck_tools.c - programs that reports call, and what the process and the machine allow. */
#include "dsmcore/launch/dsmcheck.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* ---- dot ---- */

static void check_graphviz(struct checks *c, const char *program)
{
	const char *const argv[] = {program, "-Tsvg", NULL};
	char out[4096];
	int rc = check_child__command(argv, "graph { a -- b }\n", 20, out, sizeof(out));

	if (!rc && strstr(out, "<svg"))
		checks__add(c, CHECK_REPORT, program, NULL, "drew a small graph");
	else
		checks__add(c, CHECK_REPORT, program,
			    "apt-get install graphviz; without, reports still write the .dot file",
			    rc == -ENOENT      ? "not found in PATH"
			    : rc == -ETIMEDOUT ? "drew nothing within 20 s"
					       : "could not draw a small graph (%d)",
			    rc);
}

void check_tools(struct checks *c)
{
	check_graphviz(c, "dot");
	check_graphviz(c, "sfdp");
}

/* ---- address randomisation ---- */

static int fixed_addresses(void *arg, char *why, size_t size)
{
	const char *const argv[] = {arg, "--print-addresses", NULL};
	char out[2][128];

	if (personality(ADDR_NO_RANDOMIZE) < 0) {
		snprintf(why, size, "personality(ADDR_NO_RANDOMIZE): %s", strerror(errno));
		return -EPERM;
	}
	for (int i = 0; i < 2; i++) {
		int rc = check_child__command(argv, "", 10, out[i], sizeof(out[i]));

		if (rc) {
			snprintf(why, size, "running %s again: %s", argv[0],
				 rc < 0 ? strerror(-rc) : "it failed");
			return -EIO;
		}
	}
	if (!out[0][0] || strcmp(out[0], out[1]) != 0) {
		snprintf(why, size, "addresses still differ from run to run");
		return -EPERM;
	}
	return 0;
}

/* Needed to resume a node in a new process; dsmrun asks for it and goes on without. */
void check_process(struct checks *c, const char *self)
{
	char why[256];
	int rc = check_child__run(fixed_addresses, (void *)(uintptr_t)self, 30, why, sizeof(why));

	checks__add(c, CHECK_OPTIONAL, "fixed addresses",
		    rc ? "allow the system call personality(0x40000) in the container's seccomp profile; "
			 "without, programs run, "
			 "but a checkpoint cannot be resumed"
		       : NULL,
		    "%s", rc ? why : "address randomisation can be switched off for the nodes");
}

/* ---- limits ---- */

static void check_cores(struct checks *c)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) ? (int)sysconf(_SC_NPROCESSORS_ONLN)
							: CPU_COUNT(&set);

	checks__add(c, CHECK_OPTIONAL, "cores",
		    n >= 2 ? NULL : "with one core nodes take turns: figures say little about speed",
		    "%d usable; one node a core is best", n);
}

static char *amount(char *dst, size_t size, rlim_t v)
{
	if (v == RLIM_INFINITY)
		snprintf(dst, size, "unlimited");
	else
		snprintf(dst, size, "%" PRIu64, (uint64_t)v);
	return dst;
}

static void check_rlimit(struct checks *c, const char *name, int resource, rlim_t least, const char *unit,
			 const char *remedy)
{
	struct rlimit l;
	char have[32];

	if (getrlimit(resource, &l))
		return;
	checks__add(c, CHECK_OPTIONAL, name, l.rlim_max >= least ? NULL : remedy, "%s%s",
		    amount(have, sizeof(have), l.rlim_max), l.rlim_max == RLIM_INFINITY ? "" : unit);
}

static void check_live_folder(struct checks *c)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char path[256];
	struct stat st;

	if (runtime && *runtime)
		snprintf(path, sizeof(path), "%s", runtime);
	else
		snprintf(path, sizeof(path), "/tmp");
	if (stat(path, &st) || !S_ISDIR(st.st_mode) || access(path, W_OK | X_OK))
		checks__add(c, CHECK_OPTIONAL, "live socket",
			    "set XDG_RUNTIME_DIR to a folder of yours, or unset it to use /tmp",
			    "%s cannot be written to: %s", path, strerror(errno));
	else
		checks__add(c, CHECK_OPTIONAL, "live socket", NULL, "dsmtop finds runs under %s", path);
}

/* Kernels from 5.11 on charge BPF maps to the control group instead. */
static bool maps_are_locked(void)
{
	struct utsname u;
	int major = 0, minor = 0;

	return uname(&u) || sscanf(u.release, "%d.%d", &major, &minor) != 2 || major < 5 ||
	       (major == 5 && minor < 11);
}

void check_limits(struct checks *c)
{
	check_cores(c);
	check_rlimit(c, "open files", RLIMIT_NOFILE, 4 * 64 + 256, "",
		     "ulimit -Hn 4096; a node needs four descriptors for each other node");
	check_rlimit(c, "locked memory", RLIMIT_MEMLOCK, maps_are_locked() ? 64 << 20 : 0, " bytes",
		     "ulimit -l unlimited; kernels before 5.11 charge BPF maps to it");
	check_live_folder(c);
}
