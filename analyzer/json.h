/* SPDX-License-Identifier: BSD-2-Clause */
/* json.h - the values that reports, plans and proofs are written with. */
#ifndef ANALYZER_JSON_H
#define ANALYZER_JSON_H

#include <json-c/json.h>

#include "mem.h"

/* Hands `value` over to `to`; NULL is null. */
void json__put(struct json_object *to, const char *key, struct json_object *value);
/* With nine digits; null if it is not finite. */
struct json_object *json__number(double x);
struct json_object *json__whole(double x);
/* A name that came out of a file which anybody may have made: bytes that are not UTF-8 would make bad JSON. Null for none. */
struct json_object *json__text(const char *text);
/* Appends the document, and frees it. */
void json__print(struct json_object *o, struct text *out);

#endif
