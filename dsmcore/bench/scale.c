/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scale.c - how many messages a commit needs, with 8 to 1024 nodes: real protocol cores in one process.
 *
 * Each page is shared by the same number of nodes (DEGREE) however many there are: node i works on pages that
 * live at nodes i ... i + DEGREE - 1. A transaction reads two of them and writes one. All links take the same
 * time, so messages of a pair and a channel arrive in order. Time is virtual. Page bytes do not matter to the
 * protocol and do not exist here; the simulator in tests/sim checks what is in them.
 */
#include "dsmcore/bench/bench.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsmcore/bench/agenda.h"
#include "dsmcore/protocol/core.h"

#define DEGREE	       4u
#define PAGES_PER_HOME 8u
#define READS	       2u
#define LINK_NS	       10000u /* a message's way */
#define OP_NS	       1000u  /* what a program does between two accesses, on average */
#define WARM	       100u   /* commits of each node that do not count: by then it has met all its pages */
#define COMMITS_LEAST  40000u /* in all, so that small clusters are not left to chance */

struct packet {
	struct packet *next; /* in the list of those that have arrived */
	size_t room;	     /* entries */
	struct core_msg msg;
	struct core_entry entries[];
};

#define DIRTY_MAX 256 /* the core keeps 64 pages writable at most, and a transaction writes one more */

struct node {
	struct dsm_core *core;
	uint64_t random, begun;
	uint32_t left, page[READS + 1], next; /* of its transaction; the last page is written */
	bool in_tx, again, blocked;
};

struct world {
	uint32_t nodes, count, warm; /* warm: nodes that have not come to the counted part */
	struct node *node;
	struct agenda agenda;
	struct packet *arrived; /* to be used again */
	uint64_t now;
	uint64_t messages, commits, local, aborts;
	struct results *results;
	int rc;
};

/* ---- packets ---- */

static struct packet *take(struct world *w, size_t entries)
{
	struct packet *p = w->arrived;

	if (p && p->room >= entries) {
		w->arrived = p->next;
		return p;
	}
	if (entries < 8)
		entries = 8;
	p = malloc(sizeof(*p) + entries * sizeof(p->entries[0]));
	if (p)
		p->room = entries;
	return p;
}

static void release(struct world *w, struct packet *p)
{
	if (!p)
		return;
	p->next = w->arrived;
	w->arrived = p;
}

/* ---- what is due ---- */

/* A message's arrival, or a mutator's next move (packet NULL). */
static void push(struct world *w, uint64_t after, uint32_t node, struct packet *packet)
{
	if (agenda__add(&w->agenda, (struct due){.time = w->now + after, .node = node, .packet = packet}) ==
	    0)
		return;
	w->rc = -ENOMEM;
	release(w, packet);
}

/* ---- the port ---- */

static uint32_t draw(struct node *n, uint32_t limit)
{
	n->random ^= n->random << 13;
	n->random ^= n->random >> 7;
	n->random ^= n->random << 17;
	return (uint32_t)((n->random >> 33) % limit);
}

static void post(struct world *w, const struct core_msg *msg)
{
	size_t n = msg->npages + msg->nwset;
	struct packet *p = take(w, n);

	if (!p) {
		w->rc = -ENOMEM;
		return;
	}
	p->msg = *msg;
	if (n)
		memcpy(p->entries, msg->entries, n * sizeof(p->entries[0]));
	p->msg.entries = p->entries;
	w->messages += !w->warm;
	push(w, LINK_NS, msg->to, p);
}

static void committed(struct world *w, struct node *n)
{
	n->in_tx = n->again = false;
	n->left--;
	if (n->left == w->count)
		w->warm--;
	if (!w->warm && n->left < w->count)
		w->rc = results__sample(w->results, "scale", "", w->nodes,
					(double)(w->now - n->begun) * 1e-3);
}

static void emitted(struct world *w, const struct core_action *a)
{
	if (w->warm)
		return;
	if (a->emit == CORE_EMIT_COMMIT) {
		w->commits++;
		w->local += a->local;
	}
	w->aborts += a->emit == CORE_EMIT_ABORT;
}

static void step(struct world *w, struct node *n, const struct core_event *event)
{
	const struct core_actions *actions;
	int rc = core_step(n->core, event, &actions);
	uint32_t self = (uint32_t)(n - w->node);

	if (rc) {
		w->rc = rc;
		return;
	}
	for (size_t i = 0; i < actions->count; i++) {
		const struct core_action *a = &actions->list[i];

		if (a->type == CORE_DO_SEND)
			post(w, &a->msg);
		else if (a->type == CORE_DO_EMIT)
			emitted(w, a);
		else if (a->type == CORE_DO_WAIT)
			n->blocked = true;
		if (a->type != CORE_DO_RESUME && a->type != CORE_DO_ABORT)
			continue;
		n->blocked = false;
		if (a->type == CORE_DO_ABORT) {
			n->in_tx = false;
			n->again = true;
		} else if (n->in_tx && n->next > READS + 1) {
			committed(w, n);
		}
		push(w, 1 + draw(n, 2 * OP_NS), self, NULL);
	}
}

/* ---- the program ---- */

static void begin(struct world *w, struct node *n)
{
	uint32_t self = (uint32_t)(n - w->node);
	struct core_event event = {.type = CORE_BEGIN, .site = 1};

	for (uint32_t i = 0; i <= READS && !n->again; i++)
		n->page[i] = (self + draw(n, DEGREE)) % w->nodes * PAGES_PER_HOME + draw(n, PAGES_PER_HOME);
	if (!n->again)
		n->begun = w->now;
	n->in_tx = true;
	n->next = 0;
	step(w, n, &event);
}

static void commit(struct world *w, struct node *n)
{
	bool changed[DIRTY_MAX] = {false};
	struct core_event event = {.type = CORE_COMMIT, .changed = changed};
	size_t count;
	const uint32_t *dirty = core__dirty(n->core, &count);

	if (count > DIRTY_MAX) {
		w->rc = -E2BIG;
		return;
	}
	for (size_t i = 0; i < count; i++) /* the others only stayed writable */
		changed[i] = dirty[i] == n->page[READS];
	n->next++; /* an answer means: committed */
	step(w, n, &event);
}

static void move(struct world *w, struct node *n)
{
	struct core_event event = {.type = CORE_ACCESS};

	if (n->blocked || !n->left)
		return;
	if (!n->in_tx) {
		begin(w, n);
		return;
	}
	if (n->next > READS) {
		commit(w, n);
		return;
	}
	event.page = n->page[n->next];
	event.write = n->next == READS;
	if (core__rights(n->core, event.page) < (event.write ? CORE_WRITE : CORE_READ)) {
		step(w, n, &event);
	} else {
		n->next++;
		push(w, 1 + draw(n, 2 * OP_NS), (uint32_t)(n - w->node), NULL);
	}
}

/* ---- one size ---- */

static int open_world(struct world *w)
{
	w->node = calloc(w->nodes, sizeof(*w->node));
	if (!w->node)
		return -ENOMEM;
	w->warm = w->nodes;
	for (uint32_t i = 0; i < w->nodes; i++) {
		struct core_config config = {.node = (uint16_t)i,
					     .nodes = (uint16_t)w->nodes,
					     .pages = w->nodes * PAGES_PER_HOME,
					     .pages_per_home = PAGES_PER_HOME,
					     .generation = 1};
		int rc = core__open(&w->node[i].core, &config);

		if (rc)
			return rc;
		w->node[i].random = 0x9e3779b97f4a7c15ull * (i + 1);
		w->node[i].left = WARM + w->count;
		push(w, 1 + draw(&w->node[i], 10 * OP_NS), i, NULL);
	}
	return w->rc;
}

static void close_world(struct world *w)
{
	for (uint32_t i = 0; w->node && i < w->nodes; i++)
		core__close(w->node[i].core);
	while (w->agenda.count)
		release(w, agenda__next(&w->agenda).packet);
	for (struct packet *p = w->arrived, *next; p; p = next) {
		next = p->next;
		free(p);
	}
	free(w->agenda.heap);
	free(w->node);
}

static void run_world(struct world *w)
{
	while (w->agenda.count && !w->rc && !launch__stopped()) {
		struct due due = agenda__next(&w->agenda);
		struct node *n = &w->node[due.node];

		w->now = due.time;
		if (!due.packet) {
			move(w, n);
			continue;
		}
		struct core_event event = {.type = CORE_MESSAGE, .msg = &due.packet->msg};

		if (!core_msg__sane(n->core, event.msg))
			w->rc = -EPROTO;
		else
			step(w, n, &event);
		release(w, due.packet);
	}
	for (uint32_t i = 0; i < w->nodes && !w->rc && !launch__stopped(); i++)
		if (w->node[i].left)
			w->rc = -EDEADLK;
}

static int run_size(const struct options *o, uint32_t nodes, struct results *r, struct json_object *one,
		    double *per_commit)
{
	struct world w = {.nodes = nodes, .results = r};
	const struct series *s;

	w.count = o->count * nodes < COMMITS_LEAST ? COMMITS_LEAST / nodes : o->count;
	w.rc = open_world(&w);
	if (!w.rc)
		run_world(&w);
	close_world(&w);
	if (launch__stopped())
		return BENCH_SIGNAL + launch__stopped();
	if (w.rc) {
		fprintf(stderr, "dsmbench: scale, %u nodes: %s\n", nodes, strerror(-w.rc));
		return BENCH_FAILED;
	}
	s = results__series(r, "scale", "", nodes);
	*per_commit = w.commits ? (double)w.messages / (double)w.commits : NAN;
	json_object_object_add(one, "nodes", json_object_new_int((int)nodes));
	json_object_object_add(one, "commits", json_object_new_int64((int64_t)w.commits));
	json_object_object_add(one, "commits_local", json_object_new_int64((int64_t)w.local));
	json_object_object_add(one, "aborts", json_object_new_int64((int64_t)w.aborts));
	json__number(one, "messages_per_commit", *per_commit, 3);
	json__number(one, "median_us", series__quantile(s, 0.5), 3);
	json__number(one, "p99_us", series__quantile(s, 0.99), 3);
	return 0;
}

int scale__run(const struct options *o, struct results *r, struct json_object **out)
{
	struct json_object *sizes = json_object_new_array();
	uint32_t most = o->nodes ? o->nodes : 1024, n = 4;
	double least_messages = INFINITY, most_messages = 0, messages = NAN;
	int rc = 0;

	do {
		struct json_object *one = json_object_new_object();

		n = 2 * n < most ? 2 * n : most;
		launch__progress("scale", (double)n / most);
		rc = run_size(o, n, r, one, &messages);
		json_object_array_add(sizes, one);
		least_messages = messages < least_messages ? messages : least_messages;
		most_messages = messages > most_messages ? messages : most_messages;
	} while (n < most && !rc);
	if (rc) {
		json_object_put(sizes);
		return rc;
	}
	*out = figure__json("scale", "simulated", most, "", results__series(r, "scale", "", most),
			    results__series(r, "scale", "", 8));
	json_object_object_add(*out, "sharers", json_object_new_int(DEGREE));
	json__number(*out, "messages_per_commit", messages, 3);
	json__number(*out, "spread", most_messages / least_messages - 1, 4);
	json_object_object_add(*out, "sizes", sizes);
	return 0;
}
