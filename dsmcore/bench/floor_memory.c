/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * floor_memory.c - the bare fault handler, and the bare search for changes.
 *
 * The handler's memory is a memfd mapped twice, as small as the mechanism allows: one view that faults, one
 * that is always open. All its pages exist, so an access costs the signal, UFFDIO_CONTINUE and, with a wire,
 * the fetch in between: nothing else.
 */
#include "dsmcore/bench/floor.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

#define PAGES 1024u
#define STACK 1024u

struct floor_trap {
	int memfd, uffd, fd;
	uint8_t *view, *frames;
	unsigned next;
	bool spin, failed;
	struct sigaction before;
};

static struct floor_trap *active;

/* ---- trap ---- */

/* libdsm.so wraps sigaction() and keeps SIGBUS for itself; the floor needs it for a moment, from libc. */
static int libc_sigaction(int sig, const struct sigaction *action, struct sigaction *old)
{
	static __typeof__(sigaction) *call;

	if (!call) {
		void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

		call = libc ? (__typeof__(call))dlsym(libc, "sigaction") : NULL;
	}
	return call && !call(sig, action, old) ? 0 : -ENOSYS;
}

static void on_bus(int sig, siginfo_t *info, void *context)
{
	struct floor_trap *t = active;
	uint64_t at = (uint64_t)info->si_addr - (uint64_t)t->view;
	struct uffdio_continue c = {.range.len = FLOOR_PAGE};
	int saved = errno;

	(void)context;
	if (at >= (uint64_t)PAGES * FLOOR_PAGE) { /* not ours: let it fault again, and kill */
		struct sigaction dfl = {.sa_handler = SIG_DFL};

		libc_sigaction(sig, &dfl, NULL);
		return;
	}
	at &= ~(uint64_t)(FLOOR_PAGE - 1);
	if (t->fd >= 0 && floor_wire__fetch(t->fd, t->frames + at, t->spin))
		t->failed = true;
	c.range.start = (uint64_t)t->view + at;
	if (ioctl(t->uffd, UFFDIO_CONTINUE, &c))
		_exit(1);
	errno = saved;
}

static int watch(struct floor_trap *t, size_t bytes)
{
	struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_SIGBUS | UFFD_FEATURE_MINOR_SHMEM};
	struct uffdio_register r = {.range = {.start = (uint64_t)t->view, .len = bytes},
				    .mode = UFFDIO_REGISTER_MODE_MINOR};

	t->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (t->uffd < 0 || ioctl(t->uffd, UFFDIO_API, &api) || ioctl(t->uffd, UFFDIO_REGISTER, &r))
		return -errno;
	return 0;
}

static int map(struct floor_trap *t, size_t bytes)
{
	t->memfd = memfd_create("dsmbench-floor", MFD_CLOEXEC);
	if (t->memfd < 0 || ftruncate(t->memfd, (off_t)bytes))
		return -errno;
	t->frames = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, t->memfd, 0);
	t->view = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, t->memfd, 0);
	if (t->frames == MAP_FAILED || t->view == MAP_FAILED)
		return -errno;
	madvise(t->view, bytes, MADV_NOHUGEPAGE);
	memset(t->frames, 1, bytes); /* a hole would be another kind of fault */
	return watch(t, bytes);
}

int floor_trap__open(struct floor_trap **out)
{
	struct floor_trap *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	t->memfd = t->uffd = t->fd = -1;
	t->view = t->frames = MAP_FAILED;
	rc = map(t, (size_t)PAGES * FLOOR_PAGE);
	if (rc)
		floor_trap__close(t);
	else
		*out = t;
	return rc;
}

void floor_trap__close(struct floor_trap *t)
{
	if (!t)
		return;
	if (t->view != MAP_FAILED)
		munmap(t->view, (size_t)PAGES * FLOOR_PAGE);
	if (t->frames != MAP_FAILED)
		munmap(t->frames, (size_t)PAGES * FLOOR_PAGE);
	if (t->uffd >= 0)
		close(t->uffd);
	if (t->memfd >= 0)
		close(t->memfd);
	free(t);
}

int floor_trap__enter(struct floor_trap *t)
{
	struct sigaction sa = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};

	sigemptyset(&sa.sa_mask);
	active = t;
	return libc_sigaction(SIGBUS, &sa, &t->before);
}

void floor_trap__leave(struct floor_trap *t)
{
	libc_sigaction(SIGBUS, &t->before, NULL);
	active = NULL;
}

uint64_t floor_trap__access(struct floor_trap *t, int fd, bool spin)
{
	/* A stride through the pages that no cache guesses. */
	uint8_t *page = t->view + (size_t)(t->next = (t->next + 421) % PAGES) * FLOOR_PAGE;
	uint64_t start, took;

	t->fd = fd;
	t->spin = spin;
	t->failed = false;
	if (madvise(page, FLOOR_PAGE, MADV_DONTNEED))
		return 0;
	start = floor__now();
	(void)*(volatile uint64_t *)page;
	took = floor__now() - start;
	return t->failed ? 0 : took;
}

/* ---- compare ---- */

struct floor_compare {
	uint8_t *frames, *twins;
	unsigned pages;
	uint64_t value;
	uint8_t stack[STACK], copy[STACK];
};

int floor_compare__open(struct floor_compare **out, unsigned pages)
{
	struct floor_compare *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->pages = pages;
	c->frames = aligned_alloc(FLOOR_PAGE, (size_t)pages * FLOOR_PAGE);
	c->twins = aligned_alloc(FLOOR_PAGE, (size_t)pages * FLOOR_PAGE);
	if (!c->frames || !c->twins) {
		floor_compare__close(c);
		return -ENOMEM;
	}
	memset(c->frames, 0, (size_t)pages * FLOOR_PAGE);
	memset(c->twins, 0, (size_t)pages * FLOOR_PAGE);
	*out = c;
	return 0;
}

void floor_compare__close(struct floor_compare *c)
{
	if (!c)
		return;
	free(c->frames);
	free(c->twins);
	free(c);
}

/* The word that changes stands in the middle, so two comparisons see the whole page. */
static void compare_page(uint8_t *frame, uint8_t *twin, uint64_t value)
{
	const size_t half = FLOOR_PAGE / 2, rest = half + sizeof(value);

	memcpy(frame + half, &value, sizeof(value));
	if (memcmp(frame, twin, half) == 0 && memcmp(frame + half, twin + half, sizeof(value)) != 0 &&
	    memcmp(frame + rest, twin + rest, FLOOR_PAGE - rest) == 0)
		memcpy(twin + half, &value, sizeof(value));
}

void floor_compare__once(struct floor_compare *c)
{
	c->value++;
	memcpy(c->copy, c->stack, sizeof(c->stack));
	__asm__ volatile("" ::: "memory"); /* the copy is needed, for all the compiler knows */
	for (unsigned i = 0; i < c->pages; i++)
		compare_page(c->frames + (size_t)i * FLOOR_PAGE, c->twins + (size_t)i * FLOOR_PAGE, c->value);
}
