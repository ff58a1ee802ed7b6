/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/model.h"

#define HEAD "{\"schema\":\"procope.live/1\","

static int feed(struct model *m, const char *line)
{
	return model__line(m, line, strlen(line));
}

/* clang-format off: JSON is easier to read unbroken */
static const char pages[] =
	HEAD "\"time_ns\":1000000000,\"elapsed_s\":1.5,\"source\":\"bpf\",\"program\":\"world\",\"run_id\":"
	     "\"00ff\",\"ended\":false,"
	     "\"nodes\":[],"
	     "\"total\":{\"commits_per_s\":100.5,\"aborts_per_s\":10,\"aborts_per_commit\":0.1,\"wasted_"
	     "share\":0.25,"
	     "\"work_per_s\":7,\"fetches_per_s\":1,\"bytes_in_per_s\":2},"
	     "\"pages\":["
	     "{\"page\":4096,\"log2\":12,\"object\":\"struct a[4]\",\"type\":\"struct "
	     "a\",\"root\":null,\"object_offset\":4096,"
	     "\"objects\":1,\"nodes\":[0,1,2,3,7],\"fetches\":5,\"fetches_per_s\":2,\"transfers\":9,"
	     "\"invalidations\":1,"
	     "\"updates\":4,\"aborts\":1,\"aborts_per_s\":30,\"wasted_ns\":100},"
	     "{\"page\":8192,\"log2\":12,\"object\":\"struct "
	     "b\",\"root\":\"alpha\",\"object_offset\":8128,\"objects\":3,"
	     "\"nodes\":[1,2],\"fetches\":50,\"fetches_per_s\":1,\"transfers\":8,\"invalidations\":2,"
	     "\"updates\":3,\"aborts\":2,\"aborts_per_s\":20,\"wasted_ns\":300},"
	     "{\"page\":12288,\"log2\":12,\"object\":null,\"root\":null,\"object_offset\":null,\"objects\":0,"
	     "\"nodes\":[5],\"fetches\":7,\"fetches_per_s\":3,\"transfers\":10,\"invalidations\":3,"
	     "\"updates\":5,\"aborts\":3,\"aborts_per_s\":null,\"wasted_ns\":200}],"
	     "\"lost\":{\"abort\":3,\"fault\":0,\"writes\":4},\"lost_total\":7,\"events\":99}";
/* clang-format on */

static void reads_a_sample(void **state)
{
	struct model m;

	(void)state;
	model__init(&m);
	assert_int_equal(feed(&m, pages), 1);
	assert_true(m.shown.valid && m.shown.has_rates && !m.ended);
	assert_string_equal(m.shown.program, "world");
	assert_string_equal(m.shown.source, "bpf");
	assert_true(fabs(m.shown.rate.commits - 100.5) < 1e-9);
	assert_true(fabs(m.shown.wasted_share - 0.25) < 1e-9);
	assert_int_equal(m.shown.lost_total, 7);
	assert_string_equal(m.shown.lost, "abort 3, writes 4");
	assert_int_equal(m.shown.npages, 3);
	model__free(&m);
}

static void order(struct model *m, enum page_key key, unsigned a, unsigned b, unsigned c)
{
	model__sort_pages(m, key);
	assert_int_equal(m->shown.pages[0].offset, a * 4096);
	assert_int_equal(m->shown.pages[1].offset, b * 4096);
	assert_int_equal(m->shown.pages[2].offset, c * 4096);
}

static void orders_pages(void **state)
{
	struct model m;

	(void)state;
	model__init(&m);
	feed(&m, pages);
	order(&m, PAGE_WASTED, 2, 3, 1);
	order(&m, PAGE_ABORTS, 1, 2, 3); /* an unknown rate comes last */
	order(&m, PAGE_FETCHES, 3, 1, 2);
	order(&m, PAGE_TRANSFERS, 3, 1, 2);
	order(&m, PAGE_INVALIDATIONS, 3, 2, 1);
	order(&m, PAGE_UPDATES, 3, 1, 2);
	order(&m, PAGE_ADDRESS, 1, 2, 3);
	order(&m, PAGE_OBJECT, 2, 1, 3); /* alpha, struct a, nameless */
	feed(&m, pages);		 /* the key holds for the next sample */
	assert_int_equal(m.shown.pages[0].offset, 8192);
	model__free(&m);
}

static void describes_pages(void **state)
{
	struct model m;
	char t[128], small[9];

	(void)state;
	model__init(&m);
	feed(&m, pages);
	model__sort_pages(&m, PAGE_ADDRESS);
	model_page__describe(&m.shown.pages[0], t, sizeof(t));
	assert_string_equal(t, "struct a[4]");
	assert_string_equal(m.shown.pages[0].nodes, "0-3,7");
	model_page__describe(&m.shown.pages[1], t, sizeof(t));
	assert_string_equal(t, "alpha: struct b +0x40, 2 more");
	assert_string_equal(m.shown.pages[1].nodes, "1,2");
	model_page__describe(&m.shown.pages[1], small, sizeof(small));
	assert_string_equal(small, "alpha: s");
	model_page__describe(&m.shown.pages[2], t, sizeof(t));
	assert_string_equal(t, "(no object known)");
	model_page__describe(&(struct model_page){.log2 = 12}, t, sizeof(t));
	assert_string_equal(t, "(table of roots)");
	model__free(&m);
}

/* clang-format off */
static void node_line(char *dst, size_t size, unsigned long time_ms, unsigned long committed, unsigned long wasted)
{
	snprintf(dst, size,
		HEAD "\"time_ns\":%lu000000,\"nodes\":["
		"{\"node\":1,\"pid\":11,\"host\":\"h\",\"ended\":false,"
			"\"counters\":{\"committed_ns\":%lu000000,\"wasted_ns\":%lu000000},"
			"\"rates\":{\"commits_per_s\":5,\"aborts_per_s\":1}},"
		"{\"node\":0,\"pid\":10,\"host\":\"h\",\"ended\":false,\"counters\":{},\"rates\":{\"commits_per_s\":9}}],"
		"\"total\":{\"commits_per_s\":14,\"aborts_per_s\":%lu}}",
		time_ms, committed, wasted, wasted);
}
/* clang-format on */

static void shares_come_from_two_samples(void **state)
{
	char line[1024];
	struct model m;

	(void)state;
	model__init(&m);
	node_line(line, sizeof(line), 1000, 100, 10);
	assert_int_equal(feed(&m, line), 1);
	assert_int_equal(m.shown.nodes[0].node, 0); /* by number */
	assert_true(isnan(m.shown.nodes[1].committed));
	node_line(line, sizeof(line), 2000, 600, 260);
	feed(&m, line);
	assert_true(fabs(m.shown.nodes[1].committed - 0.5) < 1e-9);
	assert_true(fabs(m.shown.nodes[1].wasted - 0.25) < 1e-9);
	feed(&m, line); /* same time again, as a last line may have: the shares stay */
	assert_true(fabs(m.shown.nodes[1].wasted - 0.25) < 1e-9);
	model__sort_nodes(&m, NODE_WASTED);
	assert_int_equal(m.shown.nodes[0].node, 1);
	model__sort_nodes(&m, NODE_COMMITS);
	assert_int_equal(m.shown.nodes[0].node, 0);
	model__free(&m);
}

static void pause_freezes_but_history_goes_on(void **state)
{
	char line[1024];
	struct model m;

	(void)state;
	model__init(&m);
	node_line(line, sizeof(line), 1000, 0, 1);
	feed(&m, line);
	model__pause(&m, true);
	node_line(line, sizeof(line), 2000, 100, 2);
	feed(&m, line);
	node_line(line, sizeof(line), 3000, 300, 3);
	feed(&m, line);
	assert_true(m.shown.time_ns == 1000000000ull);
	assert_int_equal(m.nhistory, 3);
	assert_true(m.history[2] == 3);
	model__pause(&m, false);
	assert_true(m.shown.time_ns == 3000000000ull);
	/* shares are of the last interval, not of the whole pause */
	assert_true(fabs(m.shown.nodes[1].committed - 0.2) < 1e-9);
	model__free(&m);
}

static void history_wraps(void **state)
{
	char line[1024];
	struct model m;

	(void)state;
	model__init(&m);
	for (unsigned long i = 0; i < MODEL_HISTORY + 10; i++) {
		node_line(line, sizeof(line), 1000 * i, 0, i);
		feed(&m, line);
	}
	assert_int_equal(m.nhistory, MODEL_HISTORY + 10);
	assert_true(m.history[9] == MODEL_HISTORY + 9);
	model__free(&m);
}

static void bad_lines_change_nothing(void **state)
{
	/* NOLINTBEGIN(bugprone-suspicious-missing-comma): HEAD joins what follows */
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"null",
		"3",
		"\"x\"",
		"not json",
		"{}",
		"{\"schema\":7}",
		"{\"schema\":\"procope.trace/1\"}",
		HEAD,
		HEAD "\"nodes\":[{]}",
		HEAD "\"x\":\"\xff",
		"\x1b[2J",
	};
	/* NOLINTEND(bugprone-suspicious-missing-comma) */
	struct model m;

	(void)state;
	model__init(&m);
	feed(&m, pages);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(feed(&m, bad[i]), -EBADMSG);
		assert_true(m.error[0]);
		assert_int_equal(m.bad_lines, i + 1);
	}
	assert_int_equal(m.shown.npages, 3);
	assert_int_equal(m.samples, 1);
	assert_int_equal(feed(&m, "{\"schema\":\"procope.live/2\"}"), -EPROTONOSUPPORT);
	assert_non_null(strstr(m.error, "procope.live/2"));
	model__free(&m);
}

/* Right schema, wrong types everywhere: all of it counts as not given. */
static void wrong_types_are_not_given(void **state)
{
	static const char *const odd[] = {
		HEAD
		"\"nodes\":{},\"pages\":7,\"total\":[],\"lost\":\"x\",\"program\":null,\"ended\":\"yes\"}",
		HEAD "\"nodes\":[1,null,\"x\",{}],\"pages\":[[],{}],\"total\":{\"commits_per_s\":\"many\"}}",
		HEAD "\"nodes\":[{\"node\":-1,\"counters\":[],\"rates\":3,\"host\":{}}],\"pages\":[{\"page\":"
		     "-5,\"log2\":900,"
		     "\"nodes\":[null,\"a\",{}],\"objects\":-1,\"object\":[]}]}",
		HEAD "\"time_ns\":1e999,\"elapsed_s\":\"x\",\"total\":{\"aborts_per_s\":1e999}}",
	};
	struct model m;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		model__init(&m);
		assert_int_equal(feed(&m, odd[i]), 1);
		assert_false(m.ended);
		assert_false(m.shown.has_rates);
		assert_int_equal(m.nhistory, 0);
		model__free(&m);
	}
}

/* Every prefix and many one-byte changes of a good line: an error or a sample, never a crash (the
 * sanitizer builds run this too). */
static void damaged_lines(void **state)
{
	const size_t n = sizeof(pages) - 1;
	char *copy = malloc(n + 1);
	unsigned seed = 12345;
	struct model m;

	(void)state;
	model__init(&m);
	for (size_t i = 0; i < n; i++)
		assert_true(model__line(&m, pages, i) < 0);
	for (int i = 0; i < 20000; i++) {
		memcpy(copy, pages, n + 1);
		copy[rand_r(&seed) % n] = (char)rand_r(&seed);
		copy[rand_r(&seed) % n] = (char)rand_r(&seed);
		model__line(&m, copy, n);
	}
	assert_true(m.samples > 0 && m.bad_lines > 0);
	free(copy);
	model__free(&m);
}

static void names_of_keys(void **state)
{
	(void)state;
	for (int i = 0; i < PAGE_KEYS; i++)
		for (int intervals = 0; intervals < 2; intervals++)
			assert_int_equal(model__page_key(model__page_key_name((enum page_key)i, intervals)),
					 i);
	assert_int_equal(model__page_key("nonsense"), -EINVAL);
	assert_int_equal(model__page_key(""), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_sample),
		cmocka_unit_test(orders_pages),
		cmocka_unit_test(describes_pages),
		cmocka_unit_test(shares_come_from_two_samples),
		cmocka_unit_test(pause_freezes_but_history_goes_on),
		cmocka_unit_test(history_wraps),
		cmocka_unit_test(bad_lines_change_nothing),
		cmocka_unit_test(wrong_types_are_not_given),
		cmocka_unit_test(damaged_lines),
		cmocka_unit_test(names_of_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
