/* SPDX-License-Identifier: BSD-2-Clause */
/* verify.c - collects a history; checks versions and contents. The order is graph.c's. */
#include "dsmcore/verify/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int verify__grow(void *list, size_t *cap, size_t need, size_t elem)
{
	size_t want = *cap ? *cap : 64;
	void *old, *new;

	if (need <= *cap)
		return 0;
	while (want < need)
		want *= 2;
	memcpy(&old, list, sizeof(old));
	new = realloc(old, want * elem);
	if (!new)
		return -ENOMEM;
	memcpy(list, &new, sizeof(new));
	*cap = want;
	return 0;
}

int verify__open(struct verify **out, bool one_clock)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->one_clock = one_clock;
	return 0;
}

void verify__one_clock(struct verify *v, bool one_clock)
{
	v->one_clock = one_clock;
}

void verify__partial(struct verify *v)
{
	v->partial = true;
}

void verify__close(struct verify *v)
{
	if (!v)
		return;
	free(v->attempts);
	free(v->pages);
	free(v->writes);
	free(v);
}

static bool ascending(const struct dsm_history_page *pages, uint32_t count)
{
	uint32_t i;

	for (i = 1; i < count; i++)
		if (pages[i].page <= pages[i - 1].page)
			return false;
	return true;
}

int verify__add(struct verify *v, uint16_t node, const struct dsm_history_attempt *attempt,
		const struct dsm_history_page *pages)
{
	size_t count = (size_t)attempt->nreads + attempt->nwrites;
	struct attempt *a;
	uint32_t i;

	if (!ascending(pages, attempt->nreads) || !ascending(pages + attempt->nreads, attempt->nwrites))
		return -EINVAL;
	if (verify__grow(&v->attempts, &v->attempts_cap, v->nattempts + 1, sizeof(*v->attempts)) ||
	    verify__grow(&v->pages, &v->pages_cap, v->npages + count + 1, sizeof(*v->pages)) ||
	    verify__grow(&v->writes, &v->writes_cap, v->nwrites + attempt->nwrites + 1, sizeof(*v->writes)))
		return -ENOMEM;
	a = &v->attempts[v->nattempts];
	*a = (struct attempt){.number = attempt->number,
			      .begin_ns = attempt->begin_ns,
			      .end_ns = attempt->end_ns,
			      .attempt = attempt->attempt,
			      .barriers = attempt->barriers,
			      .flags = attempt->flags,
			      .nreads = attempt->nreads,
			      .nwrites = attempt->nwrites,
			      .first = v->npages,
			      .node = node};
	if (count)
		memcpy(&v->pages[v->npages], pages, count * sizeof(*pages));
	v->npages += count;
	for (i = 0; i < attempt->nwrites && a->flags & DSM_HISTORY_COMMITTED; i++) {
		const struct dsm_history_page *w = &pages[attempt->nreads + i];
		v->writes[v->nwrites++] = (struct write){.page = w->page,
							 .version = w->version,
							 .hash = w->hash,
							 .by = (uint32_t)v->nattempts};
	}
	v->nattempts++;
	return 0;
}

void verify_report__error(struct report *r, const char *format, ...)
{
	va_list args;

	r->errors++;
	if (!r->to || r->errors > VERIFY_SHOWN)
		return;
	va_start(args, format);
	vfprintf(r->to, format, args);
	va_end(args);
	fputc('\n', r->to);
}

const char *verify__name(const struct attempt *a, char *buf, size_t size)
{
	snprintf(buf, size, "node %u tx %" PRIu64 ".%u (%s)", a->node, a->number, a->attempt,
		 a->flags & DSM_HISTORY_COMMITTED ? "committed" : "aborted");
	return buf;
}

bool verify__reads_count(const struct attempt *a)
{
	return a->flags & DSM_HISTORY_COMMITTED || !(a->flags & DSM_HISTORY_PINNED);
}

static int by_version(const void *a, const void *b)
{
	const struct write *x = a, *y = b;

	if (x->page != y->page)
		return x->page < y->page ? -1 : 1;
	return x->version < y->version ? -1 : x->version > y->version;
}

const struct write *verify__find(const struct verify *v, uint64_t page, uint64_t version)
{
	const struct write key = {.page = page, .version = version};

	if (!v->nwrites)
		return NULL;
	return bsearch(&key, v->writes, v->nwrites, sizeof(key), by_version);
}

/* Each version of a page has one writer, which saw the one before. */
static void check_versions(struct verify *v, struct report *r)
{
	const struct write *w, *prev;
	char a[64], b[64];
	size_t i;

	for (i = 0; i < v->nwrites; i++) {
		w = &v->writes[i];
		prev = i && v->writes[i - 1].page == w->page ? &v->writes[i - 1] : NULL;
		if (prev && prev->version == w->version)
			verify_report__error(
				r, "lost update: %s and %s both made version %" PRIu64 " of page %" PRIu64,
				verify__name(&v->attempts[prev->by], a, sizeof(a)),
				verify__name(&v->attempts[w->by], b, sizeof(b)), w->version, w->page);
		else if (w->version != (prev ? prev->version + 1 : 1) && !v->partial)
			verify_report__error(r,
					     "%s made version %" PRIu64 " of page %" PRIu64
					     ", but nobody in this history made the one before",
					     verify__name(&v->attempts[w->by], a, sizeof(a)), w->version,
					     w->page);
	}
}

static void check_base(const struct verify *v, const struct attempt *a, const struct dsm_history_page *w,
		       struct report *r)
{
	const struct dsm_history_page *reads = &v->pages[a->first];
	char name[64];
	uint32_t i;

	for (i = 0; i < a->nreads; i++)
		if (reads[i].page == w->page && reads[i].version + 1 == w->version)
			return;
	verify_report__error(
		r, "%s made version %" PRIu64 " of page %" PRIu64 " without having seen version %" PRIu64,
		verify__name(a, name, sizeof(name)), w->version, w->page, w->version - 1);
}

/* What the bytes are instead, for the message. */
static void explain_content(const struct verify *v, const struct dsm_history_page *p, char *buf, size_t size)
{
	size_t i;

	snprintf(buf, size, "bytes that no commit left there");
	for (i = 0; i < v->nwrites; i++)
		if (v->writes[i].page == p->page && v->writes[i].hash == p->hash)
			snprintf(buf, size, "the bytes of version %" PRIu64, v->writes[i].version);
}

/* Version 0 has no writer, nor has one whose writer's record was lost: its readers must agree. */
struct initial {
	uint64_t page, version, hash;
};

static int by_initial(const void *a, const void *b)
{
	const struct initial *x = a, *y = b;

	if (x->page != y->page)
		return x->page < y->page ? -1 : 1;
	if (x->version != y->version)
		return x->version < y->version ? -1 : 1;
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static int check_initial(const struct verify *v, struct report *r)
{
	struct initial *list = NULL;
	size_t n = 0, cap = 0, i, k;
	int rc = 0;

	for (i = 0; i < v->nattempts && !rc; i++) {
		const struct attempt *a = &v->attempts[i];
		for (k = 0; verify__reads_count(a) && k < a->nreads && !rc; k++) {
			const struct dsm_history_page *p = &v->pages[a->first + k];
			if (p->version && (!v->partial || verify__find(v, p->page, p->version)))
				continue;
			rc = verify__grow(&list, &cap, n + 1, sizeof(*list));
			if (!rc)
				list[n++] = (struct initial){p->page, p->version, p->hash};
		}
	}
	if (!rc && n > 1)
		qsort(list, n, sizeof(*list), by_initial);
	for (i = 1; i < n && !rc; i++)
		if (list[i].page == list[i - 1].page && list[i].version == list[i - 1].version &&
		    list[i].hash != list[i - 1].hash)
			verify_report__error(r,
					     "page %" PRIu64 " at version %" PRIu64
					     " (%s) was read with different contents",
					     list[i].page, list[i].version,
					     list[i].version ? "its writer's record is lost"
							     : "before any commit");
	free(list);
	return rc;
}

static void check_reads(const struct verify *v, const struct attempt *a, struct report *r)
{
	const struct dsm_history_page *p = &v->pages[a->first];
	const struct write *w;
	char name[64], what[80];
	uint32_t i;

	for (i = 0; i < a->nreads; i++, p++) {
		if (!p->version)
			continue;
		w = verify__find(v, p->page, p->version);
		if (!w && v->partial) {
			continue; /* check_initial() compares the readers with one another */
		} else if (!w) {
			verify_report__error(
				r, "%s read version %" PRIu64 " of page %" PRIu64 ", which no commit made",
				verify__name(a, name, sizeof(name)), p->version, p->page);
		} else if (w->hash != p->hash) {
			what[0] = '\0';
			if (r->errors < VERIFY_SHOWN)
				explain_content(v, p, what, sizeof(what));
			verify_report__error(r,
					     "%s read page %" PRIu64 " as version %" PRIu64 ", but found %s",
					     verify__name(a, name, sizeof(name)), p->page, p->version, what);
		}
	}
}

static uint64_t orphans(const struct verify *v)
{
	uint64_t n = 0;

	for (size_t i = 0; i < v->nattempts; i++)
		for (uint32_t k = 0; k < v->attempts[i].nreads; k++) {
			const struct dsm_history_page *p = &v->pages[v->attempts[i].first + k];

			n += p->version && !verify__find(v, p->page, p->version);
		}
	return n;
}

static void count(const struct verify *v, struct verify_result *result)
{
	size_t i;

	result->attempts = v->nattempts;
	result->writes = v->nwrites;
	for (i = 0; i < v->nattempts; i++) {
		const struct attempt *a = &v->attempts[i];
		result->committed += !!(a->flags & DSM_HISTORY_COMMITTED);
		result->unchecked += !verify__reads_count(a);
		result->reads += a->nreads;
	}
	result->aborted = result->attempts - result->committed;
	result->orphans = v->partial ? orphans(v) : 0;
	for (i = 0; i < v->nwrites; i++)
		result->pages += i == 0 || v->writes[i].page != v->writes[i - 1].page;
}

int verify__check(struct verify *v, FILE *report, struct verify_result *result)
{
	struct report r = {.to = report};
	const struct attempt *a;
	uint32_t k;
	size_t i;
	int rc;

	memset(result, 0, sizeof(*result));
	if (v->nwrites > 1)
		qsort(v->writes, v->nwrites, sizeof(*v->writes), by_version);
	check_versions(v, &r);
	for (i = 0; i < v->nattempts; i++) {
		a = &v->attempts[i];
		if (verify__reads_count(a))
			check_reads(v, a, &r);
		for (k = 0; k < a->nwrites && a->flags & DSM_HISTORY_COMMITTED; k++)
			check_base(v, a, &v->pages[a->first + a->nreads + k], &r);
	}
	rc = check_initial(v, &r);
	if (!rc)
		rc = verify_graph__check(v, &r);
	count(v, result);
	result->errors = r.errors;
	return rc;
}

void verify__last(const struct verify *v,
		  void (*fn)(void *arg, uint64_t page, uint64_t version, uint64_t hash), void *arg)
{
	size_t i;

	for (i = 0; i < v->nwrites; i++)
		if (i + 1 == v->nwrites || v->writes[i + 1].page != v->writes[i].page)
			fn(arg, v->writes[i].page, v->writes[i].version, v->writes[i].hash);
}
