// SPDX-License-Identifier: BSD-2-Clause
/* merge_test.c - traces of hosts with very different clocks become one: what is when, and how that is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/merge.h"
#include "collector/trace.h"

#define HOSTS 4
#define S     1000000000ull
#define RUN   0x1234u

/* Node n runs on host n; at the run's time 0 its clock shows this. The second host was started last. */
static const uint64_t begin[HOSTS] = {500 * S, 2 * S, 90000 * S, 7000 * S};
static char folder[] = "/tmp/procope-merge-XXXXXX", file[HOSTS + 1][64];
static const char *const parts[HOSTS] = {file[0], file[1], file[2], file[3]};

static void emit(struct trace_writer *w, struct dsm_ev_hdr *h, size_t size, unsigned type, unsigned node,
		 uint64_t at)
{
	static uint64_t seq;

	h->size = (uint16_t)size;
	h->type = (uint16_t)type;
	h->version = 1;
	h->node = (uint16_t)node;
	h->weight = 1;
	h->seq = ++seq;
	h->time_ns = begin[node] + at;
	assert_int_equal(trace_writer__record(w, h), 0);
}

static void measure(struct trace_writer *w, unsigned node, unsigned peer, uint64_t at, uint64_t rtt,
		    int64_t wrong)
{
	struct dsm_ev_clock c = {.peer = (uint16_t)peer, .rtt_ns = rtt};

	c.offset_ns = (int64_t)(begin[peer] - begin[node]) + wrong;
	emit(w, &c.hdr, sizeof(c), DSM_EV_CLOCK, node, at);
}

/* A barrier each second, a host's half a millisecond after that of the one before it. They wait long, so that they tell nothing
 * of the clocks. */
static void write_part(unsigned node, uint64_t run, bool whole)
{
	struct dsm_ev_node n = {.nodes = HOSTS, .run_id = run, .pid = 100 + node};
	struct trace_writer *w;
	char text[128];

	snprintf(text, sizeof(text), "{\"start_ns\":%llu,\"monotonic_ns\":%llu,\"source\":\"ring\"}",
		 1700000000 * S, (unsigned long long)begin[node]);
	assert_int_equal(trace_writer__open(&w, file[node]), 0);
	assert_int_equal(trace_writer__info(w, text), 0);
	emit(w, &n.hdr, sizeof(n), DSM_EV_NODE, node, node);
	for (uint64_t s = 1; s <= 3; s++) {
		struct trace_counters c = {.time_ns = begin[node] + s * S + 900000000,
					   .node = (uint16_t)node};
		struct trace_page_stat p = {.page = 4096 | 12, .node = (uint16_t)node, .fetches = s};
		struct trace_loss l = {.type = DSM_EV_FAULT, .count = s * (node + 1)};
		struct dsm_ev_barrier b = {.number = s, .wait_ns = S / 2};

		emit(w, &b.hdr, sizeof(b), DSM_EV_BARRIER, node, s * S + node * 500000);
		/* 0 and 1 have measured one another, 1 and 2; nobody has measured 3. The best is neither first nor last. */
		if (node == 1)
			measure(w, 1, 0, s * S + 600000000, s == 2 ? 20000 : 900000, s == 2 ? 9000 : -400000);
		if (node == 2)
			measure(w, 2, 1, s * S + 600000000, s == 2 ? 30000 : 800000,
				s == 2 ? -12000 : 300000);
		assert_int_equal(trace_writer__counters(w, &c, 1), 0);
		assert_int_equal(trace_writer__pages(w, &p, 1), 0);
		assert_int_equal(trace_writer__losses(w, &l, 1), 0);
	}
	if (whole)
		assert_int_equal(trace_writer__summary(w, "{\"ended\":\"run\",\"nodes\":[],\"elapsed_s\":3}"),
				 0);
	assert_int_equal(trace_writer__close(w), 0);
}

static int merge(size_t n)
{
	struct merge_options o = {.output = file[HOSTS], .quiet = true};

	return merge__traces(&o, parts, n);
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	for (unsigned i = 0; i <= HOSTS; i++)
		snprintf(file[i], sizeof(file[i]), "%s/%u", folder, i);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= HOSTS; i++)
		unlink(file[i]);
	return rmdir(folder);
}

static void one_clock(void **state)
{
	unsigned barriers = 0, samples = 0, fetches = 0;
	uint64_t last = 0, lost = 0;
	struct trace_reader *r;
	struct trace_item item;

	(void)state;
	for (unsigned node = 0; node < HOSTS; node++)
		write_part(node, RUN, true);
	assert_int_equal(merge(HOSTS), 0);
	assert_int_equal(trace_reader__open(&r, file[HOSTS]), 0);
	for (;;) {
		assert_int_equal(trace_reader__next(r, &item), 0);
		if (item.kind == TRACE_END_OF_FILE)
			break;
		if (item.kind == TRACE_RECORD) {
			assert_true(item.record->time_ns >= last);
			last = item.record->time_ns;
		}
		if (item.kind == TRACE_RECORD && item.record->type == DSM_EV_BARRIER) {
			/* By turns, and right to the errors put in: 9 us, and 21 over a third host. */
			uint64_t want = begin[0] + (barriers / HOSTS + 1) * S + barriers % HOSTS * 500000;

			assert_int_equal(item.record->node, barriers++ % HOSTS);
			assert_in_range(last, want - 21000, want + 21000);
		} else if (item.kind == TRACE_RECORD && item.record->type == DSM_EV_CLOCK) {
			const struct dsm_ev_clock *c = (const void *)item.record;

			assert_true(llabs(c->offset_ns) <
				    500000); /* what was measured badly stays that bad */
		} else if (item.kind == TRACE_COUNTERS) {
			assert_int_equal(item.count, HOSTS); /* one sample of all */
			samples++;
			for (size_t i = 0; i < item.count; i++)
				assert_in_range(item.counters[i].time_ns, begin[0] + samples * S + 899000000,
						begin[0] + samples * S + 901000000);
		} else if (item.kind == TRACE_PAGES) {
			for (size_t i = 0; i < item.count; i++)
				fetches += (unsigned)item.pages[i].fetches;
		} else if (item.kind == TRACE_LOSSES) {
			assert_int_equal(item.count, 1);
			lost = item.losses[0].count;
		} else if (item.kind == TRACE_INFO) {
			assert_non_null(strstr(item.json, "\"clock\":\"own\""));
			assert_non_null(strstr(item.json, "\"clock\":\"measured\""));
			assert_non_null(strstr(item.json, "\"clock\":\"wall\""));
		} else if (item.kind == TRACE_SUMMARY) {
			assert_non_null(strstr(item.json, "\"ended\":\"run\""));
			assert_non_null(strstr(item.json, "\"lost_total\":30"));
			assert_non_null(strstr(item.json, "\"violated\":0"));
		}
	}
	trace_reader__close(r);
	assert_int_equal(barriers, 3 * HOSTS);
	assert_int_equal(samples, 3);
	assert_int_equal(fetches, HOSTS * (1 + 2 + 3));
	assert_int_equal(lost, 3 * (1 + 2 + 3 + 4));
}

/* What later versions record is lost here, too: each type by its own number, and all of it in the sum. */
static void losses_of_later_types(void **state)
{
	struct trace_loss two[] = {{.type = 500, .count = 7}, {.type = 60000, .count = 11}},
			  after[] = {{.type = DSM_EV_FAULT, .count = 3},
				     {.type = 500, .count = 9},
				     {.type = 60000, .count = 11}};
	uint64_t of_500 = 0, of_60000 = 0, of_faults = 0, lost = 0;
	struct trace_reader *r;
	struct trace_writer *w;
	struct trace_item item;

	(void)state;
	for (unsigned node = 0; node < 2; node++) {
		struct dsm_ev_node n = {.nodes = 2, .run_id = RUN, .pid = 100 + node};

		assert_int_equal(trace_writer__open(&w, file[node]), 0);
		assert_int_equal(
			trace_writer__info(w, "{\"start_ns\":1,\"monotonic_ns\":1,\"source\":\"ring\"}"), 0);
		emit(w, &n.hdr, sizeof(n), DSM_EV_NODE, node, node);
		assert_int_equal(trace_writer__losses(w, two, 2), 0);
		if (node)
			assert_int_equal(trace_writer__losses(w, after, 3), 0);
		assert_int_equal(trace_writer__summary(w, "{\"ended\":\"run\",\"nodes\":[],\"elapsed_s\":3}"),
				 0);
		assert_int_equal(trace_writer__close(w), 0);
	}
	assert_int_equal(merge(2), 0);
	assert_int_equal(trace_reader__open(&r, file[HOSTS]), 0);
	do {
		assert_int_equal(trace_reader__next(r, &item), 0);
		for (size_t i = 0; item.kind == TRACE_LOSSES && i < item.count; i++) {
			const struct trace_loss *l = &item.losses[i];

			*(l->type == 500 ? &of_500 : l->type == 60000 ? &of_60000 : &of_faults) = l->count;
		}
		if (item.kind == TRACE_SUMMARY) {
			assert_non_null(strstr(item.json, "\"type-500\":16"));
			assert_non_null(strstr(item.json, "\"type-60000\":22"));
			assert_non_null(strstr(item.json, "\"lost_total\":41"));
		}
		lost = trace_reader__lost(r);
	} while (item.kind != TRACE_END_OF_FILE);
	trace_reader__close(r);
	assert_int_equal(of_500, 16);
	assert_int_equal(of_60000, 22);
	assert_int_equal(of_faults, 3);
	assert_int_equal(lost, 41);
}

/* The same for who shows a trace: together, as type 0. */
static void losses_since(void **state)
{
	uint64_t told[DSM_EV_TYPE_MAX] = {0}, since[DSM_EV_TYPE_MAX];
	struct trace_loss a[] = {{.type = 500, .count = 7}, {.type = 501, .count = 2}},
			  b[] = {{.type = 500, .count = 8},
				 {.type = 501, .count = 2},
				 {.type = DSM_EV_FAULT, .count = 1}};

	(void)state;
	trace_losses__since(told, a, 2, since);
	assert_int_equal(since[0], 9);
	trace_losses__since(told, b, 3, since);
	assert_int_equal(since[0], 1);
	assert_int_equal(since[DSM_EV_FAULT], 1);
	trace_losses__since(told, b, 3, since);
	assert_int_equal(since[0] + since[DSM_EV_FAULT], 0);
	assert_int_equal(told[0], 10);
}

static void not_whole(void **state)
{
	(void)state;
	assert_int_equal(merge(HOSTS - 1), 1); /* a node is in none */
	write_part(2, RUN, false);
	assert_int_equal(merge(HOSTS), 1); /* no summary */
	assert_int_equal(truncate(file[1], 400), 0);
	assert_int_equal(merge(HOSTS), 1); /* cut */
	assert_int_equal(access(file[HOSTS], R_OK), 0);
	unlink(file[HOSTS]);
	write_part(1, RUN + 1, true);
	assert_int_equal(merge(HOSTS), 2); /* another run's */
	assert_int_equal(truncate(file[1], 0), 0);
	assert_int_equal(merge(HOSTS), 2); /* no trace */
	assert_int_equal(access(file[HOSTS], R_OK), -1);
}

/* A part that has the name under which the result grows, and one that cannot be read twice: neither is touched. */
static void in_the_way(void **state)
{
	const struct merge_options o = {.output = file[HOSTS], .quiet = true};
	char partial[sizeof(file[0]) + 8], fifo[sizeof(folder) + 8];
	const char *paths[2] = {file[0], partial};
	struct stat before, after;

	(void)state;
	snprintf(partial, sizeof(partial), "%s.partial", file[HOSTS]);
	snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
	write_part(0, RUN, true);
	write_part(1, RUN, true);
	assert_int_equal(rename(file[1], partial), 0);
	assert_int_equal(stat(partial, &before), 0);
	assert_int_equal(merge__traces(&o, paths, 2), 2);
	assert_int_equal(stat(partial, &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(rename(partial, file[1]), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	paths[1] = fifo;
	assert_int_equal(merge__traces(&o, paths, 2), 2);
	assert_int_equal(unlink(fifo), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_clock),	cmocka_unit_test(losses_of_later_types),
		cmocka_unit_test(losses_since), cmocka_unit_test(not_whole),
		cmocka_unit_test(in_the_way),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
