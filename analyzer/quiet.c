/* SPDX-License-Identifier: BSD-2-Clause */
#include "quiet.h"

#include <math.h>

#define ENOUGH 20.0 /* undisturbed ones of a site */

static unsigned bucket_of(uint64_t ns)
{
	double x = ns > 1 ? 4 * log2((double)ns) : 0;

	return x < QUIET_BUCKETS - 1 ? (unsigned)x : QUIET_BUCKETS - 1;
}

void quiet__ended(struct quiet *q, uint32_t site, const struct dsm_ev_hdr *record)
{
	double weight = record->weight ? record->weight : 1;
	uint64_t ns;
	uint32_t n;
	bool clean;

	if (record->flags & DSM_EV_F_MICROSCOPE)
		return;
	if (record->type == DSM_EV_COMMIT) {
		const struct dsm_ev_commit *c = (const void *)record;

		ns = c->duration_ns;
		clean = c->flags & DSM_EV_COMMIT_LOCAL;
	} else {
		const struct dsm_ev_ended *e = (const void *)record;

		ns = e->duration_ns;
		clean = !e->pages_read && !e->pages_written && !e->flush_ns;
	}
	n = table__intern(&q->keys, &site, sizeof(site));
	if (n == q->sites.n)
		*VEC_ADD(&q->sites) = (struct quiet_site){0};
	q->sites.at[n].all += weight;
	q->sites.at[n].all_ns += weight * (double)ns;
	if (!clean)
		return;
	q->sites.at[n].clean += weight;
	q->sites.at[n].bucket[bucket_of(ns)] += (float)weight;
}

/* The middle of the bucket that the share falls into. */
static double quantile(const struct quiet_site *s, double share)
{
	double sum = 0;

	for (unsigned i = 0; i < QUIET_BUCKETS; i++)
		if ((sum += (double)s->bucket[i]) >= share * s->clean)
			return exp2((i + 0.5) / 4);
	return 0;
}

double quiet__ns(const struct quiet *q, double share, double *undisturbed)
{
	double all = 0;

	*undisturbed = 0;
	for (size_t i = 0; i < q->sites.n; i++) {
		const struct quiet_site *s = &q->sites.at[i];

		all += s->all_ns;
		*undisturbed += s->clean >= ENOUGH ? fmin(s->all_ns, s->all * quantile(s, share)) : s->all_ns;
	}
	return all;
}

void quiet__free(struct quiet *q)
{
	table__free(&q->keys);
	VEC_FREE(&q->sites);
}
