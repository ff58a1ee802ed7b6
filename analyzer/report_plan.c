/* SPDX-License-Identifier: BSD-2-Clause */
/* report_plan.c - the advice that a run can follow by itself, as schema procope.plan/1 (docs/plan.md). */
#include <stdio.h>

#include "json.h"
#include "report.h"

static struct json_object *layout_json(const struct change *c)
{
	struct json_object *o = json_object_new_object();

	json__put(o, "isolate", json_object_new_boolean(true));
	if (c->stride)
		json__put(o, "stride", json__whole(c->stride));
	if (c->block) {
		json__put(o, "block", json__whole(c->block));
		json__put(o, "block_stride", json__whole(c->block_stride));
	}
	return o;
}

/* NULL: a place that cannot be told apart cannot be matched. */
static struct json_object *frame_json(const struct report *r, const struct code *code)
{
	const struct image *image = model__image_at(&r->model, code->image);
	char hex[2 * sizeof(image->build_id) + 1] = "";
	struct json_object *frame;

	if (!image->build_id_len)
		return NULL;
	for (uint32_t k = 0; k < image->build_id_len; k++)
		snprintf(hex + 2 * k, 3, "%02x", image->build_id[k]);
	frame = json_object_new_object();
	json__put(frame, "build_id", json_object_new_string(hex));
	json__put(frame, "offset", json__whole(code->offset));
	return frame;
}

static struct json_object *match_json(const struct report *r, const struct group *g)
{
	struct json_object *match = json_object_new_object(), *chain = json_object_new_array(), *frame;
	const struct site *site = model__site_at(&r->model, g->site);

	json__put(match, "type", json_object_new_string(model__type_at(&r->model, g->type)->name));
	json__put(match, "elem_size", json__whole(g->elem_size));
	for (uint32_t i = 0; i < site->nframes && (frame = frame_json(r, &site->frame[i])); i++)
		json_object_array_add(chain, frame);
	json__put(match, "site", chain);
	return match;
}

static struct json_object *rule_json(const struct report *r, const struct advice *a)
{
	struct json_object *o = json_object_new_object(), *match, *loop;
	char id[16];

	snprintf(id, sizeof(id), "P%u", a->rule);
	json__put(o, "id", json_object_new_string(id));
	if (a->loop) {
		match = json_object_new_object();
		loop = json_object_new_object();
		json__put(match, "loop", frame_json(r, &model__site_at(&r->model, a->site)->frame[0]));
		json__put(loop, "chunk", json__whole(a->k));
		json__put(o, "match", match);
		json__put(o, "loop", loop);
	} else {
		json__put(o, "match", match_json(r, &r->model.groups.at[a->group]));
		json__put(o, "layout", layout_json(&a->change));
	}
	json__put(o, "why", json__text(a->why));
	json__put(o, "predicted_ns_per_s", json__number(a->predicted.ns_per_s));
	return o;
}

void report__plan(struct report *r, struct text *out)
{
	struct json_object *o = json_object_new_object(), *rules = json_object_new_array();

	for (size_t i = 0; i < r->advice.all.n; i++)
		if (r->advice.all.at[i].rule)
			json_object_array_add(rules, rule_json(r, &r->advice.all.at[i]));
	json__put(o, "schema", json_object_new_string("procope.plan/1"));
	json__put(o, "program", json__text(r->model.runs.n ? r->model.runs.at[0].program : NULL));
	json__put(o, "rules", rules);
	json__print(o, out);
}
