/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault.c - signal handlers.
 *
 *	SIGBUS	an access that the view does not allow (userfaultfd), resolved here in the faulting thread
 *	SIGTRAP the instruction that the microscope let run alone has finished
 *	SIGURG	the service thread doomed the attempt (ignored by default, so a stray one is harmless)
 *	SIGSEGV likewise, of a page whose rights are those of its mapping (memory/coarse.c); strict mode's
 *		write-protected data; else a crash
 *	SIGILL, SIGFPE, SIGABRT: say where, and die. Where is a line of the program: the one that has called abort(), say
 *
 * All run on an alternate stack, because an abort overwrites the mutator's. errno is kept. While one runs the
 * others wait, except a crash.
 */
#include "dsmcore/runtime/fault.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dsmcore/memory/alloc_hooks.h"
#include "dsmcore/memory/objects.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/caller.h"
#include "dsmcore/runtime/microscope.h"
#include "dsmcore/runtime/modules.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/safepoint.h"
#include "dsmcore/runtime/sanitizer.h"
#include "dsmcore/runtime/standing.h"
#include "dsmcore/runtime/strict.h"
#include "dsmcore/runtime/tx.h"

#define ALT_STACK_BYTES (512u << 10)
#define TRAP_FLAG	0x100
#define PF_WRITE	0x2 /* page-fault error code, in the signal context */

static bool stepping; /* out of library code, see step_out() */

static void step_out(ucontext_t *c, const void *pc);

SANITIZER_NO_THREADS static const void *pc_of(const ucontext_t *c)
{
	return (const void *)c->uc_mcontext.gregs[REG_RIP];
}

static struct {
	int sig; /* 0: nobody looks */
	pid_t thread;
	const siginfo_t *info;
	const void *pc;
} looking; /* for who has called the library that crashed */

/* Where abort() was called, or a library with what it cannot bear. What of the stack is left may be damaged, and looking
 * crash in its turn: then it is the library's place again (crash() is entered once more). */
static const void *culprit(int sig, const siginfo_t *info, const void *pc)
{
	sigset_t crashes;
	const void *caller;

	if (modules__in_program(pc) || modules__in_runtime(pc))
		return pc;
	looking.thread = gettid();
	looking.info = info;
	looking.pc = pc;
	looking.sig = sig;
	sigemptyset(&crashes);
	sigaddset(&crashes, SIGSEGV);
	sigaddset(&crashes, SIGBUS);
	pthread_sigmask(SIG_UNBLOCK, &crashes, NULL);
	caller = caller__in_program(pc);
	looking.sig = 0;
	return caller ? caller : pc;
}

#define NEAR_NULL 65536 /* members and elements of what is NULL: nothing is ever mapped there */

/* Names the place and dies of the same signal. */
static void crash(int sig, const siginfo_t *info, const void *pc)
{
	static const char *const name[] = {
		[SIGSEGV] = "SIGSEGV", [SIGBUS] = "SIGBUS",   [SIGILL] = "SIGILL",
		[SIGFPE] = "SIGFPE",   [SIGABRT] = "SIGABRT", [SIGTRAP] = "SIGTRAP",
	};
	bool again = looking.sig && looking.thread == gettid();
	char text[256];

	if (node.started && getpid() != (pid_t)node.shm->pid) { /* a child of the program, not the node */
		struct sigaction child = {.sa_handler = SIG_DFL};

		safepoint__sigaction(sig, &child, NULL);
		raise(sig);
		return;
	}
	if (again) {
		sig = looking.sig;
		info = looking.info;
		pc = looking.pc;
	} else {
		pc = culprit(sig, info, pc);
	}
	snprintf(text, sizeof(text), "killed by %s (address %p)", name[sig], info->si_addr);
	if (sig == SIGSEGV && (uintptr_t)info->si_addr < NEAR_NULL && roots__missing())
		snprintf(text, sizeof(text),
			 "killed by SIGSEGV (address %p); dsm_root(\"%s\") has given NULL: is the name given "
			 "before "
			 "a barrier that this node has passed, too?",
			 info->si_addr, roots__missing());
	if (sig == SIGSEGV && tx__beyond_stack(info->si_addr))
		snprintf(text, sizeof(text),
			 "killed by SIGSEGV: the stack is used up (ulimit -s makes it larger)");
	if (sig == SIGABRT)
		snprintf(text, sizeof(text), "killed by SIGABRT");
	node__say(pc, text);
	struct sigaction dfl = {.sa_handler = SIG_DFL};

	safepoint__sigaction(sig, &dfl, NULL);
	if (again) { /* never back to where it crashes again */
		sigset_t now;

		sigemptyset(&now);
		sigaddset(&now, sig);
		pthread_sigmask(SIG_UNBLOCK, &now, NULL);
	}
	raise(sig);
}

static void on_bus(int sig, siginfo_t *info, void *arg)
{
	ucontext_t *c = arg;
	const void *pc = pc_of(c);
	bool write = c->uc_mcontext.gregs[REG_ERR] & PF_WRITE;
	int64_t at = node.region ? region__offset(node.region, info->si_addr) : -1;
	int saved = errno;

	if (at < 0) {
		crash(sig, info, pc);
		return;
	}
	if (!alloc_hooks__mutator())
		node__not_the_mutator(pc, write ? "write to DSM memory" : "read of DSM memory");
	if (safepoint__over_runtime())
		node__fatal(pc,
			    "%s DSM memory in a signal handler that came while the runtime or a library was "
			    "at work: let the "
			    "handler set a flag, and look at that in the program",
			    write ? "write to" : "read of");
	/* Of what a call of dsm.h does here, in our text or in libc's, the program knows the call. */
	const void *place = tx.call_pc && !modules__in_program(pc) ? tx.call_pc : pc;
	uint32_t page = (uint32_t)((uint64_t)at >> DSM_PAGE_LOG2);

	if (!tx.depth && core__model(node.core, page) == CORE_TX)
		node__fatal(place,
			    "%s DSM memory outside a transaction: put it into DSM_TX { }, or read it with "
			    "dsm_peek()",
			    write ? "write to" : "read of");
	uint16_t offset = (uint16_t)(at & (DSM_PAGE_BYTES - 1));
	bool pinned = !safepoint__here(pc);

	if (!pinned && !(tx.depth && tx__doomed()))
		objects__check_between((uint64_t)at, pc);
	if (write)
		tx__require_writable(place, "write to DSM memory");
	if (tx__reopen(page, write, place) || tx__access(page, offset, write, pinned, place)) {
		microscope__open(page, offset, write, c);
		if (pinned && tx__doomed())
			step_out(c, pc);
	} else {
		tx__unwind_context(c);
	}
	errno = saved;
}

/* A doomed attempt was given a page inside library code, perhaps a newer one than it should see. It runs
 * there one instruction at a time, so that no instruction of the program runs with what it saw. */
static void step_out(ucontext_t *c, const void *pc)
{
	stepping = tx.depth && !modules__in_runtime(pc); /* dsm.h's calls are safe points themselves */
	if (stepping)
		c->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

/* How many bytes from an address on may be touched behind the view's back: to the end of a page whose rights are the
 * attempt's, and that the microscope does not watch. Under node.lock. */
static size_t reachable(const void *at, enum core_rights need)
{
	int64_t offset = region__offset(node.region, at);
	size_t left = DSM_PAGE_BYTES - ((uintptr_t)at & (DSM_PAGE_BYTES - 1));
	uint32_t page = (uint32_t)((uint64_t)offset >> DSM_PAGE_LOG2);

	if (offset < 0)
		return left; /* private memory: what the instruction itself would do */
	return core__rights(node.core, page) >= need && region__rights(node.region, page) >= need &&
			       !microscope__watches(page)
		       ? left
		       : 0;
}

/* `rep movs` and `rep stos`, with which libraries copy and set long pieces, trap after each byte or word: a MiB would take
 * half a minute. So most of what one does within a page is done here, and the processor goes on with the rest. */
SANITIZER_NO_THREADS static void step_repeat(ucontext_t *c)
{
	greg_t *r = c->uc_mcontext.gregs;
	const uint8_t *code = pc_of(c);
	bool wide = code[0] == 0xf3 && code[1] == 0x48;
	uint8_t what = code[0] == 0xf3 ? code[1 + wide] & 0xfe : 0;
	size_t unit = wide ? 8 : 1, bytes, from;
	const enum { MOVS = 0xa4, STOS = 0xaa } op = what;

	if ((op != MOVS && op != STOS) || (code[1 + wide] & 1) != wide || r[REG_EFL] & 0x400)
		return;
	uint8_t *to = (uint8_t *)r[REG_RDI], *source = op == MOVS ? (uint8_t *)r[REG_RSI] : NULL;

	pthread_mutex_lock(&node.lock);
	bytes = reachable(to, CORE_WRITE);
	from = source ? reachable(source, CORE_READ) : bytes;
	bytes = (bytes < from ? bytes : from) / unit * unit;
	if (bytes / unit > (size_t)r[REG_RCX])
		bytes = (size_t)r[REG_RCX] * unit;
	if (source && to > source && to < source + bytes) /* each byte is read after it was written */
		bytes = 0;
	if (source)
		memcpy(to, source, bytes);
	for (size_t i = 0; !source && i < bytes; i += unit)
		memcpy(to + i, &r[REG_RAX], unit);
	pthread_mutex_unlock(&node.lock);
	r[REG_RDI] += (greg_t)bytes;
	r[REG_RSI] += source ? (greg_t)bytes : 0;
	r[REG_RCX] -= (greg_t)(bytes / unit);
}

static void on_trap(int sig, siginfo_t *info, void *arg)
{
	ucontext_t *c = arg;
	int saved = errno;
	bool ours = microscope__close(c) || stepping;

	if (stepping && safepoint__here(pc_of(c))) {
		c->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
		stepping = false;
		if (tx__check())
			tx__unwind_context(c);
	} else if (stepping) {
		c->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
		step_out(c, pc_of(c));
		if (stepping)
			step_repeat(c);
	}
	if (!ours)
		crash(sig, info, pc_of(c));
	errno = saved;
}

SANITIZER_NO_THREADS static void on_doom(int sig, siginfo_t *info, void *arg)
{
	ucontext_t *c = arg;
	int saved = errno;

	(void)sig, (void)info;
	if (alloc_hooks__mutator())
		standing__answer(c);
	if (node.started && alloc_hooks__mutator() && tx.depth && safepoint__here(pc_of(c)) && tx__check())
		tx__unwind_context(c);
	errno = saved;
}

static void on_crash(int sig, siginfo_t *info, void *arg)
{
	ucontext_t *c = arg;
	int saved = errno;

	/* A forked child has no mapping there at all. */
	if (sig == SIGSEGV && (info->si_code == SEGV_ACCERR || !alloc_hooks__mutator()) && node.region &&
	    region__offset(node.region, info->si_addr) >= 0)
		on_bus(sig, info, arg);
	else if (sig != SIGSEGV || !strict__fault(info->si_addr, pc_of(c)))
		crash(sig, info, pc_of(c));
	errno = saved;
}

static void install(int sig, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

	sigemptyset(&sa.sa_mask);
	/* Where --strict notes writes to the program's data, the program's handlers must not come: they may write such, too. */
	if (sig == SIGSEGV && node.options.strict)
		sigfillset(&sa.sa_mask);
	sigaddset(&sa.sa_mask, SIGURG);
	safepoint__sigaction(sig, &sa, NULL);
}

int fault__open(void)
{
	stack_t alt = {.ss_size = ALT_STACK_BYTES};

	alt.ss_sp = mmap(NULL, alt.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (alt.ss_sp == MAP_FAILED || sigaltstack(&alt, NULL))
		return -ENOMEM;
	install(SIGBUS, on_bus);
	install(SIGTRAP, on_trap);
	install(SIGURG, on_doom);
#ifndef DSM_ASAN /* the sanitizer reports crashes itself */
	install(SIGSEGV, on_crash);
	install(SIGILL, on_crash);
	install(SIGFPE, on_crash);
	install(SIGABRT, on_crash);
#else
	if (node.options.strict)
		install(SIGSEGV, on_crash);
#endif
	return 0;
}
