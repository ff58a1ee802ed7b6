/* SPDX-License-Identifier: BSD-2-Clause */
/* agenda.h - what is due in a world of virtual time: dsmbench scale, and the simulator in tests/sim. */
#ifndef DSM_BENCH_AGENDA_H
#define DSM_BENCH_AGENDA_H

#include <stddef.h>
#include <stdint.h>

struct packet; /* the world's own */

struct due {
	uint64_t time, order;  /* order: of making; agenda__add() fills it in */
	uint32_t node;	       /* whom it happens to */
	uint32_t what;	       /* the world's own */
	struct packet *packet; /* a message's arrival; NULL: something else */
};

/* A heap by time, then by order, so that a run is the same each time. All zero: nothing is due. */
struct agenda {
	struct due *heap; /* in no order that a reader may count on */
	size_t count, room;
	uint64_t order;
};

/* Errors: -ENOMEM; nothing was added then. */
int agenda__add(struct agenda *a, struct due due);
/* Takes the first one; there must be one. */
struct due agenda__next(struct agenda *a);

#endif
