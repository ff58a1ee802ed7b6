// SPDX-License-Identifier: BSD-2-Clause
/*
 * merge_drift_test.c - a long run on hosts whose clocks drift apart: in the merged trace every effect is behind its cause,
 * and what cannot be brought in order is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "collector/merge.h"
#include "collector/trace.h"

#define HOSTS 3
#define S     1000000000ull
#define US    1000ull
#define HOP   (5000 * US) /* a token goes from host to host, that often */
#define WAY   (60 * US)	  /* and for so long */
#define BEGIN (100000 * S)

static const double rate[HOSTS] = {100e-6, 0, -100e-6};
static const uint64_t ahead[HOSTS] = {86400 * S, 0, 3600 * S};
static struct trace_writer *out[HOSTS];
static uint64_t asleep_at, asleep_ns; /* of the last host, when not 0 */
static char folder[] = "/tmp/procope-drift-XXXXXX", file[HOSTS + 1][64];
static const char *const parts[HOSTS] = {file[0], file[1], file[2]};
static uint64_t state = 1234567;

static uint64_t any(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % below;
}

static uint64_t shown(unsigned host, uint64_t at)
{
	uint64_t slept = host == HOSTS - 1 && asleep_ns && at >= asleep_at ? asleep_ns : 0;

	at -= slept;
	return BEGIN + ahead[host] + at + (uint64_t)(int64_t)((double)at * rate[host]);
}

static void emit(unsigned host, struct dsm_ev_hdr *h, size_t size, unsigned type, uint64_t time_ns)
{
	static uint64_t seq;

	h->size = (uint16_t)size;
	h->type = (uint16_t)type;
	h->version = 1;
	h->node = (uint16_t)host;
	h->weight = 1;
	h->seq = ++seq;
	h->time_ns = time_ns;
	assert_int_equal(trace_writer__record(out[host], h), 0);
}

/* Answers take 20 to 300 us each way. */
static void measure(unsigned host, unsigned peer, uint64_t at)
{
	uint64_t there = at + 20 * US + any(280 * US), back = there + 20 * US + any(280 * US);
	struct dsm_ev_clock c = {.peer = (uint16_t)peer, .rtt_ns = shown(host, back) - shown(host, at)};

	c.offset_ns = (int64_t)(shown(peer, there) - (shown(host, at) + c.rtt_ns / 2));
	emit(host, &c.hdr, sizeof(c), DSM_EV_CLOCK, shown(host, back));
}

static void barrier(unsigned host, uint64_t number, uint64_t arrive, uint64_t leave)
{
	struct dsm_ev_barrier b = {.number = number, .wait_ns = shown(host, leave) - shown(host, arrive)};

	emit(host, &b.hdr, sizeof(b), DSM_EV_BARRIER, shown(host, leave));
}

static void tick(uint64_t t, uint64_t token)
{
	struct dsm_ev_begin b = {.interval.number = token};
	unsigned host = (unsigned)(token % HOSTS);

	emit(host, &b.hdr, sizeof(b), DSM_EV_BEGIN, shown(host, t + token % 16 * WAY));
	if (token % 16 == 15 && t / (16 * HOP) % 6 == 0)
		for (unsigned n = 0; n < HOSTS; n++)
			measure(n, (n + 1 + (unsigned)any(HOSTS - 1)) % HOSTS, t + 1500 * US);
	if (token % 80 == 79) {
		uint64_t late = any(400 * US), last = t + 2000 * US + late;

		barrier(0, token + 1, t + 2000 * US, last + WAY);
		barrier(1, token + 1, last, last + WAY);
		barrier(2, token + 1, t + 2000 * US + late / 2, last + WAY + 10 * US);
	}
}

static void open_all(void)
{
	struct dsm_ev_node n = {.nodes = HOSTS, .run_id = 77, .pid = 100};

	for (unsigned i = 0; i < HOSTS; i++) {
		assert_int_equal(trace_writer__open(&out[i], file[i]), 0);
		assert_int_equal(trace_writer__info(out[i], "{\"source\":\"ring\"}"), 0);
		emit(i, &n.hdr, sizeof(n), DSM_EV_NODE, shown(i, 0));
	}
}

static int merge_all(void)
{
	struct merge_options o = {.output = file[HOSTS], .quiet = true};

	for (unsigned i = 0; i < HOSTS; i++) {
		assert_int_equal(trace_writer__summary(out[i], "{\"ended\":\"run\",\"nodes\":[]}"), 0);
		assert_int_equal(trace_writer__close(out[i]), 0);
	}
	return merge__traces(&o, parts, HOSTS);
}

struct found {
	uint64_t tokens, disorder, back;
	struct json_object *info, *summary;
};

static struct found look(void)
{
	uint64_t time[HOSTS] = {0}, seq[HOSTS] = {0};
	struct found f = {0};
	struct trace_reader *r;
	struct trace_item item;

	assert_int_equal(trace_reader__open(&r, file[HOSTS]), 0);
	while (trace_reader__next(r, &item) == 0 && item.kind != TRACE_END_OF_FILE) {
		if (item.kind == TRACE_INFO)
			f.info = json_tokener_parse(item.json);
		if (item.kind == TRACE_SUMMARY)
			f.summary = json_tokener_parse(item.json);
		if (item.kind != TRACE_RECORD)
			continue;
		const struct dsm_ev_hdr *h = item.record;

		f.back += h->time_ns < time[h->node] || h->seq < seq[h->node];
		time[h->node] = h->time_ns;
		seq[h->node] = h->seq;
		if (h->type != DSM_EV_BEGIN)
			continue;
		f.disorder += ((const struct dsm_ev_begin *)h)->interval.number != f.tokens;
		f.tokens++;
	}
	trace_reader__close(r);
	return f;
}

static int64_t value(struct json_object *o, const char *key)
{
	struct json_object *v;

	assert_true(json_object_object_get_ex(o, key, &v));
	return json_object_get_int64(v);
}

static struct json_object *inside(struct json_object *o, const char *key)
{
	struct json_object *v;

	assert_true(json_object_object_get_ex(o, key, &v));
	return v;
}

static void forget(struct found *f)
{
	json_object_put(f->info);
	json_object_put(f->summary);
}

static void long_run(void **unused)
{
	uint64_t tokens = (getenv("PROCOPE_QUICK") ? 60 : 300) * S / HOP;
	struct json_object *clocks;
	struct found f;

	(void)unused;
	asleep_ns = 0;
	open_all();
	for (uint64_t k = 0; k < tokens; k++)
		tick(S + k / 16 * 16 * HOP, k);
	assert_int_equal(merge_all(), 0);
	f = look();
	assert_int_equal(f.tokens, tokens);
	assert_int_equal(f.disorder, 0);
	assert_int_equal(f.back, 0);
	clocks = inside(f.summary, "clocks");
	assert_int_equal(value(clocks, "measured"), HOSTS);
	assert_int_equal(value(clocks, "violated"), 0);
	assert_int_equal(value(clocks, "steps"), 0);
	assert_true(value(clocks, "checked") > (int64_t)tokens / 40);
	assert_in_range(value(clocks, "error_ns"), 1000, 200000);
	/* Two hosts' clocks fall behind the first one's, by 100 and 200 ppm. */
	for (size_t i = 1; i < HOSTS; i++) {
		struct json_object *p = json_object_array_get_idx(inside(f.info, "parts"), i), *drift;

		drift = inside(p, "drift_ppm");
		assert_float_equal(json_object_get_double(drift), i == 1 ? -100 : -200, 1);
		assert_in_range(value(p, "error_ns"), 1000, 100000);
	}
	forget(&f);
}

static void a_host_sleeps(void **unused)
{
	struct json_object *p, *steps;
	struct found f;

	(void)unused;
	asleep_at = 20 * S;
	asleep_ns = 600 * S;
	open_all();
	for (uint64_t k = 0; k < 40 * S / HOP; k++) {
		uint64_t t = S + k / 16 * 16 * HOP;

		tick(t + (t + S / 10 > asleep_at ? asleep_ns + S / 10 : 0), k);
	}
	assert_int_equal(merge_all(), 0);
	f = look();
	assert_int_equal(f.disorder, 0);
	assert_int_equal(f.back, 0);
	p = json_object_array_get_idx(inside(f.info, "parts"), HOSTS - 1);
	steps = inside(p, "steps");
	assert_int_equal(json_object_array_length(steps), 1);
	assert_int_equal(value(json_object_array_get_idx(steps, 0), "node"), HOSTS - 1);
	assert_true(llabs(value(json_object_array_get_idx(steps, 0), "ns") - (int64_t)asleep_ns) <
		    (int64_t)S);
	assert_int_equal(value(inside(f.summary, "clocks"), "steps"), 1);
	forget(&f);
}

/* A barrier that one left a second before another came: no clock explains it. */
static void what_cannot_be(void **unused)
{
	struct found f;

	(void)unused;
	asleep_ns = 0;
	open_all();
	for (uint64_t k = 0; k < 1600; k++)
		tick(S + k / 16 * 16 * HOP, k);
	barrier(0, 5000, 9 * S + S / 2, 10 * S);
	barrier(1, 5000, 11 * S, 11 * S + S / 2);
	assert_int_equal(merge_all(), 0);
	f = look();
	assert_in_range(value(inside(f.summary, "clocks"), "violated"), 1, 5);
	assert_in_range(value(inside(f.summary, "clocks"), "worst_ns"), S - 1000 * US, S + 1000 * US);
	forget(&f);
}

static int make_folder(void **unused)
{
	(void)unused;
	if (!mkdtemp(folder))
		return -1;
	for (unsigned i = 0; i <= HOSTS; i++)
		snprintf(file[i], sizeof(file[i]), "%s/%u", folder, i);
	return 0;
}

static int remove_folder(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i <= HOSTS; i++)
		unlink(file[i]);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(long_run),
		cmocka_unit_test(a_host_sleeps),
		cmocka_unit_test(what_cannot_be),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
