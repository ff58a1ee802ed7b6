/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * big SIZE TOUCH: an object of SIZE GiB (with M behind it: MiB), of which two nodes touch TOUCH pages each,
 * far apart and in a row. Prints what a node's memory grew by while it mapped the DSM, made the object and
 * touched, in KiB: "node N: start KIB, object KIB, touched PAGES pages KIB". Then it is freed and made once more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dsm.h>

#define PAGE_LONGS (DSM_PAGE_SIZE / sizeof(long))

/* Private memory in use, the pages of the DSM itself not counted, in KiB. */
static long private_kib(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %ld", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static void fail(const char *what, size_t page)
{
	fprintf(stderr, "big: node %d: %s (page %zu)\n", dsm_node(), what, page);
	exit(1);
}

static void write_page(long *big, size_t page, long value)
{
	DSM_TX {
		big[page * PAGE_LONGS] = value;
	}
}

static long read_page(long *big, size_t page)
{
	long value;

	dsm_peek(&value, &big[page * PAGE_LONGS], sizeof(value));
	return value;
}

static size_t pages_of(const char *size)
{
	char *end;
	size_t n = strtoul(size, &end, 10);

	return n << ((*end == 'M' ? 20 : 30) - 12);
}

/* Memory that comes again is zero, and costs no more than what was used of it. */
static void again(size_t pages, size_t touch)
{
	long *big = dsm_new_flat(long, pages *PAGE_LONGS);
	size_t far = pages / touch;

	for (size_t i = 0; i < touch; i++)
		for (size_t k = 0; k < 2; k++) {
			size_t page = i + 1 < touch ? i * far + k : pages - 1 - k;

			if (read_page(big, page))
				fail("a page that was used before is not zero", page);
		}
}

int main(int argc, char **argv)
{
	size_t pages = pages_of(argc > 1 ? argv[1] : "1"), touch = argc > 2 ? strtoul(argv[2], NULL, 10) : 64;
	size_t far = pages / touch, mine = (size_t)dsm_node();
	long start = private_kib(), made, touched;

	if (dsm_node() == 0)
		dsm_root_set("big", dsm_new_flat(long, pages *PAGE_LONGS));
	dsm_barrier();
	long *big = dsm_root("big");

	made = private_kib();
	for (size_t i = 0; i < touch; i++) { /* each node its own page of each stretch, the last page too */
		size_t page = i + 1 < touch ? i * far + mine : pages - 1 - mine;

		if (read_page(big, page))
			fail("a page that nobody has written is not zero", page);
		write_page(big, page, (long)(page * 3 + 1));
	}
	dsm_barrier();
	for (size_t i = 0; i < touch; i++) {
		size_t other = (mine + 1) % (size_t)dsm_nodes();
		size_t page = i + 1 < touch ? i * far + other : pages - 1 - other;

		if (read_page(big, page) != (long)(page * 3 + 1))
			fail("what the other node wrote is not there", page);
	}
	touched = private_kib();
	DSM_TX_READ { /* a range across the middle */
		dsm_touch(big + pages / 2 * PAGE_LONGS, 200 * DSM_PAGE_SIZE, DSM_READ);
	}
	printf("node %d: start %ld, object %ld, touched %zu pages %ld\n", dsm_node(), start, made - start,
	       touch * 2, touched - made);
	dsm_barrier();
	if (dsm_node() == 1)
		dsm_free(big);
	dsm_barrier();
	if (dsm_node() == 0)
		again(pages, touch);
	dsm_barrier();
	return 0;
}
