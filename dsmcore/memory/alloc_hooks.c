/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alloc_hooks.c - the malloc family, interposed: inside a transaction an abort frees what the attempt has
 * allocated, and what the attempt frees stays until the commit.
 *
 * Only the log is undone. malloc's own book-keeping is private memory that an abort does not restore; since
 * an abort never happens inside libc or libdsm, it is consistent at every abort, and the log's undo is made
 * of plain frees.
 *
 * Whose allocations are undone? Those of the program and its libraries, not those that libc (or the loader)
 * makes for itself: the buffer that the first printf() gives to stdout, a FILE, the time zone, a thread's
 * storage stay in use whatever becomes of the attempt, and freeing them would leave libc with dangling
 * pointers. The caller's return address tells the two apart. Of libc's functions that allocate on behalf of
 * the program, qsort() and the strdup() family are known by name; what others (getline(), asprintf()) give is
 * not undone: an aborted attempt leaks it, as it leaks an open file. qsort() must be known because its
 * callback is program text, where an abort may strike while qsort's buffer is allocated.
 *
 * What an attempt allocates and frees again is freed at once: nobody before the attempt knew it. So a loop of
 * malloc() and free() in a long transaction stays small. The table of these births is the mutator's own and
 * lives outside the stack. An attempt's log has one entry for all of them. Attempts are numbered, because a
 * function deferred with dsm_defer() may run a transaction of its own while the log of the one before is
 * being worked off.
 */
#include "dsmcore/memory/alloc_hooks.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/sanitizer.h"

/* initial-exec: the first access must not allocate, since malloc() makes it */
#define TLS static __thread __attribute__((tls_model("initial-exec")))

TLS pid_t thread_id;

SANITIZER_NO_THREADS bool alloc_hooks__mutator(void)
{
	if (!thread_id)
		thread_id = (pid_t)syscall(SYS_gettid);
	return thread_id == node.mutator;
}

#if defined(DSM_ASAN) || defined(DSM_TSAN)

void alloc_hooks__enter(void)
{
}

void alloc_hooks__leave(void)
{
}

void alloc_hooks__attempt(void)
{
}

#else

#include <dlfcn.h>
#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>

#include "dsm.h"
#include "dsmcore/runtime/txlog.h"

/* glibc's own names for its allocator: there from the first instruction, unlike what dlsym() finds */
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void *__libc_valloc(size_t);
void *__libc_pvalloc(size_t);
void __libc_free(void *);

TLS unsigned guards;

void alloc_hooks__enter(void)
{
	guards++;
}

void alloc_hooks__leave(void)
{
	if (guards)
		guards--;
}

/* ---- who calls? ---- */

struct range {
	uintptr_t start, end;
};

#define KNOWN 4
static struct {
	struct range own, libc, loader;
	struct range known[KNOWN]; /* functions of libc that allocate for their caller */
	bool ready;
} text;

static bool within(struct range r, const void *pc)
{
	return (uintptr_t)pc >= r.start && (uintptr_t)pc < r.end;
}

static int read_text(struct dl_phdr_info *info, size_t size, void *arg)
{
	static const void *const marks[] = {alloc_hooks__enter, __libc_malloc};
	const char *base = strrchr(info->dlpi_name, '/');

	(void)size, (void)arg;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;
		struct range r = {at, at + p->p_memsz};

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		if (within(r, marks[0]))
			text.own = r;
		else if (within(r, marks[1]))
			text.libc = r;
		else if (base && !strncmp(base, "/ld-", 4))
			text.loader = r;
	}
	return 0;
}

__attribute__((constructor)) static void learn_callers(void)
{
	static const char *const names[KNOWN] = {"qsort_r", "strdup", "strndup", "wcsdup"};

	dl_iterate_phdr(read_text, NULL);
	for (int i = 0; i < KNOWN; i++) {
		void *at = dlsym(RTLD_NEXT, names[i]);
		const ElfW(Sym) *symbol = NULL;
		Dl_info info;

		if (at && dladdr1(at, &info, (void **)&symbol, RTLD_DL_SYMENT) && symbol)
			text.known[i] = (struct range){(uintptr_t)at, (uintptr_t)at + symbol->st_size};
	}
	text.ready = true;
}

/* Is this call the mutator's program's, inside a transaction? */
static bool logged(const void *pc)
{
	return text.ready && node.started && !guards && dsm_in_tx() && alloc_hooks__mutator() &&
	       !within(text.own, pc);
}

static bool for_libc_itself(const void *pc)
{
	if (!within(text.libc, pc) && !within(text.loader, pc))
		return false;
	for (int i = 0; i < KNOWN; i++)
		if (within(text.known[i], pc))
			return false;
	return true;
}

/* ---- births: what the running attempt has allocated ---- */

static struct {
	uint64_t attempt;   /* number of the running one */
	uint64_t of;	    /* the attempt that the table is about */
	uintptr_t *slot;    /* addresses and KEEP; open addressing, 0 = free */
	size_t room, count; /* room is a power of two */
} births = {.attempt = 1};

#define KEEP ((uintptr_t)1) /* libc's own: known, so that its free() can be done at once, but not undone */

static size_t home(uintptr_t p)
{
	return ((p & ~KEEP) * 0x9e3779b97f4a7c15u >> 24) & (births.room - 1);
}

static void insert(uintptr_t p)
{
	size_t i = home(p);

	while (births.slot[i])
		i = (i + 1) & (births.room - 1);
	births.slot[i] = p;
	births.count++;
}

static void grow(void)
{
	uintptr_t *old = births.slot;
	size_t room = births.room;

	births.room = room ? 2 * room : 256;
	births.slot = __libc_calloc(births.room, sizeof(*births.slot));
	if (!births.slot)
		node__fatal(NULL, "out of memory for the log of a transaction's allocations");
	births.count = 0;
	for (size_t i = 0; i < room; i++)
		if (old[i])
			insert(old[i]);
	__libc_free(old);
}

static void forget_all(void)
{
	if (births.count)
		memset(births.slot, 0, births.room * sizeof(*births.slot));
	births.count = 0;
}

static void commit_births(const void *arg)
{
	if (births.of != *(const uint64_t *)arg)
		return;
	forget_all();
	births.of = 0;
}

static void abort_births(const void *arg)
{
	if (births.of != *(const uint64_t *)arg)
		return;
	for (size_t i = 0; i < births.room; i++)
		if (births.slot[i] && !(births.slot[i] & KEEP))
			__libc_free((void *)births.slot[i]);
	forget_all();
	births.of = 0;
}

static void remember(void *p, uintptr_t keep)
{
	if (births.of != births.attempt) {
		forget_all();
		births.of = births.attempt;
		alloc_hooks__enter();
		txlog__push(commit_births, abort_births, &births.attempt, sizeof(births.attempt));
		alloc_hooks__leave();
	}
	if (2 * (births.count + 1) > births.room)
		grow();
	insert((uintptr_t)p | keep);
}

/* Was p born in this attempt? Then it is no longer known afterwards. *keep: KEEP or 0. */
static bool forget(const void *p, uintptr_t *keep)
{
	size_t mask = births.room - 1, gap;

	if (!births.count || births.of != births.attempt)
		return false;
	for (gap = home((uintptr_t)p); (births.slot[gap] & ~KEEP) != (uintptr_t)p; gap = (gap + 1) & mask)
		if (!births.slot[gap])
			return false;
	*keep = births.slot[gap] & KEEP;
	for (size_t i = (gap + 1) & mask; births.slot[i]; i = (i + 1) & mask) {
		if (((i - home(births.slot[i])) & mask) < ((i - gap) & mask))
			continue;
		births.slot[gap] = births.slot[i];
		gap = i;
	}
	births.slot[gap] = 0;
	births.count--;
	return true;
}

void alloc_hooks__attempt(void)
{
	guards = 0;
	births.attempt++;
}

static void free_now(const void *arg)
{
	__libc_free(*(void *const *)arg);
}

static void free_later(void *p)
{
	alloc_hooks__enter();
	txlog__push(free_now, NULL, &p, sizeof(p));
	alloc_hooks__leave();
}

/* ---- the family ---- */

static void *born(void *p, const void *pc)
{
	if (p && logged(pc))
		remember(p, for_libc_itself(pc) ? KEEP : 0);
	return p;
}

#define CALLER __builtin_return_address(0)

DSM_API void *malloc(size_t bytes)
{
	return born(__libc_malloc(bytes), CALLER);
}

DSM_API void *calloc(size_t n, size_t bytes)
{
	return born(__libc_calloc(n, bytes), CALLER);
}

DSM_API void *memalign(size_t alignment, size_t bytes)
{
	return born(__libc_memalign(alignment, bytes), CALLER);
}

DSM_API void *aligned_alloc(size_t alignment, size_t bytes)
{
	return born(__libc_memalign(alignment, bytes), CALLER);
}

DSM_API void *valloc(size_t bytes)
{
	return born(__libc_valloc(bytes), CALLER);
}

DSM_API void *pvalloc(size_t bytes)
{
	return born(__libc_pvalloc(bytes), CALLER);
}

DSM_API int posix_memalign(void **out, size_t alignment, size_t bytes)
{
	int saved = errno;
	void *p;

	if (alignment < sizeof(void *) || alignment & (alignment - 1))
		return EINVAL;
	p = __libc_memalign(alignment, bytes);
	errno = saved;
	if (!p)
		return ENOMEM;
	*out = born(p, CALLER);
	return 0;
}

DSM_API void free(void *p)
{
	uintptr_t keep;

	if (p && logged(CALLER) && !forget(p, &keep))
		free_later(p);
	else
		__libc_free(p);
}

static void *resize(void *p, size_t bytes, const void *pc)
{
	uintptr_t keep;
	void *wider;
	size_t old;

	if (!p || !logged(pc))
		return born(__libc_realloc(p, bytes), pc);
	if (forget(p, &keep)) { /* the attempt's own: libc may move it */
		wider = __libc_realloc(p, bytes);
		if (wider || bytes)
			remember(wider ? wider : p, keep);
		return wider;
	}
	if (!bytes) {
		free_later(p);
		return NULL;
	}
	/* the old bytes must survive an abort, which goes back to the old pointer */
	wider = born(__libc_malloc(bytes), pc);
	if (!wider)
		return NULL;
	old = malloc_usable_size(p);
	memcpy(wider, p, old < bytes ? old : bytes);
	free_later(p);
	return wider;
}

DSM_API void *realloc(void *p, size_t bytes)
{
	return resize(p, bytes, CALLER);
}

DSM_API void *reallocarray(void *p, size_t n, size_t bytes)
{
	size_t total;

	if (__builtin_mul_overflow(n, bytes, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	return resize(p, total, CALLER);
}

#endif
