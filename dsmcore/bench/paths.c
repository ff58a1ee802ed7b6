/* SPDX-License-Identifier: BSD-2-Clause */
/* paths.c - what comes of the samples of one path each: floor, fault, pingpong, barrier, undo, commit. */
#include "dsmcore/bench/bench.h"

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAUSE_US 300000u

/* The nodes start anew so many times (--reps), and all samples count. A neighbour on the same machine may have the other half of
 * a core for some hundred milliseconds, which is longer than one start's samples take. values: the n numbers that are summed up
 * in sums. */
static int launch_again(const struct options *o, unsigned nodes, struct results *r, const char *values[],
			double *sums, size_t n)
{
	int rc = 0;

	for (unsigned k = 0; k < (o->reps ? o->reps : 1) && !rc; k++) {
		if (k)
			usleep(PAUSE_US);
		rc = launch__nodes(o, nodes, r, o->command->name);
		for (size_t i = 0; i < n && !rc; i++)
			sums[i] += results__number(r, values[i]);
	}
	return rc;
}

static void also(struct json_object *o, struct json_object *more)
{
	struct json_object *list;

	if (!json_object_object_get_ex(o, "also", &list)) {
		list = json_object_new_array();
		json_object_object_add(o, "also", list);
	}
	json_object_array_add(list, more);
}

static void add(struct json_object **out, struct json_object *figure)
{
	if (*out)
		also(*out, figure);
	else
		*out = figure;
}

/* Most reads find their page prefetched, so the median is that of a local fault: the mean tells what a page
 * costs. */
static void sequential(struct json_object *f, const struct results *r, const char *owner)
{
	const struct series *s = results__series(r, "fault", owner, 2);
	char key[32];
	double sum = 0;

	for (size_t i = 0; s && i < s->n; i++)
		sum += s->us[i];
	snprintf(key, sizeof(key), "ahead.%s", owner);
	json_object_object_add(f, "sequential", json_object_new_boolean(1));
	json__number(f, "mean_us", s && s->n ? sum / (double)s->n : NAN, 3);
	json__number(f, "prefetched", results__number(r, key), 0);
}

/* Both states of the owner, or the one that was asked for. */
static int by_owner(const struct options *o, struct results *r, struct json_object **out, const char *name,
		    const char *what)
{
	static const char *const owners[] = {NULL, "waiting", "computing"};
	const char *fetched[] = {"fetched.waiting", "fetched.computing"};
	double sums[2] = {0};
	int rc = launch_again(o, 2, r, fetched, sums, 2);

	for (int i = 1; i < 3 && !rc; i++) {
		struct json_object *f;

		if (o->owner != OWNER_BOTH && o->owner != (enum owner)i)
			continue;
		f = figure__json(name, o->transport, 2, owners[i], results__series(r, what, owners[i], 2),
				 results__series(r, "floor", owners[i], 2));
		if (!strcmp(name, "floor")) {
			json__number(f, "wire_us",
				     series__quantile(results__series(r, "wire", owners[i], 2), 0.5), 3);
			json__number(f, "trap_us",
				     series__quantile(results__series(r, "trap", owners[i], 2), 0.5), 3);
		} else {
			json__number(f, "fetched", sums[i - 1], 0);
			if (o->sequential)
				sequential(f, r, owners[i]);
		}
		json_object_object_add(f, "gap_us", json_object_new_int((int)o->gap_us));
		add(out, f);
	}
	return rc;
}

int paths__floor(const struct options *o, struct results *r, struct json_object **out)
{
	return by_owner(o, r, out, "floor", "floor");
}

int paths__fault(const struct options *o, struct results *r, struct json_object **out)
{
	return by_owner(o, r, out, "fault", "fault");
}

int paths__pingpong(const struct options *o, struct results *r, struct json_object **out)
{
	int rc = launch__nodes(o, 2, r, "pingpong");

	if (rc)
		return rc;
	*out = figure__json("pingpong", o->transport, 2, "", results__series(r, "pingpong", "", 2),
			    results__series(r, "wire", "", 2));
	json_object_object_add(*out, "updates", json_object_new_boolean(!o->no_updates));
	json__number(*out, "messages", results__number(r, "messages"), 2);
	return 0;
}

int paths__barrier(const struct options *o, struct results *r, struct json_object **out)
{
	static const unsigned by_default[] = {2, 4};
	int rc = 0;

	for (int i = 0; i < (o->nodes ? 1 : 2) && !rc; i++) {
		unsigned n = o->nodes ? o->nodes : by_default[i];

		rc = launch__nodes(o, n, r, "barrier");
		if (!rc)
			add(out,
			    figure__json("barrier", o->transport, n, "", results__series(r, "barrier", "", n),
					 results__series(r, "exchange", "", n)));
	}
	return rc;
}

/* The DSM's own figures, then what the ways on plain memory cost. */
int paths__undo(const struct options *o, struct results *r, struct json_object **out)
{
	static const char *const ways[] = {"tx", "independent", "twins", "rights", "pieces"};
	unsigned n = o->nodes ? o->nodes : 2;
	int rc = launch__nodes(o, n, r, "undo");

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways) && !rc; i++) {
		const struct series *s = results__series(r, ways[i], "", n);
		struct json_object *f;

		if (!s)
			continue;
		f = figure__json("undo", launch__transport(o, n), n, "", s,
				 results__series(r, "bare", "", n));
		json_object_object_add(f, "way", json_object_new_string(ways[i]));
		add(out, f);
	}
	return rc;
}

/* Rates of 1, 2, 4 ... nodes, and in the fields that all have, one transaction on all of them. */
static int disjoint_run(const struct options *o, struct results *r, struct json_object **out)
{
	struct json_object *rates = json_object_new_array();
	unsigned most = o->nodes ? o->nodes : 4, n = 0;
	double first = NAN, best = 0;

	do {
		struct json_object *one = json_object_new_object();
		double rate;
		char key[32];
		int rc;

		n = !n ? 1 : 2 * n < most ? 2 * n : most;
		rc = launch__nodes(o, n, r, "commit");
		if (rc) {
			json_object_put(one);
			json_object_put(rates);
			return rc;
		}
		snprintf(key, sizeof(key), "rate.%u", n);
		rate = results__number(r, key);
		first = n == 1 ? rate : first;
		best = rate > best ? rate : best;
		json_object_object_add(one, "nodes", json_object_new_int((int)n));
		json__number(one, "commits_per_s", rate, 0);
		snprintf(key, sizeof(key), "aborts.%u", n);
		json__number(one, "aborts", results__number(r, key), 0);
		json_object_array_add(rates, one);
	} while (n < most);
	*out = figure__json("commit", launch__transport(o, most), most, "",
			    results__series(r, "commit", "", most), results__series(r, "compare", "", most));
	json_object_object_add(*out, "disjoint", json_object_new_boolean(1));
	json_object_object_add(*out, "pages", json_object_new_int(o->pages ? (int)o->pages : 1));
	json_object_object_add(*out, "rates", rates);
	json__number(*out, "speedup", best / first, 3);
	return 0;
}

int paths__commit(const struct options *o, struct results *r, struct json_object **out)
{
	static const unsigned by_default[] = {1, 16};
	unsigned nodes = o->nodes ? o->nodes : 1;
	int rc = 0;

	if (o->disjoint)
		return disjoint_run(o, r, out);
	for (int i = 0; i < (o->pages ? 1 : 2) && !rc; i++) {
		struct options one = *o;
		struct results part = {0};

		one.pages = o->pages ? o->pages : by_default[i];
		rc = launch_again(&one, nodes, &part, NULL, NULL, 0);
		if (!rc) {
			struct json_object *f = figure__json("commit", launch__transport(o, nodes), nodes, "",
							     results__series(&part, "commit", "", nodes),
							     results__series(&part, "compare", "", nodes));

			json_object_object_add(f, "pages", json_object_new_int((int)one.pages));
			add(out, f);
		}
		rc = rc ? rc : results__merge(r, &part, one.pages);
		results__free(&part);
	}
	return rc;
}
