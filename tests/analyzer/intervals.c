/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/analyzer/intervals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void intervals__take_away(struct feed *f, uint64_t number, unsigned a, unsigned b, const struct told *t)
{
	struct feed_iv since = {a, number - 1, 0, 3}, holder = {a, number, 0, 3}, other = {b, number, 0, 3};
	struct byteset held = {0}, wanted = {0}, none = {0};

	byteset__add(&held, t->held_from, t->held_to);
	byteset__add(&wanted, t->wanted_from, t->wanted_to);
	feed__writes(f, since, PAGE, &held, true);
	feed__meet(f, holder, other, PAGE, R | W, t->writes ? W : R, number - 1);
	feed__wait(f, other, PAGE, t->wanted_from, t->writes ? W : R, 0, WAIT, NOWHERE);
	if (t->writes)
		feed__writes(f, other, PAGE, &wanted, true);
	if (t->seen) {
		feed__accesses(f, other, PAGE, t->writes ? &none : &wanted, t->writes ? &wanted : &none, true,
			       NOWHERE);
		for (uint64_t n = number - 1; n <= number; n++) {
			struct feed_iv iv = {a, n, 0, 3};

			feed__accesses(f, iv, PAGE, &none, n == number ? &none : &held, true, NOWHERE);
		}
	}
	feed__interval(f, holder, 0, t->seen);
	feed__interval(f, other, 0, t->seen);
	byteset__free(&held);
	byteset__free(&wanted);
}

void intervals__spread(struct feed *f, uint64_t number, unsigned a, unsigned b, const struct told *t)
{
	struct feed_iv holder = {a, number, 0, 3}, other = {b, number, 0, 3};
	struct byteset held = {0}, wrote = {0}, none = {0};

	byteset__add(&held, t->held_from, t->held_to);
	byteset__add(&wrote, t->wanted_from, t->wanted_to);
	feed__writes(f, other, PAGE, &wrote, true);
	feed__meet(f, holder, other, PAGE, R, W, number);
	if (t->seen)
		feed__accesses(f, holder, PAGE, &held, &none, true, NOWHERE);
	feed__interval(f, other, WAIT, false);
	feed__interval(f, holder, 0, t->seen);
	byteset__free(&held);
	byteset__free(&wrote);
}

void intervals__start(struct feed *f, enum dsm_ev_consistency c)
{
	scene__start_in(f, 7, c);
	feed__object(f, 0, 0x1000, 24, WALKER, 1, 1, 0);
	feed__root(f, 0, 0x1000, "walkers");
}

void intervals__report(struct feed *f, struct report *r)
{
	static const char *path;
	static struct report_options o;
	double sum = 0;

	feed__shuffle(f);
	path = scene__path("t.dsmt");
	assert_int_equal(feed__write(f, path, NULL, 0), 0);
	scene__report(r, &o, &path);
	sum = scene__sum(&r->tally.ledger) + r->tally.ledger.copies + r->tally.ledger.locks +
	      r->tally.ledger.flushes;
	assert_float_equal(sum, r->tally.ledger.measured, 1);
	assert_float_equal(r->tally.ledger.remainder, 0, 1);
	feed__free(f);
}
