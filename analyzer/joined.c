/* SPDX-License-Identifier: BSD-2-Clause */
#include "analyzer/joined.h"

#include <json-c/json.h>
#include <string.h>

#include "collector/hostclocks.h"

static uint64_t number(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_uint64(v) : 0;
}

void joined__parse(const char *summary, struct joined *out)
{
	struct json_object *o = json_tokener_parse(summary), *k;

	memset(out, 0, sizeof(*out));
	if (json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, "clocks", &k) &&
	    json_object_is_type(k, json_type_object))
		*out = (struct joined){
			.hosts = (unsigned)number(k, "hosts"),
			.measured = (unsigned)number(k, "measured"),
			.error_ns = number(k, "error_ns"),
			.steps = (unsigned)number(k, "steps"),
			.checked = number(k, "checked"),
			.violated = number(k, "violated"),
			.worst_ns = number(k, "worst_ns"),
		};
	json_object_put(o);
	if (out->violated > out->checked || out->measured > out->hosts)
		memset(out, 0, sizeof(*out)); /* nobody of ours has written that */
}

void joined__of(const struct hostclocks *clocks, size_t parts, struct joined *out)
{
	const struct hostclocks_causes *e = hostclocks__causes(clocks);
	size_t measured;

	*out = (struct joined){.hosts = (unsigned)parts,
			       .error_ns = hostclocks__error(clocks, &measured),
			       .checked = e->checked,
			       .violated = e->violated,
			       .worst_ns = e->worst_ns};
	out->measured = (unsigned)measured;
	out->steps = hostclocks__steps(clocks);
}

struct json_object *joined__json(const struct joined *j)
{
	struct json_object *o;

	if (j->hosts < 2)
		return NULL;
	o = json_object_new_object();
	json_object_object_add(o, "hosts", json_object_new_int((int)j->hosts));
	json_object_object_add(o, "measured", json_object_new_int((int)j->measured));
	json_object_object_add(o, "error_ns", j->measured > 1 ? json_object_new_uint64(j->error_ns) : NULL);
	json_object_object_add(o, "steps", json_object_new_int((int)j->steps));
	json_object_object_add(o, "checked", json_object_new_uint64(j->checked));
	json_object_object_add(o, "violated", json_object_new_uint64(j->violated));
	json_object_object_add(o, "worst_ns", json_object_new_uint64(j->worst_ns));
	return o;
}
