/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/analyzer/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/analyzer/self.h"

static volatile struct walker kept_walker;
static volatile struct tally_of_node kept_tally;
static volatile struct shared kept_shared;

static char folder[240];

const char *scene__path(const char *name)
{
	static char text[4][256];
	static int next;
	char *t = text[next++ % 4];

	snprintf(t, 256, "%s/%s", folder, name);
	return t;
}

void scene__start(struct feed *f, uint64_t seed)
{
	scene__start_in(f, seed, DSM_EV_TX);
}

void scene__start_in(struct feed *f, uint64_t seed, enum dsm_ev_consistency consistency)
{
	struct self self;
	uint32_t offset[3] = {0x1000, 0x2000, 0x3000};

	kept_walker.steps = kept_tally.count + kept_shared.total;
	self__find(&self);
	feed__start(f, 4, seed);
	f->consistency = consistency;
	f->intervals = consistency != DSM_EV_TX;
	feed__nodes(f);
	for (unsigned n = 0; n < 4; n++) {
		feed__module(f, n, 1, self.path, self.build_id, self.build_id_len);
		for (uint32_t s = 0; s < 3; s++)
			feed__site(f, n, s + 1, 1, &offset[s], 1);
		feed__type(f, n, 1, "struct walker", sizeof(struct walker), 1);
		feed__type(f, n, 2, "struct tally_of_node", sizeof(struct tally_of_node), 1);
		feed__type(f, n, 3, "struct shared", sizeof(struct shared), 1);
	}
}

void scene__meet(struct feed *f, uint64_t number, unsigned a, unsigned b, unsigned page, uint32_t from,
		 uint32_t to, uint32_t other_from, uint32_t other_to, bool reads)
{
	struct feed_iv winner = {a, number, 0, 3}, loser = {b, number, 0, 3}, retry = {b, number, 1, 3};
	struct feed_meeting m = {page, reads ? 1 : 3, 1, 1};
	struct byteset changed = {0}, touched = {0}, none = {0};

	byteset__add(&changed, from, to);
	byteset__add(&touched, other_from, other_to);
	feed__writes(f, winner, page, &changed, true);
	if (!reads)
		feed__writes(f, loser, page, &touched, false);
	feed__abort(f, loser, winner, DSM_EV_CAUSE_CONFLICT, 1000000, &m, 1, false);
	feed__commit(f, winner, false);
	feed__accesses(f, retry, page, &touched, reads ? &none : &touched, true, NOWHERE);
	if (!reads)
		feed__writes(f, retry, page, &touched, true);
	feed__commit(f, retry, true);
	byteset__free(&changed);
	byteset__free(&touched);
}

void scene__report(struct report *r, struct report_options *o, const char *const *trace)
{
	*o = (struct report_options){.traces = trace, .ntraces = 1, .top = 10};
	assert_int_equal(report__make(r, o), 0);
}

const struct row *scene__row(const struct report *r, const char *object, enum verdict v)
{
	for (size_t i = 0; i < r->tally.rows.n; i++) {
		const struct row *row = &r->tally.rows.at[r->rows[i]];
		char name[128];

		names__object(&r->tally, row, name, sizeof(name));
		if (row->key.verdict == v && !strcmp(name, object))
			return row;
	}
	return NULL;
}

double scene__sum(const struct ledger *b)
{
	double ns = b->other + b->lost + b->remainder;

	for (int v = 0; v < VERDICTS; v++)
		ns += b->verdict[v] + b->estimated[v];
	return ns;
}

void scene__plant(struct feed *f, unsigned rounds)
{
	for (unsigned n = 0; n < 4; n++)
		feed__object(f, 0, 0x2000 + n * 16, 1, 16, 2, 2, 0);
	feed__object(f, 0, 0x1000, 24, WALKER, 1, 1, 0);
	feed__root(f, 0, 0x1000, "walkers");
	feed__object(f, 0, 0x3000, 1, 8, 3, 3, 0);
	feed__root(f, 0, 0x3000, "total");
	for (unsigned i = 0; i < rounds; i++) {
		unsigned a = i % 4, b = (i + 1 + i / 4 % 3) % 4;
		uint32_t ea = (6 * a + i % 6) * (uint32_t)WALKER, eb = (6 * b + i / 2 % 6) * (uint32_t)WALKER;

		scene__meet(f, 1000 + 10 * i, a, b, 1, ea, ea + 6, eb, eb + 24, false);
		if (i % 2)
			scene__meet(f, 1001 + 10 * i, a, b, 2, 16 * a, 16 * a + 2, 16 * b, 16 * b + 16,
				    false);
		if (i % 5 == 0)
			scene__meet(f, 1002 + 10 * i, a, b, 3, 0, 1, 0, 8, false);
	}
}

const struct advice *scene__advice_for(const struct report *r, const char *object)
{
	for (size_t i = 0; i < r->advice.all.n; i++) {
		char name[128];

		model__group_name(&r->model, r->advice.all.at[i].group, name, sizeof(name));
		if (!strcmp(name, object) && r->advice.all.at[i].kind <= ADVICE_PAD)
			return &r->advice.all.at[i];
	}
	return NULL;
}

const struct advice *scene__advice_of(const struct report *r, enum advice_kind kind)
{
	for (size_t i = 0; i < r->advice.all.n; i++)
		if (r->advice.all.at[i].kind == kind)
			return &r->advice.all.at[i];
	return NULL;
}

bool scene__noted(const struct report *r, const char *words)
{
	for (size_t i = 0; i < r->advice.nnotes; i++)
		if (strstr(r->advice.notes[i], words))
			return true;
	return false;
}

int scene__make_folder(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(folder, sizeof(folder), "%s/procope-scene-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(folder) ? 0 : -1;
}

int scene__remove_folder(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	return system(command);
}
