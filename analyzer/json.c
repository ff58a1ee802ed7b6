/* SPDX-License-Identifier: BSD-2-Clause */
#include "json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "collector/shown.h"

void json__put(struct json_object *to, const char *key, struct json_object *value)
{
	json_object_object_add(to, key, value);
}

struct json_object *json__number(double x)
{
	char text[40];

	snprintf(text, sizeof(text), "%.9g", x);
	return isfinite(x) ? json_object_new_double_s(x, text) : NULL;
}

struct json_object *json__whole(double x)
{
	return json_object_new_int64((int64_t)llround(fmin(fmax(x, -9e18), 9e18)));
}

struct json_object *json__text(const char *text)
{
	struct json_object *o;
	char *copy;

	if (!text || !text[0])
		return NULL;
	copy = mem__string(text);
	shown__copy(copy, strlen(text) + 1, text);
	o = json_object_new_string(copy);
	mem__free(copy);
	return o;
}

void json__print(struct json_object *o, struct text *out)
{
	text__add(out, "%s\n",
		  json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}
