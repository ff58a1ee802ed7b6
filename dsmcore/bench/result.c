/* SPDX-License-Identifier: BSD-2-Clause */
/* result.c - samples, their quantiles, and the fields that every benchmark prints. */
#include "dsmcore/bench/bench.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsmcore/bench/stats.h"

static struct series *new_series(struct results *r, const char *name, const char *owner, unsigned nodes)
{
	struct series *list = realloc(r->series, (r->nseries + 1) * sizeof(*list));
	struct series *s;

	if (!list)
		return NULL;
	r->series = list;
	s = &list[r->nseries++];
	*s = (struct series){.nodes = nodes};
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->owner, sizeof(s->owner), "%s", owner);
	return s;
}

struct series *results__series(const struct results *r, const char *name, const char *owner, unsigned nodes)
{
	for (size_t i = 0; i < r->nseries; i++) {
		struct series *s = &r->series[i];

		if (!strcmp(s->name, name) && !strcmp(s->owner, owner) && (!nodes || s->nodes == nodes))
			return s;
	}
	return NULL;
}

int results__sample(struct results *r, const char *name, const char *owner, unsigned nodes, double us)
{
	struct series *s = results__series(r, name, owner, nodes);

	if (!s)
		s = new_series(r, name, owner, nodes);
	if (!s)
		return -ENOMEM;
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 1024;
		double *us_new = realloc(s->us, room * sizeof(*us_new));

		if (!us_new)
			return -ENOMEM;
		s->us = us_new;
		s->room = room;
	}
	s->us[s->n++] = us;
	return 0;
}

int results__value(struct results *r, const char *name, double number)
{
	struct value *list = realloc(r->values, (r->nvalues + 1) * sizeof(*list));

	if (!list)
		return -ENOMEM;
	r->values = list;
	list[r->nvalues].number = number;
	snprintf(list[r->nvalues++].name, sizeof(list->name), "%s", name);
	return 0;
}

int results__window(struct results *r, const struct window *w)
{
	if (r->nwindows == r->windows_room) {
		size_t room = r->windows_room ? 2 * r->windows_room : 1024;
		struct window *list = realloc(r->windows, room * sizeof(*list));

		if (!list)
			return -ENOMEM;
		r->windows = list;
		r->windows_room = room;
	}
	r->windows[r->nwindows++] = *w;
	return 0;
}

double results__number(const struct results *r, const char *name)
{
	for (size_t i = r->nvalues; i-- > 0;) /* the newest */
		if (!strcmp(r->values[i].name, name))
			return r->values[i].number;
	return NAN;
}

int results__merge(struct results *r, const struct results *part, unsigned number)
{
	for (size_t i = 0; i < part->nseries; i++) {
		const struct series *s = &part->series[i];
		char name[sizeof(s->name)];

		snprintf(name, sizeof(name), "%.20s%u", s->name, number);
		for (size_t k = 0; k < s->n; k++)
			if (results__sample(r, name, s->owner, s->nodes, s->us[k]))
				return -ENOMEM;
	}
	return 0;
}

void results__free(struct results *r)
{
	for (size_t i = 0; i < r->nseries; i++)
		free(r->series[i].us);
	free(r->series);
	free(r->values);
	free(r->windows);
	*r = (struct results){0};
}

int bench__ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double series__quantile(const struct series *s, double q)
{
	double *sorted, at;
	size_t rank;

	if (!s || !s->n)
		return NAN;
	sorted = malloc(s->n * sizeof(*sorted));
	if (!sorted)
		return NAN;
	memcpy(sorted, s->us, s->n * sizeof(*sorted));
	qsort(sorted, s->n, sizeof(*sorted), bench__ascending);
	rank = (size_t)ceil(q * (double)s->n);
	at = sorted[rank ? rank - 1 : 0];
	free(sorted);
	return at;
}

void json__number(struct json_object *o, const char *key, double number, int decimals)
{
	char text[64];

	if (!isfinite(number)) {
		json_object_object_add(o, key, NULL);
		return;
	}
	snprintf(text, sizeof(text), "%.*f", decimals, number);
	json_object_object_add(o, key, json_object_new_double_s(strtod(text, NULL), text));
}

struct json_object *figure__json(const char *name, const char *transport, unsigned nodes, const char *owner,
				 const struct series *s, const struct series *floor)
{
	struct json_object *o = json_object_new_object();
	double median = series__quantile(s, 0.5), least = series__quantile(floor, 0.5);

	json_object_object_add(o, "name", json_object_new_string(name));
	json_object_object_add(o, "transport", json_object_new_string(transport));
	json_object_object_add(o, "nodes", json_object_new_int((int)nodes));
	json_object_object_add(o, "owner", *owner ? json_object_new_string(owner) : NULL);
	json_object_object_add(o, "samples", json_object_new_int64(s ? (int64_t)s->n : 0));
	json__number(o, "median_us", median, 3);
	json__number(o, "p90_us", series__quantile(s, 0.9), 3);
	json__number(o, "p99_us", series__quantile(s, 0.99), 3);
	json__number(o, "p999_us", series__quantile(s, 0.999), 3);
	json__number(o, "floor_us", least, 3);
	json__number(o, "floor_p99_us", series__quantile(floor, 0.99), 3);
	json__number(o, "ratio", median / least, 3);
	return o;
}
