/* SPDX-License-Identifier: BSD-2-Clause */
/* evidence_work.h - what the parts of evidence share: reading byte sets (gather.c), stand-ins (standin.c),
 * judging (evidence.c), accesses apart from conflicts (usage.c). */
#ifndef ANALYZER_EVIDENCE_WORK_H
#define ANALYZER_EVIDENCE_WORK_H

#include "evidence.h"
#include "window.h"

#define SAMPLES 8 /* of single transactions kept for one (node, site, page) */

struct sample { /* what one transaction of a site accessed on one page, as long as it ran */
	bool committed;
	struct byteset touched, wrote;
	struct touches touches;
};

/* All that transactions of one site on one node were seen to access on one page. */
struct profile {
	unsigned committed, aborted;   /* transactions seen under the microscope, all their accesses listed */
	struct byteset touched, wrote; /* by any of them, and by any other trace of them */
	struct touches touches;	       /* a few, for their lines */
	unsigned n, next;
	struct sample sample[SAMPLES];
};

struct evidence {
	struct model *model;
	struct layouts *layouts;
	struct symbols *symbols;
	struct evidence_sink sink;
	struct window window;
	struct table profile_keys;
	VEC(struct profile *) profiles;
	struct table operand_keys; /* (code, access) -> operands */
	VEC(unsigned) operands;
};

/* One attempt, as the records name it; or an interval, with those before it from `since` on. */
struct who {
	uint16_t node;
	uint32_t generation;
	uint64_t number;
	uint32_t attempt;
	bool interval;
	uint64_t since;	 /* 0: `number` alone */
	uint64_t opened; /* what was written since then is told under that number; 0: under `number` */
};

#define ANY_ATTEMPT UINT32_MAX /* struct who: of that number */

static inline bool who__is(const struct who *who, uint32_t attempt)
{
	return who->attempt == ANY_ATTEMPT || who->attempt == attempt;
}

#define ANY_SITE UINT32_MAX /* profile of all intervals of a node, wherever they begin */

/* Attempts and intervals are numbered apart. */
static inline uint64_t number__of(uint64_t number, bool interval)
{
	return interval ? number | (uint64_t)1 << 63 : number;
}

struct access_set {
	bool any, complete;
	struct byteset touched, wrote;
	struct touches touches;
};

/* gather.c: all read the window; sets are added to. */
void gather__access(struct evidence *e, const struct page_view *v, uint16_t node,
		    const struct dsm_ev_access *a, struct byteset *touched, struct byteset *wrote,
		    struct touch *t);
void gather__accesses(struct evidence *e, const struct page_view *v, dsm_ev_page page, struct who who,
		      struct access_set *out);
void gather__first_touches(struct evidence *e, const struct page_view *v, dsm_ev_page page, struct who who,
			   struct byteset *touched, struct byteset *wrote, struct touches *touches);
/* Changed bytes that the attempt committed, or else tried to; returns whether they are all there. */
bool gather__writes(struct evidence *e, const struct page_view *v, dsm_ev_page page, struct who who,
		    struct byteset *out);
void gather__runs(const struct dsm_ev_writes *w, struct byteset *out);
enum outcome { OUTCOME_UNKNOWN, OUTCOME_COMMITTED, OUTCOME_ABORTED };
/* How an attempt ended; `microscope`: it was slowed down. */
enum outcome gather__outcome(const struct evidence *e, uint32_t run, struct who who, bool *microscope);
void gather__free(struct access_set *s);

/* evidence.c */
/* Judges one page: what `changer` changed against what `toucher` accessed (`m`: what the runtime noted of it). */
void judge__sides(struct evidence *e, struct met_page *p, struct who changer, struct who toucher,
		  const struct dsm_ev_meeting *m, bool untouched);
void judge__conclude(struct conflict *c);
/* Hands the conflict to the sink, apportioned by stand-ins if it is unknown. */
void judge__tell(struct evidence *e, const struct conflict *c);
struct met_page met_page__like(const struct met_page *p);
void met_page__free(struct met_page *p);
const struct profile *judge__profile(struct evidence *e, const struct conflict *c, const struct met_page *p);

/* Judges an attempt that was undone; `kept`: one that would have been, but goes on. */
void judge__attempt(struct evidence *e, const struct entry *entry, const struct dsm_ev_abort *a, bool kept);

/* met.c */
/* A MEET of an attempt that goes on, filed under its number. */
void met__judge(struct evidence *e, const struct entry *entry);
/* Had this commit to wait for others'? */
bool met__costs(const struct dsm_ev_hdr *commit);
/* What it cost is laid to those whom it met, or else to nobody. */
void met__judge_commit(struct evidence *e, const struct entry *entry);

/* meeting.c */
/* A wait for a copy, or for a flush, of an interval: laid to those who had the pages in use. */
void meeting__judge(struct evidence *e, const struct entry *entry);

/* standin.c */
struct profile *profile__get(struct evidence *e, uint32_t run, uint16_t node, uint32_t site, dsm_ev_page page,
			     bool make);
void profile__add(struct profile *p, const struct access_set *set, bool whole, enum outcome how);
void profile__free(struct profile *p);

/* usage.c */
void usage__tell(struct evidence *e, const struct entry *entry);

void touches__add_all(struct touches *to, const struct touches *from, size_t most);

#endif
