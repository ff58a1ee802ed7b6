/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * range.h - how much faster a run gets when its nodes save time: between what is sure and what is possible.
 *
 * A node that saves time gains it only where nobody else is waited for. Nodes that make the same progress may be waiting for
 * one another (barriers, turns) or have been dealt the same: the trace cannot tell these apart, so the ends of the range
 * are the two ways to see it. Nodes whose progress differs go each at their own pace.
 */
#ifndef ANALYZER_RANGE_H
#define ANALYZER_RANGE_H

#include <stdbool.h>
#include <stddef.h>

struct range_node {
	double work;	 /* units done, or anything that counts progress */
	double ns;	 /* its time */
	double waits_ns; /* of it, for other nodes at barriers and for turns: what it saves may end there */
	double low_ns, best_ns, high_ns; /* saved; negative: it costs more */
};

struct range { /* times as much work a second */
	double low, best, high;
	bool together; /* nodes make the same progress */
};

void range__factor(const struct range_node *nodes, size_t n, struct range *out);

#endif
