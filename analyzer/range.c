/* SPDX-License-Identifier: BSD-2-Clause */
#include "range.h"

#include <math.h>
#include <stdint.h>

#define LEAST_LEFT 0.02 /* of a node's time: nothing gets faster without end */
#define ENOUGH	   10.0 /* units of work of a node, to say that another did as many */
#define SAME	   0.01

static bool same_progress(const struct range_node *nodes, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += nodes[i].work;
	if (n < 2 || sum < ENOUGH * (double)n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (fabs(nodes[i].work - sum / (double)n) > fmax(2, SAME * sum / (double)n))
			return false;
	return true;
}

/* What is left of a node's time. */
static double left(const struct range_node *x, double saved)
{
	return fmax(LEAST_LEFT * x->ns, x->ns - saved);
}

enum end { LOW, BEST, HIGH };

static double saved_of(const struct range_node *x, enum end end)
{
	return end == LOW ? x->low_ns : end == BEST ? x->best_ns : x->high_ns;
}

/* Each at its own pace: a node's rate grows by what it saves itself. */
static double apart(const struct range_node *nodes, size_t n, enum end end)
{
	double now = 0, then = 0;

	for (size_t i = 0; i < n; i++) {
		double rate = nodes[i].ns > 0 ? nodes[i].work / nodes[i].ns : 0;

		now += rate;
		then += rate * nodes[i].ns / left(&nodes[i], saved_of(&nodes[i], end));
	}
	return now > 0 ? then / now : 1;
}

/* All at the pace of the slowest. What is sure is what each of them saves, since all that they wait for each other now may
 * stay; at best all waits end, and the run takes what its busiest node needs. */
static double in_step(const struct range_node *nodes, size_t n, enum end end)
{
	double longest = 0, most = 0, mean = 0, least = INFINITY;

	for (size_t i = 0; i < n; i++) {
		double saved = saved_of(&nodes[i], end);

		longest = fmax(longest, nodes[i].ns);
		most = fmax(most, left(&nodes[i], nodes[i].waits_ns + saved));
		mean += saved / (double)n;
		least = fmin(least, saved);
	}
	if (end == LOW)
		return longest / fmax(LEAST_LEFT * longest, longest - least);
	if (end == BEST)
		most = fmax(most, longest - mean);
	return longest > 0 && most > 0 ? longest / most : 1;
}

void range__factor(const struct range_node *nodes, size_t n, struct range *out)
{
	out->together = same_progress(nodes, n);
	if (out->together) {
		/* They may also have been dealt the same, each for itself: then the pace is each one's own. */
		out->low = fmin(in_step(nodes, n, LOW), apart(nodes, n, LOW));
		out->best = in_step(nodes, n, BEST);
		out->high = fmax(in_step(nodes, n, HIGH), apart(nodes, n, HIGH));
	} else {
		out->low = apart(nodes, n, LOW);
		out->best = apart(nodes, n, BEST);
		out->high = apart(nodes, n, HIGH);
	}
	out->best = fmax(out->low, out->best);
	out->high = fmax(out->best, out->high);
}
