// SPDX-License-Identifier: BSD-2-Clause
#include "collector/aggregate_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* ---- repetitions ---- */

/* What a record is about. Two records with the same key and body say the same; false: it is no
 * identity record. An object's key is its address alone, since any node may free it. */
static bool key_of(const struct dsm_ev_hdr *r, struct table_key *key)
{
	key->a = (uint64_t)r->type << 32 | (uint64_t)r->node << 16;
	switch (r->type) {
	case DSM_EV_NODE:
		key->b = 0;
		return true;
	case DSM_EV_MODULE:
		key->b = ((const struct dsm_ev_module *)r)->id;
		return true;
	case DSM_EV_SITE:
		key->b = ((const struct dsm_ev_site *)r)->id;
		return true;
	case DSM_EV_TYPE:
		key->b = ((const struct dsm_ev_typedesc *)r)->id;
		return true;
	case DSM_EV_OBJECT:
		key->a = (uint64_t)DSM_EV_OBJECT << 32;
		key->b = ((const struct dsm_ev_object *)r)->offset;
		return true;
	case DSM_EV_ROOT: {
		const struct dsm_ev_root *root = (const void *)r;
		key->b = XXH64(root->name, strlen(root->name), root->offset);
		return true;
	}
	default:
		return false;
	}
}

/* The table's values are pointers; a hash fits in one, and 0 (free slot) is never stored. */
static void *hash_of(const struct dsm_ev_hdr *r)
{
	uint64_t h = XXH64(r + 1, r->size - sizeof(*r), (uint64_t)r->node << 32 | r->generation);

	return (void *)(uintptr_t)(h ? h : 1);
}

/* ---- learning ---- */

static int put_copy(struct table *t, struct table_key key, const void *from, size_t size)
{
	void *value = table__get(t, key);
	int rc;

	if (value) {
		memcpy(value, from, size);
		return 0;
	}
	value = malloc(size);
	if (!value)
		return -ENOMEM;
	memcpy(value, from, size);
	rc = table__put(t, key, value);
	if (rc)
		free(value);
	return rc;
}

static int learn_object(struct names *n, const struct dsm_ev_object *r)
{
	struct agg_object o = {.offset = r->offset,
			       .bytes = r->bytes,
			       .count = r->count,
			       .node = r->hdr.node,
			       .type = r->type,
			       .elem_size = r->elem_size};

	n->objects_changed = true;
	if (o.bytes > n->longest)
		n->longest = o.bytes;
	return put_copy(&n->objects, (struct table_key){o.offset, 0}, &o, sizeof(o));
}

static void forget_object(struct names *n, uint64_t offset)
{
	table__take(&n->said, (struct table_key){(uint64_t)DSM_EV_OBJECT << 32, offset});
	free(table__take(&n->objects, (struct table_key){offset, 0}));
	n->objects_changed = true;
}

static int learn(struct names *n, const struct dsm_ev_hdr *record)
{
	switch (record->type) {
	case DSM_EV_TYPE: {
		const struct dsm_ev_typedesc *t = (const void *)record;
		return put_copy(&n->types, (struct table_key){record->node, t->id}, t->name, sizeof(t->name));
	}
	case DSM_EV_OBJECT:
		return learn_object(n, (const void *)record);
	case DSM_EV_ROOT: {
		const struct dsm_ev_root *r = (const void *)record;
		struct names_root root = {.offset = r->offset};
		memcpy(root.name, r->name, sizeof(root.name));
		n->roots_changed = true;
		return put_copy(&n->roots, (struct table_key){root.offset, 0}, &root, sizeof(root));
	}
	default:
		return 0;
	}
}

int names__record(struct names *n, const struct dsm_ev_hdr *record)
{
	struct table_key key;
	void *hash;
	int rc;

	if (record->type == DSM_EV_FREE)
		forget_object(n, ((const struct dsm_ev_free *)record)->offset);
	if (!key_of(record, &key))
		return 0;
	hash = hash_of(record);
	if ((record->flags & DSM_EV_F_RUNDOWN) && table__get(&n->said, key) == hash)
		return 1;
	rc = table__put(&n->said, key, hash);
	return rc ? rc : learn(n, record);
}

/* ---- asking ---- */

static int object_order(const void *x, const void *y)
{
	const struct agg_object *a = *(void *const *)x, *b = *(void *const *)y;

	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static int root_order(const void *x, const void *y)
{
	const struct names_root *a = *(void *const *)x, *b = *(void *const *)y;

	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* All values of a table as a sorted array, which grows as needed. */
static int sort_values(const struct table *t, void ***array, size_t *size, size_t *count,
		       int (*order)(const void *, const void *))
{
	size_t at = 0, n = 0;
	void *value;

	if (*size < t->used) {
		void **grown = realloc(*array, t->used * 2 * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		*array = grown;
		*size = t->used * 2;
	}
	while ((value = table__next(t, &at)))
		(*array)[n++] = value;
	*count = n;
	if (n)
		qsort(*array, n, sizeof(**array), order);
	return 0;
}

/* First of the sorted array whose offset is at least this; both kinds begin with their offset. */
static size_t first_from(void *const *array, size_t count, uint64_t offset)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (*(const uint64_t *)array[middle] < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint64_t least(uint64_t x, uint64_t y)
{
	return x < y ? x : y;
}

/* Bytes of [start, start + length) that the object covers; an end past 2^64 is cut there. */
static uint64_t overlap(const struct agg_object *o, uint64_t start, uint64_t length)
{
	uint64_t before = o->offset < start ? start - o->offset : 0; /* of the object before the range */
	uint64_t behind = o->offset > start ? o->offset - start : 0; /* of the range before the object */

	if (before >= o->bytes || behind >= length)
		return 0;
	return least(o->bytes - before, length - behind);
}

const struct agg_object *names__object_on(struct names *n, dsm_ev_page page, size_t *count)
{
	uint64_t start = DSM_EV_PAGE_OFFSET(page), best = 0;
	uint64_t length = DSM_EV_PAGE_LOG2(page) < 40 ? 1ull << DSM_EV_PAGE_LOG2(page) : 1ull << 40;
	uint64_t from = start > n->longest ? start - n->longest : 0;
	const struct agg_object *found = NULL;

	*count = 0;
	if (n->objects_changed &&
	    sort_values(&n->objects, &n->by_offset, &n->objects_size, &n->nobjects, object_order))
		return NULL;
	n->objects_changed = false;
	for (size_t i = first_from(n->by_offset, n->nobjects, from); i < n->nobjects; i++) {
		const struct agg_object *o = n->by_offset[i];
		uint64_t bytes = overlap(o, start, length);
		if (o->offset >= start + length)
			break;
		*count += bytes > 0;
		if (bytes > best) {
			best = bytes;
			found = o;
		}
	}
	return found;
}

const char *names__type(const struct names *n, uint16_t node, uint32_t id)
{
	return table__get(&n->types, (struct table_key){node, id});
}

const char *names__root(struct names *n, uint64_t offset, uint64_t bytes)
{
	const struct names_root *root;
	size_t i;

	if (n->roots_changed &&
	    sort_values(&n->roots, &n->roots_by_offset, &n->roots_size, &n->nroots, root_order))
		return NULL;
	n->roots_changed = false;
	i = first_from(n->roots_by_offset, n->nroots, offset);
	if (i == n->nroots)
		return NULL;
	root = n->roots_by_offset[i];
	return root->offset - offset < bytes ? root->name : NULL;
}

void names__free(struct names *n)
{
	table__free(&n->said, NULL);
	table__free(&n->types, free);
	table__free(&n->objects, free);
	table__free(&n->roots, free);
	free(n->by_offset);
	free(n->roots_by_offset);
}
