/* SPDX-License-Identifier: BSD-2-Clause */
/* gather.c - the byte sets of one attempt on one page, read out of the records in the window. */
#include "decode.h"
#include "evidence_work.h"

static unsigned operand(struct evidence *e, struct code code, unsigned access)
{
	struct {
		struct code code;
		uint64_t access;
	} key = {code, access};
	uint32_t n;

	if (!code.image)
		return 0;
	n = table__intern(&e->operand_keys, &key, sizeof(key));
	if (n == e->operands.n) {
		unsigned char bytes[15];
		size_t got = symbols__bytes(e->symbols, code, bytes, sizeof(bytes));
		unsigned size = decode__operand(bytes, got, access);

		*VEC_ADD(&e->operands) = size;
	}
	return e->operands.at[n];
}

/* An access of unknown size covers its operand, decoded from the program, or else the rest of its scalar. */
void gather__access(struct evidence *e, const struct page_view *v, uint16_t node,
		    const struct dsm_ev_access *a, struct byteset *touched, struct byteset *wrote,
		    struct touch *t)
{
	uint32_t size = a->size, end;

	t->code = model__code(e->model, v->run, node, a->ip);
	if (!size)
		size = operand(e, t->code, a->access);
	if (!size)
		size = place__scalar_rest(v, a->offset);
	end = a->offset + size < v->bytes ? a->offset + size : (uint32_t)v->bytes;
	byteset__add(touched, a->offset, end);
	if (a->access & DSM_EV_ACCESS_WRITE)
		byteset__add(wrote, a->offset, end);
	t->offset = a->offset;
	t->size = (uint16_t)(size < UINT16_MAX ? size : UINT16_MAX);
	t->access = a->access;
}

void gather__free(struct access_set *s)
{
	byteset__free(&s->touched);
	byteset__free(&s->wrote);
	VEC_FREE(&s->touches);
}

/* Adds up the ACCESSES of an attempt. A part may have been lost: without losses of that type the flags
 * decide; with losses each part must directly follow its predecessor. */
static void accesses_of_one(struct evidence *e, const struct page_view *v, dsm_ev_page page, struct who who,
			    struct access_set *out)
{
	bool lossy = model__lossy(e->model, v->run, DSM_EV_ACCESSES);
	bool complete = true, last = true;
	struct window_cursor c;
	const struct entry *entry;

	out->any = false;
	window__find(&e->window, &c, v->run, who.node, who.generation, number__of(who.number, who.interval),
		     page);
	while ((entry = window__next(&c))) {
		const struct dsm_ev_accesses *a = (const void *)entry->record;

		if (a->hdr.type != DSM_EV_ACCESSES || !who__is(&who, a->interval.attempt))
			continue;
		complete =
			complete && (a->flags & DSM_EV_ACCESSES_COMPLETE) && a->basis == DSM_EV_BASIS_OPERAND;
		complete = complete && (!last || a->naccesses < DSM_EV_ACCESS_LIST) &&
			   (!lossy || entry->follows);
		last = false; /* newest first: only the last part may be short */
		out->any = true;
		for (unsigned i = 0; i < a->naccesses; i++)
			gather__access(e, v, who.node, &a->access[i], &out->touched, &out->wrote,
				       VEC_ADD(&out->touches));
	}
	out->complete = out->any && complete;
}

#define MANY_INTERVALS 64 /* that one stay of a page lasted and that are looked at */

static uint64_t first_of(const struct who *who)
{
	if (!who->since || who->since > who->number)
		return who->number;
	return who->number - who->since < MANY_INTERVALS ? who->since : who->number - MANY_INTERVALS + 1;
}

/* Of several intervals: complete if each was seen. */
void gather__accesses(struct evidence *e, const struct page_view *v, dsm_ev_page page, struct who who,
		      struct access_set *out)
{
	uint64_t first = first_of(&who), last = who.number;
	bool any = false, complete = first == who.since || !who.since;

	for (uint64_t n = first; n <= last; n++) {
		who.number = n;
		accesses_of_one(e, v, page, who, out);
		any = any || out->any;
		complete = complete && out->complete;
	}
	out->any = any;
	out->complete = any && complete;
}

void gather__first_touches(struct evidence *e, const struct page_view *v, dsm_ev_page page, struct who who,
			   struct byteset *touched, struct byteset *wrote, struct touches *touches)
{
	struct window_cursor c;
	const struct entry *entry;

	for (uint64_t n = first_of(&who); n <= who.number; n++) {
		window__find(&e->window, &c, v->run, who.node, who.generation, number__of(n, who.interval),
			     page);
		while ((entry = window__next(&c))) {
			const struct dsm_ev_fault *f = (const void *)entry->record;

			if (f->hdr.type == DSM_EV_FAULT && who__is(&who, f->interval.attempt)) {
				struct dsm_ev_access access = {f->offset, 0, f->access, f->ip};

				gather__access(e, v, who.node, &access, touched, wrote, VEC_ADD(touches));
			}
		}
	}
}

static void gather_masks(const struct dsm_ev_writes *w, struct byteset *out)
{
	const struct dsm_ev_masks *m = (const void *)((const char *)w + DSM_EV_MASKS_AT(w->nruns));
	const uint8_t *mask = m->mask;

	for (uint32_t i = 0; i < sizeof(m->words) / sizeof(m->words[0]); i++) {
		for (uint64_t left = m->words[i]; left; left &= left - 1) {
			uint32_t word = (i * 64 + (uint32_t)__builtin_ctzll(left)) * 8;

			for (uint32_t bits = *mask++, at, end; bits; bits &= ~0u << end) {
				at = (uint32_t)__builtin_ctz(bits);
				end = at + (uint32_t)__builtin_ctz(~(bits >> at));
				byteset__add(out, word + at, word + end);
			}
		}
	}
}

void gather__runs(const struct dsm_ev_writes *w, struct byteset *out)
{
	for (unsigned i = 0; i < w->nruns; i++)
		byteset__add(out, w->run[i].offset, (uint32_t)w->run[i].offset + w->run[i].length);
	if (w->nmasks)
		gather_masks(w, out);
}

static bool gather_kind(struct evidence *e, const struct page_view *v, dsm_ev_page page, struct who who,
			unsigned flags, struct byteset *out)
{
	bool lossy = model__lossy(e->model, v->run, DSM_EV_WRITES);
	bool any = false, whole = true, last = true;
	struct window_cursor c;
	const struct entry *entry;

	window__find(&e->window, &c, v->run, who.node, who.generation,
		     number__of(who.opened ? who.opened : who.number, who.interval), page);
	while ((entry = window__next(&c))) {
		const struct dsm_ev_writes *w = (const void *)entry->record;

		if (w->hdr.type != DSM_EV_WRITES || !who__is(&who, w->interval.attempt) ||
		    (w->flags & DSM_EV_WRITES_COMMITTED) != flags)
			continue;
		any = true;
		whole = whole && (w->basis == DSM_EV_BASIS_CHANGED || w->basis == DSM_EV_BASIS_OPERAND);
		whole = whole && (!last || w->nruns < DSM_EV_RUNS) && (!lossy || entry->follows);
		last = false;
		if (w->basis != DSM_EV_BASIS_PAGE) /* "somewhere on the page" is not evidence of any byte */
			gather__runs(w, out);
	}
	return any && whole;
}

bool gather__writes(struct evidence *e, const struct page_view *v, dsm_ev_page page, struct who who,
		    struct byteset *out)
{
	return gather_kind(e, v, page, who, DSM_EV_WRITES_COMMITTED, out) ||
	       gather_kind(e, v, page, who, 0, out);
}

enum outcome gather__outcome(const struct evidence *e, uint32_t run, struct who who, bool *microscope)
{
	const struct node *n = model__find_node(e->model, run, who.node);
	struct window_cursor c;
	const struct entry *entry;

	*microscope = false;
	window__find(&e->window, &c, run, who.node, who.generation, number__of(who.number, who.interval), 0);
	while ((entry = window__next(&c))) {
		const struct dsm_ev_hdr *hdr = entry__hdr(entry);
		const struct dsm_ev_interval *iv = (const void *)(hdr + 1);

		if (!who__is(&who, iv->attempt) ||
		    (hdr->type != DSM_EV_COMMIT && hdr->type != DSM_EV_ABORT && hdr->type != DSM_EV_INTERVAL))
			continue;
		*microscope = hdr->flags & DSM_EV_F_MICROSCOPE;
		return hdr->type == DSM_EV_ABORT ? OUTCOME_ABORTED : OUTCOME_COMMITTED;
	}
	if (who.interval) /* nothing of it is ever undone */
		return OUTCOME_COMMITTED;
	/* Local commits are sampled. Without one in the trace, the node must have gone on to another
	 * transaction, and no abort may be missing. */
	return n && n->last_number > who.number && !model__lossy(e->model, run, DSM_EV_ABORT)
		       ? OUTCOME_COMMITTED
		       : OUTCOME_UNKNOWN;
}
