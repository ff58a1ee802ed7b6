/* SPDX-License-Identifier: BSD-2-Clause */
/* bulk.c - dsm_touch() of many pages: one figure for each number of pages and each state of the owner. */
#include "dsmcore/bench/bench.h"

#include <json-c/json.h>
#include <stdio.h>

static struct json_object *figure(const struct options *o, const struct results *r, unsigned pages,
				  const char *owner)
{
	char dsm[32], floor[32], fetched[32];
	const struct series *s;
	struct json_object *f;
	double median;

	snprintf(dsm, sizeof(dsm), "bulk%u", pages);
	snprintf(floor, sizeof(floor), "floor%u", pages);
	snprintf(fetched, sizeof(fetched), "fetched%u.%s", pages, owner);
	s = results__series(r, dsm, owner, 2);
	median = series__quantile(s, 0.5);
	f = figure__json("bulk", o->transport, 2, owner, s, results__series(r, floor, owner, 2));
	json_object_object_add(f, "consistency", json_object_new_string(o->consistency));
	json_object_object_add(f, "mode", json_object_new_string(o->write ? "write" : "read"));
	json_object_object_add(f, "pages", json_object_new_int((int)pages));
	json__number(f, "page_us", median / pages, 3);
	json__number(f, "mb_per_s", pages * 4096.0 / median, 0);
	json__number(f, "fetched", results__number(r, fetched), 0);
	json_object_object_add(f, "gap_us", json_object_new_int((int)o->gap_us));
	return f;
}

int bulk__run(const struct options *given, struct results *r, struct json_object **out)
{
	static const unsigned sizes[] = BULK_SIZES;
	static const char *const owners[] = {NULL, "waiting", "computing"};
	struct options o = *given;
	struct json_object *also;
	int rc;

	if (!o.consistency)
		o.consistency = "tx";
	rc = launch__nodes(&o, 2, r, "bulk");
	for (size_t i = 0; i < (o.pages ? 1 : sizeof(sizes) / sizeof(*sizes)) && !rc; i++)
		for (int k = 1; k < 3; k++) {
			struct json_object *f;

			if (o.owner != OWNER_BOTH && o.owner != (enum owner)k)
				continue;
			f = figure(&o, r, o.pages ? o.pages : sizes[i], owners[k]);
			if (!*out) {
				*out = f;
				continue;
			}
			if (!json_object_object_get_ex(*out, "also", &also)) {
				also = json_object_new_array();
				json_object_object_add(*out, "also", also);
			}
			json_object_array_add(also, f);
		}
	return rc;
}
