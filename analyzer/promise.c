/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * promise.c - see promise.h. Conflicts are only of attempts that ran at the same time, but the promise is about all that lies
 * between two barriers. So bytes are compared as well: those that a commit changed, of pages that others held (WRITES),
 * with those that other nodes changed, first touched (FAULT) or accessed under the microscope (ACCESSES) between the same
 * two barriers, in whatever order. What no record tells (later accesses of an open page) stays unseen, so this can break
 * a promise but never prove one.
 */
#include "promise.h"

#include <math.h>
#include <string.h>

#include "evidence_work.h"

#define EPOCH_BYTES ((size_t)32 << 20) /* what is seen of one; then it is begun anew, and less is found */

void promise__init(struct promises *p, struct model *m)
{
	memset(p, 0, sizeof(*p));
	p->model = m;
}

static void clear(struct promise_epoch *e)
{
	for (size_t i = 0; i < e->uses.n; i++)
		mem__free(e->uses.at[i].wrote);
	table__free(&e->pages);
	VEC_FREE(&e->first);
	VEC_FREE(&e->uses);
	*e = (struct promise_epoch){0};
}

void promise__free(struct promises *p)
{
	clear(&p->epoch[0]);
	clear(&p->epoch[1]);
	table__free(&p->keys);
	table__free(&p->node_keys);
	VEC_FREE(&p->all);
	VEC_FREE(&p->nodes);
}

static struct promise_site *site_of(struct promises *p, uint32_t site)
{
	uint32_t n = table__intern(&p->keys, &site, sizeof(site));

	if (n == p->all.n)
		*VEC_ADD(&p->all) = (struct promise_site){.site = site};
	return &p->all.at[n];
}

/* A collector that comes late does not know where a node is until its next barrier. */
static struct promise_node *node_of(struct promises *p, uint32_t run, uint16_t node)
{
	struct {
		uint32_t run, node;
	} key = {run, node};
	uint32_t n = table__intern(&p->node_keys, &key, sizeof(key));

	if (n == p->nodes.n)
		*VEC_ADD(&p->nodes) = (struct promise_node){
			.known = model__node(p->model, run, node)->from_start,
		};
	return &p->nodes.at[n];
}

/* ---- bytes ---- */

/* NULL: it is over, since others are two barriers further (clocks of hosts differ a little). */
static struct promise_epoch *epoch_of(struct promises *p, uint32_t run, uint64_t number)
{
	struct promise_epoch *e = &p->epoch[number & 1];

	if (e->run == run && e->number > number)
		return NULL;
	if (e->run != run || e->number != number || e->bytes > EPOCH_BYTES)
		clear(e);
	e->run = run;
	e->number = number;
	return e;
}

static uint32_t page_of(struct promise_epoch *e, dsm_ev_page page)
{
	uint32_t n = table__intern(&e->pages, &page, sizeof(page));

	if (n == e->first.n)
		*VEC_ADD(&e->first) = 0;
	return n;
}

static struct promise_use *use_of(struct promise_epoch *e, uint32_t number, size_t words, uint32_t node,
				  uint32_t site)
{
	struct promise_use *u;

	for (uint32_t i = e->first.at[number]; i; i = e->uses.at[i - 1].next)
		if (e->uses.at[i - 1].node == node && e->uses.at[i - 1].site == site)
			return &e->uses.at[i - 1];
	u = VEC_ADD(&e->uses);
	*u = (struct promise_use){.node = node, .site = site, .next = e->first.at[number]};
	u->wrote = mem__alloc(2 * words * sizeof(*u->wrote));
	u->read = u->wrote + words;
	e->first.at[number] = (uint32_t)e->uses.n;
	e->bytes += 2 * words * sizeof(*u->wrote);
	return u;
}

static bool any_of(const uint64_t *bits, const struct byteset *set)
{
	for (size_t i = 0; i < set->n; i++)
		for (uint32_t b = set->at[i].from; b < set->at[i].to; b++)
			if (bits[b / 64] >> b % 64 & 1)
				return true;
	return false;
}

/* In transactions of the site the node changed (`write`) or read these bytes. */
static void use(struct promises *p, uint32_t run, const struct dsm_ev_hdr *record, dsm_ev_page page,
		const struct byteset *set, bool write)
{
	const struct dsm_ev_interval *iv = (const void *)(record + 1);
	const struct promise_node *n = node_of(p, run, record->node);
	unsigned log2 = DSM_EV_PAGE_LOG2(page);
	uint32_t site = model__site(p->model, run, record->node, iv->site), number;
	struct promise_epoch *e = n->known ? epoch_of(p, run, n->barriers) : NULL;
	struct promise_use *mine;

	if (!e || log2 < 6 || log2 > 16 || !set->n || set->at[set->n - 1].to > 1u << log2)
		return;
	number = page_of(e, page);
	for (uint32_t i = e->first.at[number]; i; i = e->uses.at[i - 1].next) {
		const struct promise_use *other = &e->uses.at[i - 1];

		if (other->node == record->node ||
		    !(any_of(other->wrote, set) || (write && any_of(other->read, set))))
			continue;
		site_of(p, other->site)->met = true;
		site_of(p, site)->met = true;
	}
	mine = use_of(e, number, (1u << log2) / 64, record->node, site);
	for (size_t i = 0; i < set->n; i++)
		for (uint32_t b = set->at[i].from; b < set->at[i].to; b++)
			(write ? mine->wrote : mine->read)[b / 64] |= 1ull << b % 64;
}

static void use_writes(struct promises *p, uint32_t run, const struct dsm_ev_writes *w)
{
	struct byteset set = {0};

	if (!(w->flags & DSM_EV_WRITES_COMMITTED))
		return;
	if (w->basis == DSM_EV_BASIS_PAGE)
		byteset__add(&set, 0, DSM_EV_PAGE_LOG2(w->page) <= 16 ? 1u << DSM_EV_PAGE_LOG2(w->page) : 0);
	else
		gather__runs(w, &set);
	use(p, run, &w->hdr, w->page, &set, true);
	byteset__free(&set);
}

/* What attempts that were undone wrote is nobody's; those that take their place write it again. */
static void use_accesses(struct promises *p, uint32_t run, const struct dsm_ev_accesses *a)
{
	struct byteset set = {0};

	for (unsigned i = 0; i < a->naccesses; i++) {
		const struct dsm_ev_access *x = &a->access[i];

		if (x->access & DSM_EV_ACCESS_READ)
			byteset__add(&set, x->offset, (uint32_t)x->offset + (x->size ? x->size : 1));
	}
	use(p, run, &a->hdr, a->page, &set, false);
	byteset__free(&set);
}

static void use_fault(struct promises *p, uint32_t run, const struct dsm_ev_fault *f)
{
	struct byteset set = {0};

	if (!(f->access & DSM_EV_ACCESS_READ))
		return;
	byteset__add(&set, f->offset, (uint32_t)f->offset + 1);
	use(p, run, &f->hdr, f->page, &set, false);
	byteset__free(&set);
}

/* ---- times ---- */

static double weight_of(const struct dsm_ev_hdr *record)
{
	return record->weight ? record->weight : 1;
}

static void add_handling(struct promises *p, struct promise_site *s, double weight, uint64_t ns)
{
	s->handling_ns += weight * (double)ns;
	s->handled++;
	p->handling_ns += weight * (double)ns;
}

static void add_commit(struct promises *p, uint32_t run, const struct dsm_ev_commit *c)
{
	struct promise_site *s = site_of(p, model__site(p->model, run, c->hdr.node, c->interval.site));
	bool local = c->flags & DSM_EV_COMMIT_LOCAL;
	double weight = weight_of(&c->hdr);
	uint64_t known = c->commit_ns;

	s->commits += weight;
	s->independents += c->flags & DSM_EV_COMMIT_INDEPENDENT ? weight : 0;
	p->independents += c->flags & DSM_EV_COMMIT_INDEPENDENT ? weight : 0;
	s->written += weight * c->pages_written;
	s->alone += local ? weight * c->pages_written : 0;
	if (c->hdr.flags & DSM_EV_F_MICROSCOPE)
		return;
	if (local) {
		s->locals_ns += weight * (double)c->commit_ns;
		s->looked++;
	} else {
		s->remotes_ns += weight * (double)c->commit_ns;
	}
	if (c->hdr.size < sizeof(*c) || !c->between_ns)
		return;
	/* A loop's next transaction opens pages before it begins its work. */
	known += c->work_ns;
	add_handling(p, s, weight, c->duration_ns > known ? c->duration_ns - known : 0);
}

static void add_fault(struct promises *p, uint32_t run, const struct dsm_ev_fault *f)
{
	if (f->kind == DSM_EV_FAULT_FETCH)
		return;
	add_handling(p, site_of(p, model__site(p->model, run, f->hdr.node, f->interval.site)),
		     weight_of(&f->hdr), f->wait_ns);
}

void promise__record(struct promises *p, uint32_t run, const struct dsm_ev_hdr *record)
{
	if (record->type == DSM_EV_BARRIER) {
		*node_of(p, run, record->node) =
			(struct promise_node){((const struct dsm_ev_barrier *)record)->number + 1, true};
		return;
	}
	if (record->flags & DSM_EV_F_INTERVAL)
		return;
	if (record->type == DSM_EV_COMMIT) {
		add_commit(p, run, (const void *)record);
	} else if (record->type == DSM_EV_FAULT) {
		add_fault(p, run, (const void *)record);
		use_fault(p, run, (const void *)record);
	} else if (record->type == DSM_EV_ACCESSES) {
		use_accesses(p, run, (const void *)record);
	} else if (record->type == DSM_EV_WRITES) {
		const struct dsm_ev_writes *w = (const void *)record;

		if (w->flags & DSM_EV_WRITES_COMMITTED)
			site_of(p, model__site(p->model, run, w->hdr.node, w->interval.site))->shared +=
				weight_of(record);
		use_writes(p, run, w);
	}
}

/* ---- conflicts ---- */

static void add_conflict(struct promise_site *s, const struct conflict *c)
{
	double n = c->weight * c->share;
	bool meets = c->verdict == VERDICT_TRUE || c->verdict == VERDICT_SILENT;

	s->conflicts += n;
	/* Who stands in for an attempt has done the same at another time, with other bytes perhaps: no proof. */
	if (meets && c->basis != BASIS_SITE)
		s->truly += n;
	else if (meets || c->verdict == VERDICT_UNKNOWN)
		s->unknown += n;
}

void promise__conflict(struct promises *p, const struct conflict *c)
{
	if (c->interval)
		return;
	if (c->cause == DSM_EV_CAUSE_CANCEL) {
		site_of(p, c->loser_site)->cancelled += c->weight * c->share;
		return;
	}
	if (c->cause == DSM_EV_CAUSE_LOCK || c->cause == DSM_EV_CAUSE_NODE_LOSS)
		return;
	add_conflict(site_of(p, c->loser_site), c);
	if (c->has_winner && c->winner_site != c->loser_site)
		add_conflict(site_of(p, c->winner_site), c);
}

double promise__share_alone(const struct promise_site *s)
{
	return s->written > 0 ? fmax(0, 1 - s->shared / s->written) : 0;
}
