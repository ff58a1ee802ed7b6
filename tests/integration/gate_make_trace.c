/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate_make_trace - writes a trace with given counters, through the real writer, for tests of dsmgate.
 *   gate_make_trace PATH KEY=VALUE...
 * Keys: run program host nodes first last commits aborts committed wasted work seconds micro lost
 * status start late (1: the collector came late) cut (bytes to take off the end) model nocounters crashed (a
 * node) nosummary open (nodes that still ran when the recording ended) intervals meets fetched (ns waiting for pages)
 * refetched (of these, in attempts that aborted) locked flushed changed (ns). Counters are each node's; nodes
 * first..last (of `nodes`) are written.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/trace.h"

enum key {
	RUN,
	PROGRAM,
	HOST,
	NODES,
	FIRST,
	LAST,
	COMMITS,
	ABORTS,
	COMMITTED,
	WASTED,
	WORK,
	SECONDS,
	MICRO,
	LOST,
	STATUS,
	START,
	LATE,
	CUT,
	MODEL,
	NOCOUNTERS,
	CRASHED,
	NOSUMMARY,
	OPEN,
	INTERVALS,
	MEETS,
	FETCHED,
	REFETCHED,
	LOCKED,
	FLUSHED,
	CHANGED,
	KEYS
};
static const char *const names[KEYS] = {
	"run",	     "program", "host",	     "nodes",	   "first",   "last",	   "commits", "aborts",
	"committed", "wasted",	"work",	     "seconds",	   "micro",   "lost",	   "status",  "start",
	"late",	     "cut",	"model",     "nocounters", "crashed", "nosummary", "open",    "intervals",
	"meets",     "fetched", "refetched", "locked",	   "flushed", "changed"};
static const char *text[KEYS];

static double num(enum key k, double otherwise)
{
	return text[k] ? atof(text[k]) : otherwise;
}

static struct dsm_ev_hdr header(uint16_t type, size_t size, unsigned node, uint64_t time_ns)
{
	static uint64_t seq[256];

	return (struct dsm_ev_hdr){.size = (uint16_t)size,
				   .type = type,
				   .version = DSM_EV_VERSION,
				   .node = (uint16_t)node,
				   .weight = 1,
				   .seq = seq[node % 256]++,
				   .time_ns = time_ns};
}

static int put_node(struct trace_writer *w, unsigned node, uint64_t t0)
{
	struct dsm_ev_node e = {.hdr = header(DSM_EV_NODE, sizeof(e), node, t0)};

	if (num(LATE, 0) > 0)
		e.hdr.flags |= DSM_EV_F_RUNDOWN;
	e.pid = 100 + node;
	e.nodes = (uint16_t)num(NODES, 4);
	e.page_log2 = 12;
	e.consistency = (uint8_t)num(MODEL, DSM_EV_TX);
	e.region_bytes = 1 << 30;
	e.start_realtime_ns = 1700000000000000000ull + (uint64_t)(num(START, 0) * 1e9);
	e.run_id = (uint64_t)num(RUN, 1);
	snprintf(e.host, sizeof(e.host), "%s", text[HOST] ? text[HOST] : "testhost");
	snprintf(e.program, sizeof(e.program), "%s", text[PROGRAM] ? text[PROGRAM] : "world");
	return trace_writer__record(w, &e.hdr);
}

static int put_counters(struct trace_writer *w, unsigned node, uint64_t time_ns, double share)
{
	struct trace_counters c = {.time_ns = time_ns, .node = (uint16_t)node};

	if (num(NOCOUNTERS, 0) > 0)
		return 0;
	c.counters.commits = (uint64_t)(share * num(COMMITS, 10000));
	c.counters.aborts = (uint64_t)(share * num(ABORTS, 1000));
	c.counters.begins = c.counters.commits + c.counters.aborts;
	c.counters.committed_ns = (uint64_t)(share * num(COMMITTED, 1e9));
	c.counters.wasted_ns = (uint64_t)(share * num(WASTED, 1e8));
	c.counters.work = (uint64_t)(share * num(WORK, 5000));
	c.counters.microscope_ns = (uint64_t)(share * num(MICRO, 0));
	c.counters.intervals = (uint64_t)(share * num(INTERVALS, 0));
	c.counters.meets = (uint64_t)(share * num(MEETS, 0));
	c.counters.fetch_ns = (uint64_t)(share * num(FETCHED, 0));
	c.counters.wasted_fetch_ns = (uint64_t)(share * num(REFETCHED, 0));
	c.counters.lock_ns = (uint64_t)(share * num(LOCKED, 0));
	c.counters.flush_ns = (uint64_t)(share * num(FLUSHED, 0));
	c.counters.changes_ns = (uint64_t)(share * num(CHANGED, 0));
	return trace_writer__counters(w, &c, 1);
}

static int put_summary(struct trace_writer *w, unsigned first, unsigned last)
{
	char json[4096];
	int n = snprintf(json, sizeof(json), "{\"ended\":\"run\",\"nodes\":[");

	for (unsigned i = first; i <= last && n < (int)sizeof(json) - 100; i++)
		n += snprintf(json + n, sizeof(json) - (size_t)n,
			      "%s{\"node\":%u,\"ended\":%s,\"crashed\":%s,\"status\":0}",
			      i > first ? "," : "", i, num(OPEN, 0) > 0 ? "false" : "true",
			      num(CRASHED, -1) == i ? "true" : "false");
	snprintf(json + n, sizeof(json) - (size_t)n, "]}");
	return trace_writer__summary(w, json);
}

static int write_all(struct trace_writer *w)
{
	unsigned first = (unsigned)num(FIRST, 0), last = (unsigned)num(LAST, num(NODES, 4) - 1);
	double seconds = num(SECONDS, 5), late = num(LATE, 0) > 0 ? 0.2 : 0;
	uint64_t t0 = 1000000000ull, t1 = t0 + (uint64_t)(seconds * 1e9);
	struct trace_loss loss = {.type = DSM_EV_ABORT, .count = (uint64_t)num(LOST, 0)};
	int rc = trace_writer__info(w, "{\"source\":\"test\"}");

	for (unsigned n = first; n <= last && !rc; n++) {
		struct dsm_ev_end end = {.hdr = header(DSM_EV_END, sizeof(end), n, t1),
					 .status = (int32_t)num(STATUS, 0)};

		rc = put_node(w, n, t0 + (uint64_t)(late * seconds * 1e9));
		if (!rc)
			rc = put_counters(w, n, t0 + (uint64_t)(late * seconds * 1e9) + 1000, late);
		if (!rc)
			rc = put_counters(w, n, t1, 1);
		if (!rc)
			rc = trace_writer__record(w, &end.hdr);
	}
	if (!rc && loss.count)
		rc = trace_writer__losses(w, &loss, 1);
	return rc || num(NOSUMMARY, 0) > 0 ? rc : put_summary(w, first, last);
}

int main(int argc, char **argv)
{
	struct trace_writer *w;
	struct stat st;
	int rc;

	for (int i = 2; i < argc; i++) {
		int k = 0;

		while (k < KEYS && (strncmp(argv[i], names[k], strlen(names[k])) != 0 ||
				    argv[i][strlen(names[k])] != '='))
			k++;
		if (k == KEYS) {
			fprintf(stderr, "gate_make_trace: unknown %s\n", argv[i]);
			return 2;
		}
		text[k] = argv[i] + strlen(names[k]) + 1;
	}
	if (argc < 2 || trace_writer__open(&w, argv[1]))
		return 2;
	rc = write_all(w);
	if (trace_writer__close(w) || rc)
		return 1;
	if (num(CUT, 0) > 0 && (stat(argv[1], &st) || truncate(argv[1], st.st_size - (off_t)num(CUT, 0))))
		return 1;
	return 0;
}
