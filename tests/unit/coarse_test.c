/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * coarse_test.c - rights by mapping (memory/coarse.c) with a real userfaultfd: whatever becomes of blocks, each
 * page allows what its rights say, and nothing else. Accesses are tried, not looked up.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "dsmcore/memory/region.h"

#define PAGES 1640u /* not whole blocks; but three times what can be one piece */

static struct region *region;
static uint8_t model[PAGES];
static uint64_t seed = 1;
static sigjmp_buf back;

static uint32_t below(uint32_t limit)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % limit;
}

static void on_fault(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

/* In each test, because cmocka installs handlers of its own around it. */
static void catch_faults(void)
{
	struct sigaction sa = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
}

static bool allows(uint32_t page, bool write)
{
	volatile uint8_t *p = region__address(region, (uint64_t)page << DSM_PAGE_LOG2);

	if (sigsetjmp(back, 0))
		return false;
	if (write)
		p[7]++;
	else
		(void)p[7];
	return true;
}

static void check_page(uint32_t page)
{
	uint8_t before = region__frame(region, page)[7];

	assert_int_equal(region__rights(region, page), model[page]);
	assert_int_equal(allows(page, false), model[page] != CORE_NONE);
	assert_int_equal(allows(page, true), model[page] == CORE_WRITE);
	assert_int_equal(region__frame(region, page)[7], (uint8_t)(before + (model[page] == CORE_WRITE)));
}

static void check_all(void)
{
	for (uint32_t page = 0; page < PAGES; page++)
		check_page(page);
}

static void protect(uint32_t page, uint32_t count, enum core_rights rights)
{
	if (count > PAGES - page)
		count = PAGES - page;
	assert_int_equal(region__protect(region, page, count, rights), 0);
	memset(model + page, rights, count);
}

/* Mappings of the view that are readable only: none without coarse pages. */
static unsigned closed_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long from;
	unsigned n = 0;
	char line[512], rights[8];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%*x %4s", &from, rights) == 2 && from >= DSM_BASE &&
		    from < DSM_BASE + ((unsigned long)PAGES << DSM_PAGE_LOG2))
			n += !strcmp(rights, "r--s");
	fclose(f);
	return n;
}

static int set_up(void **state)
{
	char why[256];

	(void)state;
	memset(model, CORE_NONE, sizeof(model));
	return region__open(&region, (uint64_t)PAGES << DSM_PAGE_LOG2, why, sizeof(why)) ||
	       region__coarse(region, true);
}

static int tear_down(void **state)
{
	(void)state;
	region__close(region);
	return 0;
}

/* A program that walks over its rows: what it opens and closes becomes coarse. */
static void test_rows(void **state)
{
	uint32_t page;

	(void)state;
	catch_faults();
	protect(0, PAGES, CORE_READ);
	assert_int_equal(closed_mappings(), 0);
	for (int round = 0; round < 80; round++)
		for (page = 0; page < PAGES; page += 150) {
			protect(page, 151, CORE_WRITE);
			if (round % 8 == 0)
				check_all();
			protect(page, 151, CORE_READ);
		}
	check_all();
	assert_in_range(closed_mappings(), 1, 3);
	assert_int_equal(region__coarse(region, false), 0);
	assert_int_equal(closed_mappings(), 0);
	check_all();
}

#define WIDE 4u /* pages */

/* Rows by turns with others' that are closed. */
static void protect_turns(uint32_t page, size_t rows, enum core_rights rights)
{
	struct region_row row[PAGES / WIDE];

	for (size_t i = 0; i < rows; i++) {
		row[i] = (struct region_row){page + (uint32_t)i * 2 * WIDE, WIDE};
		memset(model + row[i].page, rights, WIDE);
	}
	assert_int_equal(region__protect_rows(region, row, rows, rights), 0);
}

static void test_turns(void **state)
{
	uint32_t page, stride = 40 * 2 * WIDE;

	(void)state;
	catch_faults();
	protect_turns(0, PAGES / (2 * WIDE), CORE_READ);
	for (int round = 0; round < 80; round++)
		for (page = 0; page + stride <= PAGES; page += stride) {
			protect_turns(page, 40, CORE_WRITE);
			if (round % 8 == 0)
				check_all();
			protect_turns(page, 40, CORE_READ);
		}
	check_all();
	assert_in_range(closed_mappings(), 1, 3);
	/* A page of another row in the middle: read, then taken away, and those beside it written. */
	for (int round = 0; round < 8; round++) {
		protect(70, 1, CORE_READ);
		check_all();
		protect_turns(0, 40, CORE_WRITE);
		check_all();
		protect(70, 1, CORE_NONE);
		check_all();
		protect(70, 1, CORE_READ);
		check_all();
		protect_turns(0, 40, CORE_READ);
		check_all();
		protect(70, 1, CORE_NONE);
	}
	assert_int_equal(region__coarse(region, false), 0);
	assert_int_equal(closed_mappings(), 0);
	check_all();
}

/* Single pages wanted again and again make a block fine; the third time it stays so. */
static void test_rough(void **state)
{
	(void)state;
	catch_faults();
	protect(0, PAGES, CORE_READ);
	for (int round = 0; round < 5; round++) {
		protect(64, 128, CORE_WRITE);
		protect(64, 128, CORE_READ);
		assert_int_equal(closed_mappings() != 0, round < 3);
		for (uint32_t page = 70; page < 140; page += 64)
			for (int i = 0; i < 4; i++) {
				protect(page, 1, CORE_NONE);
				check_all();
				protect(page, 1, CORE_READ);
				check_all();
				protect(page, 1, CORE_WRITE);
				check_all();
				protect(page, 1, CORE_READ);
			}
	}
	assert_int_equal(closed_mappings(), 0);
}

static void test_random(void **state)
{
	(void)state;
	catch_faults();
	protect(0, PAGES, CORE_READ);
	for (int i = 0; i < 4000; i++) {
		uint32_t page = below(PAGES);

		switch (below(9)) {
		case 0:
			protect(page, 1, CORE_NONE);
			break;
		case 1:
			protect(page, 1 + below(8), below(2) ? CORE_READ : CORE_WRITE);
			break;
		case 2:
			protect(page, 1 + below(200), CORE_READ);
			break;
		case 3:
			assert_int_equal(region__coarse(region, below(20) != 0), 0);
			break;
		case 4:
			protect_turns(page / 2, 40, below(3));
			break;
		default:
			protect(page, 32 + below(300), CORE_WRITE);
			protect(page, 400, CORE_READ);
		}
		for (uint32_t n = 0; n < 20; n++)
			check_page((page + below(500)) % PAGES);
	}
	check_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_turns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rough, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_random, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
