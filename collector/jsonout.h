/* SPDX-License-Identifier: BSD-2-Clause */
/* jsonout.h - the values that traces and collections describe themselves with (docs/trace.md). Any thread. */
#ifndef COLLECTOR_JSONOUT_H
#define COLLECTOR_JSONOUT_H

#include <stdint.h>

struct json_object;

/* Hands `value` over to `o`; NULL is null. */
void jsonout__put(struct json_object *o, const char *key, struct json_object *value);
/* Without bytes that a terminal would obey (shown.h): names come from processes and files that anybody may have made. */
void jsonout__text(struct json_object *o, const char *key, const char *text);
void jsonout__u64(struct json_object *o, const char *key, uint64_t value);
/* The document on one line, for the caller to free; frees the object. NULL: out of memory. */
char *jsonout__finish(struct json_object *o);

#endif
