/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * yield.c - preloaded into the nodes of races.sh: makes threads stand still where others may not expect it.
 *
 * Between two threads that look at the same page through two views no tool sees a race: the addresses differ.
 * So they are provoked, and their results checked. Two ways:
 *  - at any instruction: each thread is interrupted at random times by a timer of its own and sleeps a
 * little, in the middle of a store, of a diff, of a copy of a twin, of a signal handler;
 *  - before and after each change of a page's rights (ioctl, madvise) and around each lock.
 *
 * YIELD=seed chooses the moments. YIELD_BREAK=close (pages) or protect (against writing) leaves out one
 * change of rights in about 64, which the test must notice: else it proves nothing.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#define EXPORT	  __attribute__((visibility("default")))
#define TICK	  (SIGRTMIN + 5)
#define TICK_US	  400 /* between two interruptions of a thread, on average */
#define SLEEP_US  120 /* at most */
#define BREAK_ONE 64
#define DSM_LOW	  0x200000000000ull /* a change of rights there is one of the DSM */
#define DSM_HIGH  0x300000000000ull

static uint64_t seed;
static enum { WHOLE, CLOSE, PROTECT } broken;
static __thread uint64_t state __attribute__((tls_model("initial-exec")));
static __thread timer_t timer __attribute__((tls_model("initial-exec")));
static __thread bool ticking __attribute__((tls_model("initial-exec")));

static uint32_t draw(uint32_t limit)
{
	uint64_t z;

	if (!state)
		state = seed * 0x9e3779b97f4a7c15ull + (uint64_t)syscall(SYS_gettid);
	z = state += 0x9e3779b97f4a7c15ull;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	return (uint32_t)((z >> 32) % limit);
}

static void stand_still(uint32_t us)
{
	struct timespec t = {.tv_nsec = (long)us * 1000};

	syscall(SYS_nanosleep, &t, NULL);
}

/* One in `rate` times. */
static void maybe(uint32_t rate)
{
	int saved = errno;

	if (seed && draw(rate) == 0)
		stand_still(draw(SLEEP_US));
	errno = saved;
}

/* ---- at any instruction ---- */

static void arm(void)
{
	struct itimerspec t = {.it_value.tv_nsec = 1000l * (1 + draw(2 * TICK_US))};

	syscall(SYS_timer_settime, timer, 0, &t, NULL);
}

static void on_tick(int sig)
{
	int saved = errno;

	(void)sig;
	stand_still(draw(SLEEP_US));
	arm();
	errno = saved;
}

static void start_ticking(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = TICK};
	sigset_t set;

	if (!seed)
		return;
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer))
		abort();
	ticking = true;
	sigemptyset(&set);
	sigaddset(&set, TICK);
	syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, NULL, sizeof(uint64_t));
	arm();
}

struct start {
	void *(*fn)(void *);
	void *arg;
};

static void *run(void *arg)
{
	struct start s = *(struct start *)arg;

	free(arg);
	start_ticking();
	return s.fn(s.arg);
}

#define NEXT(name)                                                                                           \
	static __typeof__(name) *next;                                                                       \
	if (!next)                                                                                           \
	next = (__typeof__(next))dlsym(RTLD_NEXT, #name)

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	NEXT(pthread_create);
	struct start *s = malloc(sizeof(*s));

	if (!s)
		return EAGAIN;
	*s = (struct start){fn, arg};
	return next(thread, attr, run, s);
}

__attribute__((constructor)) static void begin(void)
{
	const char *text = getenv("YIELD"), *what = getenv("YIELD_BREAK");
	struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
	int (*install)(int, const struct sigaction *, struct sigaction *) = NULL;
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), *at;

	if (!text || !libc)
		return;
	seed = strtoull(text, NULL, 10) + 1;
	broken = !what ? WHOLE : !strcmp(what, "close") ? CLOSE : !strcmp(what, "protect") ? PROTECT : WHOLE;
	/* libc's own: to libdsm this is no signal of the program. */
	at = dlsym(libc, "sigaction");
	memcpy(&install, &at, sizeof(install));
	install(TICK, &action, NULL);
	start_ticking();
}

/* ---- at changes of rights and at locks ---- */

static bool left_out(uint64_t address)
{
	return address >= DSM_LOW && address < DSM_HIGH && draw(BREAK_ONE) == 0;
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	struct uffdio_writeprotect *wp;
	va_list args;
	void *arg;
	int rc;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	wp = arg;
	if (request == UFFDIO_WRITEPROTECT && broken == PROTECT && wp->mode & UFFDIO_WRITEPROTECT_MODE_WP &&
	    left_out(wp->range.start))
		return 0;
	maybe(6);
	rc = (int)syscall(SYS_ioctl, fd, request, arg);
	maybe(6);
	return rc;
}

EXPORT int madvise(void *at, size_t bytes, int advice)
{
	int rc;

	if (advice == MADV_DONTNEED && broken == CLOSE && left_out((uint64_t)at))
		return 0;
	maybe(6);
	rc = (int)syscall(SYS_madvise, at, bytes, advice);
	maybe(6);
	return rc;
}

EXPORT int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	NEXT(pthread_mutex_lock);
	int rc;

	maybe(40);
	rc = next(mutex);
	maybe(40);
	return rc;
}

EXPORT int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	NEXT(pthread_mutex_unlock);
	int rc = next(mutex);

	maybe(40);
	return rc;
}
