/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.c - a trace holds what the collector's aggregation was fed with: records, page statistics,
 * counters, losses. Fed to the same code again it gives the same lines as the live socket did, so
 * dsmtop needs no second way to show things.
 */
#include "viewer/replay.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collector/live.h"
#include "collector/trace.h"

struct replay {
	struct trace_reader *trace;
	struct aggregate *known;
	int fd;
	double speed;
	char source[16];
	uint64_t run_id;
	uint64_t start_ns, sample_ns, last_ns; /* of the run; the sample being read; the one before */
	bool due;			       /* a sample has been read, its line has not been sent */
	uint64_t lost[DSM_EV_TYPE_MAX];	       /* as of the last losses */
	struct replay_found *found;
};

static void wait_for_turn(const struct replay *r)
{
	double seconds =
		r->last_ns && r->speed > 0 ? (double)(r->sample_ns - r->last_ns) * 1e-9 / r->speed : 0;
	struct timespec t = {.tv_sec = (time_t)seconds};

	t.tv_nsec = (long)((seconds - floor(seconds)) * 1e9);
	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static int send_line(struct replay *r, bool ended)
{
	struct live_state state = {
		.known = r->known,
		.time_ns = r->sample_ns,
		.elapsed_s = r->sample_ns > r->start_ns ? (double)(r->sample_ns - r->start_ns) * 1e-9 : 0,
		.source = r->source,
		.run_id = r->run_id,
		.ended = ended,
	};
	char *line = live__json(&state);
	size_t n = line ? strlen(line) : 0;
	int rc = line ? 0 : -ENOMEM;

	for (size_t at = 0; !rc && at < n;) {
		ssize_t done = write(r->fd, line + at, n - at);

		if (done < 0 && errno != EINTR)
			rc = -errno;
		at += done > 0 ? (size_t)done : 0;
	}
	free(line);
	return rc;
}

/* A sample is whole when something else than statistics follows it. */
static int finish_sample(struct replay *r)
{
	if (!r->due)
		return 0;
	r->due = false;
	/* The first sample has no rates, but what it counts is not of the next interval either. */
	if (!r->last_ns || r->sample_ns > r->last_ns)
		aggregate__sample_pages(r->known,
					r->last_ns ? (double)(r->sample_ns - r->last_ns) * 1e-9 : NAN);
	wait_for_turn(r);
	r->last_ns = r->sample_ns;
	return send_line(r, false);
}

static void take_info(struct replay *r, const char *text)
{
	struct json_object *o = json_tokener_parse(text), *v;

	if (json_object_object_get_ex(o, "source", &v) && json_object_is_type(v, json_type_string))
		snprintf(r->source, sizeof(r->source), "%s", json_object_get_string(v));
	if (json_object_object_get_ex(o, "monotonic_ns", &v))
		r->start_ns = json_object_get_uint64(v);
	json_object_put(o);
}

static void take_counters(struct replay *r, const struct trace_counters *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		aggregate__sample_node(r->known, &c[i]);
		if (c[i].time_ns > r->sample_ns)
			r->sample_ns = c[i].time_ns;
	}
	if (!r->start_ns)
		r->start_ns = r->sample_ns;
	r->due = true;
}

/* In a trace losses are what was lost so far; the aggregation wants what came since. */
static void take_losses(struct replay *r, const struct trace_loss *l, size_t n)
{
	uint64_t since[DSM_EV_TYPE_MAX];

	trace_losses__since(r->lost, l, n, since);
	for (unsigned type = 0; type < DSM_EV_TYPE_MAX; type++)
		aggregate__add_loss(r->known, type, since[type]);
}

static int take_item(struct replay *r, const struct trace_item *item)
{
	int rc = 0;

	switch (item->kind) {
	case TRACE_RECORD:
		r->found->records = true;
		rc = finish_sample(r);
		if (!rc && item->record->type == DSM_EV_NODE)
			r->run_id = ((const struct dsm_ev_node *)item->record)->run_id;
		if (!rc)
			rc = aggregate__record(r->known, item->record);
		break;
	case TRACE_PAGES:
		for (size_t i = 0; i < item->count && !rc; i++)
			rc = aggregate__add_page(r->known, &item->pages[i]);
		break;
	case TRACE_COUNTERS:
		rc = finish_sample(r);
		take_counters(r, item->counters, item->count);
		break;
	case TRACE_LOSSES:
		take_losses(r, item->losses, item->count);
		break;
	case TRACE_INFO:
		take_info(r, item->json);
		break;
	default:
		break;
	}
	return rc < 0 ? rc : 0;
}

/* The child: returns its exit status. */
static int play(struct replay *r)
{
	struct trace_item item;
	int rc;

	do {
		rc = trace_reader__next(r->trace, &item);
		if (rc == -EBADMSG) /* such a chunk is skipped */
			r->found->damaged = true;
		else if (!rc && item.kind != TRACE_END_OF_FILE)
			rc = take_item(r, &item);
		else if (!rc)
			break;
	} while (!rc || rc == -EBADMSG);
	r->found->cut = rc == -ENODATA;
	if (rc && !r->found->cut)
		return 1;
	r->found->read = true;
	rc = finish_sample(r);
	return rc || send_line(r, true) ? 1 : 0;
}

static int open_trace(struct replay *r, const char *path, char *why, size_t size)
{
	int rc = trace_reader__open(&r->trace, path);

	if (rc == -EBADMSG)
		snprintf(why, size, "%s is not a trace (dsmrun --monitor=FILE and dsmcollect write them)",
			 path);
	else if (rc == -EPROTONOSUPPORT)
		snprintf(why, size, "%s was written by a newer version; use its dsmtop", path);
	else if (rc)
		snprintf(why, size, "cannot open %s: %s", path, strerror(-rc));
	if (rc)
		return rc;
	r->known = aggregate__new();
	if (!r->known)
		snprintf(why, size, "out of memory");
	return r->known ? 0 : -ENOMEM;
}

static void close_trace(struct replay *r)
{
	if (r->trace)
		trace_reader__close(r->trace);
	if (r->known)
		aggregate__free(r->known);
}

int replay__open(struct source *s, const char *path, double speed, struct replay_child *child, char *why,
		 size_t size)
{
	struct replay r = {.speed = speed};
	int fd[2], status, rc = open_trace(&r, path, why, size);

	if (rc)
		goto out;
	r.found = mmap(NULL, sizeof(*r.found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r.found == MAP_FAILED || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd)) {
		rc = -errno;
		snprintf(why, size, "preparing to replay %s: %s", path, strerror(-rc));
		goto out;
	}
	child->found = r.found;
	fflush(NULL);
	child->pid = fork();
	if (!child->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGINT, SIG_IGN); /* the parent has the terminal, and ends us */
		close(fd[0]);
		r.fd = fd[1];
		status = play(&r);
		close_trace(&r);
		_exit(status);
	}
	close(fd[1]);
	if (child->pid < 0) {
		rc = -errno;
		snprintf(why, size, "fork: %s", strerror(-rc));
		close(fd[0]);
		goto out;
	}
	rc = source__adopt(s, fd[0]);
out:
	close_trace(&r);
	return rc;
}

struct replay_found replay__close(struct replay_child *child)
{
	struct replay_found found = *child->found;

	kill(child->pid, SIGKILL); /* it owns nothing but memory */
	waitpid(child->pid, NULL, 0);
	munmap(child->found, sizeof(*child->found));
	return found;
}
