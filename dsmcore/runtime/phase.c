/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * phase.c - the node's counters by phase of the program (dsm_phase()).
 *
 * A phase's counters are what the node's grew by between its beginnings and ends. They lie beside the node's in its
 * shared memory, so that the launcher finds them as it finds those, however the node ends.
 */
#include <dsm.h>

#include <string.h>

#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/phase.h"
#include "dsmcore/runtime/tx.h"

static struct {
	struct dsm_phase *now; /* NULL: the program has named none yet */
	uint64_t since_ns;
	struct dsm_counters since; /* as it began */
} phase;

/* Counters as an array: the service thread counts, too. */
#define WORDS (sizeof(struct dsm_counters) / sizeof(uint64_t))

static void add_growth(void)
{
	const uint64_t *now = (const uint64_t *)&node.shm->counters, *then = (const uint64_t *)&phase.since;
	uint64_t *sum = (uint64_t *)&phase.now->counters;

	for (size_t i = 0; i < WORDS; i++)
		sum[i] += __atomic_load_n(&now[i], __ATOMIC_RELAXED) - then[i];
}

static void remember(void)
{
	const uint64_t *now = (const uint64_t *)&node.shm->counters;
	uint64_t *then = (uint64_t *)&phase.since;

	for (size_t i = 0; i < WORDS; i++)
		then[i] = __atomic_load_n(&now[i], __ATOMIC_RELAXED);
}

void phase__end(void)
{
	if (!phase.now)
		return;
	phase.now->ns += events__now() - phase.since_ns;
	add_growth();
	phase.now = NULL;
}

/* The one of that name, a new one if there is none; NULL: no room. */
static struct dsm_phase *find(const char *name)
{
	for (int i = 0; i < DSM_PHASES; i++) {
		struct dsm_phase *p = &node.shm->phases[i];

		if (!*p->name)
			memcpy(p->name, name, strlen(name) + 1);
		if (!strcmp(p->name, name))
			return p;
	}
	return NULL;
}

void dsm_phase(const char *name)
{
	const void *pc = NODE_CALLER;

	tx__require_mutator(pc, "dsm_phase()");
	if (tx.depth)
		node__fatal(pc, "dsm_phase() inside a transaction, where it could never be undone");
	if (!name || !*name || strlen(name) >= sizeof(phase.now->name))
		node__fatal(pc, "dsm_phase(\"%.40s\"): a name has 1 to %zu bytes", name ? name : "",
			    sizeof(phase.now->name) - 1);
	pthread_mutex_lock(&node.lock);
	node__publish_counters();
	phase__end();
	phase.now = find(name);
	remember();
	phase.since_ns = events__now();
	pthread_mutex_unlock(&node.lock);
	if (!phase.now)
		node__fatal(pc, "dsm_phase(\"%.40s\"): a program has at most %d phases", name, DSM_PHASES);
}
