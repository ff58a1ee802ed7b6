// SPDX-License-Identifier: BSD-2-Clause
/*
 * collect_senders.c - whose records are whose: processes, the runs they belong to, and which of them
 * is collected. A BPF program sees every process that maps the library, whatever run it is of.
 */
#include "collector/collect.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STRANGER_NS 100000000u /* before a process that owned no node is looked at again */

void collect__failed(struct collect *c, int error)
{
	if (!c->error)
		c->error = error;
	if (c->end == COLLECT_GOING_ON)
		c->end = COLLECT_FAILED;
}

bool collect__wants(const struct collect *c, uint64_t run_id, uint16_t node)
{
	return run_id == c->run_id && node >= c->options->first && node <= c->options->last;
}

static struct sender *sender_of(struct collect *c, pid_t pid)
{
	struct table_key key = {(uint64_t)pid, 0};
	struct sender *s = table__get(&c->senders, key);

	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s || table__put(&c->senders, key, s)) {
		free(s);
		collect__failed(c, -ENOMEM);
		return NULL;
	}
	s->pid = pid;
	return s;
}

/* As soon as a node is met: its process may be gone when the trace begins. */
static void note_command(struct collect *c, pid_t pid)
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, c->command, sizeof(c->command) - 1);
		close(fd);
	}
	while (n > 0 && !c->command[n - 1])
		n--;
	c->command[n > 0 ? n : 0] = 0;
	for (ssize_t i = 0; i < n; i++) {
		if (!c->command[i])
			c->command[i] = ' ';
	}
}

static bool is_of_job(const struct collect *c, pid_t pid)
{
	char path[64], *word = NULL;
	size_t size = 0;
	bool found = !c->options->job;
	FILE *f;

	if (found)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	f = fopen(path, "re");
	while (f && !found && getdelim(&word, &size, 0, f) > 0)
		found = !strcmp(word, c->options->job);
	if (f)
		fclose(f);
	free(word);
	return found;
}

static void meet_run(struct collect *c, pid_t pid, uint64_t run_id, uint16_t node)
{
	struct sender *s = sender_of(c, pid);

	if (s) {
		s->known = true;
		s->run_id = run_id;
		s->node = node;
	}
	if (!c->run_id && is_of_job(c, pid))
		c->run_id = run_id;
	if (c->run_id == run_id && !c->command[0])
		note_command(c, pid);
	if (c->run_id == run_id || c->several_runs || c->options->run_id || c->options->job)
		return;
	c->several_runs = true;
	fprintf(stderr,
		"dsmcollect: watching run %016llx only; process %d belongs to run %016llx: "
		"choose with --run\n",
		(unsigned long long)c->run_id, (int)pid, (unsigned long long)run_id);
}

void collect__node_found(void *ctx, struct node_view *view)
{
	struct collect *c = ctx;

	if (!c->run_id && node_view__ended(view))
		return; /* the rest of a run that is over is not the run to watch */
	meet_run(c, view->pid, view->run_id, view->node);
	if (!collect__wants(c, view->run_id, view->node))
		return;
	c->last_node_ns = view->found_ns = collect__now();
	if (aggregate__add_node(c->known, view->node, view->nodes, (uint32_t)view->pid, view->run_id))
		collect__failed(c, -ENOMEM);
	if (c->source->ops->node_found)
		c->source->ops->node_found(c->source, view);
}

/* Is this process's event of our run? A process that nothing is known of is looked at now, since it
 * may be gone at the next scan. */
bool collect__ours(struct collect *c, pid_t pid)
{
	struct sender *s = sender_of(c, pid);
	uint64_t now;

	if (!s)
		return false;
	if (!s->known) {
		now = collect__now();
		if (!s->asked_ns || now - s->asked_ns > STRANGER_NS) {
			s->asked_ns = now;
			nodes__of_pid(c->nodes, pid); /* tells collect__node_found() */
		}
	}
	if (!s->known)
		c->strangers++;
	return s->known && collect__wants(c, s->run_id, s->node);
}

bool collect__from(struct collect *c, pid_t pid, uint16_t node)
{
	const struct sender *s;

	if (!collect__ours(c, pid))
		return false;
	s = sender_of(c, pid);
	if (s && s->node == node)
		return true;
	c->strangers++;
	return false;
}

/* The process may be gone before the next scan, so it is looked at now, for its counters; if it is gone
 * already, its record is all that says which run it belongs to. */
void collect__node_record(struct collect *c, pid_t pid, const struct dsm_ev_node *record)
{
	struct sender *s = sender_of(c, pid);

	if (!s)
		return;
	if (!s->known)
		nodes__of_pid(c->nodes, pid);
	else if (s->run_id !=
		 record->run_id) /* the process has executed another node, or another one has its number */
		nodes__look_again(c->nodes, pid);
	if (s->known) {
		s->described = s->described || s->node == record->hdr.node;
		return;
	}
	s->described = true;
	meet_run(c, pid, record->run_id, record->hdr.node);
	if (collect__wants(c, record->run_id, record->hdr.node))
		c->last_node_ns = collect__now();
}

size_t collect__find_dead(struct collect *c, struct collect_dead *dead, size_t most)
{
	const struct sender *s;
	size_t at = 0, n = 0;

	nodes__check_alive(c->nodes);
	for (struct node_view *v = nodes__first(c->nodes); v && n < most; v = v->next) {
		const struct agg_node *known = aggregate__node(c->known, v->node);
		if ((v->gone || v->broken) && v->run_id == c->run_id && known && !known->ended)
			dead[n++] = (struct collect_dead){
				v->node, __atomic_load_n(v->ended, __ATOMIC_ACQUIRE) == 1, v->pid, v};
	}
	/* Those that lived too shortly to be found. A negative pid is not of our namespace. */
	while ((s = table__next(&c->senders, &at)) && n < most) {
		const struct agg_node *known = s->described ? aggregate__node(c->known, s->node) : NULL;
		if (known && !known->ended && s->run_id == c->run_id && s->pid > 0 && kill(s->pid, 0) < 0 &&
		    errno == ESRCH)
			dead[n++] = (struct collect_dead){s->node, false, s->pid, NULL};
	}
	return n;
}
