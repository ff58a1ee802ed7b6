/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signals_held.h - foreign code runs, and no signal is its matter.
 *
 * Libraries below libfabric install handlers as soon as they are loaded (libinfinipath: for SIGINT, SIGTERM,
 * SIGABRT and others, and its handler calls exit()). So what the program has installed is put back afterwards; and no
 * signal is taken in between, since that exit() waits for a lock of libfabric that the interrupted code holds.
 */
#ifndef DSM_TRANSPORT_SIGNALS_HELD_H
#define DSM_TRANSPORT_SIGNALS_HELD_H

#include <signal.h>

#define SIGNALS_HELD 32 /* real-time signals are nobody's but the program's */

struct signals_held {
	sigset_t mask;
	struct sigaction action[SIGNALS_HELD];
};

/* No signal is taken by this thread, and no thread that is made now takes any, until signals__release(). */
static inline void signals__hold(struct signals_held *s)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &s->mask);
	for (int i = 1; i < SIGNALS_HELD; i++)
		if (sigaction(i, NULL, &s->action[i]))
			s->action[i] = (struct sigaction){.sa_handler = SIG_DFL};
}

/* All handlers as they were; what came meanwhile goes to them. */
static inline void signals__release(const struct signals_held *s)
{
	for (int i = 1; i < SIGNALS_HELD; i++)
		if (i != SIGKILL && i != SIGSTOP)
			sigaction(i, &s->action[i], NULL);
	pthread_sigmask(SIG_SETMASK, &s->mask, NULL);
}

#endif
