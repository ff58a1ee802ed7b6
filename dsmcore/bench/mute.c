/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/bench/mute.h"

#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collector/usdt.h"
#include "dsmcore/bench/node.h"

static struct {
	volatile uint16_t *at[DSM_BPF_SITES];
	uint16_t listeners[DSM_BPF_SITES];
	size_t n;
} semaphores;

struct search {
	const char *path;
	uint64_t offset;
	volatile uint16_t *found;
};

/* From a place in the file to the place in memory. */
static int visit(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct search *s = arg;

	(void)size;
	if (strcmp(info->dlpi_name, s->path) != 0)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && (p->p_flags & PF_W) && s->offset >= p->p_offset &&
		    s->offset + sizeof(uint16_t) <= p->p_offset + p->p_filesz)
			s->found = (volatile uint16_t *)(uintptr_t)(info->dlpi_addr + p->p_vaddr + s->offset -
								    p->p_offset);
	}
	return 1;
}

void mute__find(void)
{
	struct usdt_site *sites = NULL;
	size_t count = 0;
	char why[512] = "it is not found";
	Dl_info info;

	if (!dladdr((void *)(uintptr_t)dsm_barrier, &info) || !info.dli_fname ||
	    usdt__find(info.dli_fname, "dsm", &sites, &count, why, sizeof(why)))
		node__fail("the probes of the DSM's library: %s", why);
	for (size_t i = 0; i < count && semaphores.n < DSM_BPF_SITES; i++) {
		struct search s = {.path = info.dli_fname, .offset = sites[i].semaphore};

		if (!s.offset || !strcmp(sites[i].probe, "node"))
			continue;
		dl_iterate_phdr(visit, &s);
		if (!s.found)
			node__fail("the semaphore of the probe %s is not in memory", sites[i].probe);
		semaphores.at[semaphores.n++] = s.found;
	}
	free(sites);
}

void mute__open(void)
{
	for (size_t i = 0; i < semaphores.n; i++)
		semaphores.listeners[i] = *semaphores.at[i];
}

void mute__set(bool muted)
{
	for (size_t i = 0; i < semaphores.n; i++)
		*semaphores.at[i] = muted ? 0 : semaphores.listeners[i];
}
