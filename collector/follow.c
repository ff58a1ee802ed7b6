// SPDX-License-Identifier: BSD-2-Clause
/*
 * follow.c - one live view of several hosts, out of their growing traces.
 *
 * Nobody looks on most of the time; then nothing is read. Who comes later costs the reading of all that is
 * there, which takes some milliseconds for each megabyte.
 */
#include "collector/follow.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MS	  100
#define SAMPLE_NS 1000000000ull /* as often as collectors write statistics */
#define CLOSE_MS  200
#define HEADER	  32 /* bytes that a trace has at least */

struct followed {
	const char *path;
	struct trace_reader *reader; /* NULL: not there yet */
	bool ended;
	uint64_t lost[DSM_EV_TYPE_MAX]; /* as of its last losses */
};

struct follow {
	struct followed *trace;
	size_t n;
	struct aggregate *known;
	struct hostclocks *clocks; /* what the traces have told of them so far */
	unsigned lowest;
	struct live *live;
	uint64_t run_id, start_ns, sample_ns;
	char source[16];
	int error;
};

static bool has_begun(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= HEADER;
}

/* A local writer's file has another name until it is complete. */
static void open_trace(struct followed *t)
{
	char partial[4200];
	const char *path = t->path;

	if (!has_begun(path)) {
		if (snprintf(partial, sizeof(partial), "%s.partial", path) >= (int)sizeof(partial) ||
		    !has_begun(partial))
			return;
		path = partial;
	}
	if (trace_reader__open(&t->reader, path))
		return;
	trace_reader__follow(t->reader, true);
}

static void take_info(struct follow *f, const char *text)
{
	struct json_object *o = json_tokener_parse(text), *v;

	if (!f->source[0] && json_object_object_get_ex(o, "source", &v) &&
	    json_object_is_type(v, json_type_string))
		snprintf(f->source, sizeof(f->source), "%s", json_object_get_string(v));
	json_object_put(o);
}

static int take_item(struct follow *f, struct followed *t, const struct trace_item *item)
{
	uint64_t since[DSM_EV_TYPE_MAX];
	int rc = 0;

	switch (item->kind) {
	case TRACE_RECORD:
		if (item->record->type == DSM_EV_NODE)
			f->run_id = ((const struct dsm_ev_node *)item->record)->run_id;
		if (item->record->node < f->lowest)
			f->lowest = item->record->node;
		rc = hostclocks__take(f->clocks, (size_t)(t - f->trace), item->record);
		if (!rc)
			rc = aggregate__record(f->known, item->record);
		break;
	case TRACE_PAGES:
		for (size_t i = 0; i < item->count && !rc; i++)
			rc = aggregate__add_page(f->known, &item->pages[i]);
		break;
	case TRACE_COUNTERS:
		for (size_t i = 0; i < item->count; i++)
			aggregate__sample_node(f->known, &item->counters[i]);
		break;
	case TRACE_LOSSES:
		trace_losses__since(t->lost, item->losses, item->count, since);
		for (unsigned type = 0; type < DSM_EV_TYPE_MAX; type++)
			aggregate__add_loss(f->known, type, since[type]);
		break;
	case TRACE_INFO:
		take_info(f, item->json);
		break;
	default:
		break;
	}
	return rc < 0 ? rc : 0;
}

/* All that is there now. */
static void read_trace(struct follow *f, struct followed *t)
{
	struct trace_item item;
	int rc = 0;

	if (!t->reader && !t->ended)
		open_trace(t);
	while (t->reader && !t->ended && !f->error) {
		rc = trace_reader__next(t->reader, &item);
		if (rc == -EBADMSG)
			continue; /* that part is left out */
		if (rc == -EAGAIN)
			break;
		t->ended = rc || item.kind == TRACE_END_OF_FILE;
		if (!t->ended)
			f->error = take_item(f, t, &item);
	}
}

static void read_all(struct follow *f)
{
	uint64_t now = collect__now();

	for (size_t i = 0; i < f->n; i++)
		read_trace(f, &f->trace[i]);
	if (f->lowest < UINT16_MAX && !f->error)
		f->error = hostclocks__solve(f->clocks,
					     (size_t)hostclocks__part_of(f->clocks, (uint16_t)f->lowest));
	/* What came all at once has no rate. */
	aggregate__sample_pages(f->known, f->sample_ns ? (double)(now - f->sample_ns) / 1e9 : NAN);
	f->sample_ns = now;
}

static void tell(struct follow *f, bool only_new, bool ended)
{
	struct live_state state = {
		.known = f->known,
		.time_ns = f->sample_ns,
		.elapsed_s = (double)(collect__now() - f->start_ns) / 1e9,
		.source = f->source,
		.run_id = f->run_id,
		.ended = ended,
		.clocks = f->clocks,
	};
	char *line = live__json(&state);

	if (line)
		live__send(f->live, line, strlen(line), only_new);
	free(line);
}

static bool all_ended(const struct follow *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (!f->trace[i].ended)
			return false;
	return true;
}

static void show(struct follow *f, int stop_fd)
{
	struct pollfd p = {.fd = stop_fd, .events = POLLIN};
	bool stop = false;

	while (!stop && !f->error && !all_ended(f)) {
		bool some_new = live__poll(f->live) != 0, due;

		due = collect__now() - f->sample_ns >= SAMPLE_NS;
		if (!live__clients(f->live))
			f->sample_ns = 0; /* the next sample ends no interval that anybody has seen */
		else if (due)
			read_all(f);
		if (due && f->sample_ns)
			tell(f, false, false);
		else if (some_new)
			tell(f, true, false);
		stop = poll(&p, 1, LOOK_MS) > 0;
	}
	live__poll(f->live);
	if (!live__clients(f->live))
		return;
	read_all(f);
	tell(f, false, true);
}

int follow__traces(const struct collect_options *options, const char *const *paths, size_t n, int stop_fd)
{
	struct follow f = {.n = n, .lowest = UINT16_MAX, .start_ns = collect__now()};
	char why[512];
	int rc = 1;

	f.trace = calloc(n, sizeof(*f.trace));
	f.known = aggregate__new();
	if (!f.trace || !f.known || hostclocks__new(&f.clocks, n)) {
		fprintf(stderr, "dsmcollect: no memory\n");
		goto out;
	}
	for (size_t i = 0; i < n; i++)
		f.trace[i].path = paths[i];
	if (live__open(&f.live, options->live_path, why, sizeof(why))) {
		fprintf(stderr, "dsmcollect: live socket: %s\n", why);
		rc = 2;
		goto out;
	}
	if (options->ready_fd >= 0)
		dprintf(options->ready_fd, "ready trace %s\n", live__path(f.live));
	show(&f, stop_fd);
	rc = f.error ? 1 : 0;
	if (rc)
		fprintf(stderr, "dsmcollect: %s\n", strerror(-f.error));
	live__close(f.live, CLOSE_MS);
out:
	for (size_t i = 0; f.trace && i < n; i++)
		trace_reader__close(f.trace[i].reader);
	free(f.trace);
	aggregate__free(f.known);
	hostclocks__free(f.clocks);
	return rc;
}
