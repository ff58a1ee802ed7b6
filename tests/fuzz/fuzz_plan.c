// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_plan.c - any bytes as a plan: either refused with a message, or a plan whose every element lies where
 * no other does.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dsmcore/memory/objects_layout.h"
#include "dsmcore/memory/plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_layout(const struct plan_layout *l)
{
	uint64_t end = 0;

	for (uint64_t i = 0; i < 100; i++) {
		uint64_t at = plan_layout__distance(l, i);

		if (at < end || objects_layout__bytes(l, i + 1) != at + l->elem_size)
			abort();
		end = at + l->elem_size;
	}
}

static void check_plan(const struct plan *plan)
{
	static struct objects_layout layout;

	for (uint32_t i = 0; i < plan->nrules; i++) {
		const struct plan_rule *r = &plan->rules[i];

		if (r->chunk) {
			if (r->chunk > PLAN_CHUNK_MAX || r->nframes != 1 || r->arena ||
			    !plan__chunk(plan, r->frame))
				abort();
			continue;
		}
		if (strlen(r->type) >= sizeof(r->type) || r->arena >= plan->narenas)
			abort();
		check_layout(&r->layout);
		if (plan__match(plan, r->type, r->layout.elem_size, r->frame, r->nframes) == NULL)
			abort(); /* at least the rule itself */
	}
	if (!objects_layout__open(&layout, 1ull << 30, 3, CORE_TX, plan))
		objects_layout__arena_of(&layout, 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	static char path[64];
	char error[1000] = "";
	struct plan *plan;

	if (fd < 0) {
		fd = memfd_create("plan", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (plan__open(&plan, path, error, sizeof(error))) {
		if (!strstr(error, path))
			abort();
		return 0;
	}
	check_plan(plan);
	plan__close(plan);
	return 0;
}
