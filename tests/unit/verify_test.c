/* SPDX-License-Identifier: BSD-2-Clause */
/* verify_test.c - the checker of histories on histories whose answer is known, and on damaged files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>

#include "dsmcore/verify/verify.h"

/* ---- histories in one line each ---- */

struct tx {
	uint16_t node;
	bool committed;
	uint64_t begin, end;
	uint32_t barriers;
	const char *reads;  /* "page.version ..." of single digits; the content of a version is its number */
	const char *writes; /* the same; a letter behind a version stands for other content: "1.2x" */
};

static uint32_t parse(const char *text, struct dsm_history_page *to)
{
	uint32_t n = 0;

	for (; *text; text++) {
		if (*text == ' ')
			continue;
		to[n].page = (uint64_t)(text[0] - '0');
		to[n].version = (uint64_t)(text[2] - '0');
		to[n].hash = to[n].version + 100;
		text += 2;
		if (text[1] >= 'a' && text[1] <= 'z')
			to[n].hash = (uint64_t)(unsigned char)*++text;
		n++;
	}
	return n;
}

static void add(struct verify *v, const struct tx *tx, uint64_t number)
{
	struct dsm_history_page pages[16];
	struct dsm_history_attempt a = {.number = number,
					.begin_ns = tx->begin,
					.end_ns = tx->end,
					.barriers = tx->barriers,
					.flags = tx->committed ? DSM_HISTORY_COMMITTED : 0};

	a.nreads = parse(tx->reads, pages);
	a.nwrites = parse(tx->writes, pages + a.nreads);
	assert_int_equal(verify__add(v, tx->node, &a, pages), 0);
}

static uint64_t errors_of(const struct tx *list, size_t count, bool one_clock, char **report)
{
	struct verify_result result;
	struct verify *v;
	size_t size, i;
	FILE *to = open_memstream(report, &size);

	assert_non_null(to);
	assert_int_equal(verify__open(&v, one_clock), 0);
	for (i = 0; i < count; i++)
		add(v, &list[i], i + 1);
	assert_int_equal(verify__check(v, to, &result), 0);
	assert_int_equal(result.attempts, count);
	verify__close(v);
	fclose(to);
	return result.errors;
}

#define GOOD(list)                                                                                           \
	do {                                                                                                 \
		char *report;                                                                                \
		assert_int_equal(errors_of(list, sizeof(list) / sizeof(list[0]), true, &report), 0);         \
		free(report);                                                                                \
	} while (0)
#define BAD(list, text)                                                                                      \
	do {                                                                                                 \
		char *report;                                                                                \
		assert_true(errors_of(list, sizeof(list) / sizeof(list[0]), true, &report) > 0);             \
		if (!strstr(report, text))                                                                   \
			fail_msg("the report lacks \"%s\": %s", text, report);                               \
		free(report);                                                                                \
	} while (0)

static void test_good(void **state)
{
	const struct tx list[] = {
		{0, true, 1, 2, 0, "1.0 2.0", "1.1 2.1"}, {1, true, 3, 5, 0, "1.1", ""},
		{1, false, 6, 9, 0, "1.1 2.1", ""}, /* half of it is overwritten meanwhile, but it saw it
						       whole */
		{0, true, 7, 8, 0, "1.1", "1.2"},	  {0, true, 9, 10, 0, "1.2 3.0", "3.1"},
	};

	(void)state;
	GOOD(list);
}

static uint64_t errors_of_partial(const struct tx *list, size_t count, uint64_t orphans)
{
	struct verify_result result;
	struct verify *v;

	assert_int_equal(verify__open(&v, true), 0);
	verify__partial(v);
	for (size_t i = 0; i < count; i++)
		add(v, &list[i], i + 1);
	assert_int_equal(verify__check(v, NULL, &result), 0);
	assert_int_equal(result.orphans, orphans);
	verify__close(v);
	return result.errors;
}

/* A node has died and its last records with it: whoever read its versions must still agree. */
static void test_partial(void **state)
{
	const struct tx good[] = {
		{0, true, 1, 2, 0, "1.0", "1.1"},
		{0, true, 5, 6, 0, "1.2", "1.3"}, /* version 2 was made by the dead */
		{1, false, 5, 6, 0, "1.2 2.4", ""},
	};
	const struct tx other_bytes[] = {
		{0, true, 1, 2, 0, "1.2", ""},
		{1, true, 1, 2, 0, "1.2x", ""},
	};
	const struct tx cycle[] = {
		{0, true, 1, 9, 0, "1.2 2.5", "1.3"},
		{1, true, 1, 9, 0, "1.2 2.5", "2.6"},
	};

	(void)state;
	BAD(good, "nobody in this history made the one before");
	assert_int_equal(errors_of_partial(good, 3, 3), 0);
	assert_int_equal(errors_of_partial(other_bytes, 2, 2), 1);
	assert_int_equal(errors_of_partial(cycle, 2, 4), 1);
}

static void test_lost_update(void **state)
{
	const struct tx list[] = {
		{0, true, 1, 9, 0, "1.0", "1.1"},
		{1, true, 1, 9, 0, "1.0", "1.1"},
	};

	(void)state;
	BAD(list, "lost update");
}

static void test_write_skew(void **state)
{
	const struct tx list[] = {
		{0, true, 1, 9, 0, "1.0 2.0", "1.1"},
		{1, true, 1, 9, 0, "1.0 2.0", "2.1"},
	};

	(void)state;
	BAD(list, "a cycle");
	BAD(list, "node 0 tx 1.0 (committed) must come before node 1 tx 2.0");
}

/* The aborted attempt saw one page before and one after the same commit. */
static void test_half_seen(void **state)
{
	const struct tx list[] = {
		{0, true, 2, 5, 0, "1.0 2.0", "1.1 2.1"},
		{1, false, 1, 9, 0, "1.0 2.1", ""},
	};

	(void)state;
	BAD(list, "(aborted)");
}

/* Two aborted readers that saw two independent commits in different orders. */
static void test_readers_disagree(void **state)
{
	const struct tx list[] = {
		{0, true, 1, 90, 0, "1.0", "1.1"},
		{1, true, 1, 90, 0, "2.0", "2.1"},
		{2, false, 1, 90, 0, "1.0 2.1", ""},
		{3, false, 1, 90, 0, "1.1 2.0", ""},
	};

	(void)state;
	BAD(list, "a cycle");
}

static void test_contents(void **state)
{
	const struct tx wrong[] = {
		{0, true, 1, 2, 0, "1.0", "1.1"},
		{0, true, 3, 4, 0, "1.1", "1.2"},
		{1, true, 5, 6, 0, "1.2q", ""},
	};
	const struct tx older[] = {
		{0, true, 1, 2, 0, "1.0", "1.1x"},
		{0, true, 3, 4, 0, "1.1x", "1.2"},
		{1, true, 5, 6, 0, "1.2x", ""},
	};
	const struct tx unborn[] = {{0, true, 1, 2, 0, "1.4", ""}};
	const struct tx initial[] = {{0, true, 1, 2, 0, "1.0a", ""}, {1, true, 1, 2, 0, "1.0b", ""}};

	(void)state;
	BAD(wrong, "bytes that no commit left there");
	BAD(older, "the bytes of version 1");
	BAD(unborn, "which no commit made");
	BAD(initial, "before any commit");
}

static void test_blind_write(void **state)
{
	const struct tx list[] = {{0, true, 1, 2, 0, "", "1.1"}};
	const struct tx gap[] = {{0, true, 1, 2, 0, "1.1", "1.2"}};

	(void)state;
	BAD(list, "without having seen");
	BAD(gap, "nobody in this history made the one before");
}

static void test_real_time(void **state)
{
	const struct tx list[] = {
		{0, true, 1, 2, 0, "1.0", "1.1"},
		{1, true, 3, 4, 0, "1.0", ""}, /* began after the commit, and did not see it */
	};
	char *report;

	(void)state;
	BAD(list, "it was over before the other began");
	assert_int_equal(errors_of(list, 2, false, &report), 0);
	free(report);
}

static void test_barrier(void **state)
{
	const struct tx list[] = {
		{0, true, 1, 50, 0, "1.0", "1.1"}, {1, true, 1, 50, 1, "1.0", ""}, /* behind the barrier */
	};

	(void)state;
	BAD(list, "the barrier");
}

static void test_own_order(void **state)
{
	const struct tx list[] = {
		{1, true, 1, 90, 0, "1.0", "1.1"},
		{0, true, 1, 40, 0, "1.1", ""},
		{0, false, 40, 90, 0, "1.0", ""}, /* back in time */
	};

	(void)state;
	BAD(list, "own order");
}

/* ---- files ---- */

struct file {
	struct dsm_history_file head;
	struct dsm_history_attempt a;
	struct dsm_history_page pages[2];
	struct dsm_history_attempt end;
} __attribute__((packed));

static struct file good_file(void)
{
	struct file f = {.head = {.magic = DSM_HISTORY_MAGIC, .version = DSM_HISTORY_VERSION, .nodes = 1}};

	f.a = (struct dsm_history_attempt){.size = sizeof(f.a) + sizeof(f.pages),
					   .number = 1,
					   .end_ns = 1,
					   .flags = DSM_HISTORY_COMMITTED,
					   .nreads = 1,
					   .nwrites = 1};
	f.pages[1].version = 1;
	f.end.size = sizeof(f.end);
	return f;
}

static int read_back(const struct file *f, size_t size, bool *cut, uint64_t *attempts)
{
	const char *tmp = getenv("TMPDIR");
	char path[4096];
	struct dsm_history_file head;
	struct verify_result result;
	struct verify *v;
	int fd, rc;

	snprintf(path, sizeof(path), "%s/verify_test.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, f, size), (ssize_t)size);
	close(fd);
	assert_int_equal(verify__open(&v, true), 0);
	rc = verify__read_file(v, path, &head, cut, NULL);
	assert_int_equal(verify__check(v, NULL, &result), 0);
	*attempts = result.attempts;
	verify__close(v);
	unlink(path);
	return rc;
}

static void test_files(void **state)
{
	struct file f = good_file();
	uint64_t attempts;
	bool cut;
	size_t size;

	(void)state;
	assert_int_equal(read_back(&f, sizeof(f), &cut, &attempts), 0);
	assert_false(cut);
	assert_int_equal(attempts, 1);
	for (size = sizeof(f.head); size < sizeof(f); size++) { /* cut anywhere behind its head */
		assert_int_equal(read_back(&f, size, &cut, &attempts), 0);
		assert_true(cut);
		assert_int_equal(attempts, size >= offsetof(struct file, end));
	}
	for (size = 0; size < sizeof(f.head); size++)
		assert_int_equal(read_back(&f, size, &cut, &attempts), -EBADMSG);
}

#define DAMAGED(change)                                                                                      \
	do {                                                                                                 \
		struct file f = good_file();                                                                 \
		uint64_t attempts;                                                                           \
		bool cut;                                                                                    \
		change;                                                                                      \
		assert_int_equal(read_back(&f, sizeof(f), &cut, &attempts), -EBADMSG);                       \
	} while (0)

static void test_damage(void **state)
{
	(void)state;
	DAMAGED(f.head.magic++);
	DAMAGED(f.head.version = 9);
	DAMAGED(f.head.node = 1);
	DAMAGED(f.a.size++);
	DAMAGED(f.a.nreads = 0xffffffff);
	DAMAGED(f.a.flags = 0);
	DAMAGED(f.a.flags = 0x80);
	DAMAGED(f.a.begin_ns = 2);
	DAMAGED(f.a.number = 0);
	DAMAGED(f.end.number = 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_lost_update),
		cmocka_unit_test(test_write_skew),
		cmocka_unit_test(test_half_seen),
		cmocka_unit_test(test_readers_disagree),
		cmocka_unit_test(test_contents),
		cmocka_unit_test(test_blind_write),
		cmocka_unit_test(test_real_time),
		cmocka_unit_test(test_barrier),
		cmocka_unit_test(test_own_order),
		cmocka_unit_test(test_partial),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
