// SPDX-License-Identifier: BSD-2-Clause
#include "collector/each_parts.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/merge.h"
#include "collector/shown.h"
#include "collector/trace.h"

#define LATE_MS 15000 /* for hosts that write theirs more slowly; all programs have ended */
#define STEP_MS 100

struct found {
	char *path;
	uint64_t run_id;
	unsigned nodes; /* in it */
};

struct parts {
	const char *output;
	uint64_t run_id;
	unsigned nodes; /* of the run */
	struct found *at;
	size_t n;
	bool more; /* some are still being written */
};

int each__name(const char *output, const char *rank, char *part, size_t size)
{
	char host[256] = "";

	if (gethostname(host, sizeof(host) - 1))
		return -errno;
	for (char *c = host; *c; c++)
		*c = *c == '/' || (unsigned char)*c <= ' ' ? '_' : *c;
	return snprintf(part, size, "%s.%s-%s.part", output, host, rank) >= (int)size ? -ENAMETOOLONG : 0;
}

/* What is in a part that was closed. False: it cannot be read. */
static bool read_part(const char *path, struct found *f, unsigned *nodes)
{
	uint8_t *seen = calloc(UINT16_MAX + 1u, 1);
	struct trace_reader *r = NULL;
	struct trace_item item;
	int rc;

	if (!seen || trace_reader__open(&r, path)) {
		free(seen);
		return false;
	}
	while ((rc = trace_reader__next(r, &item)) == 0 || rc == -EBADMSG) {
		const struct dsm_ev_node *n;

		if (!rc && item.kind == TRACE_END_OF_FILE)
			break;
		if (rc || item.kind != TRACE_RECORD || item.record->type != DSM_EV_NODE)
			continue;
		n = (const void *)item.record;
		f->run_id = n->run_id;
		*nodes = n->nodes;
		f->nodes += !seen[n->hdr.node]++;
		if (seen[n->hdr.node] > 1)
			seen[n->hdr.node] = 1;
	}
	trace_reader__close(r);
	free(seen);
	return f->run_id != 0;
}

static int take(struct parts *p, const char *path)
{
	struct found f = {0}, *more;
	unsigned nodes = 0;

	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->at[i].path, path))
			return 0;
	if (!read_part(path, &f, &nodes))
		return 0;
	if (!p->run_id) {
		p->run_id = f.run_id;
		p->nodes = nodes;
	}
	f.path = strdup(path);
	more = reallocarray(p->at, p->n + 1, sizeof(*more));
	if (more)
		p->at = more;
	if (!f.path || !more) {
		free(f.path);
		return -ENOMEM;
	}
	p->at[p->n++] = f; /* of another run, too: it is not read again */
	return 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

/* Looks through the folder of the result. */
static int look(struct parts *p)
{
	char folder[4200], name[4200], path[8500];
	const char *base, *in;
	struct dirent *d;
	DIR *dir;
	int rc = 0;

	snprintf(folder, sizeof(folder), "%s", p->output);
	snprintf(name, sizeof(name), "%s", p->output);
	in = dirname(folder);
	base = basename(name);
	dir = opendir(in);
	if (!dir)
		return -errno;
	p->more = false;
	while (!rc && (d = readdir(dir))) {
		size_t n = strlen(base);

		if (strncmp(d->d_name, base, n) != 0 || d->d_name[n] != '.')
			continue;
		p->more |= ends_with(d->d_name, ".part.partial");
		if (!ends_with(d->d_name, ".part"))
			continue;
		/* As each__name() has it, so that no part is there twice. */
		snprintf(path, sizeof(path), "%.*s%s", (int)(strlen(p->output) - n), p->output, d->d_name);
		rc = take(p, path);
	}
	closedir(dir);
	return rc;
}

static unsigned nodes_found(const struct parts *p)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->at[i].run_id == p->run_id ? p->at[i].nodes : 0;
	return n;
}

static void say_what_is_missing(const struct parts *p, const char *part)
{
	char shown[4200];

	shown__copy(shown, sizeof(shown), part);
	fprintf(stderr,
		"dsmcollect: --each: of %u nodes %u are in the traces here ('%s'%s). The others' are on "
		"their hosts, under "
		"the same name with theirs in it: bring all to one place, and there\n"
		"  dsmcollect --merge -o %s %s.*.part\n",
		p->nodes, nodes_found(p), shown, p->n > 1 ? " and others" : "", p->output, p->output);
}

static int merge_parts(const struct collect_options *o, const struct parts *p)
{
	struct merge_options options = {.output = o->output, .quiet = o->quiet, .json = o->json};
	const char **paths = calloc(p->n ? p->n : 1, sizeof(*paths));
	size_t n = 0;
	int rc;

	if (!paths)
		return 1;
	for (size_t i = 0; i < p->n; i++)
		if (p->at[i].run_id == p->run_id)
			paths[n++] = p->at[i].path;
	rc = merge__traces(&options, paths, n);
	for (size_t i = 0; i < n && !rc; i++)
		unlink(paths[i]);
	if (rc)
		fprintf(stderr,
			"dsmcollect: --each: the parts are kept as '%s.HOST-RANK.part'; dsmreport reads them "
			"too\n",
			o->output);
	free(paths);
	return rc;
}

int each__merge(const struct collect_options *o, const char *part)
{
	struct parts p = {.output = o->output};
	int rc = take(&p, part); /* first: whose run it is */

	if (!rc && !p.run_id) {
		fprintf(stderr, "dsmcollect: --each: '%s' has no node in it: was it a program of the DSM?\n",
			part);
		return 1;
	}
	for (int ms = 0; !rc && ms < LATE_MS; ms += STEP_MS) {
		rc = look(&p);
		if (nodes_found(&p) >= p.nodes || !p.more)
			break;
		poll(NULL, 0, STEP_MS);
	}
	if (rc)
		fprintf(stderr, "dsmcollect: --each: %s: %s\n", o->output, strerror(-rc));
	else if (nodes_found(&p) < p.nodes)
		say_what_is_missing(&p, part);
	if (rc || nodes_found(&p) < p.nodes)
		rc = 1;
	else
		rc = merge_parts(o, &p);
	for (size_t i = 0; i < p.n; i++)
		free(p.at[i].path);
	free(p.at);
	return rc;
}

void each__keep(const char *output, const char *part, bool all)
{
	if (all && access(part, R_OK) == 0)
		fprintf(stderr,
			"dsmcollect: --each: the program failed; what was recorded is kept as '%s' here, and "
			"like that on other "
			"hosts: dsmreport %s.*.part\n",
			part, output);
}
