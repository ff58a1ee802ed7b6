// SPDX-License-Identifier: BSD-2-Clause
#include "apps/common/parts.h"

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

size_t parts__bytes(const struct rows *rows)
{
	return (size_t)rows__in_part(rows, dsm_node()) * rows->pitch;
}

void parts__rows(const char *name, struct rows *rows, void *mine)
{
	if (rows->order != ROWS_FLAT) {
		parts__share(name, mine, rows->part);
		return;
	}
	if (mine) /* one object has one name, without a number */
		dsm_root_set(name, mine);
	dsm_barrier();
	rows->part[0] = dsm_root(name);
}
