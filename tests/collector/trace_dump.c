// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace_dump.c - a trace as lines of text, for tests. The lines of records and pages are those that
 * fake_node logs, with the node in front:
 *   NODE TYPE SEQ HASH FLAGS | P NODE PAGE counts... (summed up) | C NODE events commits | lost TYPE COUNT
 *   info JSON | summary JSON | end | cut | damaged
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "collector/aggregate.h"
#include "collector/trace.h"

static uint64_t hash(const void *data, size_t size)
{
	const unsigned char *p = data;
	uint64_t h = 0xcbf29ce484222325u;

	while (size--)
		h = (h ^ *p++) * 0x100000001b3u;
	return h;
}

static struct trace_loss losses[DSM_EV_TYPE_MAX];
static size_t nlosses;
static struct trace_counters counters[1024];

static void print_item(const struct trace_item *item, struct aggregate *sum)
{
	const struct dsm_ev_hdr *r = item->record;

	switch (item->kind) {
	case TRACE_RECORD:
		printf("%u %s %" PRIu64 " %016" PRIx64 " %u\n", r->node, trace_record__name(r->type), r->seq,
		       hash(r + 1, r->size - sizeof(*r)), r->flags);
		break;
	case TRACE_PAGES:
		for (size_t i = 0; i < item->count; i++)
			aggregate__add_page(sum, &item->pages[i]);
		break;
	case TRACE_COUNTERS:
		for (size_t i = 0; i < item->count; i++)
			counters[item->counters[i].node % 1024] = item->counters[i];
		break;
	case TRACE_LOSSES:
		nlosses = item->count < DSM_EV_TYPE_MAX ? item->count : DSM_EV_TYPE_MAX;
		memcpy(losses, item->losses, nlosses * sizeof(losses[0]));
		break;
	case TRACE_INFO:
		printf("info %s\n", item->json);
		break;
	case TRACE_SUMMARY:
		printf("summary %s\n", item->json);
		break;
	case TRACE_END_OF_FILE:
		break;
	}
}

static void print_sums(struct aggregate *sum)
{
	const struct trace_page_stat *p;
	size_t n;

	if (aggregate__take_pages(sum, &p, &n) == 0) {
		for (size_t i = 0; i < n; i++)
			printf("P %u %" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
			       " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
			       p[i].node, p[i].page, p[i].fetches, p[i].fetch_ns, p[i].transfers, p[i].bytes,
			       p[i].invalidations, p[i].updates, p[i].aborts, p[i].wasted_ns);
	}
	for (size_t i = 0; i < 1024; i++) {
		if (counters[i].time_ns)
			printf("C %zu %" PRIu64 " %" PRIu64 "\n", i, counters[i].counters.events,
			       counters[i].counters.commits);
	}
	for (size_t i = 0; i < nlosses; i++)
		printf("lost %s %" PRIu64 "\n",
		       losses[i].type ? trace_record__name(losses[i].type) : "unknown", losses[i].count);
}

int main(int argc, char **argv)
{
	struct aggregate *sum = aggregate__new();
	struct trace_reader *r;
	struct trace_item item;
	int rc;

	if (argc != 2 || !sum)
		return 2;
	rc = trace_reader__open(&r, argv[1]);
	if (rc) {
		fprintf(stderr, "trace_dump: %s: %s\n", argv[1], strerror(-rc));
		return 1;
	}
	while ((rc = trace_reader__next(r, &item)) == -EBADMSG ||
	       (rc == 0 && item.kind != TRACE_END_OF_FILE)) {
		if (rc)
			puts("damaged");
		else
			print_item(&item, sum);
	}
	print_sums(sum);
	puts(rc ? "cut" : "end");
	trace_reader__close(r);
	aggregate__free(sum);
	return 0;
}
