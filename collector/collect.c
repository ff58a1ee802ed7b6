// SPDX-License-Identifier: BSD-2-Clause
/*
 * collect.c - the loop of a collection: poll the source, look for nodes, sample, write, tell clients.
 *
 * Order within a round matters at a node's end. First its death is noticed, then the source is
 * drained, then the node is marked as ended: what a process emitted before it died is in the source
 * by the time its death can be seen, so nothing of it comes after.
 */
#include "collector/collect.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/launch/remedy.h"

#define MS		 1000000ull
#define POLL_MS		 10	   /* the ring buffers are never woken for: this is how old a record gets */
#define POLL_IDLE_MS	 100	   /* while little comes; each look takes a core away from somebody */
#define POLL_BUSY_SHARE	 16u	   /* one part in so many of a ring came in one look: look again sooner */
#define BURST_BYTES_MS	 65536u	   /* a ring must not fill between two looks though all begins at once */
#define SCAN_FAST_NS	 (20 * MS) /* while nodes are missing: what they do before they are found is not seen */
#define SCAN_NS		 (200 * MS) /* afterwards */
#define SCAN_RARE_NS	 (5000 * MS) /* when all have been here for a while: nobody else can come to this run */
#define SCAN_SHARE	 20	     /* at most one part in so many of the time */
#define SCAN_RARE_SHARE	 1000
#define FLUSH_NS	 (1000 * MS)
#define MISSING_NODES_NS (1000 * MS) /* how long an ended run may still bring nodes that this host lacks */
#define CLOSE_CLIENTS_MS 200
#define DESCRIBE_NS	 (30 * MS)  /* in which a node found should have described itself */
#define ASK_NS		 (500 * MS) /* for how long it is asked to */
#define ASK_TIMES	 10

uint64_t collect__now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

const struct agg_node *collect__first_node(const struct collect *c)
{
	const struct agg_node *const *nodes;
	size_t n = aggregate__nodes(c->known, &nodes);

	for (size_t i = 0; i < n; i++) {
		if (nodes[i]->program[0])
			return nodes[i];
	}
	return n ? nodes[0] : NULL;
}

/* ---- the sink ---- */

static void on_record(void *ctx, pid_t pid, const struct dsm_ev_hdr *record)
{
	struct collect *c = ctx;
	struct trace_page_stat stat;
	int rc;

	c->round += record->size;
	if (record->type == DSM_EV_NODE)
		collect__node_record(c, pid, (const void *)record);
	if (!collect__from(c, pid, record->node))
		return;
	rc = aggregate__record(c->known, record);
	if (rc) {
		if (rc < 0)
			collect__failed(c, rc);
		return;
	}
	if (!c->source->ops->counts_pages && aggregate__page_of(record, &stat) &&
	    aggregate__add_page(c->known, &stat))
		collect__failed(c, -ENOMEM);
	if (!source__keeps(record->type, c->options->from.all) || !c->trace)
		return;
	collect__write_info(c);
	rc = trace_writer__record(c->trace, record);
	if (rc) {
		collect__failed(c, rc);
		return;
	}
	c->written[record->type < DSM_EV_TYPE_MAX ? record->type : 0]++;
	c->written_total++;
}

static void on_page(void *ctx, pid_t pid, const struct trace_page_stat *delta)
{
	struct collect *c = ctx;

	if (collect__from(c, pid, delta->node) && aggregate__add_page(c->known, delta))
		collect__failed(c, -ENOMEM);
}

static void on_loss(void *ctx, pid_t pid, unsigned type, uint64_t count)
{
	struct collect *c = ctx;

	if (collect__ours(c, pid))
		aggregate__add_loss(c->known, type, count);
}

/* ---- clients ---- */

static void tell_clients(struct collect *c, uint64_t now, bool only_new, bool ended)
{
	struct live_state state = {
		.known = c->known,
		.time_ns = c->last_sample_ns ? c->last_sample_ns : now, /* of the counters in it */
		.elapsed_s = (double)(now - c->start_ns) / 1e9,
		.source = c->source->ops->name,
		.run_id = c->run_id,
		.ended = ended,
	};
	char *line;

	if (!c->live || !live__clients(c->live))
		return;
	line = live__json(&state);
	if (line)
		live__send(c->live, line, strlen(line), only_new);
	free(line);
}

/* ---- the loop ---- */

/* How many nodes will be seen here, if all of them are on this host; `n` of the cluster. */
static size_t expected(const struct collect *c, size_t n)
{
	size_t last = c->options->last < n ? c->options->last + 1u : n;

	return c->options->first < last ? last - c->options->first : n;
}

static bool nodes_missing(const struct collect *c)
{
	const struct agg_node *const *nodes;
	size_t n = aggregate__nodes(c->known, &nodes);

	return !n ||
	       (n < expected(c, nodes[0]->nodes) && collect__now() - c->last_node_ns < MISSING_NODES_NS);
}

static bool run_ended(const struct collect *c)
{
	const struct agg_node *const *nodes;
	size_t n = aggregate__nodes(c->known, &nodes);

	for (size_t i = 0; i < n; i++) {
		if (!nodes[i]->ended)
			return false;
	}
	return n && !nodes_missing(c);
}

static bool all_described(const struct collect *c)
{
	const struct agg_node *const *nodes;
	size_t n = aggregate__nodes(c->known, &nodes);

	for (size_t i = 0; i < n; i++) {
		if (!nodes[i]->described)
			return false;
	}
	return n && n >= expected(c, nodes[0]->nodes);
}

/* All nodes of the run have described themselves, or all that this host has of it have had the time to. */
static bool settled(const struct collect *c)
{
	return all_described(c) || (!nodes_missing(c) && collect__now() - c->last_node_ns > MISSING_NODES_NS);
}

static uint64_t between(uint64_t least, uint64_t value, uint64_t most)
{
	return value < least ? least : value > most ? most : value;
}

/* Only the ring source is in a hurry: a BPF program hears of a node by its first record. A host with many
 * processes must not pay for the hurry; and a scan looks at each process. */
static uint64_t scan_interval(const struct collect *c)
{
	if (settled(c))
		return between(SCAN_NS, c->scan_cost_ns * SCAN_RARE_SHARE, SCAN_RARE_NS);
	if (!c->source->ops->node_found || !nodes_missing(c))
		return SCAN_NS;
	return between(SCAN_FAST_NS, c->scan_cost_ns * SCAN_SHARE, SCAN_NS);
}

static void look_for_nodes(struct collect *c, uint64_t now)
{
	if (now - c->last_scan_ns < scan_interval(c))
		return;
	nodes__scan(c->nodes);
	c->last_scan_ns = now;
	c->scan_cost_ns = collect__now() - now;
	for (struct node_view *v = nodes__first(c->nodes), *next; v; v = next) {
		next = v->next;
		if ((v->gone || v->broken) && v->run_id != c->run_id)
			nodes__drop(c->nodes, v);
	}
}

/* The dead are found before the source is drained and marked after it (see above). */
static void poll_source(struct collect *c)
{
	struct collect_dead dead[64];
	size_t n = collect__find_dead(c, dead, 64);

	c->source->ops->poll(c->source, &c->sink, false);
	for (size_t i = 0; i < n; i++) {
		/* Without a view it has perhaps just been told that it ended, or was in the list as a view. */
		if (c->source->ops->node_died &&
		    (dead[i].view || !aggregate__node(c->known, dead[i].node)->ended))
			c->source->ops->node_died(c->source, dead[i].pid, dead[i].view, &c->sink);
		aggregate__node_gone(c->known, dead[i].node, dead[i].clean);
	}
}

/* A node that has not described itself ran before the probes were attached, or began while they were. */
static void ask_for_rundowns(struct collect *c, uint64_t now)
{
	for (struct node_view *v = nodes__first(c->nodes); v; v = v->next) {
		const struct agg_node *known = aggregate__node(c->known, v->node);
		if (v->run_id != c->run_id || !known)
			continue;
		if (v->asked_ns && (known->described || known->ended || now - v->asked_ns > ASK_NS)) {
			node_view__ask_rundown(v, false);
			v->asked_ns = 0;
		} else if (!v->asked_ns && !known->described && !known->ended && v->asked < ASK_TIMES &&
			   now - v->found_ns > DESCRIBE_NS) {
			node_view__ask_rundown(v, true);
			v->asked_ns = now;
			v->asked++;
		}
	}
}

/* Somebody looks on twice a second; a trace has the counters once a second. */
static uint64_t sample_interval(const struct collect *c)
{
	return c->live && live__clients(c->live) ? LIVE_INTERVAL_NS : FLUSH_NS;
}

static void one_round(struct collect *c)
{
	uint64_t now = collect__now();
	bool flush;

	look_for_nodes(c, now);
	poll_source(c);
	if (!c->source->ops->node_found)
		ask_for_rundowns(c, now);
	if (c->live && live__poll(c->live))
		tell_clients(c, now, true, false);
	/* What is written is of now: pages are counted by samples. */
	flush = now - c->last_flush_ns >= FLUSH_NS;
	if (flush || now - c->last_sample_ns >= sample_interval(c)) {
		collect__sample(c, now);
		tell_clients(c, now, false, false);
	}
	if (flush) {
		collect__write_statistics(c);
		c->last_flush_ns = now;
	}
	if (c->end == COLLECT_GOING_ON && run_ended(c))
		c->end = COLLECT_RUN_ENDED;
	if (c->end == COLLECT_GOING_ON && c->options->seconds > 0 &&
	    (double)(now - c->start_ns) / 1e9 >= c->options->seconds)
		c->end = COLLECT_TIME;
}

/* The smallest ring that records come from. */
static uint64_t ring_bytes(const struct collect *c)
{
	uint64_t least = c->source->ring_bytes;

	if (least)
		return least;
	for (const struct node_view *v = nodes__first(c->nodes); v; v = v->next) {
		if (collect__wants(c, v->run_id, v->node) && v->ring_bytes &&
		    (!least || v->ring_bytes < least))
			least = v->ring_bytes;
	}
	return least;
}

/* Milliseconds until the next look, after one that came `before` milliseconds after its forerunner. */
static int next_pause(const struct collect *c, int before)
{
	uint64_t ring = ring_bytes(c), most = between(POLL_MS, ring / BURST_BYTES_MS, POLL_IDLE_MS);

	if (!settled(c) || c->round > ring / POLL_BUSY_SHARE)
		return POLL_MS;
	return (int)between(POLL_MS, 2 * (uint64_t)before, most);
}

/* What happened before the end from outside is still to come. */
static void await_late(struct collect *c)
{
	uint64_t until = collect__now() + c->source->late_ms * MS;

	while ((c->end == COLLECT_SIGNAL || c->end == COLLECT_TIME) && collect__now() < until &&
	       !run_ended(c)) {
		poll(NULL, 0, POLL_MS);
		poll_source(c);
	}
}

void collect__run(struct collect *c, int stop_fd)
{
	int wake = c->source->ops->wake_fd ? c->source->ops->wake_fd(c->source) : -1;
	struct pollfd p[] = {{.fd = stop_fd, .events = POLLIN}, {.fd = wake, .events = POLLIN}};
	int pause = POLL_MS;

	while (c->end == COLLECT_GOING_ON) {
		c->round = 0;
		one_round(c);
		pause = next_pause(c, pause);
		if (c->end == COLLECT_GOING_ON && poll(p, 2, pause) > 0 && p[0].revents)
			c->end = COLLECT_SIGNAL;
	}
	await_late(c);
}

/* ---- beginning and end ---- */

static int open_source(struct collect *c)
{
	const struct collect_options *o = c->options;
	char why[512];
	int rc = 0;

	if (o->source != COLLECT_RING) {
		rc = source_bpf__new(&c->source, &o->from, why, sizeof(why));
		if (!rc)
			return 0;
		if (o->source == COLLECT_BPF) {
			fprintf(stderr, "dsmcollect: %s\n", why);
			return 2;
		}
		fprintf(stderr, "dsmcollect: using the ring source: %s\n", why);
		snprintf(c->why_ring, sizeof(c->why_ring), "%s", why);
	}
	rc = source_ring__new(&c->source, &o->from, why, sizeof(why));
	if (rc)
		fprintf(stderr, "dsmcollect: %s\n", why);
	return rc ? 2 : 0;
}

static int open_output(struct collect *c)
{
	const struct collect_options *o = c->options;
	int rc;

	if (o->output) {
		rc = trace_writer__open(&c->trace, o->output);
		if (rc == -EBUSY)
			fprintf(stderr,
				"dsmcollect: %s.partial: another collector writes it: name another file\n",
				o->output);
		else if (rc)
			fprintf(stderr, "dsmcollect: %s: %s: name a file that can be written with -o\n",
				o->output, strerror(-rc));
		if (rc)
			return 2;
	}
	return 0;
}

/* Last of all: who is killed while it starts has left no name behind. */
static int open_live(struct collect *c)
{
	const struct collect_options *o = c->options;
	char why[512];
	int rc;

	if (o->no_live)
		return 0;
	rc = live__open(&c->live, o->live_path, why, sizeof(why));
	if (rc)
		fprintf(stderr, "dsmcollect: live socket: %s\n", why);
	return rc ? 2 : 0;
}

static void release(struct collect *c)
{
	for (struct node_view *v = c->nodes ? nodes__first(c->nodes) : NULL; v; v = v->next) {
		if (v->asked_ns)
			node_view__ask_rundown(v, false);
	}
	live__close(c->live, c->end ? CLOSE_CLIENTS_MS : 0);
	if (c->source)
		c->source->ops->free(c->source);
	nodes__free(c->nodes);
	table__free(&c->senders, free);
	aggregate__free(c->known);
}

int collect__open(struct collect *c, const struct collect_options *options)
{
	struct timespec t;
	int rc;

	*c = (struct collect){.options = options, .run_id = options->run_id, .start_ns = collect__now()};
	clock_gettime(CLOCK_REALTIME, &t);
	c->start_realtime_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	c->last_flush_ns = c->start_ns;
	c->sink = (struct source_sink){.ctx = c, .record = on_record, .page = on_page, .loss = on_loss};
	c->known = aggregate__new();
	if (!c->known || nodes__new(&c->nodes, options->from.user, collect__node_found, c)) {
		fprintf(stderr, "dsmcollect: no memory\n");
		rc = 1;
	} else {
		rc = open_output(c);
		if (!rc)
			rc = open_source(c);
		if (!rc)
			rc = open_live(c);
	}
	if (rc) {
		trace_writer__abandon(c->trace);
		release(c);
		return rc;
	}
	look_for_nodes(c, collect__now());
	if (options->ready_fd >= 0)
		dprintf(options->ready_fd, "ready %s %s\n", c->source->ops->name,
			c->live ? live__path(c->live) : "-");
	return 0;
}

/* Nothing to record, and there is a file of that name: an empty trace is no reason to lose it. */
static bool spare_file(const struct collect *c)
{
	const char *path = c->options->output;
	struct stat st;

	return !c->written_total && !c->error && strcmp(path, "-") != 0 && stat(path, &st) == 0 &&
	       S_ISREG(st.st_mode);
}

/* What was written stays useful; say where it is. */
static int close_trace(struct collect *c)
{
	char *json = collect_json__summary(c);
	uint64_t records = c->written_total;
	struct stat st;
	int rc = 0;

	if (spare_file(c)) {
		fprintf(stderr, "dsmcollect: %s is left as it was: there was nothing to record\n",
			c->options->output);
		trace_writer__abandon(c->trace);
		c->trace = NULL;
		free(json);
		return 1;
	}
	collect__write_info(c);
	if (json && !c->error)
		trace_writer__summary(c->trace, json);
	free(json);
	rc = trace_writer__close(c->trace);
	c->trace = NULL;
	if (!rc && stat(c->options->output, &st) == 0 && S_ISREG(st.st_mode))
		c->trace_bytes = (uint64_t)st.st_size;
	if (!rc && c->error)
		rc = c->error;
	if (!rc)
		return 0;
	fprintf(stderr, "dsmcollect: %s: %s: the trace is not complete%s", c->options->output, strerror(-rc),
		remedy__write(rc));
	if (records)
		fprintf(stderr, "; what was written until then can be read from %s.partial",
			c->options->output);
	fprintf(stderr, "\n");
	return 1;
}

int collect__close(struct collect *c)
{
	uint64_t now;
	int rc = 0;

	/* Not detached first: the kernel takes a second or two for that, in which nobody would drain. */
	poll_source(c);
	now = collect__now();
	collect__sample(c, now);
	collect__write_statistics(c);
	if (c->live)
		live__poll(c->live); /* who has just come learns at least that it is over */
	tell_clients(c, now, false, true);
	if (c->trace)
		rc = close_trace(c);
	else if (c->error)
		fprintf(stderr, "dsmcollect: %s\n", strerror(-c->error));
	if (c->error)
		rc = 1;
	if (collect__print_summary(c))
		rc = 1;
	release(c);
	return rc;
}
