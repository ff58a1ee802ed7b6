// SPDX-License-Identifier: BSD-2-Clause
/*
 * usdt.c - reads probe sites. libbpf can attach to such probes too, but one kernel object at a time,
 * each of which takes a tenth of a second to let go; knowing the sites allows links that go together,
 * and one table look-up in the BPF program for all five arguments instead of one for each.
 */
#include "collector/usdt.h"

#include <asm/ptrace.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOTE_TYPE 3 /* NT_STAPSDT */

/* ---- arguments ---- */

static const struct {
	const char *names[4];
	uint16_t offset;
} registers[] = {
#ifdef __x86_64__
#define CLASSIC(x, q, d, w, b)                                                                               \
	{                                                                                                    \
		{q, d, w, b}, offsetof(struct pt_regs, x)                                                    \
	}
#define NUMBERED(x)                                                                                          \
	{                                                                                                    \
		{#x, #x "d", #x "w", #x "b"}, offsetof(struct pt_regs, x)                                    \
	}
	CLASSIC(rax, "rax", "eax", "ax", "al"),
	CLASSIC(rbx, "rbx", "ebx", "bx", "bl"),
	CLASSIC(rcx, "rcx", "ecx", "cx", "cl"),
	CLASSIC(rdx, "rdx", "edx", "dx", "dl"),
	CLASSIC(rsi, "rsi", "esi", "si", "sil"),
	CLASSIC(rdi, "rdi", "edi", "di", "dil"),
	CLASSIC(rbp, "rbp", "ebp", "bp", "bpl"),
	CLASSIC(rsp, "rsp", "esp", "sp", "spl"),
	NUMBERED(r8),
	NUMBERED(r9),
	NUMBERED(r10),
	NUMBERED(r11),
	NUMBERED(r12),
	NUMBERED(r13),
	NUMBERED(r14),
	NUMBERED(r15),
#else
	{{NULL}, 0}, /* other machines: constants only, so that the ring source is taken */
#endif
};

/* "%rdi" at *text. */
static int parse_register(const char **text, uint16_t *offset)
{
	size_t n;

	if (*(*text)++ != '%')
		return -ENOTSUP;
	n = strspn(*text, "abcdefghijklmnopqrstuvwxyz0123456789");
	for (size_t i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		for (size_t k = 0; k < 4; k++) {
			const char *name = registers[i].names[k];
			if (!name || strlen(name) != n || memcmp(name, *text, n) != 0)
				continue;
			*offset = registers[i].offset;
			*text += n;
			return 0;
		}
	}
	return -ENOTSUP;
}

static int parse_operand(const char **text, struct dsm_bpf_arg *arg)
{
	char *end;
	int rc;

	if (**text == '$') {
		arg->kind = DSM_BPF_ARG_CONST;
		arg->value = strtoll(*text + 1, &end, 0);
		rc = end == *text + 1 ? -ENOTSUP : 0;
		*text = end;
		return rc;
	}
	if (**text == '%') {
		arg->kind = DSM_BPF_ARG_REGISTER;
		return parse_register(text, &arg->reg);
	}
	arg->kind = DSM_BPF_ARG_MEMORY;
	arg->value = strtoll(*text, &end, 0); /* nothing there is 0 */
	*text = end;
	if (*(*text)++ != '(')
		return -ENOTSUP;
	rc = parse_register(text, &arg->reg);
	return !rc && *(*text)++ != ')' ? -ENOTSUP : rc;
}

int usdt__parse_arg(const char **text, struct dsm_bpf_arg *arg)
{
	char *end;
	long size;
	int rc;

	*arg = (struct dsm_bpf_arg){0};
	*text += strspn(*text, " ");
	size = strtol(*text, &end, 10);
	if (end == *text || *end != '@' ||
	    (labs(size) != 1 && labs(size) != 2 && labs(size) != 4 && labs(size) != 8))
		return -ENOTSUP;
	arg->is_signed = size < 0;
	arg->shift = (uint8_t)(64 - 8 * labs(size));
	*text = end + 1;
	rc = parse_operand(text, arg);
	return !rc && **text && **text != ' ' ? -ENOTSUP : rc;
}

/* ---- the file ---- */

struct file {
	Elf *elf;
	uint64_t base; /* address of .stapsdt.base; prelink may have moved everything by the difference */
	const char *path, *provider;
	struct usdt_site *sites;
	size_t count;
	char *why;
	size_t why_size;
};

/* The kernel wants offsets in the file. 0: the address is in no segment (offset 0 is the ELF header). */
static uint64_t offset_of(const struct file *f, uint64_t address)
{
	size_t n = 0;
	GElf_Phdr p;

	if (elf_getphdrnum(f->elf, &n))
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (gelf_getphdr(f->elf, (int)i, &p) && p.p_type == PT_LOAD && address >= p.p_vaddr &&
		    address - p.p_vaddr < p.p_filesz)
			return address - p.p_vaddr + p.p_offset;
	}
	return 0;
}

static int parse_args(struct file *f, struct usdt_site *site, const char *text)
{
	const char *at = text;

	for (unsigned i = 0; i < DSM_BPF_ARGS; i++) {
		if (usdt__parse_arg(&at, &site->args.arg[i])) {
			snprintf(f->why, f->why_size, "%s: probe %s:%s: argument %u of \"%s\" cannot be read",
				 f->path, f->provider, site->probe, i + 1, text);
			return -ENOTSUP;
		}
	}
	return 0;
}

/* A note: address, base, semaphore, then provider, probe and arguments, each with a NUL. */
static int take_note(struct file *f, const char *desc, size_t size)
{
	const char *provider = desc + 24, *end = desc + size, *probe, *args;
	struct usdt_site *grown, site = {0};
	uint64_t words[3];

	if (size < 27 || end[-1])
		return 0;
	probe = provider + strlen(provider) + 1;
	args = probe < end ? probe + strlen(probe) + 1 : end;
	if (args >= end || strcmp(provider, f->provider) != 0 || strlen(probe) >= sizeof(site.probe))
		return 0;
	memcpy(words, desc, sizeof(words));
	strcpy(site.probe, probe);
	site.offset = offset_of(f, words[0] + f->base - words[1]);
	site.semaphore = words[2] ? offset_of(f, words[2] + f->base - words[1]) : 0;
	if (!site.offset || (words[2] && !site.semaphore)) {
		snprintf(f->why, f->why_size, "%s: probe %s:%s lies outside the file", f->path, f->provider,
			 probe);
		return -ENOEXEC;
	}
	if (parse_args(f, &site, args))
		return -ENOTSUP;
	grown = realloc(f->sites, (f->count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	f->sites = grown;
	f->sites[f->count++] = site;
	return 0;
}

static int take_notes(struct file *f, Elf_Data *data)
{
	size_t at = 0, name, desc;
	GElf_Nhdr h;
	int rc = 0;

	while (!rc && (at = gelf_getnote(data, at, &h, &name, &desc)) > 0) {
		const char *text = data->d_buf;
		if (h.n_type == NOTE_TYPE && h.n_namesz == 8 && memcmp(text + name, "stapsdt", 8) == 0)
			rc = take_note(f, text + desc, h.n_descsz);
	}
	return rc;
}

static int walk_sections(struct file *f, bool notes)
{
	Elf_Scn *section = NULL;
	size_t names;
	int rc = 0;

	if (elf_getshdrstrndx(f->elf, &names))
		return -ENOEXEC;
	while (!rc && (section = elf_nextscn(f->elf, section))) {
		GElf_Shdr h;
		const char *name = gelf_getshdr(section, &h) ? elf_strptr(f->elf, names, h.sh_name) : NULL;
		Elf_Data *data;
		if (!name)
			continue;
		if (!notes && strcmp(name, ".stapsdt.base") == 0)
			f->base = h.sh_addr;
		data = notes && strcmp(name, ".note.stapsdt") == 0 ? elf_getdata(section, NULL) : NULL;
		if (data)
			rc = take_notes(f, data);
	}
	return rc;
}

static bool for_this_machine(Elf *elf)
{
	GElf_Ehdr h;

	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &h))
		return false;
#ifdef __x86_64__
	return h.e_machine == EM_X86_64;
#else
	return true;
#endif
}

int usdt__find(const char *path, const char *provider, struct usdt_site **sites, size_t *count, char *why,
	       size_t why_size)
{
	struct file f = {.path = path, .provider = provider, .why = why, .why_size = why_size};
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	*sites = NULL;
	*count = 0;
	if (fd < 0) {
		rc = -errno;
		snprintf(why, why_size, "%s: %s: name the file that emits the probes with --probe-file", path,
			 strerror(-rc));
		return rc;
	}
	elf_version(EV_CURRENT);
	f.elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	snprintf(why, why_size, "%s is not a program or library of this machine: name one with --probe-file",
		 path);
	rc = f.elf && for_this_machine(f.elf) ? walk_sections(&f, false) : -ENOEXEC;
	if (!rc)
		rc = walk_sections(&f, true);
	if (!rc && !f.count) {
		snprintf(
			why, why_size,
			"%s has no probe of the provider %s: name the file that emits them with --probe-file",
			path, provider);
		rc = -ENOENT;
	}
	elf_end(f.elf);
	close(fd);
	if (rc) {
		free(f.sites);
		return rc;
	}
	*sites = f.sites;
	*count = f.count;
	return 0;
}
