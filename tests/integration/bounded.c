/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Producers (even nodes) and consumers (odd ones) at a bounded buffer, as docs/api.md writes it for all three models.
 * Alone a node is both. Each job must be done once, and the buffer is never fuller than it may be.
 */
#include <dsm.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOTS 16

struct queue {
	long head, tail, fullest;
	long slot[SLOTS];
};

struct share {
	long jobs, sum;
};

static int put(struct queue *q, long job)
{
	int done = 0;

	DSM_TX_ON(q) {
		if (q->tail - q->head < SLOTS) {
			q->slot[q->tail++ % SLOTS] = job;
			if (q->tail - q->head > q->fullest)
				q->fullest = q->tail - q->head;
			done = 1;
		}
	}
	return done;
}

/* A job, or 0: there is none, or -1: nor will there be. */
static long take(struct queue *q, long jobs)
{
	long job = 0;

	DSM_TX_ON(q) {
		if (q->head < q->tail)
			job = q->slot[q->head++ % SLOTS];
		else if (q->head == jobs)
			job = -1;
	}
	return job;
}

/* Does one job if there is one; false: all are done. */
static int consume(struct queue *q, struct share *mine, long jobs)
{
	long job = take(q, jobs);

	if (!job)
		sched_yield();
	if (job <= 0)
		return !job;
	DSM_TX_ON(mine) {
		mine->jobs++;
		mine->sum += job * job;
	}
	dsm_progress(1);
	return 1;
}

static int check(struct queue *shared, struct share *shares, long jobs)
{
	long done = 0, sum = 0, want = 0;
	struct queue q;

	dsm_peek(&q, shared, sizeof(q));
	for (int i = 0; i < dsm_nodes(); i++) {
		struct share s;

		dsm_peek(&s, dsm_at(shares, i), sizeof(s));
		done += s.jobs;
		sum += s.sum;
	}
	for (long job = 1; job <= jobs; job++)
		want += job * job;
	printf("%ld of %ld jobs, sum %ld of %ld, %ld at most in the buffer\n", done, jobs, sum, want,
	       q.fullest);
	return done != jobs || sum != want || q.fullest > SLOTS || q.tail != jobs;
}

int main(int argc, char **argv)
{
	long jobs = argc > 1 ? atol(argv[1]) : 2000;
	int me = dsm_node(), alone = dsm_nodes() == 1, producers = (dsm_nodes() + 1) / 2;
	struct share *shares, *mine;
	struct queue *q;

	if (!me) {
		dsm_root_set("queue", dsm_new(struct queue, 1));
		dsm_root_set("shares", dsm_new(struct share, dsm_nodes()));
	}
	dsm_barrier();
	q = dsm_root("queue");
	shares = dsm_root("shares");
	mine = dsm_at(shares, me);
	for (long job = 1 + me / 2; me % 2 == 0 && job <= jobs; job += producers)
		while (!put(q, job)) {
			if (alone)
				consume(q, mine, jobs);
			sched_yield();
		}
	while ((me % 2 || alone) && consume(q, mine, jobs))
		;
	dsm_barrier();
	return me ? 0 : check(q, shares, jobs);
}
