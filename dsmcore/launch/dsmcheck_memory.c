/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dsmcheck_memory.c - can this machine do what dsmcore/memory/region.c does?
 *
 * One page is taken through its whole life, with the calls that the runtime makes: closed, opened for
 * reading by the SIGBUS handler, opened for writing by it, and taken away again with its bytes kept.
 */
#include "dsmcore/launch/dsmcheck.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "dsmcore/launch/options.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/memory/uffd.h"

#ifndef UFFDIO_CONTINUE_MODE_WP
#define UFFDIO_CONTINUE_MODE_WP ((uint64_t)1 << 1)
#endif
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

#define FEATURES(X)                                                                                          \
	X(UFFD_FEATURE_SIGBUS, "SIGBUS", "4.14")                                                             \
	X(UFFD_FEATURE_MISSING_SHMEM, "MISSING_SHMEM", "4.11")                                               \
	X(UFFD_FEATURE_PAGEFAULT_FLAG_WP, "PAGEFAULT_FLAG_WP", "5.7")                                        \
	X(UFFD_FEATURE_MINOR_SHMEM, "MINOR_SHMEM", "5.14")                                                   \
	X(UFFD_FEATURE_WP_HUGETLBFS_SHMEM, "WP_HUGETLBFS_SHMEM", "5.19")

#define STACK_BYTES (8ull << 20)		/* the least that a node takes */
#define STACK_TOP   (DSM_BASE - 0x100000000ull) /* as in the runtime */

static int uffd_open(void)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	return fd < 0 ? -errno : fd;
}

static int try_open(void *arg, char *why, size_t size)
{
	int fd = uffd_open();

	(void)arg;
	if (fd < 0)
		snprintf(why, size, "%s", strerror(-fd));
	return fd < 0 ? fd : 0;
}

static int check_open(struct checks *c)
{
	char why[256];
	int rc = check_child__run(try_open, NULL, 10, why, sizeof(why));

	if (rc) {
		checks__add(c, CHECK_RUN, "userfaultfd", uffd__remedy(rc == -ECHILD ? EPERM : rc),
			    /* a sandbox may end whoever asks */ "opening with UFFD_USER_MODE_ONLY: %s", why);
		return rc;
	}
	checks__add(c, CHECK_RUN, "userfaultfd", NULL, "opens with UFFD_USER_MODE_ONLY, no privilege needed");
	return uffd_open();
}

static void check_features(struct checks *c, int fd)
{
	struct uffdio_api api = {.api = UFFD_API};
	char missing[256] = "", remedy[128];
	const char *since = "";

	if (ioctl(fd, UFFDIO_API, &api)) {
		checks__add(c, CHECK_RUN, "userfaultfd features", "use Linux 6.4 or later", "UFFDIO_API: %s",
			    strerror(errno));
		return;
	}
#define X(bit, name, version)                                                                                \
	if (!(api.features & (bit))) {                                                                       \
		strncat(missing, " " name, sizeof(missing) - strlen(missing) - 1);                           \
		since = version;                                                                             \
	}
	FEATURES(X)
#undef X
	snprintf(remedy, sizeof(remedy), "they came with Linux %s; use 6.4 or later", since);
	checks__add(c, CHECK_RUN, "userfaultfd features", missing[0] ? remedy : NULL,
		    missing[0] ? "missing:%s"
			       : "minor faults, write-protection and SIGBUS on shared memory%s",
		    missing);
}

/* ---- one page's life ---- */

static struct {
	int uffd;
	uint8_t *app;	/* protected view */
	uint8_t *frame; /* the other */
	size_t page;
	volatile sig_atomic_t faults;
	volatile sig_atomic_t error;
	volatile sig_atomic_t write; /* what the next fault is to be answered with */
} life;

static void on_sigbus(int sig)
{
	struct uffdio_continue cont = {.range = {(uint64_t)life.app, life.page},
				       .mode = UFFDIO_CONTINUE_MODE_WP};
	struct uffdio_writeprotect wp = {.range = {(uint64_t)life.app, life.page}};
	int rc;

	(void)sig;
	do
		rc = life.write ? ioctl(life.uffd, UFFDIO_WRITEPROTECT, &wp)
				: ioctl(life.uffd, UFFDIO_CONTINUE, &cont);
	while (rc && errno == EAGAIN);
	if (rc)
		life.error = errno;
	/* Unanswered, or answered and still coming: plain memory ends it, and live_through() sees why. */
	if (rc || ++life.faults > 10)
		mmap(life.app, life.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		     0);
}

static int step(char *why, size_t size, const char *what, int rc)
{
	snprintf(why, size, "%s: %s", what, strerror(rc));
	return -rc;
}

static int set_up(char *why, size_t size)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register reg = {.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR |
					      UFFDIO_REGISTER_MODE_WP};
	int memfd = memfd_create("dsmcheck", MFD_CLOEXEC);

	life.page = (size_t)sysconf(_SC_PAGESIZE);
#define X(bit, name, version) api.features |= (bit);
	FEATURES(X)
#undef X
	if (memfd < 0 || ftruncate(memfd, (off_t)life.page))
		return step(why, size, "memfd_create", errno);
	life.frame = mmap(NULL, life.page, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	life.app = mmap(NULL, life.page, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	if (life.frame == MAP_FAILED || life.app == MAP_FAILED)
		return step(why, size, "mapping a memfd twice", errno);
	life.uffd = uffd_open();
	if (life.uffd < 0)
		return step(why, size, "userfaultfd", -life.uffd);
	if (ioctl(life.uffd, UFFDIO_API, &api))
		return step(why, size, "UFFDIO_API", errno);
	reg.range.start = (uint64_t)life.app;
	reg.range.len = life.page;
	if (ioctl(life.uffd, UFFDIO_REGISTER, &reg))
		return step(why, size, "UFFDIO_REGISTER (missing, minor and write-protect)", errno);
	return 0;
}

/* Opens the page for reading before the handler does: an error has a name here, in a handler only a code. */
static int try_continue(char *why, size_t size)
{
	struct uffdio_continue cont = {.range = {(uint64_t)life.app, life.page},
				       .mode = UFFDIO_CONTINUE_MODE_WP};

	if (ioctl(life.uffd, UFFDIO_CONTINUE, &cont))
		return step(why, size, "UFFDIO_CONTINUE with UFFDIO_CONTINUE_MODE_WP", errno);
	if (madvise(life.app, life.page, MADV_DONTNEED))
		return step(why, size, "taking the page away (MADV_DONTNEED)", errno);
	return 0;
}

static int live_through(void *arg, char *why, size_t size)
{
	struct sigaction sa = {.sa_handler = on_sigbus};
	volatile uint8_t *app, *frame;
	int rc = set_up(why, size);

	(void)arg;
	if (rc)
		return rc;
	app = life.app;
	frame = life.frame;
	frame[7] = 42;
	rc = try_continue(why, size);
	if (rc)
		return rc;
	sigaction(SIGBUS, &sa, NULL);
	if (app[7] != 42 || life.faults != 1)
		return step(why, size, "a read of a closed page, answered in SIGBUS",
			    life.error ? life.error : EIO);
	life.write = true;
	app[7] = 43;
	if (frame[7] != 43 || life.faults != 2)
		return step(why, size, "a write to a read-only page, answered in SIGBUS",
			    life.error ? life.error : EIO);
	if (madvise(life.app, life.page, MADV_DONTNEED))
		return step(why, size, "taking the page away (MADV_DONTNEED)", errno);
	life.write = false;
	if (app[7] != 43 || life.faults != 3)
		return step(why, size, "a page taken away and fetched again", life.error ? life.error : EIO);
	return 0;
}

static void check_life(struct checks *c)
{
	char why[256];
	int rc = check_child__run(live_through, NULL, 10, why, sizeof(why));

	if (!rc)
		checks__add(c, CHECK_RUN, "page protection", NULL,
			    "a page was closed, read, written and taken away by SIGBUS, with "
			    "UFFDIO_CONTINUE_MODE_WP");
	else
		checks__add(c, CHECK_RUN, "page protection",
			    rc == -EINVAL ? "UFFDIO_CONTINUE_MODE_WP came with Linux 6.4: use that or later"
					  : "use Linux 6.4 or later, outside sandboxes that emulate the "
					    "kernel (gVisor)",
			    "%s", why);
}

/* ---- addresses ---- */

static int map_region(void *arg, char *why, size_t size)
{
	uint64_t bytes = *(uint64_t *)arg;
	int memfd = memfd_create("dsmcheck", MFD_CLOEXEC);

	if (memfd < 0 || ftruncate(memfd, (off_t)bytes))
		return step(why, size, "memfd_create", errno);
	if (mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memfd, 0) == MAP_FAILED)
		return step(why, size, "the runtime's view", errno);
	if (mmap((void *)DSM_BASE, bytes, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, memfd, 0) != (void *)DSM_BASE)
		return step(why, size, "the program's view at its address", errno);
	return 0;
}

static int map_stack(void *arg, char *why, size_t size)
{
	uint8_t *low = (uint8_t *)STACK_TOP - STACK_BYTES;

	(void)arg;
	if (mmap(low, STACK_BYTES, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) != low)
		return step(why, size, "mapping it", errno);
	*(volatile uint8_t *)(low + STACK_BYTES - 8) = 1;
	return 0;
}

static void check_addresses(struct checks *c)
{
	static struct run_options options; /* two paths: too large for a stack's taste */
	char why[256];
	uint64_t bytes;
	int rc;

	if (options__from_env(&options, why, sizeof(why))) {
		checks__add(c, CHECK_RUN, "DSM address range", "correct the DSM_* variable", "%s", why);
		return;
	}
	bytes = options.heap_bytes;
	rc = check_child__run(map_region, &bytes, 10, why, sizeof(why));
	checks__add(c, CHECK_RUN, "DSM address range",
		    !rc ? NULL
		    : rc == -EFBIG
			    ? "raise the limit of file size (ulimit -f): shared memory counts as a file"
		    : rc == -ENOMEM ? "lift the limit (ulimit -v unlimited; vm.overcommit_memory other than "
				      "2), or make the DSM "
				      "smaller (dsmrun --heap)"
				    : "something occupies that range (a sanitizer, a preloaded library): "
				      "build with another DSM_BASE",
		    rc ? "%llu MiB at %#llx, twice: %s" : "%llu MiB at %#llx are free%s",
		    (unsigned long long)bytes >> 20, (unsigned long long)DSM_BASE, why);
	rc = check_child__run(map_stack, NULL, 10, why, sizeof(why));
	checks__add(c, CHECK_RUN, "stack address range",
		    rc ? "something occupies that range: build with another DSM_BASE, or lift ulimit -v"
		       : NULL,
		    rc ? "8 MiB below %#llx: %s" : "8 MiB below %#llx are free%s",
		    (unsigned long long)STACK_TOP, why);
}

static void check_machine(struct checks *c)
{
	struct utsname u;
	long page = sysconf(_SC_PAGESIZE);

	if (uname(&u))
		memset(&u, 0, sizeof(u));
	checks__add(c, CHECK_RUN, "machine",
		    strcmp(u.machine, "x86_64") ? "the runtime is written for x86-64" : NULL, "%s, Linux %s",
		    u.machine, u.release);
	checks__add(c, CHECK_RUN, "page size",
		    page == DSM_PAGE_BYTES ? NULL : "use a kernel with 4 KiB pages", "%ld bytes", page);
}

static void check_memfd(struct checks *c)
{
	int fd = memfd_create("dsmcheck", MFD_CLOEXEC);
	bool ok = fd >= 0 && !ftruncate(fd, 1 << 20);
	int err = errno;

	if (fd >= 0)
		close(fd);
	checks__add(c, CHECK_RUN, "memfd",
		    ok ? NULL
		    : err == EFBIG
			    ? "raise the limit of file size (ulimit -f): shared memory counts as a file"
			    : "allow memfd_create, and shared memory, in the sandbox",
		    "%s", ok ? "shared memory without a file" : strerror(err));
}

void check_memory(struct checks *c)
{
	int fd;

	check_machine(c);
	check_memfd(c);
	fd = check_open(c);
	if (fd >= 0) {
		check_features(c, fd);
		close(fd);
		check_life(c);
	}
	check_addresses(c);
}
