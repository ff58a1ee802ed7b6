/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostclocks.h - one clock for the traces of several hosts, each of which is on its own host's clock.
 *
 * Takes what nodes have measured of one another (CLOCK records) in any order, and barriers: nobody leaves one before all have
 * come, so each that was short bounds the difference as an exchange of messages does. The clock of the result is that of
 * the host with the lowest node; hosts that never talked to it are known over others, and the errors add up then. May be
 * solved again and again while records come. One thread at a time for each object.
 */
#ifndef PROCOPE_HOSTCLOCKS_H
#define PROCOPE_HOSTCLOCKS_H

#include "collector/clockfit.h"
#include "collector/trace.h"

struct hostclocks;

struct hostclock {	   /* of one part, after hostclocks__solve() */
	bool own;	   /* it is the clock of the result */
	bool known;	   /* or measured against it */
	uint64_t error_ns; /* at most, between its first and last measurement */
	double drift;	   /* gains on the clock of the result: 1e-6 = 1 us a second */
	const struct clockfit
		*fit; /* against its neighbour's clock on the way to that of the result; NULL: own, unknown */
};

/* parts: at most 65535. -ENOMEM. */
int hostclocks__new(struct hostclocks **out, size_t parts);
void hostclocks__free(struct hostclocks *c);
/* One sane record of a part; those without meaning for clocks only say which node is in it. -ENOMEM. */
int hostclocks__take(struct hostclocks *c, size_t part, const struct dsm_ev_hdr *record);
/* The part that has a node, or -1. */
int hostclocks__part_of(const struct hostclocks *c, uint16_t node);
/* -ENOMEM. `reference`: the part whose clock the result is on. */
int hostclocks__solve(struct hostclocks *c, size_t reference);
const struct hostclock *hostclocks__about(const struct hostclocks *c, size_t part);
/* A time of a part on the clock of the result; of a part that is not known, the time itself. Never runs back. */
uint64_t hostclocks__time(const struct hostclocks *c, size_t part, uint64_t time_ns);
/* Where a clock of `part` or of its neighbour stood still: at most CLOCKFIT_STEPS are known. False: there is no such one. */
struct hostclock_step {
	uint64_t at_ns, span_ns; /* somewhere in this time before at_ns, on the clock of the result */
	uint64_t ns;		 /* for so long, as far as is known */
	size_t part, other;	 /* whose; by whose clock */
};
bool hostclocks__step(const struct hostclocks *c, size_t part, unsigned i, struct hostclock_step *step);
/* How many such there are, of all parts. */
unsigned hostclocks__steps(const struct hostclocks *c);
/* The furthest that two hosts' times can be wrong against each other: 0 with fewer than two known. */
uint64_t hostclocks__error(const struct hostclocks *c, size_t *hosts);

/* ---- is every effect behind its cause? ---- */

struct hostclocks_causes {
	uint64_t checked, violated; /* pairs of events, one of which must be earlier */
	uint64_t worst_ns;
};

/* Looks at one record, once all is solved: barriers of different parts, and answers to measurements. Records of a part in
 * their order. -ENOMEM. */
int hostclocks__check(struct hostclocks *c, size_t part, const struct dsm_ev_hdr *record);
const struct hostclocks_causes *hostclocks__causes(const struct hostclocks *c);

#endif
