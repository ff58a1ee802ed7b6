/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * safepoint.c - see safepoint.h. The signal calls are wrapped for three reasons:
 *
 * - The program's handlers run through a trampoline that counts them: a handler is program text, but it may
 *   have interrupted malloc() with its lock held, or the runtime itself.
 * - SIGBUS, SIGTRAP and SIGURG are the runtime's. A program that asks for them gets EINVAL, and one that
 * blocks all signals does not block these (a blocked SIGBUS would kill it at the next fault).
 * - The mutator's alternate stack stays the runtime's, which is large; a handler that wants one gets that.
 *
 * Under the sanitizers, which wrap the same calls, nothing is wrapped.
 */
#include "dsmcore/runtime/safepoint.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "dsm.h"
#include "dsmcore/memory/alloc_hooks.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/dispatch.h"
#include "dsmcore/runtime/modules.h"
#include "dsmcore/runtime/next.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/sanitizer.h"

static volatile sig_atomic_t handlers; /* of the program, running in the mutator */
static volatile sig_atomic_t over;     /* of these, on top of the runtime */

bool safepoint__over_runtime(void)
{
	return over;
}

SANITIZER_NO_THREADS bool safepoint__here(const void *pc)
{
	return !handlers && modules__in_program(pc);
}

#ifdef DSM_TSAN
/* ThreadSanitizer's own sigaction() delays asynchronous signals and hands its handlers a copy of the context,
 * which cannot be edited: so the kernel is asked. What its handler returns to is libc's business elsewhere.
 */
struct kernel_sigaction {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags;
	void (*restorer)(void);
	unsigned long mask;
};
#define KERNEL_SA_RESTORER 0x04000000ul

void safepoint__restorer(void);
__asm__(".text\n"
	".globl safepoint__restorer\n"
	".hidden safepoint__restorer\n"
	".type safepoint__restorer, @function\n"
	"safepoint__restorer:\n"
	"	mov $15, %eax\n" /* rt_sigreturn */
	"	syscall\n"
	".size safepoint__restorer, . - safepoint__restorer\n");

int safepoint__sigaction(int sig, const struct sigaction *action, struct sigaction *old)
{
	struct kernel_sigaction k = {0};

	(void)old; /* no caller wants it */
	k.handler = action->sa_sigaction;
	k.flags = (unsigned long)(unsigned)action->sa_flags | KERNEL_SA_RESTORER;
	k.restorer = safepoint__restorer;
	memcpy(&k.mask, &action->sa_mask, sizeof(k.mask));
	return (int)syscall(SYS_rt_sigaction, sig, &k, NULL, sizeof(k.mask));
}
#else
int safepoint__sigaction(int sig, const struct sigaction *action, struct sigaction *old)
{
	NEXT(sigaction);
	return next(sig, action, old);
}
#endif

#if !defined(DSM_ASAN) && !defined(DSM_TSAN)

/* SIGSEGV is the program's, if it likes: from the first handler on, or what counts before the start is the last word. (A library
 * that a transport loads may have put its own there for a moment.) */
static bool segv_taken;

static void give_up_segv(const struct sigaction *action)
{
	segv_taken = node.started || action->sa_flags & SA_SIGINFO || action->sa_handler != SIG_DFL;
	if (!node.started)
		return;
	pthread_mutex_lock(&node.lock);
	int err = region__coarse(node.region, false);

	pthread_mutex_unlock(&node.lock);
	if (err)
		node__fatal(NULL, "a handler for SIGSEGV: the DSM cannot do without it: %s", strerror(-err));
}

bool safepoint__has_segv(void)
{
	return !segv_taken;
}

/* What the program installed; written before the trampoline is. */
static struct sigaction installed[NSIG];

static bool reserved(int sig)
{
	return sig == SIGBUS || sig == SIGTRAP || sig == SIGURG;
}

/* Has a signal with this context come while the runtime was at work, or a library that it may have called? Then a fault of the handler must not find SIGBUS
 * blocked, as it is in a fault: the kernel would end the process without a word. */
static bool on_top(const ucontext_t *context)
{
	bool in_fault = sigismember(&context->uc_sigmask, SIGBUS) == 1;
	uint64_t bus = UINT64_C(1) << (SIGBUS - 1);

	if (in_fault)
		syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &bus, NULL, sizeof(bus));
	return in_fault || !modules__in_program((const void *)context->uc_mcontext.gregs[REG_RIP]);
}

static void trampoline(int sig, siginfo_t *info, void *context)
{
	bool mutator = node.started && gettid() == node.mutator, top = mutator && on_top(context);

	handlers += mutator;
	over += top;
	if (installed[sig].sa_flags & SA_SIGINFO)
		installed[sig].sa_sigaction(sig, info, context);
	else
		installed[sig].sa_handler(sig);
	handlers -= mutator;
	over -= top;
	if (mutator)
		dispatch__interrupt();
}

static bool is_function(const struct sigaction *a)
{
	return a->sa_flags & SA_SIGINFO || (a->sa_handler != SIG_DFL && a->sa_handler != SIG_IGN);
}

/* Those that an access to DSM memory may raise kill the process where they are blocked. */
static void remove_reserved(sigset_t *set)
{
	sigdelset(set, SIGSEGV);
	sigdelset(set, SIGBUS);
	sigdelset(set, SIGTRAP);
	sigdelset(set, SIGURG);
}

DSM_API int sigaction(int sig, const struct sigaction *action, struct sigaction *old)
{
	struct sigaction wrapped, before;

	if (sig <= 0 || sig >= NSIG || (action && node.started && reserved(sig))) {
		errno = EINVAL;
		return -1;
	}
	struct sigaction previous = installed[sig];

	if (action) {
		wrapped = *action;
		remove_reserved(&wrapped.sa_mask);
		if (is_function(action)) {
			installed[sig] = *action;
			wrapped.sa_flags |= SA_SIGINFO;
			wrapped.sa_sigaction = trampoline;
		}
	}
	if (action && sig == SIGSEGV)
		give_up_segv(action);
	if (safepoint__sigaction(sig, action ? &wrapped : NULL, &before)) {
		installed[sig] = previous;
		return -1;
	}
	if (old)
		*old = before.sa_flags & SA_SIGINFO && before.sa_sigaction == trampoline ? previous : before;
	return 0;
}

DSM_API sighandler_t signal(int sig, sighandler_t handler)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;

	return sigaction(sig, &action, &old) ? SIG_ERR : old.sa_handler;
}

static int set_mask(int how, const sigset_t *set, sigset_t *old)
{
	NEXT(pthread_sigmask);
	sigset_t allowed;

	if (!set || how == SIG_UNBLOCK || !node.started || gettid() != node.mutator)
		return next(how, set, old);
	allowed = *set;
	remove_reserved(&allowed);
	return next(how, &allowed, old);
}

DSM_API int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	return set_mask(how, set, old);
}

DSM_API int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	int err = set_mask(how, set, old);

	if (!err)
		return 0;
	errno = err;
	return -1;
}

DSM_API int sigaltstack(const stack_t *stack, stack_t *old)
{
	NEXT(sigaltstack);
	return next(node.started && gettid() == node.mutator ? NULL : stack, old);
}

#else

bool safepoint__has_segv(void)
{
	return false; /* it is the sanitizer's */
}

#endif
