/* SPDX-License-Identifier: BSD-2-Clause */
/* report_homes.c - the part of the report for people that lists pages whose home has moved. */
#include "homes.h"
#include "report.h"

#define HOMES_SHOWN 10u

/* What the runtime found out by itself: it needs no advice, but it tells who writes what. */
void report__homes(struct report *r, const struct report_options *o, const struct style *s, struct text *out)
{
	size_t most = o->top < HOMES_SHOWN ? o->top : HOMES_SHOWN;
	struct homes h;

	homes__sum(&r->model, &h);
	if (h.counted || h.moves)
		text__add(out, "\n%sPages whose home moved to another node%s (%llu move%s)\n", s->bold,
			  s->off, (unsigned long long)(h.counted > h.moves ? h.counted : h.moves),
			  h.counted == 1 && h.moves <= 1 ? "" : "s");
	for (size_t i = 0; i < h.rows.n && i < most; i++) {
		const struct homes_row *row = &h.rows.at[i];

		text__add(out, "  %6llu page%s of %s: ", (unsigned long long)row->pages,
			  row->pages == 1 ? "" : "s", row->object[0] ? row->object : "(no known object)");
		if (row->home == row->birth)
			text__add(out, "back at node %u", row->home);
		else
			text__add(out, "from node %u to node %u", row->birth, row->home);
		text__add(out, row->moves == row->pages ? "\n" : " (%llu moves)\n",
			  (unsigned long long)row->moves);
	}
	if (h.rows.n > most)
		text__add(out, "  ... and %zu more rows in report.json\n", h.rows.n - most);
	homes__free(&h);
}
