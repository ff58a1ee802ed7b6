/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread_end.c - see thread_end.h. The calls are wrapped, so that the message names their line. What ends the thread in
 * another way (pthread_cancel() by a second thread; anything under the sanitizers, which wrap such calls themselves) is
 * noticed by the destructor of a value that belongs to it.
 */
#include "dsmcore/runtime/thread_end.h"

#include <dlfcn.h>
#include <pthread.h>
#include <threads.h>

#include "dsm.h"
#include "dsmcore/memory/alloc_hooks.h"
#include "dsmcore/runtime/node.h"

#define REMEDY                                                                                               \
	"its node would stay behind without a program, and the run would never end; wait for the other "     \
	"threads (pthread_join()) and return from main() or call exit()"

static void on_end(void *arg)
{
	(void)arg;
	if (node.started && alloc_hooks__mutator())
		node__fatal(NULL,
			    "the thread that runs main() ends, cancelled or by pthread_exit(): " REMEDY);
}

int thread_end__open(void)
{
	static pthread_key_t key;
	int err = pthread_key_create(&key, on_end);

	return -(err ? err : pthread_setspecific(key, &key));
}

#if !defined(DSM_ASAN) && !defined(DSM_TSAN)

static void refuse_mutator(const void *pc, const char *call)
{
	if (node.started && alloc_hooks__mutator())
		node__fatal(pc, "%s in the thread that runs main(): " REMEDY, call);
}

DSM_API __attribute__((noreturn)) void pthread_exit(void *value)
{
	void (*next)(void *) = (void (*)(void *))dlsym(RTLD_NEXT, "pthread_exit");

	refuse_mutator(NODE_CALLER, "pthread_exit()");
	next(value);
	__builtin_unreachable();
}

DSM_API __attribute__((noreturn)) void thrd_exit(int result)
{
	void (*next)(int) = (void (*)(int))dlsym(RTLD_NEXT, "thrd_exit");

	refuse_mutator(NODE_CALLER, "thrd_exit()");
	next(result);
	__builtin_unreachable();
}

#endif
