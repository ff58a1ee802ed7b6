/* SPDX-License-Identifier: BSD-2-Clause */
/* replay.h - a recorded trace as if it were live: the same lines, at the speed of the run or another. */
#ifndef PROCOPE_VIEWER_REPLAY_H
#define PROCOPE_VIEWER_REPLAY_H

#include <stdbool.h>
#include <sys/types.h>

#include "viewer/source.h"

/* What the child found out about the file, complete when `read` says that it has been read to its end. */
struct replay_found {
	bool cut, damaged, records, read;
};

struct replay_child {
	pid_t pid;
	struct replay_found *found; /* shared with it */
};

/* Opens the trace and starts a child that plays it into `s`, one line a recorded sample; `speed` 0 is as
 * fast as they are taken. On an error why[size] names the file and the remedy. One thread. */
int replay__open(struct source *s, const char *path, double speed, struct replay_child *child, char *why,
		 size_t size);
/* Ends the child; returns what it has found. */
struct replay_found replay__close(struct replay_child *child);

#endif
