/* SPDX-License-Identifier: BSD-2-Clause */
/* replay_fetches.c - how many fetches a layout would need: see replay.h. */
#include <math.h>

#include "replay_work.h"

static bool any_moved(const struct replay *r, const struct change *change, const struct traffic *t)
{
	for (int kind = 0; kind < 2; kind++) {
		const uint32_t *list = kind ? t->accesses.at : t->writes.at;
		size_t n = kind ? t->accesses.n : t->writes.n;

		for (size_t i = 0; i < n; i++) {
			const struct usage_key *k = table__key(&r->tally->usage_keys, list[i], NULL);
			const struct piece *p = (const void *)(k + 1);

			for (uint32_t j = 0; j < k->n; j++)
				if (p[j].object != PLACE_NONE &&
				    change[r->tally->model->objects.at[p[j].object].group].moved)
					return true;
		}
	}
	return false;
}

/* The share of foreign writes that touch each new page, into `r->b` (pages) and `*share`. */
static double foreign_writes(struct replay *r, const struct change *change, const struct traffic *t,
			     uint16_t node, double **share)
{
	double total = 0, *weight = NULL;
	size_t cap = 0, n = 0;

	r->b.n = 0;
	for (size_t i = 0; i < t->writes.n; i++) {
		const struct usage_key *k = table__key(&r->tally->usage_keys, t->writes.at[i], NULL);
		double w = r->tally->usages.at[t->writes.at[i]];

		if (k->node == node)
			continue;
		total += w;
		r->a.n = 0;
		replay_work__pages(r, change, (const void *)(k + 1), k->n, &r->a);
		replay_work__sort(&r->a);
		for (size_t p = 0; p < r->a.n; p++) {
			size_t q = 0;

			while (q < n && r->b.at[q] != r->a.at[p])
				q++;
			if (q == n) {
				if (n >= 4096)
					continue;
				weight = mem__grow(weight, n++, &cap, sizeof(*weight));
				weight[q] = 0;
				*VEC_ADD(&r->b) = r->a.at[p];
			}
			weight[q] += w;
		}
	}
	for (size_t q = 0; q < n; q++)
		weight[q] /= total;
	*share = weight;
	return total;
}

/* Fetches of one new page by one node. It goes there in a share of the attempts that went to the old page
 * (`seen` of these under the microscope, of which there were more without it), and a share of the foreign
 * writes goes there. Accesses of an open page do not fault, so a dense page that each attempt needs is
 * fetched once for many of them; the less often a page is needed, the surer somebody else has written it
 * meanwhile. */
static double page_fetches(const struct replay *r, double goes, double seen, double share, double writes,
			   double fetches)
{
	double attempts = fmax(fetches, seen * r->unseen), visits = goes * attempts;
	double each, batched = pow(fetches / fmax(fetches, fmin(attempts, writes)), goes);

	if (visits <= 0)
		return 0;
	each = 1 - pow(1 - share, fmax(1, writes / visits));
	return batched * fmin(visits * each, writes * share);
}

/* Fetches of one page by one node, played again. Its accesses are those seen under the microscope, or else
 * its own writes; with neither nothing can be said, and nothing is. */
static double played_fetches(struct replay *r, const struct change *change, const struct traffic *t,
			     uint16_t node, double fetches)
{
	double *share = NULL, total = foreign_writes(r, change, t, node, &share);
	double expected = 0, weights = 0, *own;

	if (total <= 0 || !share) {
		mem__free(share);
		return fetches;
	}
	own = mem__alloc(r->b.n * sizeof(*own));
	for (int kind = 0; kind < 2 && weights == 0; kind++) {
		const uint32_t *list = kind ? t->writes.at : t->accesses.at;
		size_t n = kind ? t->writes.n : t->accesses.n;

		for (size_t i = 0; i < n; i++) {
			const struct usage_key *k = table__key(&r->tally->usage_keys, list[i], NULL);
			double w = r->tally->usages.at[list[i]];

			if (k->node != node)
				continue;
			weights += w;
			r->a.n = 0;
			replay_work__pages(r, change, (const void *)(k + 1), k->n, &r->a);
			replay_work__sort(&r->a);
			for (size_t p = 0; p < r->a.n; p++)
				for (size_t q = 0; q < r->b.n; q++)
					if (r->a.at[p] == r->b.at[q])
						own[q] += w;
		}
		for (size_t q = 0; weights > 0 && q < r->b.n; q++)
			expected += page_fetches(r, own[q] / weights, kind ? 0 : weights, share[q],
						 fmax(total, fetches), fetches);
	}
	mem__free(share);
	mem__free(own);
	return weights > 0 ? expected : fetches;
}

void replay_work__fetches(struct replay *r, const struct change *change, struct effect *out)
{
	const struct model *m = r->tally->model;

	for (size_t i = 0; i < m->pages.n; i++) {
		const struct page_stat *s = &m->pages.at[i];
		struct {
			uint64_t page, run;
		} key = {DSM_EV_PAGE_OFFSET(s->stat.page), s->run};
		uint32_t n = table__find(&r->traffic_keys, &key, sizeof(key));
		double fetches = (double)s->stat.fetches;

		out->fetches_before += fetches;
		if (n != TABLE_NONE && fetches > 0 && any_moved(r, change, &r->traffic.at[n]))
			fetches = played_fetches(r, change, &r->traffic.at[n], s->stat.node, fetches);
		out->fetches_after += fetches;
	}
}
