/* SPDX-License-Identifier: BSD-2-Clause */
#include "self.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

struct search {
	struct self *self;
	uintptr_t address;
	uint32_t offset;
};

static void take_notes(struct self *s, const char *at, size_t bytes)
{
	const char *end = at + bytes;

	while (at + sizeof(ElfW(Nhdr)) <= end) {
		const ElfW(Nhdr) *n = (const void *)at;
		const char *name = at + sizeof(*n), *desc = name + ((n->n_namesz + 3) & ~3u);

		if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 && !memcmp(name, "GNU", 4) &&
		    n->n_descsz <= sizeof(s->build_id)) {
			s->build_id_len = n->n_descsz;
			memcpy(s->build_id, desc, n->n_descsz);
		}
		at = desc + ((n->n_descsz + 3) & ~3u);
	}
}

static int visit(struct dl_phdr_info *info, size_t size, void *context)
{
	struct search *x = context;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_NOTE && x->self)
			take_notes(x->self, (const char *)start, p->p_memsz);
		if (p->p_type == PT_LOAD && x->address >= start && x->address < start + p->p_memsz)
			x->offset = (uint32_t)(x->address - start + p->p_offset);
	}
	return 1; /* only the first: the program itself */
}

void self__find(struct self *s)
{
	struct search x = {.self = s};
	ssize_t n;

	memset(s, 0, sizeof(*s));
	n = readlink("/proc/self/exe", s->path, sizeof(s->path) - 1);
	s->path[n > 0 ? n : 0] = 0;
	dl_iterate_phdr(visit, &x);
}

uint32_t self__offset(const void *address)
{
	struct search x = {.address = (uintptr_t)address};

	dl_iterate_phdr(visit, &x);
	return x.offset;
}
