// SPDX-License-Identifier: BSD-2-Clause
/*
 * dsmrun_spool.c - the collector beside an agent's nodes.
 *
 * It must never wait for the network: then its rings would fill, and records be lost. So it writes into a file
 * that has no name, and the agent sends from there what the line takes. What has been sent is given back to the disk; what
 * has not when the agent ends is gone with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dsmcore/launch/dsmrun_traces.h"

#define LOOK_MS	 250 /* the collector writes once a second */
#define STUCK_MS 20  /* until the line is looked at again */

static int open_nameless(const char *folder)
{
	char path[PATH_MAX];
	int fd;

	if (!folder || !*folder ||
	    snprintf(path, sizeof(path), "%s/dsmrun-trace-XXXXXX", folder) >= (int)sizeof(path))
		return -ENOENT;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

int spool__open(struct run *run)
{
	const char *const folders[] = {getenv("TMPDIR"), "/var/tmp", "/tmp"};
	int fd = -ENOENT;

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders) && fd < 0; i++)
		fd = open_nameless(folders[i]);
	if (fd < 0) {
		run__say("no file can be made for the trace in %s or /tmp: %s", folders[1], strerror(-fd));
		return fd;
	}
	run->spool = fd;
	run->spooled = 0;
	return 0;
}

static bool line_takes_more(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&p, 1, 0) > 0;
}

/* A piece: 1; 0: there is none now; else a negative errno. */
static int send_piece(struct run *run)
{
	static uint8_t bytes[FRAME_TRACE_MAX / 2];
	ssize_t n = pread(run->spool, bytes, sizeof(bytes), (off_t)run->spooled);

	if (n <= 0)
		return n < 0 ? -errno : 0;
	if (frame__send(STDOUT_FILENO, FRAME_TRACE, FRAME_NO_NODE, bytes, (size_t)n, NULL, 0))
		return -EPIPE;
	run->spooled += (uint64_t)n;
	/* Not every file system can; then it stays until the end. */
	(void)fallocate(run->spool, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)run->spooled);
	return 1;
}

int spool__send(struct run *run, bool *lost)
{
	struct frame_traced t = {0};
	bool ended;
	int rc = 1;

	if (run->spool < 0)
		return -1;
	(void)monitor__ended(run);
	ended = !run->collector; /* asked before the last bytes are looked for */
	for (int i = 0; i < 8 && rc == 1; i++) {
		if (!line_takes_more())
			return STUCK_MS;
		rc = send_piece(run);
	}
	if (rc == -EPIPE)
		*lost = true;
	if (rc == 1)
		return 0;
	if (!ended && rc == 0)
		return LOOK_MS;
	t.status = rc ? EXIT_BAD : run->collector_status;
	t.bytes = run->spooled;
	if (frame__send(STDOUT_FILENO, FRAME_TRACED, FRAME_NO_NODE, &t, sizeof(t), NULL, 0))
		*lost = true;
	close(run->spool);
	run->spool = -1;
	return -1;
}

void spool__stop(struct run *run, bool now)
{
	if (run->collector && kill(run->collector, now ? SIGKILL : SIGTERM) == 0 && now) {
		while (waitpid(run->collector, NULL, 0) < 0 && errno == EINTR)
			;
		if (*run->live_socket == '/')
			unlink(run->live_socket); /* it could not do so itself */
	}
	if (now)
		run->collector = 0;
}
