/* SPDX-License-Identifier: BSD-2-Clause */
/* source.h - finds live sockets and reads lines from one. One thread. */
#ifndef PROCOPE_VIEWER_SOURCE_H
#define PROCOPE_VIEWER_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define SOURCE_LINE_MAX (16u << 20) /* bytes; a sample of 256 pages has about 100,000 */

struct source_found {
	char path[108];
	struct timespec created;
};

/* Lists this user's live sockets, newest first: those in $XDG_RUNTIME_DIR/procope and /tmp/procope-UID
 * that belong to this user and answer. Folders that another user could write to are left out, or
 * anybody could feed the screen. `*found` is freed by the caller. Returns the count or -ENOMEM. */
int source__find(struct source_found **found);

struct source {
	int fd; /* -1: closed */
	char *buf;
	size_t used, size;
	size_t scanned; /* bytes known to hold no newline */
	size_t taken;	/* bytes of the line handed out last */
};

/* Connects. Negative errno: -ENOENT, -ECONNREFUSED (nobody listens any more), -EACCES, -ENAMETOOLONG. */
int source__open(struct source *s, const char *path);
/* Reads from a connected socket instead, and owns it. */
int source__adopt(struct source *s, int fd);
void source__close(struct source *s);

/* Reads what is there without blocking. Returns 1 when bytes came, 0 when none are there now, -EPIPE at
 * the end of the stream, -EMSGSIZE when a line is longer than SOURCE_LINE_MAX, or a read error. */
int source__fill(struct source *s);

/* Hands out the next whole line (without newline; valid until the next call to any function here). */
bool source__line(struct source *s, const char **line, size_t *length);

#endif
