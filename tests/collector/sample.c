// SPDX-License-Identifier: BSD-2-Clause
#include "tests/collector/sample.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

char folder[256], path[300];

/* ---- records to write ---- */

static uint64_t records[NRECORDS][DSM_EV_MAX / 8];

struct dsm_ev_hdr *record(unsigned i)
{
	return (void *)records[i];
}

static void fill_record(unsigned i)
{
	static const uint16_t types[] = {DSM_EV_COMMIT, DSM_EV_ABORT, DSM_EV_FAULT, DSM_EV_WRITES,
					 DSM_EV_NODE};
	struct dsm_ev_hdr *h = record(i);
	struct dsm_ev_writes *w = (void *)h;

	h->type = types[i % 5];
	h->seq = i + 1;
	h->node = 3;
	h->version = DSM_EV_VERSION;
	h->time_ns = 1000000u * i;
	switch (h->type) {
	case DSM_EV_COMMIT:
		h->size = sizeof(struct dsm_ev_commit);
		break;
	case DSM_EV_ABORT:
		h->size = sizeof(struct dsm_ev_abort);
		((struct dsm_ev_abort *)h)->nmeetings = 2;
		break;
	case DSM_EV_FAULT:
		h->size = sizeof(struct dsm_ev_fault);
		break;
	case DSM_EV_WRITES:
		h->size = sizeof(*w) + 8;
		w->nruns = 2;
		w->run[0] = (struct dsm_ev_run){8, 4};
		w->run[1] = (struct dsm_ev_run){64, 16};
		break;
	default:
		h->size = sizeof(struct dsm_ev_node);
		strcpy(((struct dsm_ev_node *)h)->host, "host");
	}
}

struct trace_page_stat pages[3] = {{.page = DSM_EV_PAGE(4096, 12), .node = 1, .fetches = 5}};
struct trace_counters counters[2] = {{.time_ns = 7, .node = 1, .counters = {.commits = 9, .events = 77}}};
struct trace_loss losses[2] = {{.type = DSM_EV_ABORT, .count = 3}, {.type = DSM_EV_FAULT, .count = 4}};

void write_trace(const char *to)
{
	struct trace_writer *w;

	assert_int_equal(trace_writer__open(&w, to), 0);
	assert_int_equal(trace_writer__info(w, INFO_JSON), 0);
	for (unsigned i = 0; i < NRECORDS; i++) {
		assert_int_equal(trace_writer__record(w, record(i)), 0);
		if (i % 10 == 9)
			assert_int_equal(trace_writer__flush(w), 0);
		if (i == 15)
			assert_int_equal(trace_writer__pages(w, pages, 3), 0);
		if (i == 25)
			assert_int_equal(trace_writer__counters(w, counters, 2), 0);
		if (i == 35)
			assert_int_equal(trace_writer__losses(w, losses, 2), 0);
	}
	assert_int_equal(trace_writer__summary(w, SUMMARY_JSON), 0);
	assert_int_equal(trace_writer__close(w), 0);
}

/* ---- reading, with everything checked against what was written ---- */

static void check_item(const struct trace_item *item, uint64_t *last_seq)
{
	switch (item->kind) {
	case TRACE_RECORD:
		assert_true(item->record->seq > *last_seq && item->record->seq <= NRECORDS);
		*last_seq = item->record->seq;
		assert_memory_equal(item->record, record((unsigned)*last_seq - 1), item->record->size);
		break;
	case TRACE_PAGES:
		assert_int_equal(item->count, 3);
		assert_memory_equal(item->pages, pages, sizeof(pages));
		break;
	case TRACE_COUNTERS:
		assert_int_equal(item->count, 2);
		assert_memory_equal(item->counters, counters, sizeof(counters));
		break;
	case TRACE_LOSSES:
		assert_int_equal(item->count, 2);
		assert_memory_equal(item->losses, losses, sizeof(losses));
		break;
	case TRACE_INFO:
		assert_string_equal(item->json, INFO_JSON);
		break;
	case TRACE_SUMMARY:
		assert_string_equal(item->json, SUMMARY_JSON);
		break;
	default:
		fail_msg("item of kind %d", item->kind);
	}
}

struct tally read_trace(const char *from)
{
	struct trace_reader *r;
	struct trace_item item;
	struct tally t = {0};
	uint64_t last_seq = 0;

	assert_int_equal(trace_reader__open(&r, from), 0);
	for (;;) {
		int rc = trace_reader__next(r, &item);
		if (rc == -EBADMSG) {
			assert_true(++t.damaged < 1000);
			continue;
		}
		if (rc || item.kind == TRACE_END_OF_FILE) {
			assert_true(rc == 0 || rc == -ENODATA);
			t.end = rc;
			break;
		}
		check_item(&item, &last_seq);
		t.items[item.kind]++;
	}
	t.lost = trace_reader__lost(r);
	trace_reader__close(r);
	return t;
}

void assert_complete(const struct tally *t)
{
	assert_int_equal(t->end, 0);
	assert_int_equal(t->damaged, 0);
	assert_int_equal(t->items[TRACE_RECORD], NRECORDS);
	for (int kind = TRACE_PAGES; kind <= TRACE_SUMMARY; kind++)
		assert_int_equal(t->items[kind], 1);
}

int setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(folder, sizeof(folder), "%s/trace_sample.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/t.dsmt", folder);
	for (unsigned i = 0; i < NRECORDS; i++)
		fill_record(i);
	return 0;
}

int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}
