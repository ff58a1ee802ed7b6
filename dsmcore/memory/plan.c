/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plan.c - reading and checking a plan. A plan comes from a tool but lies around as a file and may be
 * edited, cut or swapped, and a wrong stride would corrupt memory silently: so everything is checked
 * before the first allocation, and whatever is wrong stops the program with the rule's name.
 */
#include "dsmcore/memory/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct reader {
	const char *path;
	char where[64]; /* "rule P1", "rule 3" or "" */
	char *error;
	size_t error_size;
};

__attribute__((format(printf, 2, 3))) static int bad(struct reader *r, const char *format, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	snprintf(r->error, r->error_size, "plan %s: %s%s%s", r->path, r->where, r->where[0] ? ": " : "",
		 what);
	return -EINVAL;
}

/* ---- the file ---- */

static int read_file(struct reader *r, char **text, size_t *size)
{
	int fd = open(r->path, O_RDONLY | O_CLOEXEC), err = 0;
	struct stat st;

	*text = NULL;
	*size = 0;
	if (fd < 0 || fstat(fd, &st)) {
		err = -errno;
		snprintf(r->error, r->error_size, "plan %s: %s", r->path, strerror(-err));
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		err = bad(r, "not a regular file");
		goto out;
	}
	if (st.st_size > PLAN_FILE_MAX) {
		err = bad(r, "%lld bytes, more than the %u that a plan may have", (long long)st.st_size,
			  PLAN_FILE_MAX);
		goto out;
	}
	*text = malloc(st.st_size + 1);
	if (!*text) {
		err = -ENOMEM;
		snprintf(r->error, r->error_size, "plan %s: out of memory", r->path);
		goto out;
	}
	while (*size < (size_t)st.st_size) {
		ssize_t n = read(fd, *text + *size, st.st_size - *size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err = -errno;
			snprintf(r->error, r->error_size, "plan %s: %s", r->path, strerror(-err));
			goto out;
		}
		if (!n)
			break;
		*size += n;
	}
	(*text)[*size] = 0;
out:
	if (err)
		free(*text);
	if (fd >= 0)
		close(fd);
	return err;
}

static int parse_text(struct reader *r, const char *text, size_t size, struct json_object **out)
{
	struct json_tokener *tokener = json_tokener_new();
	enum json_tokener_error error;
	size_t end, line = 1;
	int err = 0;

	if (!tokener)
		return bad(r, "out of memory");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	*out = json_tokener_parse_ex(tokener, text,
				     size + 1); /* with its NUL: the end of the text is the end */
	error = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	for (size_t i = 0; i < end && i < size; i++)
		line += text[i] == '\n';
	if (error == json_tokener_continue || error == json_tokener_error_parse_eof ||
	    (error == json_tokener_success && !*out))
		err = bad(r, "line %zu: the file ends too early (cut off?)", line);
	else if (error != json_tokener_success)
		err = bad(r, "line %zu: not JSON: %s", line, json_tokener_error_desc(error));
	else if (strspn(text + end, " \t\r\n") != size - end && end < size)
		err = bad(r, "line %zu: something follows the plan's closing brace", line);
	if (err && *out) {
		json_object_put(*out);
		*out = NULL;
	}
	json_tokener_free(tokener);
	return err;
}

/* ---- typed fields ---- */

static int get(struct reader *r, struct json_object *o, const char *key, enum json_type type, bool needed,
	       struct json_object **out)
{
	*out = NULL;
	if (!json_object_object_get_ex(o, key, out))
		return needed ? bad(r, "\"%s\" is missing", key) : 0;
	if (!json_object_is_type(*out, type))
		return bad(r, "\"%s\" is %s, not %s", key, json_type_to_name(json_object_get_type(*out)),
			   json_type_to_name(type));
	return 0;
}

static int get_string(struct reader *r, struct json_object *o, const char *key, char *out, size_t size)
{
	struct json_object *value;
	int err = get(r, o, key, json_type_string, true, &value);
	size_t n;

	if (err)
		return err;
	n = json_object_get_string_len(value);
	if (!n || n != strlen(json_object_get_string(value)))
		return bad(r, "\"%s\" is empty or has a NUL byte", key);
	if (n >= size)
		return bad(r, "\"%s\" is %zu bytes long, more than %zu", key, n, size - 1);
	memcpy(out, json_object_get_string(value), n + 1);
	return 0;
}

/* An absent key leaves *out alone. */
static int get_number(struct reader *r, struct json_object *o, const char *key, bool needed, uint64_t min,
		      uint64_t max, uint64_t *out)
{
	struct json_object *value;
	int err = get(r, o, key, json_type_int, needed, &value);

	if (err || !value)
		return err;
	/* json-c clamps what does not fit, so a huge number ends up above any max that fits in int64 */
	if (json_object_get_int64(value) < 0 || (uint64_t)json_object_get_int64(value) < min ||
	    (uint64_t)json_object_get_int64(value) > max)
		return bad(r, "\"%s\" is %s, not within %llu and %llu", key, json_object_get_string(value),
			   (unsigned long long)min, (unsigned long long)max);
	*out = json_object_get_int64(value);
	return 0;
}

static int only(struct reader *r, struct json_object *o, const char *name, const char *const *keys)
{
	json_object_object_foreach(o, key, value)
	{
		const char *const *k = keys;

		(void)value;
		while (*k && strcmp(*k, key) != 0)
			k++;
		if (!*k)
			return bad(r, "\"%s\" has a key \"%.60s\" that this version does not know", name,
				   key);
	}
	return 0;
}

/* ---- one rule ---- */

static int parse_build_id(struct reader *r, struct json_object *o, struct plan_frame *f)
{
	char hex[2 * PLAN_BUILD_ID + 1];
	int err = get_string(r, o, "build_id", hex, sizeof(hex));
	size_t n;

	if (err)
		return err;
	n = strlen(hex);
	if (n % 2 || strspn(hex, "0123456789abcdefABCDEF") != n)
		return bad(r, "\"build_id\" \"%s\" is not an even number of hexadecimal digits", hex);
	for (size_t i = 0; i < n; i += 2) {
		char pair[3] = {hex[i], hex[i + 1], 0};

		f->build_id[i / 2] = strtoul(pair, NULL, 16);
	}
	f->build_id_len = n / 2;
	return 0;
}

static int parse_frame(struct reader *r, struct json_object *o, const char *name, struct plan_frame *f)
{
	static const char *const keys[] = {"build_id", "offset", NULL};
	int err;

	if ((err = only(r, o, name, keys)) || (err = parse_build_id(r, o, f)))
		return err;
	return get_number(r, o, "offset", true, 0, INT64_MAX, &f->offset);
}

/* A rule about a loop: where it is, and how many of its iterations make a transaction. */
static int parse_loop(struct reader *r, struct json_object *o, struct plan_rule *rule)
{
	static const char *const match_keys[] = {"loop", NULL};
	static const char *const keys[] = {"chunk", NULL};
	struct json_object *match, *place, *loop;
	uint64_t chunk = 0;
	int err;

	if (json_object_object_get_ex(o, "layout", NULL))
		return bad(r, "\"layout\" and \"loop\" are for rules of their own");
	if ((err = get(r, o, "match", json_type_object, true, &match)) ||
	    (err = only(r, match, "match", match_keys)) ||
	    (err = get(r, match, "loop", json_type_object, true, &place)) ||
	    (err = parse_frame(r, place, "loop", &rule->frame[0])) ||
	    (err = get(r, o, "loop", json_type_object, true, &loop)) || (err = only(r, loop, "loop", keys)) ||
	    (err = get_number(r, loop, "chunk", true, 1, PLAN_CHUNK_MAX, &chunk)))
		return err;
	rule->nframes = 1;
	rule->chunk = (uint32_t)chunk;
	return 0;
}

static int parse_match(struct reader *r, struct json_object *o, struct plan_rule *rule)
{
	static const char *const keys[] = {"type", "elem_size", "site", NULL};
	struct json_object *match, *site;
	uint64_t elem_size = 0;
	int err;

	if ((err = get(r, o, "match", json_type_object, true, &match)) ||
	    (err = only(r, match, "match", keys)) ||
	    (err = get_string(r, match, "type", rule->type, sizeof(rule->type))) ||
	    (err = get_number(r, match, "elem_size", true, 1, PLAN_STRIDE_MAX, &elem_size)) ||
	    (err = get(r, match, "site", json_type_array, false, &site)))
		return err;
	rule->layout.elem_size = rule->layout.stride = elem_size;
	rule->nframes = site ? json_object_array_length(site) : 0;
	if (site && json_object_array_length(site) > PLAN_FRAMES)
		return bad(r, "\"site\" has %zu frames, more than %d", json_object_array_length(site),
			   PLAN_FRAMES);
	for (uint32_t i = 0; i < rule->nframes; i++) {
		struct json_object *f = json_object_array_get_idx(site, i);

		if (!json_object_is_type(f, json_type_object))
			return bad(r, "\"site\" element %u is not an object", i);
		if ((err = parse_frame(r, f, "site", &rule->frame[i])))
			return err;
	}
	return 0;
}

/* The alignment that elements of this size may need: a type's size is a multiple of its alignment. */
static uint32_t alignment(uint32_t elem_size)
{
	uint32_t a = elem_size & -elem_size;

	return a < 16 ? 16 : a > 64 ? 64 : a;
}

static int check_layout(struct reader *r, const struct plan_layout *l, bool has_block, bool has_block_stride)
{
	uint32_t align = alignment(l->elem_size);

	if (l->stride < l->elem_size)
		return bad(r, "\"stride\" %u is less than the element's %u bytes: elements would overlap",
			   l->stride, l->elem_size);
	if (l->stride != l->elem_size && l->stride % align)
		return bad(r, "\"stride\" %u is not a multiple of %u, which elements of %u bytes need",
			   l->stride, align, l->elem_size);
	if (has_block != has_block_stride)
		return bad(r, "\"block\" and \"block_stride\" come only together");
	if (has_block && l->block_stride < (uint64_t)l->block * l->stride)
		return bad(r, "\"block_stride\" %u is less than block * stride = %llu: blocks would overlap",
			   l->block_stride, (unsigned long long)l->block * l->stride);
	if (has_block && l->block_stride % align)
		return bad(r, "\"block_stride\" %u is not a multiple of %u", l->block_stride, align);
	return 0;
}

static int parse_layout(struct reader *r, struct json_object *o, struct plan_rule *rule)
{
	static const char *const keys[] = {"isolate", "stride", "block", "block_stride", NULL};
	struct plan_layout *l = &rule->layout;
	uint64_t stride = l->stride, block = 0, block_stride = 0;
	struct json_object *layout, *isolate;
	int err;

	if ((err = get(r, o, "layout", json_type_object, true, &layout)) ||
	    (err = only(r, layout, "layout", keys)) ||
	    (err = get(r, layout, "isolate", json_type_boolean, false, &isolate)) ||
	    (err = get_number(r, layout, "stride", false, 1, PLAN_STRIDE_MAX, &stride)) ||
	    (err = get_number(r, layout, "block", false, 1, PLAN_BLOCK_MAX, &block)) ||
	    (err = get_number(r, layout, "block_stride", false, 1, PLAN_BLOCK_STRIDE_MAX, &block_stride)))
		return err;
	rule->isolate = isolate && json_object_get_boolean(isolate);
	l->stride = stride;
	l->block = block;
	l->block_stride = block_stride;
	return check_layout(r, l, block, block_stride);
}

static bool about_loop(struct json_object *o)
{
	struct json_object *match;

	return json_object_object_get_ex(o, "loop", NULL) || (json_object_object_get_ex(o, "match", &match) &&
							      json_object_is_type(match, json_type_object) &&
							      json_object_object_get_ex(match, "loop", NULL));
}

static int parse_rule(struct reader *r, struct json_object *o, struct plan *plan)
{
	struct plan_rule *rule = &plan->rules[plan->nrules];
	int err;

	snprintf(r->where, sizeof(r->where), "rule number %u", plan->nrules + 1);
	if (!json_object_is_type(o, json_type_object))
		return bad(r, "not an object");
	if ((err = get_string(r, o, "id", rule->id, sizeof(rule->id))))
		return err;
	snprintf(r->where, sizeof(r->where), "rule %s", rule->id);
	for (uint32_t i = 0; i < plan->nrules; i++)
		if (!strcmp(plan->rules[i].id, rule->id))
			return bad(r, "another rule has the same id");
	if (about_loop(o))
		err = parse_loop(r, o, rule);
	else if (!(err = parse_match(r, o, rule)))
		err = parse_layout(r, o, rule);
	if (err)
		return err;
	if (rule->layout.stride != rule->layout.elem_size || rule->layout.block) {
		if (plan->narenas > PLAN_ARENAS_MAX)
			return bad(r, "more than %d rules change a stride", PLAN_ARENAS_MAX);
		rule->arena = plan->narenas++;
	}
	plan->nrules++;
	return 0;
}

static int parse_plan(struct reader *r, struct json_object *root, struct plan *plan)
{
	struct json_object *rules;
	char schema[64];
	size_t n;
	int err;

	if (!json_object_is_type(root, json_type_object))
		return bad(r, "not a JSON object");
	if ((err = get_string(r, root, "schema", schema, sizeof(schema))))
		return err;
	if (strcmp(schema, PLAN_SCHEMA) != 0)
		return bad(r, "its schema is \"%s\", not \"" PLAN_SCHEMA "\"", schema);
	if ((err = get_string(r, root, "program", plan->program, sizeof(plan->program))) ||
	    (err = get(r, root, "rules", json_type_array, true, &rules)))
		return err;
	n = json_object_array_length(rules);
	if (n > PLAN_RULES_MAX)
		return bad(r, "%zu rules, more than %d", n, PLAN_RULES_MAX);
	plan->narenas = 1;
	plan->rules = calloc(n ? n : 1, sizeof(*plan->rules));
	if (!plan->rules)
		return bad(r, "out of memory");
	for (size_t i = 0; i < n; i++)
		if ((err = parse_rule(r, json_object_array_get_idx(rules, i), plan)))
			return err;
	return 0;
}

/* ---- the interface ---- */

int plan__open(struct plan **out, const char *path, char *error, size_t error_size)
{
	struct reader r = {.path = path, .error = error, .error_size = error_size};
	struct plan *plan = calloc(1, sizeof(*plan));
	struct json_object *root = NULL;
	char *text = NULL;
	size_t size;
	int err;

	*out = NULL;
	if (!plan)
		return bad(&r, "out of memory");
	err = read_file(&r, &text, &size);
	if (err || !text)
		goto out;
	if ((err = parse_text(&r, text, size, &root)))
		goto out_text;
	err = parse_plan(&r, root, plan);
	json_object_put(root);
out_text:
	free(text);
out:
	if (err)
		plan__close(plan);
	else
		*out = plan;
	return err;
}

void plan__close(struct plan *plan)
{
	if (!plan)
		return;
	free(plan->rules);
	free(plan);
}

uint32_t plan__retire(struct plan *plan, bool (*known)(void *arg, const uint8_t *build_id, uint32_t len),
		      void *arg)
{
	uint32_t retired = 0;

	for (uint32_t i = 0; i < plan->nrules; i++) {
		struct plan_rule *rule = &plan->rules[i];

		for (uint32_t f = 0; f < rule->nframes && !rule->stale; f++)
			rule->stale = !known(arg, rule->frame[f].build_id, rule->frame[f].build_id_len);
		retired += rule->stale;
	}
	return retired;
}

static bool same_type(const struct plan_rule *rule, const char *type)
{
	return !strncmp(rule->type, type, sizeof(rule->type) - 1);
}

static bool same_frame(const struct plan_frame *a, const struct plan_frame *b)
{
	return a->offset == b->offset && a->build_id_len == b->build_id_len &&
	       !memcmp(a->build_id, b->build_id, a->build_id_len);
}

static bool same_site(const struct plan_rule *rule, const struct plan_frame *frames, size_t nframes)
{
	if (rule->nframes > nframes)
		return false;
	for (uint32_t i = 0; i < rule->nframes; i++)
		if (!same_frame(&rule->frame[i], &frames[i]))
			return false;
	return true;
}

bool plan__has_type(const struct plan *plan, const char *type)
{
	for (uint32_t i = 0; i < plan->nrules; i++)
		if (!plan->rules[i].stale && !plan->rules[i].chunk && same_type(&plan->rules[i], type))
			return true;
	return false;
}

const struct plan_rule *plan__match(const struct plan *plan, const char *type, uint64_t elem_size,
				    const struct plan_frame *frames, size_t nframes)
{
	for (uint32_t i = 0; i < plan->nrules; i++) {
		const struct plan_rule *rule = &plan->rules[i];

		if (!rule->stale && !rule->chunk && rule->layout.elem_size == elem_size &&
		    same_type(rule, type) && same_site(rule, frames, nframes))
			return rule;
	}
	return NULL;
}

uint32_t plan__chunk(const struct plan *plan, const struct plan_frame *place)
{
	for (uint32_t i = 0; i < plan->nrules; i++) {
		const struct plan_rule *rule = &plan->rules[i];

		if (!rule->stale && rule->chunk && same_frame(&rule->frame[0], place))
			return rule->chunk;
	}
	return 0;
}
