/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tally.h - sums over conflicts: rows for the report (who met whom, where, at which cost), the ledger that
 * must balance, and the shapes that replay.h plays again under another layout. Conflicts of one shape are
 * counted, not kept, so memory grows with the variety of a program, not with its run time.
 */
#ifndef ANALYZER_TALLY_H
#define ANALYZER_TALLY_H

#include "evidence.h"
#include "loops.h"
#include "promise.h"
#include "quiet.h"
#include "waits.h"

#define GROUP_NONE UINT32_MAX /* bytes that belong to no recorded object */

struct row_side {
	uint32_t group;
	uint32_t fields;    /* tally.texts */
	uint32_t site;	    /* of the transaction */
	uint32_t leaf;	    /* first byte of the scalar, in its element */
	struct code code;   /* image 0 when unknown */
	uint32_t elsewhere; /* after finish: the line was seen at other sites only */
};

struct row_key {
	uint32_t verdict;
	uint32_t why;			  /* of unknown ones */
	uint32_t reversed;		  /* the loser is the side that changed, see struct met_page */
	uint32_t roots;			  /* no object: the DSM's own table of roots */
	struct row_side changed, touched; /* the side that changed bytes, and the one that accessed some */
};

struct node_pair {
	uint16_t winner, loser;
	double ns;
};

struct row {
	struct row_key key;
	uint32_t group;		/* that the row is charged to; GROUP_NONE: none */
	bool wrote, read;	/* the side that accessed */
	double seen, estimated; /* conflicts: judged by evidence of their own; apportioned by stand-ins */
	double seen_ns, estimated_ns;
	double squares;	     /* of weights, for the effective number */
	double basis[BASES]; /* conflicts by basis */
	unsigned npairs;
	struct node_pair pair[8]; /* the costliest pairs of nodes */
};

struct shape { /* header of a shape's key; then W pieces, then T pieces, then untouched pages */
	uint32_t run;
	uint16_t changer, toucher; /* nodes */
	uint32_t loser_site, loser;
	uint32_t verdict;
	uint32_t nstored, ntouched, npages;
};

struct shape_sum {
	double conflicts, ns;
	int64_t time_ns;
};

enum usage_kind { USE_WRITE, USE_ACCESS };
struct usage_key {     /* then n struct piece: what one attempt wrote or touched on one page */
	uint64_t page; /* region offset */
	uint32_t run;
	uint16_t node, kind;
	uint32_t site, n;
};

/* ns; measured = false + true + silent + unknown + untouched + other + rebases + copies + locks + flushes + lost + remainder.
 * What was wasted in attempts that aborted, or, where they are not undone, in commits that others were in the way of; and,
 * where intervals of sc or rc ran, what was waited. */
struct ledger {
	double measured;	       /* by the runtime's counters, since the collector came */
	double before;		       /* measured before that: not in the sum */
	double verdict[VERDICTS];      /* judged by their own evidence */
	double estimated[VERDICTS];    /* apportioned by stand-ins */
	double other;		       /* aborts that no sharing caused: cancel, lock, node loss */
	double rebases;		       /* of attempts that are not undone: commits that met nobody */
	double copies, locks, flushes; /* waits that no conflict explains; 0 where only transactions ran */
	double changes;		       /* rc: of handling changes, in `flushes`: those that met nobody */
	double lost;		       /* aborts, and waits, whose records were lost */
	double remainder;	       /* what still differs */
	double microscope;	       /* part of all these: attempts that the microscope slowed down */
	double met_microscope;	       /* and attempts that met a winner that it slowed down */
	double aborts, microscope_aborts, microscope_commits;
	double by_cause[DSM_EV_CAUSE_MAX];
};

struct side_name { /* of bytes of one page: what name_side() found */
	bool known;
	uint32_t fields, leaf;
};

struct line_best {
	struct code code;
	double count;
};

struct group_sum {
	double ns[VERDICTS]; /* judged and apportioned */
	double seen[VERDICTS], estimated[VERDICTS];
	double squares;
	double writes; /* commits and lost attempts that wrote it */
};

struct tally {
	struct model *model;
	struct layouts *layouts;
	struct table texts;
	struct table name_keys;
	VEC(struct side_name) names;
	struct table row_keys;
	VEC(struct row) rows;
	struct table shape_keys;
	VEC(struct shape_sum) shapes;
	double shapes_dropped, shapes_kept; /* conflicts */
	double stuck_ns, stuck;		    /* unknown: nothing to replay */
	struct table usage_keys;
	VEC(double) usages;	   /* weights */
	VEC(double) usage_records; /* how many of them */
	struct table commit_keys;  /* run, node, site */
	VEC(double) commits;
	struct table line_keys, line_best_keys;
	VEC(double) lines;
	VEC(struct line_best) line_best;
	struct table touch_keys; /* run, node, page */
	VEC(struct byteset) node_touch;
	VEC(int64_t) node_touch_time;
	double why[WHY_MAX];	  /* unknown conflicts by reason */
	struct group_sum *groups; /* by group, after finish */
	struct group_sum nobody;  /* bytes without object */
	struct waits waits;
	struct loops loops;
	struct promises promises;
	struct quiet quiet;
	struct ledger ledger;
};

void tally__init(struct tally *t, struct model *m, struct layouts *l);
/* The callbacks to hand to evidence__new(). */
void tally__sink(struct tally *t, struct evidence_sink *sink);
/* After evidence__finish(): charges rows to objects, finds winners' lines, balances the ledger. */
void tally__finish(struct tally *t);
void tally__free(struct tally *t);

const char *tally__text(const struct tally *t, uint32_t number);
/* The instruction that most often accessed a scalar in transactions of a site (0: any site). */
struct code tally__line(const struct tally *t, uint32_t site, uint32_t group, uint32_t leaf, bool write);
static inline const struct row_side *row__winner(const struct row *r)
{
	return r->key.reversed ? &r->key.touched : &r->key.changed;
}
static inline const struct row_side *row__loser(const struct row *r)
{
	return r->key.reversed ? &r->key.changed : &r->key.touched;
}
/* What a side did: DSM_EV_ACCESS_*, 0 when not known. */
unsigned row__access(const struct row *r, const struct row_side *side);
static inline double row__ns(const struct row *r)
{
	return r->seen_ns + r->estimated_ns;
}

#endif
