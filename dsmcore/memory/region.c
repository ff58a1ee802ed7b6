/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * region.c - one memfd, mapped twice (see region.h).
 *
 * The mutator's view is registered with userfaultfd for missing, minor and write-protect faults, with
 * UFFD_FEATURE_SIGBUS: a fault becomes a SIGBUS in the faulting thread, which then resolves it itself; no
 * handler thread has to be woken, and the kernel keeps one VMA however the rights alternate (mprotect
 * splits them and dies at about 32,000). Rights map to page-table states so:
 *
 *	NONE   no entry        -> any access is a minor fault   (MADV_DONTNEED; the memfd keeps the data)
 *	READ   entry, uffd-wp  -> a write is a write-protect fault
 *	WRITE  plain entry
 *
 * But for long rows of pages that are opened and closed together, READ and WRITE are rights of their mapping: coarse.c.
 *
 * A hole in the memfd would be a missing fault, which UFFDIO_CONTINUE cannot resolve; so a page is touched
 * through the runtime's view before it is opened for the first time.
 */
#include "dsmcore/memory/region.h"

#include "dsmcore/memory/coarse.h"
#include "dsmcore/memory/uffd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than Debian 12's headers; what the kernel has is asked at run time. */
#ifndef UFFDIO_CONTINUE_MODE_WP
#define UFFDIO_CONTINUE_MODE_WP ((uint64_t)1 << 1)
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

#define LARGE	 ((size_t)2 << 20)
#define GAP_MOST 256u /* pages between rows that are opened and closed together */

struct region {
	int memfd, uffd;
	uint64_t bytes;
	uint8_t *app;	  /* the mutator's view */
	uint8_t *frames;  /* the runtime's view */
	uint8_t *rights;  /* per page: enum core_rights as set in the app view */
	uint8_t *present; /* per page: the memfd has it */
	struct coarse *coarse;
};

static int uffd_open(void)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	return fd < 0 ? -errno : fd;
}

static int uffd_ask(int fd)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_SIGBUS | UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_PAGEFAULT_FLAG_WP |
			    UFFD_FEATURE_WP_HUGETLBFS_SHMEM | UFFD_FEATURE_MISSING_SHMEM,
	};
	return ioctl(fd, UFFDIO_API, &api) ? -errno : 0;
}

static void *map_anonymous(size_t bytes)
{
	void *p =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* At an address that allows large pages. */
static int map_frames(struct region *r)
{
	uint8_t *room =
		mmap(NULL, r->bytes + LARGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *at = (uint8_t *)(((uintptr_t)room + LARGE - 1) & ~(uintptr_t)(LARGE - 1));

	if (room == MAP_FAILED)
		return -errno;
	if (at > room)
		munmap(room, (size_t)(at - room));
	if (room + LARGE > at)
		munmap(at + r->bytes, (size_t)(room + LARGE - at));
	r->frames = mmap(at, r->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED,
			 r->memfd, 0);
	if (r->frames != MAP_FAILED)
		return 0;
	int err = -errno;

	r->frames = NULL;
	munmap(at, r->bytes);
	return err;
}

static int map_views(struct region *r)
{
	int err = map_frames(r);

	if (err)
		return err;
	r->app = mmap((void *)DSM_BASE, r->bytes, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, r->memfd, 0);
	if (r->app == MAP_FAILED) {
		r->app = NULL;
		return -errno;
	}
	/* Huge pages would make one page's rights those of 512. */
	madvise(r->app, r->bytes, MADV_NOHUGEPAGE);
	/* The children of a program must not inherit a view whose faults nobody resolves. */
	madvise(r->app, r->bytes, MADV_DONTFORK);
	r->rights = map_anonymous(r->bytes >> DSM_PAGE_LOG2);
	r->present = map_anonymous(r->bytes >> DSM_PAGE_LOG2);
	return r->rights && r->present ? 0 : -ENOMEM;
}

static int watch(struct region *r)
{
	struct uffdio_register reg = {
		.range = {.start = (uint64_t)r->app, .len = r->bytes},
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_WP,
	};

	if (ioctl(r->uffd, UFFDIO_REGISTER, &reg))
		return -errno;
	uint64_t want = 1ull << _UFFDIO_CONTINUE | 1ull << _UFFDIO_WRITEPROTECT;

	return (reg.ioctls & want) == want ? 0 : -ENOTSUP;
}

static const char *remedy(int err)
{
	switch (err) {
	case -ENOMEM:
		return "use a smaller --heap (DSM_HEAP), or raise the limit of address space (ulimit -v)";
	case -EFBIG: /* to the kernel shared memory is a file */
		return "use a smaller --heap (DSM_HEAP), or raise the limit of file size (ulimit -f)";
	default:
		return "run `dsmcheck` to see what this machine lacks";
	}
}

int region__open(struct region **out, uint64_t bytes, char *why, size_t size)
{
	struct region *r = calloc(1, sizeof(*r));
	const char *what = "memory", *(*fix)(int) = remedy;
	int err = -ENOMEM;

	if (!r)
		goto out;
	r->bytes = bytes;
	r->uffd = -1;
	what = "memfd_create";
	r->memfd = memfd_create("procope-dsm", MFD_CLOEXEC);
	if (r->memfd < 0 || ftruncate(r->memfd, (off_t)bytes)) {
		err = -errno;
		goto out;
	}
	what = "mapping the DSM at its address";
	if ((err = map_views(r)))
		goto out;
	what = "the system call userfaultfd";
	fix = uffd__remedy;
	r->uffd = err = uffd_open();
	if (err < 0)
		goto out;
	fix = remedy;
	what = "userfaultfd with minor faults, write-protection and SIGBUS on shared memory";
	err = uffd_ask(r->uffd);
	if (!err)
		err = watch(r);
	if (!err)
		err = coarse__open(&r->coarse, r->uffd, r->app, r->frames, (uint32_t)(bytes >> DSM_PAGE_LOG2),
				   r->rights);
out:
	if (err) {
		snprintf(why, size, "%s (%llu MiB): %s; %s", what, (unsigned long long)(bytes >> 20),
			 strerror(-err), fix(err));
		region__close(r);
		return err;
	}
	*out = r;
	return 0;
}

void region__close(struct region *r)
{
	if (!r)
		return;
	coarse__close(r->coarse);
	if (r->app)
		munmap(r->app, r->bytes);
	if (r->frames)
		munmap(r->frames, r->bytes);
	if (r->rights)
		munmap(r->rights, r->bytes >> DSM_PAGE_LOG2);
	if (r->present)
		munmap(r->present, r->bytes >> DSM_PAGE_LOG2);
	if (r->uffd >= 0)
		close(r->uffd);
	if (r->memfd >= 0)
		close(r->memfd);
	free(r);
}

static int take_all(struct region *r, uint32_t page, uint32_t count)
{
	void *at = r->app + ((uint64_t)page << DSM_PAGE_LOG2);
	size_t bytes = (uint64_t)count << DSM_PAGE_LOG2;

	if (!madvise(at, bytes, MADV_DONTNEED))
		return 0;
	/* The program has locked its memory. */
	return errno == EINVAL && !madvise(at, bytes, MADV_DONTNEED_LOCKED) ? 0 : -errno;
}

static int open_pages(struct region *r, uint32_t page, uint32_t count, bool write)
{
	for (uint32_t p = page; p < page + count; p++) {
		if (r->present[p])
			continue;
		/* A write, though of what is there: a read of a hole would not allocate it. */
		__atomic_fetch_add(r->frames + ((uint64_t)p << DSM_PAGE_LOG2), 0, __ATOMIC_RELAXED);
		r->present[p] = 1;
	}
	struct uffdio_continue c = {
		.range = {.start = (uint64_t)r->app + ((uint64_t)page << DSM_PAGE_LOG2),
			  .len = (uint64_t)count << DSM_PAGE_LOG2},
		.mode = write || coarse__has(r->coarse, page) ? 0 : UFFDIO_CONTINUE_MODE_WP,
	};
	while (ioctl(r->uffd, UFFDIO_CONTINUE, &c))
		if (errno != EAGAIN)
			return -errno;
	return 0;
}

static int set_write(struct region *r, uint32_t page, uint32_t count, bool write)
{
	struct uffdio_writeprotect wp = {
		.range = {.start = (uint64_t)r->app + ((uint64_t)page << DSM_PAGE_LOG2),
			  .len = (uint64_t)count << DSM_PAGE_LOG2},
		.mode = write ? 0 : UFFDIO_WRITEPROTECT_MODE_WP,
	};
	while (ioctl(r->uffd, UFFDIO_WRITEPROTECT, &wp))
		if (errno != EAGAIN)
			return -errno;
	return 0;
}

/* A run of fine pages that all have the same rights now. */
static int protect_fine(struct region *r, uint32_t page, uint32_t count, enum core_rights from,
			enum core_rights to)
{
	if (to == CORE_NONE)
		return take_all(r, page, count);
	/* The kernel takes the mark away, but leaves the entry to trap once more; cheaper to make it anew. */
	if (from == CORE_READ && count > 1) {
		int err = take_all(r, page, count);

		if (err)
			return err;
		from = CORE_NONE;
	}
	if (from == CORE_NONE)
		return open_pages(r, page, count, to == CORE_WRITE);
	return set_write(r, page, count, to == CORE_WRITE);
}

/* A run of pages of a block that is or is not coarse; if it is, the mapping is as it shall be. */
static int protect_run(struct region *r, uint32_t page, uint32_t count, enum core_rights from,
		       enum core_rights to)
{
	if (!coarse__has(r->coarse, page))
		return protect_fine(r, page, count, from, to);
	if (to == CORE_NONE)
		return take_all(r, page, count);
	return from == CORE_NONE ? open_pages(r, page, count, to == CORE_WRITE) : 0;
}

/* One past the last page from `page` on that has the same rights. */
static uint32_t same_rights(const struct region *r, uint32_t page, uint32_t end)
{
	uint64_t all = 0x0101010101010101ull * r->rights[page], eight;

	for (; end - page >= sizeof(eight); page += sizeof(eight)) {
		memcpy(&eight, r->rights + page, sizeof(eight));
		if (eight != all)
			break;
	}
	for (uint8_t first = (uint8_t)all; page < end && r->rights[page] == first;)
		page++;
	return page;
}

static int protect_row(struct region *r, const struct region_row *row, enum core_rights to)
{
	uint32_t page = row->page, end = page + row->count, n;

	for (; page < end; page += n) {
		enum core_rights from = r->rights[page];
		int err;

		n = coarse__same(r->coarse, page, end) - page;
		n = same_rights(r, page, page + n) - page;
		if (from == to)
			continue;
		err = protect_run(r, page, n, from, to);
		if (err)
			return err;
		memset(r->rights + page, to, n);
	}
	return 0;
}

static bool all_are(const struct region *r, uint32_t page, uint32_t end, enum core_rights rights)
{
	return page == end || (r->rights[page] == rights && same_rights(r, page, end) == end);
}

/* Rows with nothing but closed pages between them are one to a mapping: closed pages have no entry, so there
 * it does not matter what the mapping allows. One past the last that belongs to the first. */
static size_t group_end(const struct region *r, const struct region_row *row, size_t n)
{
	size_t i = 1;

	for (; i < n; i++) {
		uint32_t gap = row[i - 1].page + row[i - 1].count;

		if (row[i].page - gap > GAP_MOST || !all_are(r, gap, row[i].page, CORE_NONE))
			break;
	}
	return i;
}

static int protect_group(struct region *r, const struct region_row *row, size_t n, enum core_rights to)
{
	uint32_t page = row->page, count = row[n - 1].page + row[n - 1].count - page;
	int err = 0;

	if (n == 1 && all_are(r, page, page + count, to))
		return 0;
	if (to == CORE_WRITE)
		err = coarse__take(r->coarse, page, count);
	if (to != CORE_NONE && !err)
		err = coarse__set(r->coarse, page, count, to == CORE_WRITE);
	for (size_t i = 0; i < n && !err; i++)
		err = protect_row(r, &row[i], to);
	return err;
}

int region__protect_rows(struct region *r, const struct region_row *row, size_t n, enum core_rights to)
{
	int err = 0;

	for (size_t i = 0, members; i < n && !err; i += members) {
		members = to == CORE_NONE ? 1 : group_end(r, row + i, n - i);
		err = protect_group(r, row + i, members, to);
	}
	return err;
}

int region__protect(struct region *r, uint32_t page, uint32_t count, enum core_rights to)
{
	struct region_row row = {page, count};

	return region__protect_rows(r, &row, 1, to);
}

int region__coarse(struct region *r, bool allow)
{
	return coarse__allow(r->coarse, allow);
}

int region__open_again(struct region *r, uint32_t page, enum core_rights to)
{
	bool coarse = coarse__has(r->coarse, page);

	if (coarse && r->rights[page] != to)
		return region__protect(r, page, 1, to);
	int err = open_pages(r, page, 1, to == CORE_WRITE);

	if (err == -EEXIST && coarse)
		return 0;
	if (err == -EEXIST)
		err = set_write(r, page, 1, to == CORE_WRITE);
	if (!err)
		r->rights[page] = (uint8_t)to;
	return err;
}

enum core_rights region__rights(const struct region *r, uint32_t page)
{
	return r->rights[page];
}

uint8_t *region__frame(struct region *r, uint32_t page)
{
	return r->frames + ((uint64_t)page << DSM_PAGE_LOG2);
}

int64_t region__offset(const struct region *r, const void *address)
{
	uint64_t at = (uint64_t)address - (uint64_t)r->app;

	return at < r->bytes ? (int64_t)at : -1;
}

void *region__address(const struct region *r, uint64_t offset)
{
	return r->app + offset;
}

uint64_t region__bytes(const struct region *r)
{
	return r->bytes;
}
