/* SPDX-License-Identifier: BSD-2-Clause */
#include "ingest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "collector/shown.h"

#define PEEK_ITEMS 200000 /* how far to look for a file's first NODE record */

struct input {
	const char *path;
	struct trace_reader *reader;
	uint64_t run_id;
	char program[128];
	uint32_t run;
	struct trace_item item;
	bool ready, ended, closed;
	size_t part;
	uint64_t damaged;
	uint64_t lost[DSM_EV_TYPE_MAX], lost_in_all; /* by this collector, as told so far */
};

static int open_input(struct input *in)
{
	int err = trace_reader__open(&in->reader, in->path);

	switch (err) {
	case 0:
		return 0;
	case -EBADMSG:
		fprintf(stderr,
			"dsmreport: %s: not a trace; record one with dsmrun --monitor=FILE or dsmcollect\n",
			in->path);
		break;
	case -EPROTONOSUPPORT:
		fprintf(stderr,
			"dsmreport: %s: written by a newer version of Procope; use that version's "
			"dsmreport\n",
			in->path);
		break;
	default:
		fprintf(stderr, "dsmreport: %s: cannot read: %s\n", in->path, strerror(-err));
		break;
	}
	return err;
}

/* Each host's collector counts its own. */
static void count_losses(struct input *in, struct run *run)
{
	uint64_t lost = trace_reader__lost(in->reader);

	if (lost > in->lost_in_all) {
		run->lost_in_all += lost - in->lost_in_all;
		in->lost_in_all = lost;
	}
	for (size_t i = 0; in->item.kind == TRACE_LOSSES && i < in->item.count; i++) {
		const struct trace_loss *l = &in->item.losses[i];

		if (l->type >= DSM_EV_TYPE_MAX || l->count < in->lost[l->type])
			continue;
		run->lost[l->type] += l->count - in->lost[l->type];
		in->lost[l->type] = l->count;
	}
}

static int next_item(struct input *in, bool quiet, struct run *run)
{
	for (;;) {
		int err = trace_reader__next(in->reader, &in->item);

		if (!err) {
			in->ended = in->item.kind == TRACE_END_OF_FILE;
			if (run) {
				count_losses(in, run);
				run->unclosed |= in->ended && !in->closed;
			}
			in->ready = !in->ended;
			return 0;
		}
		if (err == -EBADMSG) {
			if (!in->damaged++ && !quiet)
				fprintf(stderr, "dsmreport: %s: a part is damaged and is left out\n",
					in->path);
			if (run)
				run->damaged = true;
			if (in->damaged > 1000000)
				err = -ENODATA;
			else
				continue;
		}
		if (err == -ENODATA) {
			if (!quiet)
				fprintf(stderr,
					"dsmreport: %s: the file was cut short; the report covers what is "
					"there\n",
					in->path);
			if (run)
				run->cut = true;
			in->ended = true;
			in->ready = false;
			return 0;
		}
		fprintf(stderr, "dsmreport: %s: cannot read: %s\n", in->path, strerror(-err));
		return err;
	}
}

/* Finds out which run and program a file is about, so that files of one run can be read side by side. A
 * stream cannot be read twice: standard input is taken as a run of its own. */
static int peek(struct input *in)
{
	int err;

	if (!strcmp(in->path, "-"))
		return 0;
	err = open_input(in);
	if (err)
		return err;
	for (int i = 0; i < PEEK_ITEMS; i++) {
		err = next_item(in, true, NULL);
		if (err || in->ended)
			break;
		if (in->item.kind == TRACE_RECORD && in->item.record->type == DSM_EV_NODE) {
			const struct dsm_ev_node *node = (const void *)in->item.record;

			in->run_id = node->run_id;
			shown__copy(in->program, sizeof(in->program), node->program);
			break;
		}
	}
	trace_reader__close(in->reader);
	in->reader = NULL;
	in->ready = in->ended = false;
	in->damaged = 0;
	return err;
}

static void keep_text(char **slot, const char *json)
{
	mem__free(*slot);
	*slot = mem__string(json);
}

/* Each host's trace has its own; what went wrong on any of them went wrong. */
static void take_ending(struct run *run, const char *summary)
{
	struct ending e, *all = &run->ending;

	ending__parse(summary, &e);
	if (e.crashed && !all->crashed) {
		all->crashed = true;
		all->crashed_node = e.crashed_node;
	}
	if (e.failed && !all->failed) {
		all->failed = true;
		all->failed_node = e.failed_node;
		all->status = e.status;
	}
	all->open += e.open;
	all->broke_off |= e.broke_off;
}

static void take(struct model *m, struct evidence *e, struct input *in)
{
	struct run *run = &m->runs.at[in->run];

	switch (in->item.kind) {
	case TRACE_RECORD:
		if (run->clocks)
			mem__need(hostclocks__check(run->clocks, in->part, in->item.record));
		model__record(m, in->run, in->item.record);
		if (e)
			evidence__record(e, in->run, in->item.record);
		if (in->item.record->type == DSM_EV_ABORT)
			m->runs.at[in->run].aborts_seen++;
		break;
	case TRACE_PAGES:
		model__pages(m, in->run, in->item.pages, in->item.count);
		break;
	case TRACE_COUNTERS:
		model__counters(m, in->run, in->item.counters, in->item.count);
		break;
	case TRACE_INFO:
		keep_text(&run->info, in->item.json);
		break;
	case TRACE_SUMMARY:
		keep_text(&run->summary, in->item.json);
		in->closed = true;
		take_ending(run, in->item.json);
		if (!run->clocks)
			joined__parse(in->item.json, &run->joined);
		break;
	default:
		break;
	}
	in->ready = false;
}

static int64_t when(const struct model *m, const struct input *in)
{
	const struct dsm_ev_hdr *record = in->item.record;

	if (in->item.kind != TRACE_RECORD)
		return INT64_MIN; /* carries no time: taken at once */
	return model__time(m, in->run, record->node, record->time_ns);
}

/* Traces of one run complete each other; one that tells of the same node again would count it twice. */
static int check_node(struct input *in, size_t n, struct input *next, struct table *told)
{
	uint32_t key;

	if (next->item.kind != TRACE_RECORD || next->item.record->type != DSM_EV_NODE)
		return 0;
	for (size_t i = 0; i < n; i++) {
		key = (uint32_t)i << 16 | next->item.record->node;
		if (&in[i] == next || table__find(told, &key, sizeof(key)) == TABLE_NONE)
			continue;
		fprintf(stderr,
			"dsmreport: %s and %s are both of run %016llx and both hold node %u: one is a copy, "
			"or "
			"two collectors recorded the same; give each node's trace once\n",
			in[i].path, next->path, (unsigned long long)next->run_id, next->item.record->node);
		return -EEXIST;
	}
	key = (uint32_t)(next - in) << 16 | next->item.record->node;
	table__intern(told, &key, sizeof(key));
	return 0;
}

/* Reads the inputs of one run, the earliest record first. */
static int merge(struct model *m, struct evidence *e, struct input *in, size_t n, bool quiet)
{
	struct table told = {0};
	int err = 0;

	while (!err) {
		struct input *next = NULL;
		int64_t best = 0;

		for (size_t i = 0; i < n; i++) {
			int64_t time;

			if (!in[i].ready && !in[i].ended)
				err = next_item(&in[i], quiet, &m->runs.at[in[i].run]);
			if (err)
				goto out;
			if (!in[i].ready)
				continue;
			time = when(m, &in[i]);
			if (!next || time < best) {
				next = &in[i];
				best = time;
			}
		}
		if (!next)
			break;
		err = check_node(in, n, next, &told);
		if (err)
			break;
		take(m, e, next);
	}
out:
	table__free(&told);
	return err;
}

static int same_program(const struct input *in, size_t n)
{
	const struct input *first = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!in[i].program[0])
			continue;
		if (first && strcmp(first->program, in[i].program) != 0) {
			fprintf(stderr,
				"dsmreport: %s is a trace of \"%s\", %s one of \"%s\"; a report is about one "
				"program: "
				"give the traces of each alone\n",
				first->path, first->program, in[i].path, in[i].program);
			return -EINVAL;
		}
		first = first ? first : &in[i];
	}
	return 0;
}

/* Which record is earlier must be known from the first one on: so what tells of the clocks is read beforehand. Not of a
 * stream, which comes only once. */
static int read_clocks(struct input *in, struct hostclocks *clocks, unsigned *lowest)
{
	uint64_t damaged = in->damaged;
	int err = strcmp(in->path, "-") ? open_input(in) : 0;

	while (!err && in->reader && !in->ended) {
		err = next_item(in, true, NULL);
		if (err || in->ended || in->item.kind != TRACE_RECORD)
			continue;
		mem__need(hostclocks__take(clocks, in->part, in->item.record));
		*lowest = in->item.record->node < *lowest ? in->item.record->node : *lowest;
	}
	if (in->reader)
		trace_reader__close(in->reader);
	in->reader = NULL;
	in->ready = in->ended = false;
	in->damaged = damaged;
	return err;
}

static int relate_clocks(struct model *m, struct input *in, size_t n)
{
	struct hostclocks *clocks;
	unsigned lowest = UINT16_MAX;
	int err = 0, part;

	mem__need(hostclocks__new(&clocks, n));
	m->runs.at[in[0].run].clocks = clocks;
	for (size_t i = 0; i < n && !err; i++) {
		in[i].part = i;
		err = read_clocks(&in[i], clocks, &lowest);
	}
	part = hostclocks__part_of(clocks, (uint16_t)lowest);
	if (!err)
		mem__need(hostclocks__solve(clocks, part < 0 ? 0 : (size_t)part));
	return err;
}

static int read_run(struct model *m, struct evidence *e, struct input *in, size_t n, bool quiet)
{
	int err = 0;

	for (size_t i = 0; i < n; i++)
		in[i].run = model__run(m, in[i].run_id, in[i].path);
	if (n > 1)
		err = relate_clocks(m, in, n);
	for (size_t i = 0; i < n && !err; i++)
		err = open_input(&in[i]);
	if (!err)
		err = merge(m, e, in, n, quiet);
	if (n > 1)
		joined__of(m->runs.at[in[0].run].clocks, n, &m->runs.at[in[0].run].joined);
	for (size_t i = 0; i < n; i++)
		if (in[i].reader)
			trace_reader__close(in[i].reader);
	return err;
}

static bool same_run(const struct input *a, const struct input *b)
{
	return a == b || (a->run_id && a->run_id == b->run_id);
}

int ingest__files(struct model *m, struct evidence *e, const char *const *paths, size_t n,
		  const struct ingest_options *options)
{
	struct input *in = mem__alloc(n * sizeof(*in)), *of_run = mem__alloc(n * sizeof(*in));
	bool *done = mem__alloc(n * sizeof(*done));
	uint64_t records = 0;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		in[i].path = paths[i];
		err = peek(&in[i]);
	}
	if (!err)
		err = same_program(in, n);
	for (size_t i = 0; i < n && !err; i++) {
		size_t k = 0;

		for (size_t j = i; j < n; j++) {
			if (!done[j] && same_run(&in[i], &in[j])) {
				of_run[k++] = in[j];
				done[j] = true;
			}
		}
		if (k)
			err = read_run(m, e, of_run, k, options->quiet);
	}
	for (size_t i = 0; i < m->runs.n; i++)
		records += m->runs.at[i].records;
	if (!err && !records) {
		fprintf(stderr,
			"dsmreport: %s: the trace holds no record: did the program run under the "
			"collector?\n",
			paths[0]);
		err = -ENODATA;
	}
	mem__free(in);
	mem__free(of_run);
	mem__free(done);
	return err;
}
