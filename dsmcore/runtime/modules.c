/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/runtime/modules.h"

#include <elf.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dsmcore/runtime/sanitizer.h"

static struct module table[MODULES_MAX];
static unsigned count;
static struct module *runtime;

static void read_build_id(struct module *m, const char *note, size_t bytes)
{
	while (bytes >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *n = (const void *)note;
		size_t name = (n->n_namesz + 3u) & ~3u, desc = (n->n_descsz + 3u) & ~3u;

		if (sizeof(*n) + name + desc > bytes)
			return;
		if (n->n_type == NT_GNU_BUILD_ID && n->n_namesz == 4 && !memcmp(n + 1, "GNU", 4)) {
			m->build_id_len = n->n_descsz < BUILD_ID_MAX ? n->n_descsz : BUILD_ID_MAX;
			memcpy(m->build_id, (const char *)(n + 1) + name, m->build_id_len);
			return;
		}
		note += sizeof(*n) + name + desc;
		bytes -= sizeof(*n) + name + desc;
	}
}

static void read_path(struct module *m, const char *name)
{
	if (*name) {
		snprintf(m->path, sizeof(m->path), "%s", name);
		return;
	}
	ssize_t n = readlink("/proc/self/exe", m->path, sizeof(m->path) - 1);

	m->path[n > 0 ? n : 0] = '\0';
}

static void read_segments(struct module *m, const struct dl_phdr_info *info)
{
	uintptr_t relro_end = 0;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_LOAD && p->p_flags & PF_X) {
			m->start = at;
			m->end = at + p->p_memsz;
			m->file_offset = p->p_offset;
		} else if (p->p_type == PT_LOAD && p->p_flags & PF_W) {
			m->data = at;
			m->data_end = at + p->p_memsz;
		} else if (p->p_type == PT_GNU_RELRO) {
			relro_end = at + p->p_memsz;
		} else if (p->p_type == PT_NOTE) {
			read_build_id(m, (const char *)at, p->p_memsz);
		}
	}
	if (relro_end > m->data)
		m->data = relro_end;
}

static int add_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct module m = {0};

	(void)size, (void)arg;
	read_segments(&m, info);
	if (!m.start || count == MODULES_MAX || modules__find((void *)m.start))
		return 0;
	read_path(&m, info->dlpi_name);
	table[count] = m;
	__atomic_store_n(&count, count + 1, __ATOMIC_RELEASE);
	return 0;
}

void modules__read(void)
{
	dl_iterate_phdr(add_module, NULL);
	if (count)
		table[0].program = true; /* the loader lists the program first */
	runtime = modules__find((void *)modules__read);
}

struct module *modules__find(const void *pc)
{
	unsigned n = __atomic_load_n(&count, __ATOMIC_ACQUIRE);

	for (unsigned i = 0; i < n; i++)
		if ((uintptr_t)pc >= table[i].start && (uintptr_t)pc < table[i].end)
			return &table[i];
	return NULL;
}

struct module *modules__get(unsigned index)
{
	return index < count ? &table[index] : NULL;
}

unsigned modules__index(const struct module *m)
{
	return (unsigned)(m - table);
}

SANITIZER_NO_THREADS bool modules__in_program(const void *pc)
{
	const struct module *m = modules__find(pc);

	return m && m->program;
}

void modules__begins_transactions(const void *pc)
{
	struct module *m = modules__find(pc);

	if (!m) { /* loaded since */
		modules__read();
		m = modules__find(pc);
	}
	if (m && m != runtime)
		m->program = true;
}

bool modules__in_runtime(const void *pc)
{
	return runtime && (uintptr_t)pc >= runtime->start && (uintptr_t)pc < runtime->end;
}
