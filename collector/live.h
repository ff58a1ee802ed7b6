/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live.h - the live socket: what is known of the run, one JSON object a line, to any client of the
 * same user (docs/live.md). No client can hold the collector up: what a client does not take in time
 * costs it the connection.
 */
#ifndef PROCOPE_LIVE_H
#define PROCOPE_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/aggregate.h"
#include "collector/hostclocks.h"

#define LIVE_INTERVAL_NS 500000000u
#define LIVE_PAGES	 256
#define LIVE_CLIENTS	 32
#define LIVE_BACKLOG	 (1u << 20) /* bytes that a client may be behind */

struct live;

struct live_state { /* what a line is made of */
	struct aggregate *known;
	uint64_t time_ns;
	double elapsed_s;
	const char *source;
	uint64_t run_id; /* 0: no run yet */
	bool ended;
	const struct hostclocks *clocks; /* of several hosts; NULL: of one */
};

/* Listens at `path`, or at the usual place when it is NULL. Removes what dead collectors left in the
 * usual place. `why` says what failed. -EADDRINUSE, -EACCES, -ENAMETOOLONG, ... */
int live__open(struct live **out, const char *path, char *why, size_t why_size);
const char *live__path(const struct live *l);
/* Takes new clients, sends what is due; never blocks. Returns how many came since the last call of
 * live__send(): they wait for a line. */
size_t live__poll(struct live *l);
size_t live__clients(const struct live *l);
/* Queues a line (ends with a newline) for the new clients only, or for all. */
void live__send(struct live *l, const char *line, size_t length, bool only_new);
/* Gives clients that read up to `timeout_ms` to take what is queued, closes and removes the socket. */
void live__close(struct live *l, int timeout_ms);

/* One line, to be freed; NULL: no memory. */
char *live__json(const struct live_state *state);

#endif
