/* SPDX-License-Identifier: BSD-2-Clause */
#include "loops.h"

#include <math.h>

const struct loop_sum *loops__find(const struct loops *l, uint32_t site)
{
	uint32_t n = table__find(&l->keys, &site, sizeof(site));

	return n == TABLE_NONE ? NULL : &l->all.at[n];
}

static struct loop_sum *sum_of(struct loops *l, uint32_t site)
{
	uint32_t n = table__intern(&l->keys, &site, sizeof(site));

	if (n == l->all.n)
		*VEC_ADD(&l->all) = (struct loop_sum){.site = site};
	return &l->all.at[n];
}

static void add_pieces(struct loop_sum *s, double weight, uint32_t iterations, uint16_t pieces, bool given)
{
	if (!iterations)
		return;
	s->commits += weight;
	s->iterations += weight * iterations;
	s->loops += weight / (pieces ? pieces : 1);
	s->givens += given ? weight : 0;
}

static void add_commit(struct loop_sum *s, const struct dsm_ev_commit *c)
{
	double weight = c->hdr.weight ? c->hdr.weight : 1;

	add_pieces(s, weight, c->iterations, c->pieces, c->flags & DSM_EV_COMMIT_GIVEN);
	if (!c->iterations || c->hdr.flags & DSM_EV_F_MICROSCOPE ||
	    c->hdr.size < offsetof(struct dsm_ev_commit, rebase_ns) || !c->between_ns)
		return;
	s->timed += weight;
	s->work_ns += weight * (double)c->work_ns;
	s->pages += weight * c->pages_written;
	if (c->flags & DSM_EV_COMMIT_LOCAL) {
		s->locals += weight;
		s->locals_ns += weight * (double)c->between_ns;
		return;
	}
	s->remotes += weight;
	s->log_between += weight * log((double)c->between_ns);
	if (!s->least_ns || (double)c->commit_ns < s->least_ns)
		s->least_ns = (double)c->commit_ns;
}

static struct loop_section *section_of(struct loops *l, uint32_t run, uint16_t node)
{
	uint32_t key[2] = {run, node}, n = table__intern(&l->section_keys, key, sizeof(key));

	if (n == l->sections.n)
		*VEC_ADD(&l->sections) = (struct loop_section){0};
	return &l->sections.at[n];
}

/* NULL: it is another one. */
static struct loop_section *this_section(struct loops *l, uint32_t run, const struct dsm_ev_hdr *hdr,
					 const struct dsm_ev_interval *iv)
{
	struct loop_section *x = section_of(l, run, hdr->node);

	return x->number && x->number == iv->number && x->generation == hdr->generation ? x : NULL;
}

static void add_section(struct loops *l, uint32_t run, uint32_t site, const struct dsm_ev_ended *e)
{
	const struct loop_section *x = this_section(l, run, &e->hdr, &e->interval);
	struct loop_sum *s;

	if (!x || e->hdr.flags & DSM_EV_F_MICROSCOPE)
		return;
	s = sum_of(l, site);
	s->sections++;
	s->section_ns += (double)e->duration_ns;
	s->waits_ns += fmin((double)e->duration_ns, x->waits_ns + (double)e->flush_ns);
}

void loops__ended(struct loops *l, uint32_t run, uint32_t site, const struct dsm_ev_hdr *record)
{
	if (!site)
		return;
	if (record->type == DSM_EV_COMMIT)
		add_commit(sum_of(l, site), (const void *)record);
	else
		add_section(l, run, site, (const void *)record);
}

void loops__lock(struct loops *l, uint32_t run, uint32_t site, const struct dsm_ev_lock *lock)
{
	*section_of(l, run, lock->hdr.node) =
		(struct loop_section){lock->interval.number, lock->hdr.generation, 0};
	if (site)
		add_pieces(sum_of(l, site), 1, lock->iterations, lock->pieces,
			   lock->flags & DSM_EV_LOCK_GIVEN);
}

void loops__fault(struct loops *l, uint32_t run, const struct dsm_ev_fault *f)
{
	struct loop_section *x;

	if (f->kind != DSM_EV_FAULT_FETCH || !(f->hdr.flags & DSM_EV_F_INTERVAL))
		return;
	x = this_section(l, run, &f->hdr, &f->interval);
	if (x)
		x->waits_ns += (double)f->wait_ns;
}

void loops__finish(struct loops *l)
{
	for (size_t i = 0; i < l->all.n; i++)
		l->all.at[i].given = l->all.at[i].givens > l->all.at[i].commits / 2;
}

void loops__free(struct loops *l)
{
	table__free(&l->keys);
	table__free(&l->section_keys);
	VEC_FREE(&l->all);
	VEC_FREE(&l->sections);
}

double loop__between(const struct loop_sum *s)
{
	double remote = s->remotes > 0 ? s->remotes * exp(s->log_between / s->remotes) : 0;

	return s->timed > 0 ? (s->locals_ns + remote) / s->timed : 0;
}
