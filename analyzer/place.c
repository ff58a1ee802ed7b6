/* SPDX-License-Identifier: BSD-2-Clause */
#include "place.h"

#include <stdio.h>
#include <string.h>

bool place__load(struct page_view *v, struct model *m, struct layouts *l, uint32_t run, dsm_ev_page page,
		 int64_t time_ns)
{
	unsigned log2 = DSM_EV_PAGE_LOG2(page);

	if (log2 < 12 || log2 > 16)
		return false;
	v->model = m;
	v->layouts = l;
	v->run = run;
	v->start = DSM_EV_PAGE_OFFSET(page);
	v->bytes = (uint64_t)1 << log2;
	v->time_ns = time_ns;
	v->n = model__objects_at(m, run, v->start, v->start + v->bytes, time_ns, v->object, PLACE_MAX);
	for (size_t i = 0; i < v->n; i++)
		model__group(m, v->object[i]);
	return true;
}

uint64_t place__element(uint64_t i, uint32_t stride, uint32_t block, uint32_t block_stride)
{
	return block ? i / block * block_stride + i % block * stride : i * stride;
}

/* The inverse of place__element(): which element holds byte `at` of the object. */
static void find_element(const struct object *o, uint64_t at, uint64_t *element, uint32_t *in_element)
{
	uint64_t block = o->block ? at / o->block_stride : 0;
	uint64_t rest = o->block ? at % o->block_stride : at;
	uint64_t i = rest / o->stride;

	*in_element = (uint32_t)(rest % o->stride);
	*element = block * o->block + i;
	if ((o->block && i >= o->block) || *element >= o->count || *in_element >= o->elem_size)
		*element = UINT64_MAX;
}

uint32_t place__at(const struct page_view *v, uint32_t byte, uint64_t *element, uint32_t *in_element)
{
	uint64_t at = v->start + byte;
	size_t lo = 0, hi = v->n;

	*element = UINT64_MAX;
	*in_element = 0;
	while (lo < hi) { /* last object that starts at or before the byte */
		size_t mid = (lo + hi) / 2;

		if (v->model->objects.at[v->object[mid]].offset <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo) {
		const struct object *o = &v->model->objects.at[v->object[lo - 1]];

		if (at - o->offset < o->bytes) {
			find_element(o, at - o->offset, element, in_element);
			return v->object[lo - 1];
		}
	}
	return PLACE_NONE;
}

static const struct field *layout_of(const struct page_view *v, uint32_t object)
{
	const struct group *g = &v->model->groups.at[model__group(v->model, object)];

	return layouts__of(v->layouts, g->type, g->site);
}

/* The scalar at a byte as [*from, *to) of the page, not clipped at its lower end below 0. */
static void scalar_at(const struct page_view *v, uint32_t byte, uint32_t *from, uint32_t *to)
{
	uint64_t element;
	uint32_t in, first, length, object = place__at(v, byte, &element, &in);
	const struct field *f = object == PLACE_NONE ? NULL : layout_of(v, object);

	*from = byte;
	*to = byte + 1;
	if (!f || element == UINT64_MAX || !layout__scalar(f, in, &first, &length) || !length)
		return;
	*from = byte - (in - first < byte ? in - first : byte);
	*to = byte + (length - (in - first));
	if (*to > v->bytes)
		*to = (uint32_t)v->bytes;
}

uint32_t place__scalar_rest(const struct page_view *v, uint32_t byte)
{
	uint32_t from, to;

	scalar_at(v, byte, &from, &to);
	return to - byte;
}

void place__widen(const struct page_view *v, const struct byteset *in, struct byteset *out)
{
	for (size_t i = 0; i < in->n; i++) {
		uint32_t at = in->at[i].from, from, to;

		while (at < in->at[i].to && at < v->bytes) {
			scalar_at(v, at, &from, &to);
			byteset__add(out, from, to);
			at = to;
		}
	}
}

static void add_piece(struct pieces *out, uint32_t object, uint64_t from, uint64_t to)
{
	struct piece *last = out->n ? &out->at[out->n - 1] : NULL;

	if (last && last->object == object && last->to == from) {
		last->to = to;
		return;
	}
	*VEC_ADD(out) = (struct piece){.object = object, .from = from, .to = to};
}

void place__pieces(const struct page_view *v, const struct byteset *set, struct pieces *out)
{
	for (size_t i = 0; i < set->n; i++) {
		uint32_t at = set->at[i].from,
			 end = set->at[i].to < v->bytes ? set->at[i].to : (uint32_t)v->bytes;

		while (at < end) {
			uint64_t element;
			uint32_t in, rest, object = place__at(v, at, &element, &in);
			const struct object *o = object == PLACE_NONE ? NULL : &v->model->objects.at[object];

			if (o && element != UINT64_MAX) {
				rest = o->elem_size - in < end - at ? o->elem_size - in : end - at;
				add_piece(out, object, element * o->elem_size + in,
					  element * o->elem_size + in + rest);
			} else {
				rest = 1;
				if (!o) /* padding belongs to nobody and moves nowhere */
					add_piece(out, PLACE_NONE, v->start + at, v->start + at + 1);
			}
			at += rest;
		}
	}
}

void place__fields(const struct page_view *v, const struct byteset *set, uint32_t group, char *out,
		   size_t size)
{
	char seen[4][128];
	unsigned n = 0, more = 0;
	struct text t = {0};

	text__add(&t, "%s", "");
	for (size_t i = 0; i < set->n; i++) {
		uint32_t at = set->at[i].from;

		while (at < set->at[i].to && at < v->bytes) {
			uint64_t element;
			uint32_t in, from, to, object = place__at(v, at, &element, &in);
			const struct field *f;
			char path[128] = "";
			unsigned k;

			scalar_at(v, at, &from, &to);
			f = object == PLACE_NONE ? NULL : layout_of(v, object);
			if (!f && element != UINT64_MAX) { /* then eight bytes have one name */
				uint32_t rest = v->model->objects.at[object].elem_size - in;

				to = at + (rest < 8 - (in & 7) ? rest : 8 - (in & 7));
			}
			at = to;
			if (object == PLACE_NONE || model__group(v->model, object) != group ||
			    element == UINT64_MAX)
				continue;
			if (f)
				layout__path(f, in, true, path, sizeof(path));
			else
				snprintf(path, sizeof(path), "+%u", in & ~7u);
			if (!path[0]) /* the element itself is the scalar */
				snprintf(path, sizeof(path), "%s",
					 v->model->objects.at[object].count > 1 ? "[i]" : "value");
			for (k = 0; k < n && strcmp(seen[k], path) != 0; k++)
				;
			if (k < n)
				continue;
			if (n < sizeof(seen) / sizeof(seen[0]))
				memcpy(seen[n++], path, sizeof(path));
			else
				more = 1;
		}
	}
	/* Three names say enough; whether there are more matters less than that the text stays the same. */
	for (unsigned k = 0; k < n && k < 3; k++)
		text__add(&t, "%s%s", k ? ", " : "", seen[k]);
	if (n > 3 || more)
		text__add(&t, ", ...");
	snprintf(out, size, "%s", t.at);
	text__free(&t);
}
