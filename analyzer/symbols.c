/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbols.h"

#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	bool tried;
	int fd;
	char *path;
	Dwfl *dwfl;
	Dwfl_Module *module;
	Dwarf *dwarf;
	Dwarf_Addr bias, dwarf_bias;
	Elf *elf;
};

struct symbols {
	const struct model *model;
	const char *debug_dir;
	struct file *files; /* by image */
	size_t nfiles;
	struct table known; /* (code, kind) -> sources */
	VEC(struct source) sources;
	VEC(const char *) notes;
};

static char *no_debug_path;
static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
	.debuginfo_path = &no_debug_path,
};

struct symbols *symbols__new(const struct model *m, const char *debug_dir)
{
	struct symbols *s = mem__alloc(sizeof(*s));

	s->model = m;
	s->debug_dir = debug_dir;
	return s;
}

void symbols__free(struct symbols *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->nfiles; i++) {
		if (s->files[i].dwfl)
			dwfl_end(s->files[i].dwfl);
		if (s->files[i].fd > 0)
			close(s->files[i].fd);
		mem__free(s->files[i].path);
	}
	for (size_t i = 0; i < s->notes.n; i++)
		mem__free((char *)s->notes.at[i]);
	mem__free(s->files);
	table__free(&s->known);
	VEC_FREE(&s->sources);
	VEC_FREE(&s->notes);
	mem__free(s);
}

size_t symbols__notes(const struct symbols *s, const char *const **notes)
{
	*notes = s->notes.at;
	return s->notes.n;
}

/* Only regular files are opened: a trace may name a device or a FIFO. */
static int open_regular(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

enum fit { FITS, OTHER_BUILD, NO_FILE };

static enum fit same_build(int fd, const struct image *image)
{
	Elf *elf;
	const void *id = NULL;
	ssize_t n;
	enum fit fit = OTHER_BUILD;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!elf)
		return NO_FILE;
	if (elf_kind(elf) != ELF_K_ELF) {
		fit = NO_FILE;
	} else {
		n = dwelf_elf_gnu_build_id(elf, &id);
		if (!image->build_id_len)
			fit = n <= 0 ? FITS : OTHER_BUILD;
		else if (n == (ssize_t)image->build_id_len && !memcmp(id, image->build_id, (size_t)n))
			fit = FITS;
	}
	elf_end(elf);
	return fit;
}

static enum fit try_path(struct file *f, const struct image *image, const char *path)
{
	int fd = open_regular(path);
	enum fit fit;

	if (fd < 0)
		return NO_FILE;
	fit = same_build(fd, image);
	if (fit != FITS) {
		close(fd);
		return fit;
	}
	f->fd = fd;
	f->path = mem__string(path);
	return FITS;
}

static enum fit find_file(struct symbols *s, struct file *f, const struct image *image)
{
	const char *name = basename(image->path), *dir = s->debug_dir;
	enum fit fit, best = NO_FILE;
	char hex[2 * sizeof(image->build_id) + 1] = "";
	char *path;

	for (uint32_t i = 0; i < image->build_id_len; i++)
		snprintf(hex + 2 * i, 3, "%02x", image->build_id[i]);
	for (int k = 0; dir && k < 3; k++) {
		path = k == 0	? mem__format("%s/%s", dir, name)
		       : k == 1 ? mem__format("%s/%s.debug", dir, name)
				: mem__format("%s/.build-id/%.2s/%s.debug", dir, hex,
					      image->build_id_len ? hex + 2 : "");
		fit = try_path(f, image, path);
		mem__free(path);
		if (fit == FITS)
			return fit;
		best = fit < best ? fit : best;
	}
	if (image->path[0] != '/')
		return best;
	fit = try_path(f, image, image->path);
	return fit < best ? fit : best;
}

static bool open_dwarf(struct file *f)
{
	int fd = dup(f->fd); /* dwfl takes it over */

	if (fd < 0)
		return false;
	f->dwfl = dwfl_begin(&callbacks);
	if (!f->dwfl) {
		close(fd);
		return false;
	}
	dwfl_report_begin(f->dwfl);
	f->module = dwfl_report_offline(f->dwfl, f->path, f->path, fd);
	if (!f->module)
		close(fd);
	dwfl_report_end(f->dwfl, NULL, NULL);
	if (!f->module)
		return false;
	f->elf = dwfl_module_getelf(f->module, &f->bias);
	f->dwarf = dwfl_module_getdwarf(f->module, &f->dwarf_bias);
	return f->elf != NULL;
}

static struct file *image_file(struct symbols *s, uint32_t number)
{
	const struct image *image = model__image_at(s->model, number);
	struct file *f;
	enum fit fit;

	if (number >= s->nfiles) {
		s->files = mem__resize(s->files, (number + 1) * sizeof(*s->files));
		memset(s->files + s->nfiles, 0, (number + 1 - s->nfiles) * sizeof(*s->files));
		s->nfiles = number + 1;
	}
	f = &s->files[number];
	if (f->tried || !number)
		return f;
	f->tried = true;
	fit = find_file(s, f, image);
	if (fit == NO_FILE) {
		*VEC_ADD(&s->notes) =
			mem__format("%s: not found or not an ELF file, so its code shows as file offsets; "
				    "name the folder that holds it with --debug-dir",
				    image->path[0] ? image->path : "(a module without path)");
	} else if (fit == OTHER_BUILD) {
		*VEC_ADD(&s->notes) = mem__format(
			"%s: rebuilt since the trace was recorded (its build-id differs), so it is "
			"not used; keep the old file and name its folder with --debug-dir, or record "
			"again",
			image->path);
	} else if (!open_dwarf(f) || !f->dwarf) {
		*VEC_ADD(&s->notes) = mem__format(
			"%s: no debug information, so fields and lines show as offsets; compile it "
			"with -g",
			f->path);
	}
	return f;
}

Dwarf *symbols__dwarf(struct symbols *s, uint32_t image)
{
	return image && image < s->model->images.n ? image_file(s, image)->dwarf : NULL;
}

static bool to_address(struct file *f, uint32_t offset, GElf_Addr *address)
{
	size_t n = 0;

	if (!f->elf || elf_getphdrnum(f->elf, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr phdr;

		if (!gelf_getphdr(f->elf, (int)i, &phdr) || phdr.p_type != PT_LOAD || !(phdr.p_flags & PF_X))
			continue;
		if (offset >= phdr.p_offset && offset - phdr.p_offset < phdr.p_filesz) {
			*address = phdr.p_vaddr + (offset - phdr.p_offset);
			return true;
		}
	}
	return false;
}

size_t symbols__bytes(struct symbols *s, struct code code, void *out, size_t size)
{
	struct file *f = code.image ? image_file(s, code.image) : NULL;
	ssize_t n = f && f->fd > 0 ? pread(f->fd, out, size, code.offset) : 0;

	return n > 0 ? (size_t)n : 0;
}

bool symbols__outdated(struct symbols *s, struct code code, const struct source *src)
{
	struct file *f = code.image ? image_file(s, code.image) : NULL;
	struct stat built, written;

	if (!f || f->fd <= 0 || !src->file[0] || fstat(f->fd, &built) || stat(src->file, &written))
		return false;
	return written.st_mtim.tv_sec > built.st_mtim.tv_sec ||
	       (written.st_mtim.tv_sec == built.st_mtim.tv_sec &&
		written.st_mtim.tv_nsec > built.st_mtim.tv_nsec);
}

/* dwfl_module_addrdie() relies on .debug_aranges, which clang leaves out: then ask each unit. */
static bool find_unit(struct file *f, GElf_Addr address, Dwarf_Die *cu)
{
	Dwarf_Addr bias = 0;
	Dwarf_Die *found = dwfl_module_addrdie(f->module, address + f->bias, &bias);

	for (found = found ? found : dwfl_module_nextcu(f->module, NULL, &bias); found;
	     found = dwfl_module_nextcu(f->module, found, &bias)) {
		if (dwarf_haspc(found, address + f->bias - bias) > 0) {
			*cu = *found;
			return true;
		}
	}
	return false;
}

bool symbols__unit(struct symbols *s, struct code code, Dwarf_Die *cu)
{
	struct file *f = code.image ? image_file(s, code.image) : NULL;
	GElf_Addr address;

	return f && f->dwarf && to_address(f, code.offset, &address) && find_unit(f, address, cu);
}

static void set_text(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

/* Accesses through the DSM's own inline helpers belong to the line that called them. */
static bool of_the_runtime(const char *file)
{
	const char *name = file ? basename(file) : "";

	return !strcmp(name, "dsm.h") || !strcmp(name, "dsm_events.h");
}

static unsigned constant(Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;

	return dwarf_attr_integrate(die, name, &attr) && !dwarf_formudata(&attr, &value) ? (unsigned)value
											 : 0;
}

static void name_scope(Dwarf_Die *cu, Dwarf_Addr pc, struct source *out)
{
	Dwarf_Die *scopes = NULL;
	Dwarf_Files *files = NULL;
	size_t nfiles = 0;
	int n = dwarf_getscopes(cu, pc, &scopes);

	dwarf_getsrcfiles(cu, &files, &nfiles);
	for (int i = 0; i < n; i++) {
		int tag = dwarf_tag(&scopes[i]);
		unsigned call_file;

		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
			continue;
		if (tag == DW_TAG_inlined_subroutine && of_the_runtime(out->file)) {
			call_file = constant(&scopes[i], DW_AT_call_file);
			if (files && call_file < nfiles)
				set_text(out->file, sizeof(out->file),
					 dwarf_filesrc(files, call_file, NULL, NULL));
			out->line = constant(&scopes[i], DW_AT_call_line);
			continue;
		}
		set_text(out->function, sizeof(out->function), dwarf_diename(&scopes[i]));
		break;
	}
	free(scopes);
}

/* Names are recorded relative to where the compiler ran. */
static void make_absolute(Dwarf_Die *cu, struct source *out)
{
	Dwarf_Attribute attr;
	const char *dir = dwarf_formstring(dwarf_attr(cu, DW_AT_comp_dir, &attr));
	char full[sizeof(out->file)];

	if (!out->file[0] || out->file[0] == '/' || !dir)
		return;
	if ((size_t)snprintf(full, sizeof(full), "%s/%s", dir, out->file) < sizeof(full))
		memcpy(out->file, full, sizeof(full));
}

static void resolve(struct symbols *s, struct code code, bool return_address, struct source *out)
{
	struct file *f = image_file(s, code.image);
	GElf_Addr address;
	Dwarf_Die cu;
	Dwarf_Line *line;
	int number = 0;

	if (!f->module || !to_address(f, code.offset, &address))
		return;
	address -= return_address && address; /* the call, not what follows it */
	if (!f->dwarf || !find_unit(f, address, &cu)) {
		set_text(out->function, sizeof(out->function),
			 dwfl_module_addrname(f->module, address + f->bias));
		return;
	}
	line = dwarf_getsrc_die(&cu, address + f->bias - f->dwarf_bias);
	if (line && !dwarf_lineno(line, &number)) {
		set_text(out->file, sizeof(out->file), dwarf_linesrc(line, NULL, NULL));
		out->line = number > 0 ? (unsigned)number : 0;
	}
	name_scope(&cu, address + f->bias - f->dwarf_bias, out);
	make_absolute(&cu, out);
}

bool symbols__source(struct symbols *s, struct code code, bool return_address, struct source *out)
{
	struct {
		struct code code;
		uint64_t kind;
	} key = {code, return_address};
	uint32_t number;

	memset(out, 0, sizeof(*out));
	if (!code.image || code.image >= s->model->images.n)
		return false;
	number = table__intern(&s->known, &key, sizeof(key));
	if (number == s->sources.n) {
		struct source *new = VEC_ADD(&s->sources);

		memset(new, 0, sizeof(*new));
		resolve(s, code, return_address, new);
	}
	*out = s->sources.at[number];
	return out->line || out->function[0];
}
