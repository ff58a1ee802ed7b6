// SPDX-License-Identifier: BSD-2-Clause
/*
 * collector_aggregate_test.c - what is known of a run: names, repetitions, pages, rates, losses.
 */
#include "collector/aggregate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <json-c/json.h>

#include "collector/live.h"
#include "collector/table.h"

#define HDR(kind, on, how)                                                                                   \
	{                                                                                                    \
		.size = sizeof(struct dsm_ev_##kind), .type = DSM_EV_##on, .node = 1, .weight = 1,           \
		.flags = how                                                                                 \
	}

static struct aggregate *a;

static int setup(void **state)
{
	(void)state;
	a = aggregate__new();
	return a ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	aggregate__free(a);
	return 0;
}

static int say_object(uint16_t node, uint64_t offset, uint64_t bytes, uint8_t flags)
{
	struct dsm_ev_object o = {.hdr = HDR(object, OBJECT, flags),
				  .offset = offset,
				  .bytes = bytes,
				  .count = bytes / 48,
				  .elem_size = 48,
				  .stride = 48,
				  .type = 7};

	o.hdr.node = node;
	return aggregate__record(a, &o.hdr);
}

static void say_free(uint16_t node, uint64_t offset)
{
	struct dsm_ev_free f = {.hdr = HDR(free, FREE, 0), .offset = offset};

	f.hdr.node = node;
	assert_int_equal(aggregate__record(a, &f.hdr), 0);
}

static void test_table(void **state)
{
	struct table t = {0};
	static int values[5000];
	size_t at = 0, n = 0;

	(void)state;
	assert_null(table__get(&t, (struct table_key){1, 2}));
	assert_null(table__take(&t, (struct table_key){1, 2}));
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(table__put(&t, (struct table_key){i % 71, i}, &values[i]), 0);
	for (unsigned i = 0; i < 5000; i += 3)
		assert_ptr_equal(table__take(&t, (struct table_key){i % 71, i}), &values[i]);
	for (unsigned i = 0; i < 5000; i++)
		assert_ptr_equal(table__get(&t, (struct table_key){i % 71, i}), i % 3 ? &values[i] : NULL);
	while (table__next(&t, &at))
		n++;
	assert_int_equal(n, t.used);
	assert_int_equal(n, 5000 - 1667);
	table__free(&t, NULL);
}

static void test_rundown_repeats(void **state)
{
	(void)state;
	assert_int_equal(say_object(1, 4096, 480, 0), 0);
	assert_int_equal(say_object(1, 4096, 480, DSM_EV_F_RUNDOWN), 1);
	assert_int_equal(say_object(1, 8192, 480, DSM_EV_F_RUNDOWN), 0); /* we came late: this is news */
	assert_int_equal(say_object(1, 8192, 480, DSM_EV_F_RUNDOWN), 1);
	assert_int_equal(say_object(1, 4096, 960, DSM_EV_F_RUNDOWN), 0); /* another object at the place */
	say_free(2, 8192);						 /* freed by another node */
	assert_int_equal(say_object(1, 8192, 480, DSM_EV_F_RUNDOWN), 0);
	assert_int_equal(aggregate__repeated(a), 2);
	assert_int_equal(aggregate__counts(a)[DSM_EV_OBJECT], 4);
}

static void test_objects_on_a_page(void **state)
{
	struct dsm_ev_typedesc t = {.hdr = HDR(typedesc, TYPE, 0), .id = 7, .name = "struct avatar"};
	struct dsm_ev_root r = {.hdr = HDR(root, ROOT, 0), .offset = 5000, .name = "avatars"};
	const struct agg_object *o;
	size_t n;

	(void)state;
	aggregate__record(a, &t.hdr);
	aggregate__record(a, &r.hdr);
	say_object(1, 4096, 480, 0);   /* covers 480 of page 1 */
	say_object(1, 4640, 960, 0);   /* 960 of page 1 */
	say_object(1, 8000, 192, 0);   /* ends at the page's end */
	say_object(1, 8192, 12288, 0); /* pages 2 to 4 */
	o = aggregate__object_on(a, DSM_EV_PAGE(4096, 12), &n);
	assert_int_equal(n, 3);
	assert_int_equal(o->offset, 4640);
	assert_string_equal(aggregate__type_name(a, o), "struct avatar");
	assert_string_equal(aggregate__root_name(a, o), "avatars");
	o = aggregate__object_on(a, DSM_EV_PAGE(16384, 12), &n); /* the last page of a long one */
	assert_int_equal(n, 1);
	assert_int_equal(o->offset, 8192);
	assert_null(aggregate__root_name(a, o));
	assert_null(aggregate__object_on(a, DSM_EV_PAGE(20480, 12), &n));
	assert_int_equal(n, 0);
	say_free(1, 8192);
	assert_null(aggregate__object_on(a, DSM_EV_PAGE(16384, 12), &n));
	/* nonsense from somebody else's memory */
	say_object(1, UINT64_MAX - 100, UINT64_MAX, 0);
	aggregate__object_on(a, DSM_EV_PAGE(UINT64_MAX & ~0xfffull, 63), &n);
	aggregate__object_on(a, DSM_EV_PAGE(0, 4095), &n);
}

static void test_page_of_record(void **state)
{
	struct dsm_ev_fault f = {.hdr = HDR(fault, FAULT, 0),
				 .page = DSM_EV_PAGE(4096, 12),
				 .wait_ns = 9,
				 .kind = DSM_EV_FAULT_FETCH};
	struct dsm_ev_abort b = {.hdr = HDR(abort, ABORT, 0), .wasted_ns = 5};
	struct dsm_ev_transfer t = {.hdr = HDR(transfer, TRANSFER, 0), .page = 77, .bytes = 3};
	struct dsm_ev_commit c = {.hdr = HDR(commit, COMMIT, 0)};
	struct trace_page_stat s;

	(void)state;
	assert_true(aggregate__page_of(&f.hdr, &s));
	assert_int_equal(s.fetches, 1);
	assert_int_equal(s.fetch_ns, 9);
	assert_int_equal(s.node, 1);
	f.kind = DSM_EV_FAULT_UPGRADE;
	assert_false(aggregate__page_of(&f.hdr, &s));
	assert_true(aggregate__page_of(&b.hdr, &s));
	assert_int_equal(s.page, 0);
	assert_int_equal(s.wasted_ns, 5);
	b.nmeetings = 1;
	b.meeting[0].page = 4108;
	assert_true(aggregate__page_of(&b.hdr, &s));
	assert_int_equal(s.page, 4108);
	assert_true(aggregate__page_of(&t.hdr, &s));
	assert_int_equal(s.bytes, 3);
	assert_false(aggregate__page_of(&c.hdr, &s));
}

static void test_page_deltas(void **state)
{
	struct trace_page_stat d = {.page = DSM_EV_PAGE(4096, 12), .node = 1, .fetches = 2, .wasted_ns = 10};
	const struct trace_page_stat *taken;
	const struct agg_page *hot[8];
	uint16_t nodes[4];
	size_t n;

	(void)state;
	aggregate__add_node(a, 1, 3, 100, 1);
	aggregate__add_node(a, 0, 3, 101, 1);
	aggregate__add_node(a, 2, 3, 102, 1);
	aggregate__add_page(a, &d);
	aggregate__add_page(a, &d);
	d.node = 2;
	aggregate__add_page(a, &d);
	assert_int_equal(aggregate__take_pages(a, &taken, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(taken[0].fetches + taken[1].fetches, 6);
	assert_int_equal(aggregate__take_pages(a, &taken, &n), 0);
	assert_int_equal(n, 0);
	aggregate__add_page(a, &d);
	assert_int_equal(aggregate__take_pages(a, &taken, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(taken[0].fetches, 2);
	assert_int_equal(taken[0].node, 2);
	d.page = DSM_EV_PAGE(8192, 12);
	d.wasted_ns = 1000;
	aggregate__add_page(a, &d);
	d.page = 0; /* aborts without a page are no hot page */
	aggregate__add_page(a, &d);
	assert_int_equal(aggregate__hottest(a, hot, 8), 2);
	assert_int_equal(DSM_EV_PAGE_OFFSET(hot[0]->page), 8192);
	assert_int_equal(hot[1]->total.fetches, 8);
	assert_int_equal(aggregate__hottest(a, hot, 1), 1);
	assert_int_equal(aggregate__page_nodes(a, DSM_EV_PAGE(4096, 12), nodes, 4), 2);
	assert_int_equal(nodes[0], 1);
	assert_int_equal(nodes[1], 2);
	aggregate__sample_pages(a, 0.5);
	assert_true(hot[0]->fetches_per_s == 4);
}

static void say_move(uint16_t from, uint64_t version, uint16_t to)
{
	struct dsm_ev_move m = {.hdr = HDR(move, MOVE, 0),
				.page = DSM_EV_PAGE(4096, 12),
				.version = version,
				.to = to,
				.birth = 0};

	m.hdr.node = from;
	assert_int_equal(aggregate__record(a, &m.hdr), 0);
}

/* Where a page lives is told by the record of its highest version, whichever comes last. */
static void test_moves(void **state)
{
	const struct agg_page *page;

	(void)state;
	say_move(0, 5, 2);
	say_move(0, 20, 3);
	say_move(2, 11, 0);
	assert_int_equal(aggregate__counts(a)[DSM_EV_MOVE], 3);
	assert_int_equal(aggregate__hottest(a, &page, 1), 1);
	assert_int_equal(page->home_moves, 3);
	assert_int_equal(page->home, 3);
}

static void test_rates(void **state)
{
	struct trace_counters c = {
		.time_ns = 1000000000, .node = 1, .counters = {.commits = 10, .wasted_ns = 100}};
	const struct agg_node *n;
	struct agg_rates total;

	(void)state;
	aggregate__sample_node(a, &c);
	n = aggregate__node(a, 1);
	assert_false(n->rates.known);
	assert_false(aggregate__total(a).known);
	c.time_ns += 500000000;
	c.counters.commits = 20;
	c.counters.aborts = 5;
	c.counters.wasted_ns = 400;
	c.counters.committed_ns = 100;
	c.counters.bytes_in = 50;
	aggregate__sample_node(a, &c);
	assert_true(n->rates.known);
	assert_true(n->rates.commits == 20 && n->rates.aborts == 10 && n->rates.bytes_in == 100);
	assert_true(n->rates.aborts_per_commit == 0.5 && n->rates.wasted_share == 0.75);
	c.node = 2; /* one sample only: no part of the total */
	aggregate__sample_node(a, &c);
	total = aggregate__total(a);
	assert_true(total.known && total.commits == 20 && total.wasted_share == 0.75);
	c.node = 1;
	c.time_ns += 1000000000;
	c.counters.commits = 0; /* counters that fall back are no negative rate */
	aggregate__sample_node(a, &c);
	assert_true(n->rates.commits == 0 && n->rates.aborts_per_commit == 0);
}

/* Two nodes for a second each: what they waited is a share of both their times; waits in attempts that abort are in
 * wasted_ns already; changes cost processor time that nobody waits for. */
static void test_rates_of_intervals(void **state)
{
	struct trace_counters c = {.time_ns = 1000000000, .node = 1};
	const struct agg_node *n;
	struct agg_rates total;

	(void)state;
	aggregate__sample_node(a, &c);
	c.node = 2;
	aggregate__sample_node(a, &c);
	c.time_ns += 1000000000;
	aggregate__sample_node(a, &c);
	c.node = 1;
	c.counters = (struct dsm_counters){.intervals = 40,
					   .meets = 10,
					   .pages_in = 7,
					   .locks_remote = 3,
					   .flushes = 2,
					   .wasted_ns = 100000000,
					   .fetch_ns = 250000000,
					   .wasted_fetch_ns = 50000000,
					   .lock_ns = 60000000,
					   .flush_ns = 40000000,
					   .changes_ns = 20000000};
	aggregate__sample_node(a, &c);
	n = aggregate__node(a, 1);
	assert_true(n->rates.intervals == 40 && n->rates.meets == 10 && n->rates.transfers == 7 &&
		    n->rates.lock_waits == 3 && n->rates.flushes == 2);
	assert_true(n->rates.conflicts_per_interval == 0.25);
	assert_float_equal(n->rates.lost_share, 0.42, 1e-9);
	total = aggregate__total(a);
	assert_true(total.conflicts_per_interval == 0.25 && total.intervals == 40);
	assert_float_equal(total.lost_share, 0.21, 1e-9);
}

static void test_losses(void **state)
{
	const struct trace_loss *l;

	(void)state;
	assert_int_equal(aggregate__losses(a, &l), 0);
	aggregate__add_loss(a, DSM_EV_ABORT, 2);
	aggregate__add_loss(a, DSM_EV_FAULT, 0);
	aggregate__add_loss(a, DSM_EV_ABORT, 3);
	aggregate__add_loss(a, 4711, 1);
	assert_int_equal(aggregate__losses(a, &l), 2);
	assert_int_equal(l[0].type, DSM_EV_ABORT);
	assert_int_equal(l[0].count, 5);
	assert_int_equal(l[1].type, 0);
	assert_int_equal(aggregate__lost(a), 6);
}

static void test_node_ends(void **state)
{
	struct dsm_ev_end e = {.hdr = HDR(end, END, 0), .status = 3};

	(void)state;
	aggregate__add_node(a, 1, 2, 10, 1);
	aggregate__add_node(a, 0, 2, 11, 1);
	assert_int_equal(aggregate__record(a, &e.hdr), 0);
	aggregate__node_gone(a, 1, false); /* it said goodbye before */
	assert_false(aggregate__node(a, 1)->crashed);
	assert_int_equal(aggregate__node(a, 1)->status, 3);
	aggregate__node_gone(a, 0, false);
	assert_true(aggregate__node(a, 0)->ended && aggregate__node(a, 0)->crashed);
	assert_null(aggregate__node(a, 9));
	assert_false(aggregate__node(a, 1)->has_last);
}

/* Of a shorter list of counters the rest is 0; a longer one is cut. */
static void test_last_counters(void **state)
{
	enum { MOST = sizeof(struct dsm_counters) + 16 };
	static _Alignas(8) uint8_t bytes[sizeof(struct dsm_ev_end) + MOST];
	struct dsm_ev_end *e = (void *)bytes;

	(void)state;
	aggregate__add_node(a, 1, 2, 10, 1);
	for (unsigned size = 16; size <= MOST; size += MOST - 16) {
		*e = (struct dsm_ev_end){.hdr = HDR(end, END, 0), .counters_bytes = size};
		e->hdr.size = (uint16_t)(sizeof(*e) + size);
		for (unsigned i = 0; i < size / 8; i++)
			e->counters[i] = i + 7;
		assert_true(trace_record__sane(&e->hdr, sizeof(bytes)));
		assert_int_equal(aggregate__record(a, &e->hdr), 0);
		assert_true(aggregate__node(a, 1)->has_last);
		const uint64_t *last = (const uint64_t *)&aggregate__node(a, 1)->last;

		for (unsigned i = 0; i < sizeof(struct dsm_counters) / 8; i++)
			assert_int_equal(last[i], i < size / 8 ? i + 7 : 0);
	}
	e->counters_bytes = MOST + 8; /* more than the record has */
	assert_false(trace_record__sane(&e->hdr, sizeof(bytes)));
}

static struct json_object *get(struct json_object *o, const char *key)
{
	struct json_object *value;

	assert_true(json_object_object_get_ex(o, key, &value));
	return value;
}

static void test_live_line(void **state)
{
	struct live_state s = {.known = a, .time_ns = 5, .elapsed_s = 1.5, .source = "ring", .run_id = 0xabc};
	struct dsm_ev_node node = {
		.hdr = HDR(node, NODE, 0), .pid = 44, .nodes = 1, .program = "wo\xffrld", .host = "h"};
	struct dsm_ev_typedesc t = {.hdr = HDR(typedesc, TYPE, 0), .id = 7, .name = "struct \"a\\b\""};
	struct trace_page_stat d = {.page = DSM_EV_PAGE(4096, 12), .node = 1, .fetches = 2};
	struct json_object *o, *page;
	char *line;

	(void)state;
	aggregate__record(a, &node.hdr);
	aggregate__record(a, &t.hdr);
	say_object(1, 4096, 480, 0);
	aggregate__add_page(a, &d);
	aggregate__add_loss(a, DSM_EV_ABORT, 2);
	line = live__json(&s);
	assert_non_null(line);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	o = json_tokener_parse(line);
	assert_non_null(o);
	assert_string_equal(json_object_get_string(get(o, "schema")), "procope.live/1");
	assert_string_equal(json_object_get_string(get(o, "run_id")), "0000000000000abc");
	assert_string_equal(json_object_get_string(get(o, "program")), "wo?rld");
	assert_null(get(get(o, "total"), "commits_per_s")); /* one sample is no rate */
	assert_int_equal(json_object_get_int(get(get(o, "lost"), "abort")), 2);
	page = json_object_array_get_idx(get(o, "pages"), 0);
	assert_string_equal(json_object_get_string(get(page, "object")), "struct \"a\\b\"[10]");
	assert_string_equal(json_object_get_string(get(page, "type")), "struct \"a\\b\"");
	assert_null(get(page, "root"));
	assert_int_equal(json_object_get_int(get(page, "page")), 4096);
	json_object_put(o);
	free(line);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_table),
		CASE(test_rundown_repeats),
		CASE(test_objects_on_a_page),
		CASE(test_page_of_record),
		CASE(test_page_deltas),
		CASE(test_rates),
		CASE(test_rates_of_intervals),
		CASE(test_moves),
		CASE(test_losses),
		CASE(test_node_ends),
		CASE(test_last_counters),
		CASE(test_live_line),
	};

	return cmocka_run_group_tests_name("aggregate", tests, NULL, NULL);
}
