/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plan_test.c - plans good and damaged, matching, and the arithmetic of layouts.
 */
#include "dsmcore/memory/plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "dsmcore/memory/objects_layout.h"

static char path[256];
static char message[1024];

static void write_plan(const char *text, size_t n)
{
	FILE *f;

	unlink(path); /* a file made short and written anew may wait for the disk */
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static int load(const char *text, struct plan **plan)
{
	write_plan(text, strlen(text));
	message[0] = 0;
	return plan__open(plan, path, message, sizeof(message));
}

#define HEAD "{\"schema\":\"procope.plan/1\",\"program\":\"world\",\n\"rules\":["
#define MATCH                                                                                                \
	"\"match\":{\"type\":\"struct "                                                                      \
	"avatar\",\"elem_size\":48,\"site\":[{\"build_id\":\"0aFF\",\"offset\":4660}]}"
#define RULE(layout)                                                                                         \
	"{\"id\":\"P1\"," MATCH ",\"layout\":{" layout "},\"why\":\"because\",\"predicted_ns_per_s\":1.5}"
#define PLAN(layout) HEAD RULE(layout) "]}"

static void a_good_plan_is_read(void **arg)
{
	struct plan *p;

	(void)arg;
	assert_int_equal(load(PLAN("\"isolate\":true,\"stride\":64,\"block\":10,\"block_stride\":4096"), &p),
			 0);
	assert_string_equal(p->program, "world");
	assert_int_equal(p->nrules, 1);
	assert_int_equal(p->narenas, 2);
	assert_string_equal(p->rules[0].id, "P1");
	assert_string_equal(p->rules[0].type, "struct avatar");
	assert_true(p->rules[0].isolate);
	assert_int_equal(p->rules[0].arena, 1);
	assert_int_equal(p->rules[0].layout.elem_size, 48);
	assert_int_equal(p->rules[0].layout.stride, 64);
	assert_int_equal(p->rules[0].layout.block, 10);
	assert_int_equal(p->rules[0].layout.block_stride, 4096);
	assert_int_equal(p->rules[0].nframes, 1);
	assert_int_equal(p->rules[0].frame[0].build_id_len, 2);
	assert_int_equal(p->rules[0].frame[0].build_id[1], 0xff);
	assert_int_equal(p->rules[0].frame[0].offset, 4660);
	plan__close(p);
	assert_int_equal(load(PLAN("\"isolate\":true") "\n \t\n", &p), 0); /* natural strides: arena 0 */
	assert_int_equal(p->narenas, 1);
	assert_int_equal(p->rules[0].arena, 0);
	assert_int_equal(p->rules[0].layout.stride, 48);
	plan__close(p);
	assert_int_equal(load(HEAD "]}", &p), 0);
	assert_int_equal(p->nrules, 0);
	plan__close(p);
}

static bool no_build(void *arg, const uint8_t *build_id, uint32_t len)
{
	(void)arg, (void)build_id, (void)len;
	return false;
}

#define PLACE	    "\"match\":{\"loop\":{\"build_id\":\"0aFF\",\"offset\":4660}}"
#define LOOP(chunk) "{\"id\":\"L1\"," PLACE ",\"loop\":{" chunk "},\"why\":\"because\"}"

static void loops_are_named_by_place(void **arg)
{
	struct plan_frame place = {{0x0a, 0xff}, 2, 4660};
	struct plan *p;

	(void)arg;
	assert_int_equal(load(HEAD RULE("\"stride\":64") "," LOOP("\"chunk\":250") "]}", &p), 0);
	assert_int_equal(p->nrules, 2);
	assert_int_equal(p->narenas, 2); /* a loop needs none */
	assert_int_equal(p->rules[0].chunk, 0);
	assert_int_equal(p->rules[1].chunk, 250);
	assert_int_equal(plan__chunk(p, &place), 250);
	place.offset++;
	assert_int_equal(plan__chunk(p, &place), 0);
	place.offset--;
	place.build_id[1] = 0;
	assert_int_equal(plan__chunk(p, &place), 0);
	place.build_id[1] = 0xff;
	assert_false(plan__has_type(p, "")); /* it is about no allocation */
	assert_null(plan__match(p, "", 0, &place, 1));
	assert_non_null(plan__match(p, "struct avatar", 48, &place, 1));
	assert_int_equal(plan__retire(p, no_build, NULL), 2);
	assert_int_equal(plan__chunk(p, &place), 0);
	plan__close(p);
}

static const struct {
	const char *text, *says;
} damaged[] = {
	{"", "too early"},
	{"{\"schema\":\"procope.plan/1\",", "too early"},
	{HEAD "{\"id\":\"P1\"", "line 2"},
	{PLAN("\"isolate\":true") "x", "line 2"},
	{HEAD "]}\n\n{", "line 4"},
	{"[]", "not a JSON object"},
	{"{}", "\"schema\" is missing"},
	{"{\"schema\":\"procope.plan/2\"}", "procope.plan/2"},
	{"{\"schema\":1}", "\"schema\" is int, not string"},
	{"{\"schema\":\"procope.plan/1\",\"rules\":[]}", "\"program\" is missing"},
	{"{\"schema\":\"procope.plan/1\",\"program\":\"w\"}", "\"rules\" is missing"},
	{"{\"schema\":\"procope.plan/1\",\"program\":\"w\",\"rules\":{}}", "\"rules\" is object, not array"},
	{HEAD "7]}", "rule number 1: not an object"},
	{HEAD "{}]}", "rule number 1: \"id\" is missing"},
	{HEAD "{\"id\":\"\"}]}", "\"id\" is empty"},
	{HEAD "{\"id\":\"0123456789012345678901234567890123\"}]}", "\"id\" is 34 bytes long"},
	{HEAD "{\"id\":\"P1\"}]}", "rule P1: \"match\" is missing"},
	{HEAD "{\"id\":\"P1\",\"match\":{\"elem_size\":1}}]}", "\"type\" is missing"},
	{HEAD "{\"id\":\"P1\",\"match\":{\"type\":\"int\",\"elem_size\":0}}]}", "\"elem_size\" is 0"},
	{HEAD "{\"id\":\"P1\",\"match\":{\"type\":\"int\",\"elem_size\":4.5}}]}", "\"elem_size\" is double"},
	{HEAD "{\"id\":\"P1\",\"match\":{\"type\":\"int\",\"elem_size\":4,\"file\":\"x\"}}]}", "\"file\""},
	{HEAD "{\"id\":\"P1\",\"match\":{\"type\":\"int\",\"elem_size\":4,\"site\":[3]}}]}", "element 0"},
	{HEAD "{\"id\":\"P1\",\"match\":{\"type\":\"int\",\"elem_size\":4,"
	      "\"site\":[{\"build_id\":\"abc\",\"offset\":1}]}}]}",
	 "hexadecimal"},
	{HEAD "{\"id\":\"P1\",\"match\":{\"type\":\"int\",\"elem_size\":4,"
	      "\"site\":[{\"build_id\":\"zz\",\"offset\":1}]}}]}",
	 "hexadecimal"},
	{HEAD "{\"id\":\"P1\",\"match\":{\"type\":\"int\",\"elem_size\":4,"
	      "\"site\":[{\"build_id\":\"ab\",\"offset\":-1}]}}]}",
	 "\"offset\" is -1"},
	{HEAD "{\"id\":\"P1\",\"match\":{\"type\":\"int\",\"elem_size\":4,\"site\":[{},{},{},{},{},{}"
	      ",{},{},{}]}}]}",
	 "9 frames"},
	{HEAD "{\"id\":\"P1\"," MATCH "}]}", "\"layout\" is missing"},
	{HEAD LOOP("") "]}", "rule L1: \"chunk\" is missing"},
	{HEAD LOOP("\"chunk\":0") "]}", "rule L1: \"chunk\" is 0, not within 1 and 1000000000"},
	{HEAD LOOP("\"chunk\":-3") "]}", "\"chunk\" is -3"},
	{HEAD LOOP("\"chunk\":2000000000") "]}", "\"chunk\" is 2000000000"},
	{HEAD LOOP("\"chunk\":\"many\"") "]}", "\"chunk\" is string, not int"},
	{HEAD LOOP("\"chunk\":4,\"step\":2") "]}", "\"loop\" has a key \"step\""},
	{HEAD "{\"id\":\"L1\"," PLACE "}]}", "rule L1: \"loop\" is missing"},
	{HEAD "{\"id\":\"L1\"," PLACE ",\"loop\":7}]}", "\"loop\" is int, not object"},
	{HEAD "{\"id\":\"L1\"," MATCH ",\"loop\":{\"chunk\":4}}]}", "\"match\" has a key \"type\""},
	{HEAD "{\"id\":\"L1\"," PLACE ",\"loop\":{\"chunk\":4},\"layout\":{}}]}", "rules of their own"},
	{HEAD "{\"id\":\"L1\",\"match\":{\"loop\":{\"offset\":4}},\"loop\":{\"chunk\":4}}]}",
	 "\"build_id\" is missing"},
	{HEAD "{\"id\":\"L1\",\"match\":{\"loop\":[]},\"loop\":{\"chunk\":4}}]}", "\"loop\" is array"},
	{PLAN("\"isolate\":1"), "\"isolate\" is int, not boolean"},
	{PLAN("\"stride\":32"), "overlap"},
	{PLAN("\"stride\":\"64\""), "\"stride\" is string"},
	{PLAN("\"stride\":0"), "\"stride\" is 0"},
	{PLAN("\"stride\":-64"), "\"stride\" is -64"},
	{PLAN("\"stride\":50"), "multiple of 16"},
	{PLAN("\"stride\":99999999999999999999"), "\"stride\" is"},
	{PLAN("\"stride\":4294967296"), "\"stride\" is 4294967296"},
	{PLAN("\"block\":4"), "together"},
	{PLAN("\"block_stride\":4096"), "together"},
	{PLAN("\"block\":100,\"block_stride\":4096"), "blocks would overlap"},
	{PLAN("\"block\":10,\"block_stride\":4090"), "multiple of 16"},
	{PLAN("\"block\":2147483648,\"stride\":64,\"block_stride\":64"), "blocks would overlap"},
	{PLAN("\"pad\":4"), "\"pad\""},
	{HEAD RULE("") "," RULE("") "]}", "same id"},
	{HEAD "{\"id\":\"P1\",\"match\":{\"type\":\"v\",\"elem_size\":64},\"layout\":{\"stride\":80}}]}",
	 "multiple of 64"},
};

static void damage_is_named(void **arg)
{
	struct plan *p;

	(void)arg;
	for (size_t i = 0; i < sizeof(damaged) / sizeof(*damaged); i++) {
		int err = load(damaged[i].text, &p);

		if (err != -EINVAL || !strstr(message, damaged[i].says) || !strstr(message, path))
			fail_msg("case %zu: %d, \"%s\" does not say \"%s\"", i, err, message,
				 damaged[i].says);
		assert_null(p);
	}
}

/* Any cut of a good plan is refused, and any changed byte is either refused or gives a sane plan. */
static void cut_and_garbled_plans_are_survived(void **arg)
{
	static const char text[] = PLAN("\"isolate\":true,\"stride\":64,\"block\":10,\"block_stride\":4096");
	char garbled[sizeof(text)];
	struct plan *p;

	(void)arg;
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		write_plan(text, n);
		assert_int_equal(plan__open(&p, path, message, sizeof(message)), -EINVAL);
	}
	for (size_t at = 0; at < sizeof(text) - 1; at++) {
		static const char bytes[] = {0, '"', '}', ']', '9', '-', '\xff', ' '};

		for (size_t b = 0; b < sizeof(bytes); b++) {
			memcpy(garbled, text, sizeof(text));
			garbled[at] = bytes[b];
			write_plan(garbled, sizeof(text) - 1);
			if (plan__open(&p, path, message, sizeof(message)))
				continue;
			for (uint32_t i = 0; i < p->nrules; i++) {
				const struct plan_layout *l = &p->rules[i].layout;

				assert_true(l->stride >= l->elem_size);
				assert_true(!l->block || l->block_stride >= (uint64_t)l->block * l->stride);
			}
			plan__close(p);
		}
	}
}

static void unreadable_files_are_named(void **arg)
{
	struct plan *p;

	(void)arg;
	assert_int_equal(plan__open(&p, "/nonexistent/plan.json", message, sizeof(message)), -ENOENT);
	assert_non_null(strstr(message, "/nonexistent/plan.json: No such file"));
	assert_int_equal(plan__open(&p, "/", message, sizeof(message)), -EINVAL);
	assert_non_null(strstr(message, "not a regular file"));
	write_plan("", 0);
	assert_int_equal(truncate(path, PLAN_FILE_MAX + 1l), 0);
	assert_int_equal(plan__open(&p, path, message, sizeof(message)), -EINVAL);
	assert_non_null(strstr(message, "more than"));
}

/* ---- matching ---- */

static struct plan_frame frame(uint8_t build, uint64_t offset)
{
	return (struct plan_frame){.build_id = {build, build}, .build_id_len = 2, .offset = offset};
}

static bool knows_a(void *arg, const uint8_t *build_id, uint32_t len)
{
	(void)arg;
	return len == 2 && build_id[0] == 0xaa;
}

static void rules_match_type_size_and_chain(void **arg)
{
	static const char text[] = HEAD
		"{\"id\":\"A\",\"match\":{\"type\":\"T\",\"elem_size\":8,\"site\":["
		"{\"build_id\":\"aaaa\",\"offset\":1},{\"build_id\":\"aaaa\",\"offset\":2}]},\"layout\":{}},"
		"{\"id\":\"B\",\"match\":{\"type\":\"T\",\"elem_size\":8,\"site\":[{\"build_id\":\"aaaa\","
		"\"offset\":1}]},"
		"\"layout\":{\"stride\":64}},"
		"{\"id\":\"C\",\"match\":{\"type\":\"T\",\"elem_size\":16},\"layout\":{}},"
		"{\"id\":\"D\",\"match\":{\"type\":\"U\",\"elem_size\":8,\"site\":[{\"build_id\":\"bbbb\","
		"\"offset\":1}]},"
		"\"layout\":{\"stride\":32}}]}";
	struct plan_frame chain[3] = {frame(0xaa, 1), frame(0xaa, 2), frame(0xaa, 3)};
	struct plan_frame other[2] = {frame(0xaa, 1), frame(0xaa, 9)};
	struct plan_frame foreign[1] = {frame(0xbb, 1)};
	struct plan *p;

	(void)arg;
	assert_int_equal(load(text, &p), 0);
	assert_string_equal(plan__match(p, "T", 8, chain, 3)->id, "A");
	assert_string_equal(plan__match(p, "T", 8, chain, 2)->id, "A");
	assert_string_equal(plan__match(p, "T", 8, chain, 1)->id,
			    "B"); /* A names more frames than there are */
	assert_string_equal(plan__match(p, "T", 8, other, 2)->id, "B");
	assert_null(plan__match(p, "T", 8, chain + 1, 2));
	assert_null(plan__match(p, "T", 8, foreign, 1));
	assert_null(plan__match(p, "T", 4, chain, 3));
	assert_null(plan__match(p, "struct T", 8, chain, 3));
	assert_string_equal(plan__match(p, "T", 16, NULL, 0)->id, "C");
	assert_string_equal(plan__match(p, "U", 8, foreign, 1)->id, "D");
	assert_true(plan__has_type(p, "U"));
	assert_false(plan__has_type(p, "V"));

	assert_int_equal(plan__retire(p, knows_a, NULL), 1); /* D is for a build that is not here */
	assert_null(plan__match(p, "U", 8, foreign, 1));
	assert_false(plan__has_type(p, "U"));
	assert_int_equal(p->rules[1].arena, 1);
	assert_int_equal(p->rules[3].arena, 2); /* still: addresses do not depend on what is stale */
	plan__close(p);
}

static void long_names_match_by_what_a_record_holds(void **arg)
{
	char type[200], text[1000];
	struct plan *p;

	(void)arg;
	memset(type, 'x', sizeof(type));
	type[199] = 0;
	snprintf(text, sizeof(text),
		 HEAD "{\"id\":\"A\",\"match\":{\"type\":\"%.95s\",\"elem_size\":8},\"layout\":{}}]}", type);
	assert_int_equal(load(text, &p), 0);
	assert_non_null(plan__match(p, type, 8, NULL, 0));
	type[94] = 'y';
	assert_null(plan__match(p, type, 8, NULL, 0));
	plan__close(p);
}

/* ---- layouts ---- */

static void distances_follow_the_formula(void **arg)
{
	struct plan_layout padded = {.elem_size = 48, .stride = 64};
	struct plan_layout blocks = {.elem_size = 48, .stride = 48, .block = 10, .block_stride = 4096};

	(void)arg;
	assert_int_equal(plan_layout__distance(&padded, 7), 448);
	assert_int_equal(plan_layout__distance(&blocks, 9), 432);
	assert_int_equal(plan_layout__distance(&blocks, 10), 4096);
	assert_int_equal(plan_layout__distance(&blocks, 23), 2 * 4096 + 3 * 48);
	assert_int_equal(objects_layout__bytes(&padded, 0), 1);
	assert_int_equal(objects_layout__bytes(&padded, 1), 48);
	assert_int_equal(objects_layout__bytes(&padded, 8), 448 + 48);
	assert_int_equal(objects_layout__bytes(&blocks, 24), 2 * 4096 + 3 * 48 + 48);
	assert_true(objects_layout__bytes(&blocks, UINT64_MAX) == UINT64_MAX);
	assert_true(objects_layout__bytes(&padded, UINT64_MAX / 8) == UINT64_MAX);
}

static void reciprocals_divide_exactly(void **arg)
{
	static const uint32_t divisors[] = {1,	  2,	3,     7,	   10,	       16,
					    4095, 4096, 65537, 0x7fffffff, 0x80000000, 0xffffffff};

	(void)arg;
	for (size_t d = 0; d < sizeof(divisors) / sizeof(*divisors); d++) {
		struct reciprocal r = reciprocal__of(divisors[d]);

		for (uint64_t k = 0; k < 3000; k++) {
			uint32_t x = k * 0x9e3779b97f4a7c15u >> 32;
			uint32_t multiple = x - x % divisors[d];

			assert_int_equal(reciprocal__divide(x, r), x / divisors[d]);
			assert_int_equal(reciprocal__divide(multiple, r), multiple / divisors[d]);
			assert_int_equal(reciprocal__divide(multiple - 1, r), (multiple - 1) / divisors[d]);
		}
		assert_int_equal(reciprocal__divide(UINT32_MAX, r), UINT32_MAX / divisors[d]);
	}
}

/* Pages of a zone that is not the default's: of no strided arena. */
static uint32_t check_zone(const struct objects_layout *l, uint16_t node, enum core_model model)
{
	uint32_t first, count;

	objects_layout__zone(l, node, model, &first, &count);
	assert_true(count > 0 && first > 0);
	for (uint32_t page = first; page < first + count; page++) {
		uint32_t at = page - node * l->slab_pages;

		assert_int_equal(objects_layout__arena_of(l, page), 0);
		assert_int_equal(objects_layout__home(l, page), node);
		assert_true(at >= l->zones.from[model] && at < l->zones.from[model + 1]);
	}
	return count;
}

static void arenas_tile_the_region(void **arg)
{
	struct plan *p;

	(void)arg;
	assert_int_equal(
		load(HEAD
		     "{\"id\":\"A\",\"match\":{\"type\":\"T\",\"elem_size\":8},\"layout\":{\"stride\":64}},"
		     "{\"id\":\"N\",\"match\":{\"type\":\"T\",\"elem_size\":8},\"layout\":{\"isolate\":true}}"
		     ","
		     "{\"id\":\"B\",\"match\":{\"type\":\"U\",\"elem_size\":8},\"layout\":{\"stride\":32}}]}",
		     &p),
		0);
	for (unsigned i = 0; i < 15; i++) {
		static struct objects_layout l;
		uint32_t heap = 1003, pages, seen = 1;
		uint16_t nodes = (uint16_t)(i / 3 + 1);
		enum core_model model = (enum core_model)(i % 3);

		assert_int_equal(objects_layout__open(&l, heap * 4096ull, nodes, model, p), 0);
		pages = l.pages;
		for (uint16_t n = 0; n < nodes; n++) {
			for (unsigned m = 0; m < 3; m++)
				if (m != model)
					seen += check_zone(&l, n, (enum core_model)m);
			for (uint32_t a = 0; a < 3; a++) {
				uint32_t first, count;

				objects_layout__arena(&l, n, a, &first, &count);
				assert_true(first > 0 && first + count <= pages);
				for (uint32_t page = first; page < first + count; page++, seen++) {
					assert_int_equal(objects_layout__arena_of(&l, page), a);
					assert_int_equal(objects_layout__home(&l, page), n);
				}
			}
		}
		assert_int_equal(seen, pages); /* all but page 0 belong to exactly one arena */
		assert_int_equal(l.arena[2].stride, 32);
	}
	struct objects_layout small;
	assert_int_equal(objects_layout__open(&small, 60 * 4096, 1, CORE_TX, p), -ENOSPC);
	assert_int_equal(objects_layout__open(&small, 3 * 4096, 4, CORE_TX, NULL), -EINVAL);
	assert_int_equal(objects_layout__open(&small, 4 * 4096, 4, CORE_RC, NULL), 0);
	plan__close(p);
}

static int remove_file(void **arg)
{
	(void)arg;
	unlink(path);
	return 0;
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_plan_is_read),
		cmocka_unit_test(loops_are_named_by_place),
		cmocka_unit_test(damage_is_named),
		cmocka_unit_test(cut_and_garbled_plans_are_survived),
		cmocka_unit_test(unreadable_files_are_named),
		cmocka_unit_test(rules_match_type_size_and_chain),
		cmocka_unit_test(long_names_match_by_what_a_record_holds),
		cmocka_unit_test(distances_follow_the_formula),
		cmocka_unit_test(reciprocals_divide_exactly),
		cmocka_unit_test(arenas_tile_the_region),
	};
	int fd;

	snprintf(path, sizeof(path), "%s/plan_test.XXXXXX", tmp ? tmp : "/tmp");
	fd = mkstemp(path);
	if (fd < 0) {
		perror(path);
		return 1;
	}
	close(fd);
	return cmocka_run_group_tests(tests, NULL, remove_file);
}
