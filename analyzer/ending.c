/* SPDX-License-Identifier: BSD-2-Clause */
#include "analyzer/ending.h"

#include <json-c/json.h>
#include <string.h>

static bool is_true(struct json_object *o, const char *key, bool otherwise)
{
	struct json_object *x;

	return json_object_object_get_ex(o, key, &x) && json_object_is_type(x, json_type_boolean)
		       ? json_object_get_boolean(x)
		       : otherwise;
}

static int number(struct json_object *o, const char *key)
{
	struct json_object *x;

	return json_object_object_get_ex(o, key, &x) ? json_object_get_int(x) : 0;
}

static void one_node(struct json_object *o, struct ending *out)
{
	if (!json_object_is_type(o, json_type_object))
		return;
	if (is_true(o, "crashed", false) && !out->crashed) {
		out->crashed = true;
		out->crashed_node = number(o, "node");
	}
	if (number(o, "status") && !out->failed) {
		out->failed = true;
		out->failed_node = number(o, "node");
		out->status = number(o, "status");
	}
	out->open += !is_true(o, "ended", true);
}

void ending__parse(const char *summary, struct ending *out)
{
	struct json_object *o = json_tokener_parse(summary), *nodes, *how;

	memset(out, 0, sizeof(*out));
	if (json_object_is_type(o, json_type_object)) {
		if (json_object_object_get_ex(o, "nodes", &nodes) &&
		    json_object_is_type(nodes, json_type_array))
			for (size_t i = 0; i < json_object_array_length(nodes); i++)
				one_node(json_object_array_get_idx(nodes, i), out);
		if (json_object_object_get_ex(o, "ended", &how) && json_object_is_type(how, json_type_string))
			out->broke_off = !strcmp(json_object_get_string(how), "signal") ||
					 !strcmp(json_object_get_string(how), "error");
	}
	json_object_put(o);
}
