/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/memory/shadow.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "dsmcore/memory/region.h"

#define BATCH 64u /* copies mapped at once */

struct shadow {
	uint32_t *slot; /* per page: index of its copy + 1; mapped lazily by the kernel */
	uint8_t **copy; /* all copies */
	uint32_t copies, capacity;
	uint32_t *free; /* stack of indices */
	uint32_t nfree;
};

int shadow__open(struct shadow **out, uint32_t pages)
{
	struct shadow *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->slot = mmap(NULL, (size_t)pages * sizeof(*s->slot), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->slot == MAP_FAILED) {
		free(s);
		return -ENOMEM;
	}
	*out = s;
	return 0;
}

static int grow(struct shadow *s)
{
	if (s->copies + BATCH > s->capacity) {
		uint32_t capacity = s->capacity ? 2 * s->capacity : BATCH;
		uint8_t **copy = realloc(s->copy, capacity * sizeof(*copy));

		if (!copy)
			return -ENOMEM;
		s->copy = copy;
		uint32_t *unused = realloc(s->free, capacity * sizeof(*unused));

		if (!unused)
			return -ENOMEM;
		s->free = unused;
		s->capacity = capacity;
	}
	uint8_t *p = mmap(NULL, (size_t)BATCH * DSM_PAGE_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -ENOMEM;
	for (uint32_t i = 0; i < BATCH; i++) {
		s->copy[s->copies] = p + (size_t)i * DSM_PAGE_BYTES;
		s->free[s->nfree++] = s->copies++;
	}
	return 0;
}

uint8_t *shadow__get(const struct shadow *s, uint32_t page)
{
	return s->slot[page] ? s->copy[s->slot[page] - 1] : NULL;
}

uint8_t *shadow__make(struct shadow *s, uint32_t page)
{
	if (s->slot[page])
		return s->copy[s->slot[page] - 1];
	if (!s->nfree && grow(s))
		return NULL;
	uint32_t index = s->free[--s->nfree];

	s->slot[page] = index + 1;
	return s->copy[index];
}

void shadow__drop(struct shadow *s, uint32_t page)
{
	if (!s->slot[page])
		return;
	s->free[s->nfree++] = s->slot[page] - 1;
	s->slot[page] = 0;
}
