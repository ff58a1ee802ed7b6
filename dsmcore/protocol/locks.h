/* SPDX-License-Identifier: BSD-2-Clause */
/* locks.h - what a node knows of a named lock, for locks.c and for the tables of coverage. */
#ifndef DSM_PROTOCOL_LOCKS_H
#define DSM_PROTOCOL_LOCKS_H

#include "dsmcore/protocol/internal.h"

#define LOCK_TICKS 8u /* that one may be kept from others at most */

/* A name as this node knows it: as its user, and as its manager. */
struct lock {
	uint64_t name;
	struct lock *next;	   /* in its bucket */
	struct lock *next_leaving; /* in locks.leaving */
	uint32_t depth;		   /* how often the mutator has acquired it */
	bool here;		   /* this node has it */
	bool wanted;		   /* and the manager wants it back */
	bool leaving;		   /* and it is on its way, behind a flush: */
	uint64_t flush;		   /* this one */
	uint32_t uses;		   /* sections since it came */
	uint32_t limit;		   /* one more may follow while there were fewer, though others want it */
	/* The manager's: */
	bool out;	 /* given to `holder` */
	bool asked;	 /* who was sent a WANT */
	uint16_t holder; /* meaningful if out */
	uint16_t first;	 /* of those who wait, or NOBODY */
	uint16_t last;	 /* meaningful if there is a first */
};

/* NULL: nothing is known of it here. */
struct lock *locks__find(const struct dsm_core *core, uint64_t name);

#endif
