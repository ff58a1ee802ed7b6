/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core_util.h - a few cores joined by one queue, without memory: what the unit tests of the core ask is
 * which actions and messages come, and in which order. tests/sim looks at the bytes.
 */
#ifndef CORE_UTIL_H
#define CORE_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dsmcore/protocol/core.h"

#define CLUSTER_MAX 8
#define LOG_MAX	    8192

struct mail {
	struct core_msg msg;
	struct core_entry *entries;
	void *data; /* of a test with memory (core_port.h) */
};

struct logged { /* an action, and which node was to carry it out */
	uint16_t node;
	struct core_action action;
	uint32_t npages; /* SEND */
	struct core_meeting meeting[4];
};

struct cluster {
	unsigned nodes;
	struct dsm_core *core[CLUSTER_MAX];
	struct mail mail[LOG_MAX];
	size_t head, tail;
	struct logged log[LOG_MAX];
	size_t nlog;
	size_t sent[64];	/* by message type */
	bool dead[CLUSTER_MAX]; /* messages to and from it go nowhere */
	/* Carries out an action; `mail`: what a SEND has posted, else what the event brought, if it was a message. */
	void (*port)(struct cluster *c, unsigned node, const struct core_action *a, struct mail *mail);
	const bool *(*changed)(struct cluster *c, unsigned node); /* for messages that flush */
	struct mail *event;					  /* a message that is being delivered */
	void *memory;						  /* of the port */
};

/* Nodes that are configured alike; `like` has all but who they are. */
static inline struct cluster *cluster__open_like(unsigned nodes, struct core_config like)
{
	struct cluster *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->nodes = nodes;
	like.nodes = (uint16_t)nodes;
	like.generation = 7;
	for (unsigned i = 0; i < nodes; i++) {
		like.node = (uint16_t)i;
		assert_int_equal(core__open(&c->core[i], &like), 0);
	}
	return c;
}

static inline struct cluster *cluster__open(unsigned nodes, uint32_t pages, uint32_t per_home,
					    uint32_t elevate_after)
{
	return cluster__open_like(nodes, (struct core_config){.pages = pages,
							      .pages_per_home = per_home,
							      .elevate_after = elevate_after});
}

static inline void cluster__close(struct cluster *c)
{
	unsigned i;

	for (i = 0; i < c->nodes; i++)
		core__close(c->core[i]);
	for (; c->head < c->tail; c->head++) {
		free(c->mail[c->head].entries);
		free(c->mail[c->head].data);
	}
	free(c);
}

static inline void cluster__forget(struct cluster *c)
{
	c->nlog = 0;
	memset(c->sent, 0, sizeof(c->sent));
}

static inline void post(struct cluster *c, const struct core_msg *msg)
{
	struct mail *m = &c->mail[c->tail++];
	size_t bytes = (msg->npages + msg->nwset) * sizeof(*msg->entries);

	assert_true(c->tail < LOG_MAX);
	m->msg = *msg;
	m->entries = malloc(bytes + 1);
	assert_non_null(m->entries);
	if (bytes)
		memcpy(m->entries, msg->entries, bytes);
	for (bytes = 0; bytes < msg->npages; bytes++)
		m->entries[bytes].hold = 0;
	m->msg.entries = m->entries;
	m->data = NULL;
	c->sent[msg->type]++;
}

/* One step. Returns core_step()'s code; *verdict: RESUME, WAIT, ABORT, LOST, or -1. */
static inline int step(struct cluster *c, unsigned node, const struct core_event *event, int *verdict)
{
	const struct core_actions *actions;
	struct logged *l;
	size_t i;
	int rc = core_step(c->core[node], event, &actions);

	*verdict = -1;
	for (i = 0; !rc && i < actions->count; i++) {
		assert_true(c->nlog < LOG_MAX);
		l = &c->log[c->nlog++];
		l->node = (uint16_t)node;
		l->action = actions->list[i];
		if (l->action.type == CORE_DO_SEND) {
			l->npages = l->action.msg.npages;
			post(c, &l->action.msg);
		}
		if (c->port)
			c->port(c, node, &l->action,
				l->action.type == CORE_DO_SEND ? &c->mail[c->tail - 1] : c->event);
		if (l->action.type == CORE_DO_EMIT && l->action.nmeetings &&
		    (l->action.emit == CORE_EMIT_ABORT || l->action.emit == CORE_EMIT_MEET))
			memcpy(l->meeting, l->action.meetings,
			       (l->action.nmeetings < 4 ? l->action.nmeetings : 4) * sizeof(l->meeting[0]));
		if (l->action.type == CORE_DO_RESUME || l->action.type == CORE_DO_WAIT ||
		    l->action.type == CORE_DO_ABORT || l->action.type == CORE_DO_LOST) {
			assert_int_equal(i + 1, actions->count);
			*verdict = (int)l->action.type;
		}
	}
	return rc;
}

/* Delivers everything; the last verdict for `node` that a message brought replaces *verdict. */
static inline void deliver(struct cluster *c, unsigned node, int *verdict)
{
	struct core_event event = {.type = CORE_MESSAGE};
	struct mail *m;
	int got;

	while (c->head < c->tail) {
		m = &c->mail[c->head++];
		event.msg = &m->msg;
		c->event = m;
		if (c->dead[m->msg.to] || c->dead[m->msg.from]) {
			free(m->entries);
			free(m->data);
			continue;
		}
		assert_true(core_msg__sane(c->core[m->msg.to], &m->msg));
		event.changed = NULL;
		if (c->changed && core__flushes(c->core[m->msg.to], &m->msg))
			event.changed = c->changed(c, m->msg.to);
		assert_int_equal(step(c, m->msg.to, &event, &got), 0);
		if (m->msg.to == node && got >= 0)
			*verdict = got;
		free(m->entries);
		free(m->data);
	}
	c->event = NULL;
	c->head = c->tail = 0;
}

/* A mutator's event, and all that follows from it. Returns the verdict. */
static inline int act(struct cluster *c, unsigned node, struct core_event event)
{
	int verdict;

	assert_int_equal(step(c, node, &event, &verdict), 0);
	deliver(c, node, &verdict);
	return verdict;
}

/* A node hears that another one is lost. Returns the verdict. */
static inline int hear(struct cluster *c, unsigned node, unsigned lost)
{
	return act(c, node, (struct core_event){.type = CORE_LOST, .node = (uint16_t)lost});
}

#define BEGIN(c, node)	  act(c, node, (struct core_event){.type = CORE_BEGIN, .site = 3})
#define READ(c, node, p)  act(c, node, (struct core_event){.type = CORE_ACCESS, .page = (p)})
#define WRITE(c, node, p) act(c, node, (struct core_event){.type = CORE_ACCESS, .page = (p), .write = true})
#define SAFE(c, node)	  act(c, node, (struct core_event){.type = CORE_SAFE})
#define CANCEL(c, node)	  act(c, node, (struct core_event){.type = CORE_CANCEL})
#define BARRIER(c, node)  act(c, node, (struct core_event){.type = CORE_BARRIER})

static const bool all_changed[512] = {[0 ... 511] = true};
static const bool none_changed[512] = {false};
#define COMMIT(c, node)	       act(c, node, (struct core_event){.type = CORE_COMMIT, .changed = all_changed})
#define COMMIT_SILENT(c, node) act(c, node, (struct core_event){.type = CORE_COMMIT, .changed = none_changed})

/* One step of the mutator; what it sends stays in the queue. */
static inline int begin_step(struct cluster *c, unsigned node, struct core_event event)
{
	int verdict;

	assert_int_equal(step(c, node, &event, &verdict), 0);
	return verdict;
}

/* The oldest message to a node, of a type if that is given. Returns the verdict that it brings. */
static inline int deliver_type(struct cluster *c, unsigned node, unsigned type)
{
	struct core_event event = {.type = CORE_MESSAGE};
	struct mail mail;
	int verdict;
	size_t i;

	for (i = c->head; i < c->tail; i++)
		if (c->mail[i].msg.to == node && (!type || c->mail[i].msg.type == type))
			break;
	assert_true(i < c->tail);
	mail = c->mail[i];
	memmove(&c->mail[i], &c->mail[i + 1], (--c->tail - i) * sizeof(c->mail[0]));
	event.msg = &mail.msg;
	c->event = &mail;
	assert_true(core_msg__sane(c->core[node], &mail.msg));
	if (c->changed && core__flushes(c->core[node], &mail.msg))
		event.changed = c->changed(c, node);
	assert_int_equal(step(c, node, &event, &verdict), 0);
	c->event = NULL;
	free(mail.entries);
	free(mail.data);
	return verdict;
}

static inline int deliver_to(struct cluster *c, unsigned node)
{
	return deliver_type(c, node, 0);
}

#define START_COMMIT(c, node)                                                                                \
	begin_step(c, node, (struct core_event){.type = CORE_COMMIT, .changed = all_changed})

/* The n-th logged action of a node of this type (and emit, if an EMIT), or NULL. */
static inline const struct logged *find(const struct cluster *c, unsigned node, enum core_action_type type,
					enum core_emit_type emit, size_t n)
{
	size_t i;

	for (i = 0; i < c->nlog; i++)
		if (c->log[i].node == node && c->log[i].action.type == type &&
		    (type != CORE_DO_EMIT || c->log[i].action.emit == emit) && !n--)
			return &c->log[i];
	return NULL;
}

static inline size_t total_sent(const struct cluster *c)
{
	size_t i, n = 0;

	for (i = 0; i < 64; i++)
		n += c->sent[i];
	return n;
}

#endif
