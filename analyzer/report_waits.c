/* SPDX-License-Identifier: BSD-2-Clause */
/* report_waits.c - where nodes waited though nobody's use was in the way: for copies, for locks, for flushes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define NAME_LEAST 16 /* columns */
#define NAME_MOST  32

static void copy_name(const struct report *r, uint32_t row, char *out, size_t size)
{
	const struct wait_row *key = table__key(&r->tally.waits.row_keys, row, NULL);

	if (key->object == PLACE_NONE)
		snprintf(out, size, "%s", key->roots ? NAMES_ROOTS : NAMES_NO_OBJECT);
	else
		model__object_name(&r->model, key->object, out, size);
}

/* " elements 0 to 4", " 12 of them", "" */
static void which(const struct report *r, const struct wait_row *key, const struct wait_sum *sum, char *out,
		  size_t size)
{
	char elements[128], n[40];

	out[0] = 0;
	if (key->object == PLACE_NONE)
		return;
	if (sum->objects > 1) {
		names__count(sum->objects, n, sizeof(n));
		snprintf(out, size, " %s of them", n);
	} else if (r->model.objects.at[key->object].count > 1) {
		names__elements(&r->model, key->object, &sum->elements, elements, sizeof(elements));
		snprintf(out, size, " %s", elements);
	}
}

static void one_copy(const struct report *r, uint32_t row, double all, int width, struct text *out)
{
	const struct wait_row *key = table__key(&r->tally.waits.row_keys, row, NULL);
	const struct wait_sum *sum = &r->tally.waits.rows.at[row];
	char name[128], elements[136], time[40], n[40], code[336], home[32];

	copy_name(r, row, name, sizeof(name));
	which(r, key, sum, elements, sizeof(elements));
	names__duration(sum->ns, time, sizeof(time));
	names__count(sum->count, n, sizeof(n));
	names__access(r->symbols, &r->model, key->code, key->site, code, sizeof(code));
	if (key->home == key->node) /* others had it, or it was asked for the first time */
		snprintf(home, sizeof(home), "at home there");
	else
		snprintf(home, sizeof(home), "home: node %u", key->home);
	text__add(out, "  %-*s %9s %5.1f %%  node %u, %s fetch%s (%s) to %s%s at %s\n", width, name, time,
		  all > 0 ? 100 * sum->ns / all : 0, key->node, n, sum->count > 1 ? "es" : "", home,
		  key->access & DSM_EV_ACCESS_WRITE ? "write" : "read", elements, code);
}

static void copies(const struct report *r, const struct report_options *o, const struct style *s,
		   struct text *out)
{
	const struct waits *w = &r->tally.waits;
	char time[40], n[40], name[128];
	int width = NAME_LEAST;

	if (!w->rows.n)
		return;
	for (size_t i = 0; i < w->rows.n && i < o->top; i++) {
		copy_name(r, r->waits[i], name, sizeof(name));
		width = (int)strlen(name) > width ? (int)strlen(name) : width;
	}
	width = width < NAME_MOST ? width : NAME_MOST;
	names__duration(w->copies_ns, time, sizeof(time));
	names__count(w->copies, n, sizeof(n));
	text__add(out, "\n%sWaiting for copies%s  (%s in %s fetches%s)\n", s->bold, s->off, time, n,
		  r->totals.intervals ? " of pages that nobody had in use" : "");
	for (size_t i = 0; i < w->rows.n && i < o->top; i++)
		one_copy(r, r->waits[i], w->copies_ns, width, out);
	if (w->rows.n > o->top)
		text__add(out, "  ... and %zu more (--top shows more)\n", w->rows.n - o->top);
}

/* ---- locks: those that one line takes, on objects of one name, are one row ---- */

struct lock_row {
	uint32_t site, object;
	bool of_object;
	uint32_t byte;
	char name[128];
	double ns, count;
	size_t locks;
	struct byteset elements;
};

struct lock_rows {
	struct lock_row *at;
	size_t n, cap;
};

static void lock_name(const struct report *r, const struct lock_sum *l, char *out, size_t size)
{
	if (!l->of_object)
		out[0] = 0;
	else if (l->object == PLACE_NONE)
		snprintf(out, size, "an object");
	else
		model__object_name(&r->model, l->object, out, size);
}

static void add_lock(const struct report *r, struct lock_rows *rows, const struct lock_sum *l)
{
	struct lock_row *row = NULL;
	char name[128];

	lock_name(r, l, name, sizeof(name));
	for (size_t i = 0; i < rows->n && !row; i++) {
		struct lock_row *x = &rows->at[i];

		if (l->of_object == x->of_object && x->site == l->site && x->byte == l->byte &&
		    !strcmp(x->name, name))
			row = x;
	}
	if (!row) {
		row = VEC_ADD(rows);
		*row = (struct lock_row){
			.site = l->site, .object = l->object, .of_object = l->of_object, .byte = l->byte};
		snprintf(row->name, sizeof(row->name), "%s", name);
	}
	row->ns += l->ns;
	row->count += l->count;
	row->locks++;
	if (l->of_object && l->object != PLACE_NONE)
		byteset__add(&row->elements, l->element, l->element + 1);
}

static int by_ns(const void *a, const void *b)
{
	double x = ((const struct lock_row *)a)->ns, y = ((const struct lock_row *)b)->ns;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* "lock of table", "lock of heads element 3 +8", "512 locks of heads", "lock of the block", "2 locks of the block" */
static void what_lock(const struct report *r, const struct lock_row *row, char *out, size_t size)
{
	char elements[128] = "", byte[24] = "", n[40];

	if (row->byte)
		snprintf(byte, sizeof(byte), " +%u", row->byte);
	names__count((double)row->locks, n, sizeof(n));
	if (!row->of_object && row->locks > 1) { /* as of an independent loop: each node has its own */
		snprintf(out, size, "%s locks of the block", n);
	} else if (!row->of_object) {
		snprintf(out, size, "lock of the block");
	} else if (row->locks > 1) {
		snprintf(out, size, "%s locks of %s%s", n, row->name, byte);
	} else {
		if (row->object != PLACE_NONE && r->model.objects.at[row->object].count > 1)
			names__elements(&r->model, row->object, &row->elements, elements, sizeof(elements));
		snprintf(out, size, "lock of %s%s%s%s", row->name, elements[0] ? " " : "", elements, byte);
	}
}

static void one_lock(const struct report *r, const struct lock_row *row, struct text *out)
{
	char time[40], n[40], where[192], what[320];
	struct source src;

	names__site(r->symbols, &r->model, row->site, &src);
	names__place(&src, where, sizeof(where));
	names__duration(row->ns, time, sizeof(time));
	names__count(row->count, n, sizeof(n));
	what_lock(r, row, what, sizeof(what));
	text__add(out, "  %9s  %s time%s, %s%s at %s\n", time, n, row->count > 1 ? "s" : "", what,
		  row->of_object ? ", taken" : "", where);
}

static void locks(const struct report *r, const struct report_options *o, const struct style *s,
		  struct text *out)
{
	const struct waits *w = &r->tally.waits;
	struct lock_rows rows = {0};
	char time[40], n[40];

	if (!w->locks.n)
		return;
	for (size_t i = 0; i < w->lock_lines.n; i++)
		add_lock(r, &rows, &w->lock_lines.at[i]);
	if (rows.n)
		qsort(rows.at, rows.n, sizeof(*rows.at), by_ns);
	names__duration(w->locks_ns, time, sizeof(time));
	names__count(w->nlocks, n, sizeof(n));
	text__add(out, "\n%sWaiting for locks%s  (%s in %s times that one came from another node)\n", s->bold,
		  s->off, time, n);
	for (size_t i = 0; i < rows.n && i < o->top; i++)
		one_lock(r, &rows.at[i], out);
	if (rows.n > o->top)
		text__add(out, "  ... and %zu more (--top shows more)\n", rows.n - o->top);
	for (size_t i = 0; i < rows.n; i++)
		byteset__free(&rows.at[i].elements);
	VEC_FREE(&rows);
}

void report__waits(const struct report *r, const struct report_options *o, const struct style *s,
		   struct text *out)
{
	copies(r, o, s, out);
	locks(r, o, s, out);
}
