/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file_limit.h - what the runtime writes may meet the limit of file size (ulimit -f), shared memory too. The
 * signal for it (SIGXFSZ) would end the program without a word about what was written; held back, the call
 * fails with EFBIG, and whoever made it says what and where. What the program itself writes is its own matter.
 */
#ifndef DSM_RUNTIME_FILE_LIMIT_H
#define DSM_RUNTIME_FILE_LIMIT_H

#include <signal.h>
#include <time.h>

/* For this thread, until the release that gets *was. Calls nest. */
static inline void file_limit__hold(sigset_t *was)
{
	sigset_t limit;

	sigemptyset(&limit);
	sigaddset(&limit, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &limit, was);
}

/* Whoever held it has seen the EFBIG, so the signal is spent. */
static inline void file_limit__release(const sigset_t *was)
{
	struct timespec now = {0};
	sigset_t limit;

	if (!sigismember(was, SIGXFSZ)) {
		sigemptyset(&limit);
		sigaddset(&limit, SIGXFSZ);
		sigtimedwait(&limit, NULL, &now);
	}
	pthread_sigmask(SIG_SETMASK, was, NULL);
}

#endif
