/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objects.c - which object lay where, and when. An address names an object only while it lives: memory is
 * reused, so every lookup carries a time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define MAX_OBJECTS (4u << 20) /* beyond, new objects have no name; said in the report */

struct live_key {
	uint64_t offset;
	uint64_t run;
};

static uint32_t *live_slot(struct model *m, uint32_t run, uint64_t offset)
{
	struct live_key key = {offset, run};
	uint32_t number = table__intern(&m->live, &key, sizeof(key));

	if (number == m->live_object.n)
		*VEC_ADD(&m->live_object) = 0;
	return &m->live_object.at[number];
}

static bool same_object(const struct object *o, const struct dsm_ev_object *rec)
{
	return o->bytes == rec->bytes && o->count == rec->count && o->elem_size == rec->elem_size &&
	       o->stride == rec->stride && o->block == rec->block && o->node == rec->hdr.node;
}

/* A layout whose last element ends beyond `bytes`, or whose arithmetic would overflow, is not believed. */
static bool layout_ok(const struct dsm_ev_object *rec)
{
	uint64_t last, at;

	if (!rec->bytes || rec->bytes >= (uint64_t)1 << 46 || rec->offset >= (uint64_t)1 << 46)
		return false;
	if (!rec->count || !rec->elem_size || rec->count > rec->bytes)
		return false;
	last = rec->count - 1;
	if (rec->stride < rec->elem_size || (rec->block && rec->block_stride / rec->block < rec->stride))
		return false;
	at = rec->block ? last / rec->block * rec->block_stride + last % rec->block * rec->stride
			: last * rec->stride;
	return at < rec->bytes && rec->bytes - at >= rec->elem_size;
}

void model__take_object(struct model *m, uint32_t run, const struct dsm_ev_object *rec, int64_t time_ns)
{
	bool rundown = rec->hdr.flags & DSM_EV_F_RUNDOWN;
	uint32_t *slot;
	struct object *o;

	if (!layout_ok(rec) || m->objects.n >= MAX_OBJECTS) {
		m->malformed++;
		return;
	}
	slot = live_slot(m, run, rec->offset);
	if (*slot) {
		o = &m->objects.at[*slot - 1];
		if (same_object(o, rec) && (rundown || o->born_ns == INT64_MIN))
			return; /* told twice, by its birth and by a rundown */
		if (o->died_ns == INT64_MAX)
			o->died_ns = time_ns; /* its FREE was lost */
	}
	*slot = (uint32_t)m->objects.n + 1;
	o = VEC_ADD(&m->objects);
	*o = (struct object){
		.run = run,
		.node = rec->hdr.node,
		.flat = rec->flags & DSM_EV_OBJECT_FLAT,
		.planned = rec->flags & DSM_EV_OBJECT_PLANNED,
		.offset = rec->offset,
		.bytes = rec->bytes,
		.count = rec->count,
		.elem_size = rec->elem_size,
		.stride = rec->stride,
		.block = rec->block,
		.block_stride = rec->block_stride,
		.type_id = rec->type,
		.site_id = rec->site,
		.born_ns = rundown ? INT64_MIN : time_ns,
		.died_ns = INT64_MAX,
		.group = GROUP_UNKNOWN,
	};
}

void model__take_free(struct model *m, uint32_t run, const struct dsm_ev_free *rec, int64_t time_ns)
{
	uint32_t *slot = live_slot(m, run, rec->offset);

	if (*slot)
		m->objects.at[*slot - 1].died_ns = time_ns;
	*slot = 0;
}

static const struct object *sort_objects;

static int by_place(const void *a, const void *b)
{
	const struct object *x = &sort_objects[*(const uint32_t *)a],
			    *y = &sort_objects[*(const uint32_t *)b];

	if (x->run != y->run)
		return x->run < y->run ? -1 : 1;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	if (x->born_ns != y->born_ns)
		return x->born_ns < y->born_ns ? -1 : 1;
	return x < y ? -1 : x > y;
}

static void index_objects(struct model *m)
{
	uint64_t reach = 0;

	if (m->indexed == m->objects.n)
		return;
	m->by_offset = mem__resize(m->by_offset, m->objects.n * sizeof(*m->by_offset));
	m->reach = mem__resize(m->reach, m->objects.n * sizeof(*m->reach));
	for (size_t i = 0; i < m->objects.n; i++)
		m->by_offset[i] = (uint32_t)i;
	sort_objects = m->objects.at;
	qsort(m->by_offset, m->objects.n, sizeof(*m->by_offset), by_place);
	for (size_t i = 0; i < m->objects.n; i++) {
		const struct object *o = &m->objects.at[m->by_offset[i]];

		if (!i || o->run != m->objects.at[m->by_offset[i - 1]].run)
			reach = 0;
		reach = o->offset + o->bytes > reach ? o->offset + o->bytes : reach;
		m->reach[i] = reach;
	}
	m->indexed = m->objects.n;
}

/* How far outside the object's life a time lies; 0 = inside. */
static uint64_t away(const struct object *o, int64_t time)
{
	if (time < o->born_ns)
		return (uint64_t)o->born_ns - (uint64_t)time;
	if (time > o->died_ns)
		return (uint64_t)time - (uint64_t)o->died_ns;
	return 0;
}

static size_t keep_nearest(struct model *m, uint32_t *out, size_t n, size_t max, uint32_t candidate,
			   int64_t time)
{
	const struct object *c = &m->objects.at[candidate];

	/* Two objects on the same bytes lived at different times: the one nearer to this time is meant. */
	for (size_t i = 0; i < n; i++) {
		const struct object *o = &m->objects.at[out[i]];

		if (o->offset >= c->offset + c->bytes || c->offset >= o->offset + o->bytes)
			continue;
		if (away(c, time) < away(o, time))
			out[i] = candidate;
		return n;
	}
	if (n < max)
		out[n++] = candidate;
	return n;
}

static int by_address(const void *a, const void *b)
{
	const struct object *x = &sort_objects[*(const uint32_t *)a],
			    *y = &sort_objects[*(const uint32_t *)b];

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

size_t model__objects_at(struct model *m, uint32_t run, uint64_t from, uint64_t to, int64_t time_ns,
			 uint32_t *out, size_t max)
{
	size_t lo = 0, hi, n = 0, scanned = 0;

	index_objects(m);
	hi = m->indexed;
	while (lo < hi) { /* first object that starts at or after `to` */
		size_t mid = (lo + hi) / 2;
		const struct object *o = &m->objects.at[m->by_offset[mid]];

		if (o->run < run || (o->run == run && o->offset < to))
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo-- > 0 && scanned++ < 65536) {
		const struct object *o = &m->objects.at[m->by_offset[lo]];

		if (o->run != run || m->reach[lo] <= from)
			break;
		if (o->offset + o->bytes > from)
			n = keep_nearest(m, out, n, max, m->by_offset[lo], time_ns);
	}
	sort_objects = m->objects.at;
	qsort(out, n, sizeof(*out), by_address);
	return n;
}

uint32_t model__group(struct model *m, uint32_t object)
{
	struct object *o = &m->objects.at[object];
	struct group *g;
	struct {
		uint32_t type, site, elem_size, flat;
	} key;

	if (o->group != GROUP_UNKNOWN)
		return o->group;
	key.type = model__type(m, o->run, o->node, o->type_id);
	key.site = model__site(m, o->run, o->node, o->site_id);
	key.elem_size = o->elem_size;
	key.flat = o->flat;
	o->group = table__intern(&m->group_ids, &key, sizeof(key));
	if (o->group == m->groups.n) {
		g = VEC_ADD(&m->groups);
		*g = (struct group){
			.type = key.type, .site = key.site, .elem_size = key.elem_size, .flat = o->flat};
	}
	*VEC_ADD(&m->groups.at[o->group].objects) = object;
	return o->group;
}

/* Root name at or inside the object, or NULL. */
static const char *root_of(const struct model *m, uint32_t object)
{
	const struct object *o = &m->objects.at[object];

	for (size_t i = 0; i < m->roots.n; i++)
		if (m->roots.at[i].run == o->run && m->roots.at[i].offset - o->offset < o->bytes)
			return m->roots.at[i].name;
	return NULL;
}

void model__object_name(const struct model *m, uint32_t object, char *out, size_t size)
{
	const char *root = root_of(m, object);

	if (root)
		snprintf(out, size, "%s", root);
	else
		model__group_name(m, m->objects.at[object].group, out, size);
}

/* dsm_new_rows() writes "double[]" as the type of its elements, the rows. */
static bool has_rows(const char *type)
{
	size_t n = strlen(type);

	return n > 2 && !strcmp(type + n - 2, "[]");
}

const char *model__element(const struct model *m, uint32_t object)
{
	const struct group *g = &m->groups.at[m->objects.at[object].group];

	return has_rows(model__type_at(m, g->type)->name) ? "row" : "element";
}

void model__group_shape(const struct model *m, uint32_t group, char *out, size_t size)
{
	const struct group *g = &m->groups.at[group];
	const struct object *first = &m->objects.at[g->objects.at[0]];
	const char *type = model__type_at(m, g->type)->name;
	char unnamed[40];
	bool alike = true;
	size_t objects = 1;
	int n = 0;

	if (!type[0]) {
		snprintf(unnamed, sizeof(unnamed), "%u bytes", g->elem_size);
		type = unnamed;
	}
	for (size_t i = 1; i < g->objects.n; i++) {
		const struct object *o = &m->objects.at[g->objects.at[i]];

		alike = alike && o->count == first->count;
		objects += o->run == first->run; /* other runs have the same ones again */
	}
	if (objects > 1)
		n = snprintf(out, size, "%zu x ", objects);
	if (!alike)
		snprintf(out + n, size - (size_t)n, "%s[]", type);
	else if (has_rows(type)) /* then the rows come first */
		snprintf(out + n, size - (size_t)n, "%.*s[%llu][]", (int)strlen(type) - 2, type,
			 (unsigned long long)first->count);
	else if (first->count > 1)
		snprintf(out + n, size - (size_t)n, "%s[%llu]", type, (unsigned long long)first->count);
	else
		snprintf(out + n, size - (size_t)n, "%s", type);
}

void model__group_name(const struct model *m, uint32_t group, char *out, size_t size)
{
	const struct group *g = &m->groups.at[group];
	const char *name = NULL;
	size_t same = 0, differ = 0;

	/* Several objects of one allocation: the names' common beginning stands for all of them. */
	for (size_t i = 0; i < g->objects.n; i++) {
		const char *root = root_of(m, g->objects.at[i]);
		size_t k = 0;

		if (!root || (name && !strcmp(name, root)))
			continue;
		if (!name) {
			name = root;
			same = strlen(root);
			continue;
		}
		differ++;
		while (k < same && root[k] == name[k])
			k++;
		same = k;
	}
	if (!name)
		model__group_shape(m, group, out, size);
	else if (!differ)
		snprintf(out, size, "%s", name);
	else if (same >= 2)
		snprintf(out, size, "%.*s*", (int)same, name);
	else
		snprintf(out, size, "%s and %zu more", name, differ);
}
