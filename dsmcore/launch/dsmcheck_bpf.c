/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dsmcheck_bpf.c - can events be recorded: through BPF, and through the shared ring?
 *
 * BPF is tried with a program of five instructions that counts in a map, attached to a function of
 * dsmcheck itself. When that function has been called and the map says 1, the whole way is open.
 */
#include "dsmcore/launch/dsmcheck.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dsm_events.h"

static const char sudo_remedy[] =
	"run the collector as root (sudo dsmcollect, sudo dsmrun --monitor), or give it CAP_BPF, "
	"CAP_PERFMON and, with libbpf before 1.2, CAP_SYS_ADMIN; without, the ring is used by itself";

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

static void check_btf(struct checks *c)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int rc = btf ? 0 : -errno;

	checks__add(c, CHECK_TRACE, "kernel BTF",
		    btf ? NULL
			: "use a kernel with CONFIG_DEBUG_INFO_BTF (/sys/kernel/btf/vmlinux), and mount /sys",
		    "%s", btf ? "type information of the kernel is readable" : strerror(-rc));
	btf__free(btf);
}

static bool check_maps(struct checks *c)
{
	int ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "dsmcheck", 0, 0, 1 << 20, NULL);
	int ring_err = errno;
	int hash = bpf_map_create(BPF_MAP_TYPE_PERCPU_HASH, "dsmcheck", 16, 64, 1024, NULL);
	int hash_err = errno;
	bool ok = ring >= 0 && hash >= 0;

	checks__add(c, CHECK_TRACE, "BPF maps",
		    ok			 ? NULL
		    : ring >= 0		 ? sudo_remedy
		    : ring_err == EINVAL ? "ring buffers came with Linux 5.8: use a later kernel"
					 : sudo_remedy,
		    ok ? "ring buffer and per-CPU hash can be made%s" : "creating a map: %s",
		    ok ? "" : strerror(ring < 0 ? ring_err : hash_err));
	if (ring >= 0)
		close(ring);
	if (hash >= 0)
		close(hash);
	return ok;
}

/* ---- a uprobe on ourselves ---- */

__attribute__((noinline)) static int probed_function(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x + 1;
}

static uint64_t own_file_offset(const void *address)
{
	FILE *f = fopen("/proc/self/maps", "re");
	uint64_t start, end, offset, found = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx %*4s %lx", &start, &end, &offset) == 3 &&
		    (uint64_t)address >= start && (uint64_t)address < end)
			found = (uint64_t)address - start + offset;
	}
	if (f)
		fclose(f);
	return found;
}

/* (*(uint64_t *)map_value)++; return 0; */
static int load_counter(int map)
{
	struct bpf_insn insn[] = {
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_PSEUDO_MAP_VALUE,
		 .imm = map},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_REG_2,
		 .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "dsmcheck", "Dual BSD/GPL", insn,
			       sizeof(insn) / sizeof(insn[0]), NULL);

	return fd < 0 ? -errno : fd;
}

static int uprobe_type(void)
{
	FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
	int type = -1;

	if (f) {
		if (fscanf(f, "%d", &type) != 1)
			type = -1;
		fclose(f);
	}
	return type;
}

static int fail(char *why, size_t size, const char *what, int err)
{
	snprintf(why, size, "%s: %s", what, strerror(err));
	return -err;
}

static int attach_and_count(void *arg, char *why, size_t size)
{
	struct perf_event_attr attr = {.size = sizeof(attr), .sample_period = 1, .wakeup_events = 1};
	int type = uprobe_type(), map, prog, event;
	uint32_t key = 0;
	uint64_t count = 0;

	(void)arg;
	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "dsmcheck", 4, 8, 1, NULL);
	if (map < 0)
		return fail(why, size, "creating a map", errno);
	prog = load_counter(map);
	if (prog < 0)
		return fail(why, size, "loading a program", -prog);
	if (type < 0)
		return fail(why, size, "/sys/bus/event_source/devices/uprobe", ENOENT);
	attr.type = (uint32_t)type;
	attr.config1 = (uint64_t)(uintptr_t) "/proc/self/exe";
	attr.config2 = own_file_offset((const void *)probed_function);
	event = (int)syscall(SYS_perf_event_open, &attr, getpid(), -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		return fail(why, size, "opening a uprobe", errno);
	if (ioctl(event, PERF_EVENT_IOC_SET_BPF, prog) || ioctl(event, PERF_EVENT_IOC_ENABLE, 0))
		return fail(why, size, "attaching the program", errno);
	probed_function(1);
	if (bpf_map_lookup_elem(map, &key, &count) || count != 1)
		return fail(why, size, "the probe did not fire", EIO);
	return 0;
}

static void check_uprobe(struct checks *c)
{
	char why[256];
	int rc = check_child__run(attach_and_count, NULL, 10, why, sizeof(why));

	checks__add(c, CHECK_TRACE, "BPF on a probe",
		    !rc ? NULL
		    : rc == -ENOENT
			    ? "use a kernel with CONFIG_UPROBE_EVENTS; without, the ring is used by itself"
		    : rc == -EPERM || rc == -EACCES ? sudo_remedy
						    : "the ring is used by itself (--source ring)",
		    "%s", rc ? why : "a program was loaded, attached to a function, and counted its call");
}

void check_bpf(struct checks *c)
{
	libbpf_set_print(quiet);
	check_btf(c);
	check_maps(c);
	check_uprobe(c);
}

/* ---- the ring: another process's shared memory, found under /proc ---- */

static int other_process(int ready)
{
	int fd = memfd_create(DSM_SHM_NAME, MFD_CLOEXEC);
	uint64_t magic = DSM_SHM_MAGIC;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd < 0 || write(fd, &magic, sizeof(magic)) != sizeof(magic) ||
	    write(ready, &fd, sizeof(fd)) != sizeof(fd))
		return 1;
	pause();
	return 0;
}

static int read_ring(pid_t pid, int fd, char *why, size_t size)
{
	char path[64];
	uint64_t *shared;
	int mine;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	mine = open(path, O_RDWR | O_CLOEXEC);
	if (mine < 0)
		return fail(why, size, "opening another process's memfd under /proc", errno);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mine, 0);
	close(mine);
	if (shared == MAP_FAILED)
		return fail(why, size, "mapping it", errno);
	return *shared == DSM_SHM_MAGIC ? 0 : fail(why, size, "reading it", EIO);
}

static int open_ring(void *arg, char *why, size_t size)
{
	int ready[2], fd, rc;
	pid_t pid;

	(void)arg;
	if (pipe2(ready, O_CLOEXEC))
		return fail(why, size, "pipe", errno);
	pid = fork();
	if (pid < 0)
		return fail(why, size, "fork", errno);
	if (!pid)
		_exit(other_process(ready[1]));
	close(ready[1]);
	if (read(ready[0], &fd, sizeof(fd)) != sizeof(fd))
		rc = fail(why, size, "the other process could not make its memory", EIO);
	else
		rc = read_ring(pid, fd, why, size);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return rc;
}

void check_ring(struct checks *c)
{
	char why[256];
	int rc = check_child__run(open_ring, NULL, 10, why, sizeof(why));

	checks__add(c, CHECK_TRACE, "shared ring",
		    rc ? "mount /proc without hidepid for this user, and run collector and program as the "
			 "same user"
		       : NULL,
		    "%s", rc ? why : "memory of a process of the same user can be read; needs no privilege");
}
