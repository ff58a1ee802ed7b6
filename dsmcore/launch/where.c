// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/launch/where.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *debug_path; /* NULL: the default search path */
static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
	.debuginfo_path = &debug_path,
};

/* The address, in the file's own numbering, at which a file offset is loaded. */
static bool to_address(Elf *elf, uint64_t offset, GElf_Addr *address)
{
	size_t n;

	if (elf_getphdrnum(elf, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD)
			continue;
		if (offset >= ph.p_offset && offset - ph.p_offset < ph.p_filesz) {
			*address = ph.p_vaddr + (offset - ph.p_offset);
			return true;
		}
	}
	return false;
}

/* Innermost function at the address; an inlined one is what the reader of the line expects. */
static void find_function(Dwfl_Module *module, Dwarf_Addr address, struct where *w)
{
	Dwarf_Addr bias;
	Dwarf_Die *cu = dwfl_module_addrdie(module, address, &bias), *scopes = NULL;
	int n = cu ? dwarf_getscopes(cu, address - bias, &scopes) : 0;
	const char *name = NULL;

	for (int i = 0; i < n && !name; i++) {
		int tag = dwarf_tag(&scopes[i]);

		if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine)
			name = dwarf_diename(&scopes[i]);
	}
	if (!name)
		name = dwfl_module_addrname(module, address);
	if (name)
		snprintf(w->function, sizeof(w->function), "%s", name);
	free(scopes);
}

static void set_file(const char *source, struct where *w)
{
	char here[1024];
	size_t n;

	if (getcwd(here, sizeof(here)) && strcmp(here, "/") != 0) {
		n = strlen(here);
		if (!strncmp(source, here, n) && source[n] == '/')
			source += n + 1;
	}
	snprintf(w->file, sizeof(w->file), "%s", source);
}

static int find_in(Dwfl_Module *module, uint64_t offset, struct where *w)
{
	GElf_Addr bias;
	Elf *elf = dwfl_module_getelf(module, &bias);
	GElf_Addr address;
	Dwfl_Line *line;
	const char *source;

	if (!elf)
		return -ENOENT;
	if (!to_address(elf, offset, &address))
		return -ENODATA;
	address += bias;
	find_function(module, address, w);
	line = dwfl_module_getsrc(module, address);
	source = line ? dwfl_lineinfo(line, NULL, &w->line, NULL, NULL, NULL) : NULL;
	if (!source)
		return -ENODATA;
	set_file(source, w);
	return 0;
}

int where__find(const char *path, uint64_t offset, struct where *w)
{
	Dwfl *dwfl = dwfl_begin(&callbacks);
	Dwfl_Module *module;
	int rc = -ENOENT;

	*w = (struct where){0};
	if (!dwfl)
		return -ENOMEM;
	module = dwfl_report_offline(dwfl, "", path, -1);
	if (module && dwfl_report_end(dwfl, NULL, NULL) == 0)
		rc = find_in(module, offset, w);
	dwfl_end(dwfl);
	return rc;
}
