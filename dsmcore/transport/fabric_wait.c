// SPDX-License-Identifier: BSD-2-Clause
/*
 * fabric_wait.c - how a node sleeps until its fabric has something, and how it notices that a peer is dead.
 *
 * Sleeping. Most providers give their completion queue a descriptor. The shm provider has none; there a peer
 * wakes us: each node has a page with one word, "asleep", and a pipe, and tells both descriptors in its
 * address. Peers on this host open them through /proc/PID/fd. Who sends looks at the word and, if it is set,
 * clears it and writes a byte. Who goes to sleep sets the word and then looks at the queue once more, so one
 * of the two sees the other (both put a full fence between their two steps). Where neither works, or the
 * descriptor is readable for nothing again and again (libfabric 1.17's net provider), we nap: 20 us at first,
 * then longer, up to half a millisecond.
 *
 * Death. A message endpoint knows no end of file. A peer on this host is watched by a pidfd; what it had sent
 * gets a moment to arrive, then its streams end with -ECONNRESET. To a peer on another host something is sent
 * at least each second: a connection that has broken shows as an error of the provider, or it does not and
 * nothing comes for `silence_s` seconds, -ETIMEDOUT. When we ourselves were stopped (Ctrl-Z, a debugger), the
 * others' silence is not held against them.
 */
#include "dsmcore/transport/fabric_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BEAT_NS	   1000000000ll
#define STOPPED_NS (4 * BEAT_NS) /* no beat for so long: it was we who stood still */
#define RETRY_NS   100000ll
#define VERDICT_NS 20000000ll
#define NAP_MIN_US 20u
#define NAP_MAX_US 500u
#define PAGE	   4096u
#define LIES	   64 /* times the queue's descriptor was readable for nothing */

/* What wakes us; a smaller number is a peer that has died. */
enum source { QUEUE = 1 << 16, TIMER, BELL };

int64_t wait__clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* ---- opening ---- */

static int watch(struct fabric *f, int fd, uint64_t what)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = what};

	return epoll_ctl(f->engine.fd, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static int open_bell(struct fabric *f)
{
	void *page;

	f->page = memfd_create("dsm-fabric-bell", MFD_CLOEXEC);
	if (f->page < 0 || ftruncate(f->page, PAGE) || pipe2(f->bell, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f->page, 0);
	if (page == MAP_FAILED)
		return -errno;
	f->asleep = page;
	return watch(f, f->bell[0], BELL);
}

static void read_boot(uint8_t boot[16])
{
	char text[64] = "";
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	unsigned digit, n = 0;

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		for (const char *c = text; *c && n < 32; c++)
			if (sscanf((const char[]){*c, 0}, "%1x", &digit) == 1) {
				boot[n / 2] = (uint8_t)(boot[n / 2] << 4 | digit);
				n++;
			}
	if (fd >= 0)
		close(fd);
}

int wait__open(struct fabric *f, struct card *mine)
{
	struct stat space;
	int cq_fd = -1, rc = 0;

	*mine = (struct card){
		.pid = (uint32_t)getpid(), .page = -1, .bell = -1, .piece_bytes = f->piece_bytes};
	read_boot(mine->boot);
	if (stat("/proc/self/ns/pid", &space) == 0)
		mine->space = space.st_ino;
	f->engine.fd = epoll_create1(EPOLL_CLOEXEC);
	f->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (f->engine.fd < 0 || f->timer < 0)
		return -errno;
	f->cq_fd = f->cq_waits && fi_control(&f->cq->fid, FI_GETWAIT, &cq_fd) == 0 ? cq_fd : -1;
	rc = f->cq_fd >= 0 ? watch(f, f->cq_fd, QUEUE) : open_bell(f);
	if (rc == 0)
		rc = watch(f, f->timer, TIMER);
	mine->page = f->page;
	mine->bell = f->bell[1];
	f->nap_us = NAP_MIN_US;
	f->now = wait__clock();
	f->beat_ns = f->now + BEAT_NS;
	return rc;
}

static int open_of(uint32_t pid, int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/fd/%d", pid, fd);
	return open(path, flags | O_CLOEXEC);
}

static void reach_bell(struct peer *p, const struct card *his)
{
	int page = open_of(his->pid, his->page, O_RDWR);
	void *at;

	if (page < 0)
		return;
	at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, page, 0);
	close(page);
	if (at == MAP_FAILED)
		return;
	/* For reading too: so that writing to it is no SIGPIPE when the peer has gone. */
	p->bell = open_of(his->pid, his->bell, O_RDWR | O_NONBLOCK);
	if (p->bell >= 0)
		p->asleep = at;
	else
		munmap(at, PAGE);
}

void wait__meet(struct fabric *f, unsigned peer, const struct card *mine, const struct card *his)
{
	struct peer *p = &f->peers[peer];

	if (memcmp(mine->boot, his->boot, sizeof(mine->boot)) != 0 || mine->space != his->space)
		return;
	p->process = (int)syscall(SYS_pidfd_open, (pid_t)his->pid, 0);
	if (p->process >= 0 && watch(f, p->process, peer)) {
		close(p->process);
		p->process = -1;
	}
	if (his->page >= 0)
		reach_bell(p, his);
}

/* ---- sleeping and waking ---- */

void wait__ring(struct peer *p)
{
	if (!p->asleep)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(p->asleep, __ATOMIC_RELAXED) &&
	    __atomic_exchange_n(p->asleep, 0, __ATOMIC_ACQ_REL) && write(p->bell, "", 1) < 0)
		return; /* full: it has been rung often enough */
}

static void set_timer(struct fabric *f, int64_t at)
{
	struct itimerspec t = {.it_value = {at / 1000000000ll, at % 1000000000ll}};

	if (f->timer_ns && f->timer_ns <= at)
		return;
	f->timer_ns = at;
	timerfd_settime(f->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

void wait__retry(struct fabric *f)
{
	f->now = wait__clock();
	f->retry_ns = f->now + RETRY_NS;
	set_timer(f, f->retry_ns);
}

/* Its descriptor is of no use: the provider leaves it readable when there is nothing. */
static void distrust(struct fabric *f)
{
	if (++f->lies < LIES || f->cq_fd < 0)
		return;
	epoll_ctl(f->engine.fd, EPOLL_CTL_DEL, f->cq_fd, NULL);
	f->cq_fd = -1;
	f->naps = true;
}

static bool queue_is_empty(struct fabric *f)
{
	struct fid *queue = &f->cq->fid;
	uint64_t before = f->came;

	if (f->cq_fd >= 0 && fi_trywait(f->fabric, &queue, 1) == 0)
		return true;
	if (f->asleep) {
		__atomic_store_n(f->asleep, 1, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	fabric__progress(f);
	if (f->cq_fd < 0 || fi_trywait(f->fabric, &queue, 1) == 0)
		return true;
	if (f->came == before)
		distrust(f);
	return false;
}

bool wait__arm(struct fabric *f)
{
	int64_t until = f->beat_ns;

	f->now = wait__clock();
	if (f->now >= until || !queue_is_empty(f) || fabric__any_ready(f)) {
		if (f->asleep)
			__atomic_store_n(f->asleep, 0, __ATOMIC_RELAXED);
		return false;
	}
	if (f->refusals && f->retry_ns < until)
		until = f->retry_ns;
	if (f->verdicts && f->now + VERDICT_NS < until)
		until = f->now + VERDICT_NS;
	if (f->naps && f->now + f->nap_us * 1000ll < until) {
		until = f->now + f->nap_us * 1000ll;
		f->nap_us = f->nap_us * 2 < NAP_MAX_US ? f->nap_us * 2 : NAP_MAX_US;
	}
	set_timer(f, until);
	f->armed = true;
	return true;
}

/* ---- peers ---- */

void wait__forget(struct fabric *f, struct peer *p)
{
	if (p->process >= 0)
		close(p->process); /* leaves the epoll set with it */
	p->process = -1;
	f->verdicts -= p->verdict_ns != 0;
	p->verdict_ns = 0;
	if (p->asleep)
		munmap(p->asleep, PAGE);
	p->asleep = NULL;
	if (p->bell >= 0)
		close(p->bell);
	p->bell = -1;
}

/* Why are we awake, when nothing has come? Sees who has died. */
static void look(struct fabric *f)
{
	struct epoll_event ev[16];
	uint64_t times;
	int n = epoll_wait(f->engine.fd, ev, 16, 0);

	for (int i = 0; i < n; i++) {
		struct peer *p;

		if (ev[i].data.u64 == QUEUE)
			distrust(f);
		if (ev[i].data.u64 == TIMER && read(f->timer, &times, sizeof(times)) == sizeof(times))
			f->timer_ns = 0;
		if (ev[i].data.u64 >= QUEUE)
			continue;
		p = &f->peers[ev[i].data.u64];
		epoll_ctl(f->engine.fd, EPOLL_CTL_DEL, p->process, NULL);
		p->verdict_ns = f->now + VERDICT_NS;
		f->verdicts++;
	}
}

static void give_verdicts(struct fabric *f)
{
	fabric__progress(f);
	for (unsigned i = 0; f->verdicts && i < f->config.nodes; i++)
		if (f->peers[i].verdict_ns && f->now >= f->peers[i].verdict_ns)
			fabric__lose(f, i, -ECONNRESET);
}

/* Once a second: says that we live, and asks who else does. */
static void beat(struct fabric *f)
{
	bool stood_still = f->now - f->beat_ns > STOPPED_NS;
	int64_t silence = f->config.silence_s * 1000000000ll;

	f->beat_ns = f->now + BEAT_NS;
	for (unsigned i = 0; i < f->config.nodes; i++) {
		struct peer *p = &f->peers[i];
		int rc;

		if (i == f->config.node || p->lost || p->process >= 0 || p->verdict_ns)
			continue;
		if (stood_still)
			p->in_ns = f->now;
		rc = f->now - p->out_ns >= BEAT_NS / 2 ? fabric__say(f, i, 0, PIECE_ALIVE, 0) : 0;
		if (rc && rc != -EAGAIN)
			fabric__lose(f, i, rc);
		else if (silence && f->now - p->in_ns > silence)
			fabric__lose(f, i, -ETIMEDOUT);
	}
}

/* Stops the peers from ringing, and empties the pipe if one has. */
static void silence_bell(struct fabric *f)
{
	char drop[64];

	if (!f->asleep || __atomic_exchange_n(f->asleep, 0, __ATOMIC_ACQ_REL))
		return;
	while (read(f->bell[0], drop, sizeof(drop)) == sizeof(drop))
		;
}

void wait__poll(struct fabric *f)
{
	bool slept = f->armed;
	uint64_t before = f->came;

	f->now = wait__clock();
	f->armed = false;
	if (slept)
		silence_bell(f);
	fabric__progress(f);
	if (f->came != before) {
		f->lies = 0;
		f->nap_us = NAP_MIN_US;
	}
	if ((slept && f->came == before) || f->now >= f->beat_ns || (f->timer_ns && f->now >= f->timer_ns))
		look(f);
	if (f->verdicts)
		give_verdicts(f);
	if (f->now >= f->beat_ns)
		beat(f);
}

void wait__close(struct fabric *f)
{
	for (unsigned i = 0; f->peers && i < f->config.nodes; i++)
		wait__forget(f, &f->peers[i]);
	if (f->asleep)
		munmap(f->asleep, PAGE);
	for (int i = 0; i < 2; i++)
		if (f->bell[i] >= 0)
			close(f->bell[i]);
	if (f->page >= 0)
		close(f->page);
	if (f->timer >= 0)
		close(f->timer);
	if (f->engine.fd >= 0)
		close(f->engine.fd);
}
