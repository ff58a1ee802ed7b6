/* SPDX-License-Identifier: BSD-2-Clause */
/* joined.h - how well the clocks of a run's hosts are known against one another. */
#ifndef ANALYZER_JOINED_H
#define ANALYZER_JOINED_H

#include <stddef.h>
#include <stdint.h>

struct hostclocks;
struct json_object;

struct joined {			  /* all 0: of one host, or made before this was told */
	unsigned hosts, measured; /* measured: related by measurements */
	uint64_t error_ns;	  /* between two of these, at most */
	unsigned steps;		  /* of a clock that stood still */
	uint64_t checked, violated,
		worst_ns; /* pairs of events, one of which must be earlier; by how much it is not */
};

/* What the summary of a merged trace says. */
void joined__parse(const char *summary, struct joined *out);
/* What came of several traces that were read side by side. */
void joined__of(const struct hostclocks *clocks, size_t parts, struct joined *out);
struct json_object *joined__json(const struct joined *j);

#endif
