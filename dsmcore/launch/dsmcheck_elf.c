/* SPDX-License-Identifier: BSD-2-Clause */
/* dsmcheck_elf.c - what is in our files: probes, debug information, the libraries they were built with. */
#include "dsmcore/launch/dsmcheck.h"

#include <dlfcn.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dsm_events.h"

static const char *const probe_name[DSM_EV_TYPE_MAX] = {
#define X(name, number, probe) [number] = #probe,
	DSM_EV_TYPES(X)
#undef X
};

struct probes {
	bool seen[DSM_EV_TYPE_MAX];
	size_t points, without_semaphore, not_nop;
};

/* File offset of an address in a loaded segment, or -1. */
static int64_t to_offset(Elf *elf, uint64_t address)
{
	size_t n;

	if (elf_getphdrnum(elf, &n))
		return -1;
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr p;

		if (gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_LOAD && address >= p.p_vaddr &&
		    address < p.p_vaddr + p.p_filesz)
			return (int64_t)(address - p.p_vaddr + p.p_offset);
	}
	return -1;
}

/* A stapsdt note: address, base, semaphore, then provider, name and arguments as strings. The addresses are
 * as linked, and shifted by as much as the section .stapsdt.base was. */
static void take_note(struct probes *p, Elf *elf, int fd, const char *desc, size_t size, uint64_t base)
{
	uint64_t addr[3];
	const char *provider, *name;
	unsigned char code[5] = {0};
	int64_t at;

	if (size < sizeof(addr) + 2 || desc[size - 1])
		return;
	memcpy(addr, desc, sizeof(addr));
	provider = desc + sizeof(addr);
	if (strcmp(provider, "dsm") != 0)
		return;
	name = provider + strlen(provider) + 1;
	if (name >= desc + size)
		return;
	for (unsigned t = 0; t < DSM_EV_TYPE_MAX; t++)
		if (probe_name[t] && !strcmp(probe_name[t], name))
			p->seen[t] = true;
	p->points++;
	p->without_semaphore += addr[2] == 0;
	at = to_offset(elf, addr[0] + (base ? base - addr[1] : 0));
	/* A single nop: the five-byte one lets current kernels write below the stack pointer. */
	if (at < 0 || pread(fd, code, sizeof(code), at) != sizeof(code) || code[0] != 0x90)
		p->not_nop++;
}

static void read_notes(struct probes *p, Elf *elf, int fd)
{
	Elf_Scn *scn = NULL;
	uint64_t base = 0;
	size_t names;

	if (elf_getshdrstrndx(elf, &names))
		return;
	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr sh;
		const char *name = gelf_getshdr(scn, &sh) ? elf_strptr(elf, names, sh.sh_name) : NULL;

		if (name && !strcmp(name, ".stapsdt.base"))
			base = sh.sh_addr;
	}
	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr sh;
		GElf_Nhdr nh;
		Elf_Data *data;
		size_t at = 0, name_at, desc_at;

		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_NOTE || !(data = elf_getdata(scn, NULL)))
			continue;
		while ((at = gelf_getnote(data, at, &nh, &name_at, &desc_at)))
			if (nh.n_namesz == 8 && nh.n_type == 3 &&
			    !memcmp((char *)data->d_buf + name_at, "stapsdt", 8))
				take_note(p, elf, fd, (char *)data->d_buf + desc_at, nh.n_descsz, base);
	}
}

static Elf *open_elf(const char *path, int *fd)
{
	elf_version(EV_CURRENT);
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? NULL : elf_begin(*fd, ELF_C_READ_MMAP, NULL);
}

static void close_elf(Elf *elf, int fd)
{
	elf_end(elf);
	if (fd >= 0)
		close(fd);
}

/* A call of dsm.h, which the library defines for programs. */
static bool is_libdsm(Elf *elf)
{
	Elf_Scn *scn = NULL;

	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr sh;
		Elf_Data *data;
		GElf_Sym s;

		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_DYNSYM || !(data = elf_getdata(scn, NULL)))
			continue;
		for (int i = 0; gelf_getsym(data, i, &s); i++) {
			const char *name = elf_strptr(elf, sh.sh_link, s.st_name);

			if (name && s.st_shndx != SHN_UNDEF && !strcmp(name, "dsm__tx_begin"))
				return true;
		}
	}
	return false;
}

void check_probes(struct checks *c, const char *libdsm)
{
	struct probes p = {0};
	char missing[200] = "";
	int fd, err;
	Elf *elf = open_elf(libdsm, &fd);

	err = fd < 0 ? errno : 0;
	if (!elf) {
		checks__add(c, CHECK_RUN, "libdsm.so", "build it (make) or install it (make install)",
			    "%s: %s", libdsm, err ? strerror(err) : elf_errmsg(-1));
		close_elf(elf, fd);
		return;
	}
	if (!is_libdsm(elf)) {
		checks__add(c, CHECK_RUN, "libdsm.so",
			    "name the libdsm.so that programs are linked with (lib/libdsm.so of the build)",
			    "%s: this is no libdsm.so: it defines nothing of dsm.h", libdsm);
		close_elf(elf, fd);
		return;
	}
	checks__add(c, CHECK_RUN, "libdsm.so", NULL, "%s", libdsm);
	read_notes(&p, elf, fd);
	close_elf(elf, fd);
	for (unsigned t = 0; t < DSM_EV_TYPE_MAX; t++)
		if (probe_name[t] && !p.seen[t]) {
			strncat(missing, " ", sizeof(missing) - strlen(missing) - 1);
			strncat(missing, probe_name[t], sizeof(missing) - strlen(missing) - 1);
		}
	if (missing[0])
		checks__add(c, CHECK_TRACE, "USDT probes",
			    "rebuild libdsm.so with sys/sdt.h (apt-get install systemtap-sdt-dev)",
			    "missing:%s", missing);
	else if (p.without_semaphore || p.not_nop)
		checks__add(c, CHECK_TRACE, "USDT probes",
			    "rebuild libdsm.so with Debian's systemtap-sdt-dev 4.8 or 5",
			    "%zu of %zu probe points have no semaphore, %zu are no single nop",
			    p.without_semaphore, p.points, p.not_nop);
	else
		checks__add(c, CHECK_TRACE, "USDT probes", NULL,
			    "%zu points of provider dsm, single nops with semaphores", p.points);
}

/* ---- source lines ---- */

/* Where this function is in the source is what a report would ask of a program. */
void check_debug(struct checks *c, const char *self)
{
	static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf,
						 .find_debuginfo = dwfl_standard_find_debuginfo};
	uintptr_t here = (uintptr_t)check_debug;
	Dwfl *dwfl = dwfl_begin(&callbacks);
	Dwfl_Module *module = NULL;
	Dwfl_Line *line = NULL;
	const char *file = NULL;
	int number = 0;

	if (dwfl && !dwfl_linux_proc_report(dwfl, getpid()) && !dwfl_report_end(dwfl, NULL, NULL))
		module = dwfl_addrmodule(dwfl, here);
	if (module)
		line = dwfl_module_getsrc(module, here);
	if (line)
		file = dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL);
	if (file && strstr(file, "dsmcheck_elf.c"))
		checks__add(c, CHECK_REPORT, "source lines", NULL, "libdw found %s:%d of this program",
			    "dsmcheck_elf.c", number);
	else
		checks__add(c, CHECK_REPORT, "source lines",
			    "build with -g and do not strip; reports then name fields and lines",
			    "no debug information in %s", self);
	dwfl_end(dwfl);
}

/* ---- optional libraries ---- */

bool check_elf__needs(const char *file, const char *soname)
{
	Elf_Scn *scn = NULL;
	bool found = false;
	int fd;
	Elf *elf = open_elf(file, &fd);

	while (elf && (scn = elf_nextscn(elf, scn))) {
		GElf_Shdr sh;
		Elf_Data *data;

		if (!gelf_getshdr(scn, &sh) || sh.sh_type != SHT_DYNAMIC || !(data = elf_getdata(scn, NULL)))
			continue;
		for (int i = 0; (size_t)i < sh.sh_size / gelf_fsize(elf, ELF_T_DYN, 1, EV_CURRENT); i++) {
			GElf_Dyn d;
			const char *name = gelf_getdyn(data, i, &d) && d.d_tag == DT_NEEDED
						   ? elf_strptr(elf, sh.sh_link, d.d_un.d_val)
						   : NULL;

			found |= name && !strncmp(name, soname, strlen(soname));
		}
	}
	close_elf(elf, fd);
	return found;
}

static const char *user_of(const char *bin, const char *soname)
{
	static const char *const files[] = {"dsmreport",
					    "dsmrun",
					    "dsmcollect",
					    "dsmpaged",
					    "../lib/libdsm.so",
					    "../lib/libdsm-tls.so",
					    "../lib/procope/dsm-pmix"};
	char path[4200];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", bin, files[i]);
		if (check_elf__needs(path, soname))
			return strrchr(files[i], '/') ? strrchr(files[i], '/') + 1 : files[i];
	}
	return NULL;
}

static void check_library(struct checks *c, const char *bin, const char *name, const char *soname,
			  const char *file, const char *package, const char *use)
{
	const char *user = user_of(bin, soname);
	void *lib = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
	const char *installed = lib ? "is installed" : "is not installed";
	char remedy[200];

	snprintf(remedy, sizeof(remedy), "apt-get install %s, then build again (make clean, make)", package);
	if (user)
		checks__add(c, CHECK_OPTIONAL, name, lib ? NULL : remedy, "%s uses it (%s); %s %s", user, use,
			    file, installed);
	else
		checks__add(c, CHECK_OPTIONAL, name, NULL, "no part of this build uses it (%s); %s %s", use,
			    file, installed);
	if (lib)
		dlclose(lib);
}

void check_libraries(struct checks *c, const char *bin)
{
	check_library(c, bin, "Zydis", "libZydis.so", "libZydis.so.4.0", "libzydis-dev",
		      "sizes of memory operands");
	check_tls(c);
	check_fabric(c, bin);
	check_library(c, bin, "PMIx", "libpmix.so", "libpmix.so.2", "libpmix-dev", "start by mpirun or srun");
	check_library(c, bin, "METIS", "libmetis.so", "libmetis.so.5", "libmetis-dev", "partitioning");
}
