// SPDX-License-Identifier: BSD-2-Clause
/*
 * turns.c - who receives: the service thread, or the mutator while it waits.
 *
 * A mutator that expects to wait again in a moment keeps the receiving meanwhile, and looks now and then:
 * that saves masking the service thread's epoll set each time, and waking it for what comes in between. A
 * timer lets the service thread see to it that it does look; if it has not, it takes the receiving back. Setting one
 * costs 25 us on a virtual machine: who keeps the receiving for some ten microseconds only, and is sure of it, is looked
 * after when the service thread wakes by itself (transport__check()).
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/transport/conn.h"

#define TIMER	(UINT64_MAX - 2)
#define ALARM	(UINT64_MAX - 3)
#define BUSY_NS 20000  /* until the service thread looks again whether it may receive */
#define KEEP_NS 400000 /* who keeps the receiving must look again within this time, or twice that */

/* The service thread blocks in `outer`, which contains the epoll set of the streams: so a mutator that takes
 * over needs one call to keep it asleep, and none to wake it when it hands back. */
static void watch_all(struct transport *t, bool on)
{
	struct epoll_event ev = {.events = on ? EPOLLIN : 0, .data.u64 = 0};

	/* Cannot fail: see watch() in queue.c. */
	epoll_ctl(t->outer, EPOLL_CTL_MOD, t->epoll, &ev);
}

void conn__arm(struct transport *t)
{
	if (t->engine && !t->engine->ops->arm(t->engine))
		transport__kick(t);
}

static void set_timer(struct transport *t)
{
	const struct itimerspec in = {.it_value.tv_nsec = KEEP_NS};

	t->seen = t->looked;
	__atomic_store_n(&t->timed, true, __ATOMIC_SEQ_CST);
	timerfd_settime(t->timer, 0, &in, NULL);
}

static void set_quiet(struct transport *t, bool quiet)
{
	watch_all(t, !quiet);
	__atomic_store_n(&t->quiet, quiet, __ATOMIC_RELEASE);
}

/* Caller holds t->receiving: the mutator has not looked, so it computes. */
static int take_back(struct transport *t)
{
	int rc;

	t->kept = false;
	rc = conn__receive_all(t, 0);
	conn__arm(t);
	set_quiet(t, false);
	return rc;
}

/* Each firing costs the mutator some 25 us on a virtual machine: none while it waits. If it cannot be asked
 * now, because it receives this moment, it will find `timed` false (unlock_kept()). */
static int on_timer(struct transport *t)
{
	uint64_t drop;
	int rc = 0;

	__atomic_store_n(&t->timed, false, __ATOMIC_SEQ_CST);
	if (read(t->timer, &drop, sizeof(drop)) < 0 || pthread_mutex_trylock(&t->receiving))
		return 0;
	if (t->kept && t->looked == t->seen)
		rc = take_back(t);
	else if (t->kept && !t->briefly)
		set_timer(t);
	pthread_mutex_unlock(&t->receiving);
	return rc;
}

void transport__alarm(struct transport *t, uint64_t ns)
{
	const struct itimerspec in = {.it_value.tv_nsec = (long)ns};

	timerfd_settime(t->alarm, 0, &in, NULL);
}

/* Nothing else to do: wait() returns. */
static int on_alarm(struct transport *t)
{
	uint64_t drop;

	return read(t->alarm, &drop, sizeof(drop)) < 0 && errno != EAGAIN ? -errno : 0;
}

static int on_streams(struct transport *t)
{
	int rc;

	if (pthread_mutex_trylock(&t->receiving)) {
		/* The mutator has just taken over, or gives back: perhaps on this core, where it would not get on while this thread,
		 * which has the better nice value, asked again and again. */
		nanosleep(&(struct timespec){.tv_nsec = BUSY_NS}, NULL);
		return 0;
	}
	rc = conn__receive_all(t, 0);
	conn__arm(t);
	pthread_mutex_unlock(&t->receiving);
	return rc;
}

int transport__wait(struct transport *t, int timeout_ms)
{
	struct epoll_event ev[3];
	int n = epoll_wait(t->outer, ev, 3, timeout_ms), frames = 0, rc;

	if (n <= 0)
		return n < 0 && errno != EINTR ? -errno : 0;
	for (int i = 0; i < n; i++) {
		rc = ev[i].data.u64 == ALARM   ? on_alarm(t)
		     : ev[i].data.u64 == TIMER ? on_timer(t)
					       : on_streams(t);
		if (rc < 0)
			return rc;
		frames += rc;
	}
	return frames;
}

/* Streams with a descriptor need it only when they wait, which transport__seize() sees to while the answer travels. */
bool transport__quiet(struct transport *t)
{
	if (!t->engine || __atomic_load_n(&t->quiet, __ATOMIC_ACQUIRE))
		return false;
	set_quiet(t, true);
	return true;
}

void transport__unquiet(struct transport *t)
{
	set_quiet(t, false);
}

void transport__seize(struct transport *t)
{
	if (!__atomic_load_n(&t->quiet, __ATOMIC_ACQUIRE))
		set_quiet(t, true);
	pthread_mutex_lock(&t->receiving);
	t->kept = false;
	if (!t->quiet) /* the service thread has taken it back just before */
		set_quiet(t, true);
}

void transport__release(struct transport *t)
{
	conn__arm(t);
	pthread_mutex_unlock(&t->receiving);
	set_quiet(t, false);
}

/* Looks at `timed` after it has unlocked; on_timer() tries the lock after it has written it. So one of the
 * two sees the other, and the timer is set as long as the receiving is kept. */
static void unlock_kept(struct transport *t)
{
	bool kept = t->kept && !t->briefly;

	pthread_mutex_unlock(&t->receiving);
	if (!kept || __atomic_load_n(&t->timed, __ATOMIC_SEQ_CST))
		return;
	pthread_mutex_lock(&t->receiving);
	if (t->kept)
		set_timer(t);
	pthread_mutex_unlock(&t->receiving);
}

static void keep(struct transport *t, bool briefly)
{
	t->kept = true;
	t->briefly = briefly;
	t->looked++;
	unlock_kept(t);
}

void transport__keep(struct transport *t)
{
	keep(t, false);
}

void transport__keep_briefly(struct transport *t)
{
	keep(t, true);
}

int transport__check(struct transport *t)
{
	int rc = 0;

	if (pthread_mutex_trylock(&t->receiving))
		return 0;
	if (t->kept && t->looked == t->checked) {
		rc = take_back(t);
		rc = rc < 0 ? rc : 0;
	} else if (t->kept && t->briefly) {
		rc = 1;
	}
	t->checked = t->looked;
	pthread_mutex_unlock(&t->receiving);
	return rc;
}

int transport__look(struct transport *t)
{
	int rc = -ENOENT;

	pthread_mutex_lock(&t->receiving);
	if (t->kept) {
		t->looked++;
		rc = conn__receive_all(t, 0);
	}
	unlock_kept(t);
	return rc;
}

void transport__give_back(struct transport *t)
{
	bool kept;

	pthread_mutex_lock(&t->receiving);
	kept = t->kept;
	t->kept = false;
	if (kept)
		conn__arm(t);
	pthread_mutex_unlock(&t->receiving);
	/* Not before: what is there already wakes the service thread, perhaps on this core, and before who has the lock. */
	if (kept)
		set_quiet(t, false);
}

int turns__open(struct transport *t)
{
	struct epoll_event streams = {.events = EPOLLIN}, timer = {.events = EPOLLIN, .data.u64 = TIMER},
			   alarm = {.events = EPOLLIN, .data.u64 = ALARM};

	t->outer = epoll_create1(EPOLL_CLOEXEC);
	t->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	t->alarm = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (t->outer < 0 || t->timer < 0 || t->alarm < 0 ||
	    epoll_ctl(t->outer, EPOLL_CTL_ADD, t->epoll, &streams) ||
	    epoll_ctl(t->outer, EPOLL_CTL_ADD, t->timer, &timer) ||
	    epoll_ctl(t->outer, EPOLL_CTL_ADD, t->alarm, &alarm))
		return -errno;
	return 0;
}

void turns__close(struct transport *t)
{
	if (t->outer >= 0)
		close(t->outer);
	if (t->timer >= 0)
		close(t->timer);
	if (t->alarm >= 0)
		close(t->alarm);
}
