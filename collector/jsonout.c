// SPDX-License-Identifier: BSD-2-Clause
#include "collector/jsonout.h"

#include <json-c/json.h>
#include <string.h>

#include "collector/shown.h"

void jsonout__put(struct json_object *o, const char *key, struct json_object *value)
{
	json_object_object_add(o, key, value);
}

void jsonout__text(struct json_object *o, const char *key, const char *text)
{
	char clean[4096];

	if (!text) {
		jsonout__put(o, key, NULL);
		return;
	}
	shown__copy(clean, sizeof(clean), text);
	jsonout__put(o, key, json_object_new_string(clean));
}

void jsonout__u64(struct json_object *o, const char *key, uint64_t value)
{
	jsonout__put(o, key, json_object_new_uint64(value));
}

char *jsonout__finish(struct json_object *o)
{
	const char *text =
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	char *copy = text ? strdup(text) : NULL;

	json_object_put(o);
	return copy;
}
