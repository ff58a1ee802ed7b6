// SPDX-License-Identifier: BSD-2-Clause
#include "apps/common/parts.h"

#include <dsm.h>
#include <stdio.h>

void parts__share(const char *name, void *mine, void **part)
{
	char root[48];

	if (mine) {
		snprintf(root, sizeof(root), "%s.%d", name, dsm_node());
		dsm_root_set(root, mine);
	}
	dsm_barrier();
	for (int i = 0; i < dsm_nodes(); i++) {
		snprintf(root, sizeof(root), "%s.%d", name, i);
		part[i] = dsm_root(root);
	}
}

void parts__rows(const char *name, struct rows *rows)
{
	size_t bytes = (size_t)rows__in_part(rows, dsm_node()) * rows->pitch;
	double *mine = bytes ? dsm_new_flat(double, (bytes + 7) / 8) : NULL;

	if (rows->order == ROWS_FLAT) { /* one object has one name, without a number */
		if (mine)
			dsm_root_set(name, mine);
		dsm_barrier();
		rows->part[0] = dsm_root(name);
		return;
	}
	parts__share(name, mine, rows->part);
}
