// SPDX-License-Identifier: BSD-2-Clause
/* dsmrun_check.c - what can be known to go wrong before anything starts: one message instead of one from each node. */
#include "dsmcore/launch/dsmrun.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/launch/put_file.h"
#include "dsmcore/memory/plan.h"
#include "dsmcore/transport/fabric.h"
#include "dsmcore/transport/tls.h"

/* -EPERM: there, but no program; -EACCES: nobody can tell, for a folder on the way is closed. */
static int runnable(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(path, X_OK) ? (errno == EACCES ? -EPERM : -errno) : 0;
}

/* "-m FILE PROGRAM": the file is taken for the program, since -m takes its value in the same word only. */
static bool trace_for_program(const struct run *run)
{
	return run->trace && !*run->trace && run->argv[1] && runnable(run->argv[1]) == 0;
}

/* Where the program is, as a shell would find it. */
static int find_program(struct run *run)
{
	const char *name = run->argv[0], *at = getenv("PATH");
	int rc = -ENOENT;

	if (strchr(name, '/')) {
		snprintf(run->program, sizeof(run->program), "%s", name);
		rc = runnable(run->program);
	}
	for (; !strchr(name, '/') && at && *at && rc; at += strspn(at, ":")) {
		size_t n = strcspn(at, ":");

		snprintf(run->program, sizeof(run->program), "%.*s/%s", (int)n, at, name);
		if (runnable(run->program) == 0)
			rc = 0;
		at += n;
	}
	if (rc && trace_for_program(run))
		run__say(
			"'%s' is no program; if it is to be the trace, write --monitor=%s or -m%s (without a "
			"space)",
			name, name, name);
	else if (rc == -EPERM)
		run__say("'%s' is not executable (chmod +x it?)", name);
	else if (rc == -EISDIR)
		run__say("'%s' is a folder, not a program", name);
	else if (rc)
		run__say("program '%s': %s%s", name, strerror(-rc),
			 rc == -ENOENT && !strchr(name, '/') && access(name, F_OK) == 0
				 ? "; did you mean './' before it?"
				 : "");
	return rc;
}

static int check_file(const char *what, const char *file)
{
	int rc = put_file__check(file);

	if (rc == -EISDIR)
		run__say("%s '%s' is a folder; give a file name", what, file);
	else if (rc)
		run__say("%s '%s': cannot write there: %s", what, file,
			 *file ? strerror(-rc) : "give a file name");
	return rc;
}

/* The parts of several hosts lie beside the trace until it is made. */
static int check_parts(const struct run *run)
{
	struct stat st;

	if (run->here == run->options.nodes || stat(run->trace, &st) || S_ISREG(st.st_mode))
		return 0;
	run__say("trace file '%s': of several hosts it must be a file", run->trace);
	return -EINVAL;
}

/* "PROGRAM-YYYYMMDD-HHMMSS.dsmt" when --monitor names no file. */
static void name_trace(struct run *run)
{
	const char *slash = strrchr(run->argv[0], '/');
	time_t t = time(NULL);
	struct tm tm;
	char when[32];

	if (!run->trace || *run->trace)
		return;
	localtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &tm);
	snprintf(run->trace_name, sizeof(run->trace_name), "%.400s-%s.dsmt", slash ? slash + 1 : run->argv[0],
		 when);
	run->trace = run->trace_name;
}

/* A damaged plan stops every node; one message is enough. */
static int check_plan(const char *path)
{
	struct plan *plan = NULL;
	char why[PATH_MAX + 512];
	int rc = *path ? plan__open(&plan, path, why, sizeof(why)) : 0;

	if (rc)
		run__say("%s", why);
	plan__close(plan);
	return rc;
}

/* What keeps strangers out must be there before any node starts. */
static int check_security(struct run *run)
{
	const char *transport = run->options.transport;
	bool insecure = !strcmp(transport, "insecure-tcp") || !strcmp(transport, "fabric");
	const struct tls_ops *tls;
	char why[PATH_MAX + 512];
	int rc = mesh_key__get(&run->options, &run->key, why, sizeof(why));

	if (!rc && run->options.nodes > 1 && (!strcmp(transport, "tcp") || (run->nhosts > 1 && !insecure)))
		rc = tls__load(&tls, why, sizeof(why));
	if (rc)
		run__say("%s", why);
	return rc;
}

/* Better one message than one from each node. */
static int check_fabric(const struct run_options *o)
{
	const struct fabric_api *api;
	char why[1024];
	int rc = -ENOSYS;

	if (o->nodes == 1 || !*o->fabric)
		return 0;
	api = fabric__load(why, sizeof(why));
	if (api)
		rc = api->check(o->fabric, why, sizeof(why));
	if (rc)
		run__say("%s", why);
	return rc;
}

int check__run(struct run *run)
{
	char why[256];

	if (find_program(run))
		return -ENOENT;
	if (check_fabric(&run->options))
		return -EINVAL;
	if (check_plan(run->options.plan))
		return -EINVAL;
	if (check_security(run))
		return -EINVAL;
	name_trace(run);
	if (run->trace && check_file("trace file", run->trace))
		return -EACCES;
	if (run->trace && check_parts(run))
		return -EINVAL;
	if (run->stats && check_file("statistics file", run->stats))
		return -EACCES;
	if (options__fit(&run->options, run->options.nodes, why, sizeof(why))) {
		run__say("%s", why);
		return -EINVAL;
	}
	return 0;
}
