// SPDX-License-Identifier: BSD-2-Clause
#include "apps/common/sequential.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child, not an exec in place: a node that vanishes in the middle of a run is an error to dsmrun. */
int app__run_sequential(const struct app *app, int nodes, char **argv)
{
	char name[64], path[PATH_MAX];
	int status;

	if (nodes > 1)
		return app__bad(app, "--sequential is one process: start it without dsmrun");
	snprintf(name, sizeof(name), "%s-sequential", app->name);
	int rc = app__own_file(path, sizeof(path), name);
	if (rc)
		return app__bad(app, "cannot find %s beside this program: %s (make builds it)", name,
				strerror(-rc));
	pid_t child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGTERM); /* it ends with us, however we end */
		execv(path, argv);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return app__bad(app, "cannot start %s: %s", path, strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) != 127)
		return WEXITSTATUS(status);
	return app__bad(app, WIFEXITED(status) ? "cannot run %s" : "%s was ended by a signal", path);
}
