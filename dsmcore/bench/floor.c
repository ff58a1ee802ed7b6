/* SPDX-License-Identifier: BSD-2-Clause */
/* floor.c - the wire: cores, sockets, the thread that answers, the exchange between all nodes. */
#include "dsmcore/bench/floor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ACCEPT_NS   10000000000ull
#define SPIN_MAX_NS 20000000ull /* a client that died does not keep a core busy */
#define FETCH	    'F'
#define PARK	    'P'

uint64_t floor__now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- cores ---- */

static cpu_set_t before; /* the last pinning */
static bool pinned;

int floor__core(unsigned index)
{
	cpu_set_t set;
	unsigned n;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	n = (unsigned)CPU_COUNT(&set);
	index %= n ? n : 1;
	for (int core = 0; core < CPU_SETSIZE; core++)
		if (CPU_ISSET(core, &set) && !index--)
			return core;
	return -ENOENT;
}

int floor__pin(int core)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(before), &before))
		return -errno;
	CPU_ZERO(&set);
	CPU_SET(core, &set);
	pinned = !sched_setaffinity(0, sizeof(set), &set);
	return pinned ? 0 : -errno;
}

void floor__unpin(void)
{
	if (pinned)
		sched_setaffinity(0, sizeof(before), &before);
	pinned = false;
}

/* ---- bytes ---- */

static ssize_t raw_send(int fd, const void *bytes, size_t n)
{
	return syscall(SYS_sendto, fd, bytes, n, MSG_NOSIGNAL, NULL, 0);
}

static ssize_t raw_recv(int fd, void *bytes, size_t n, int flags)
{
	return syscall(SYS_recvfrom, fd, bytes, n, flags, NULL, NULL);
}

static int put(int fd, const void *bytes, size_t n)
{
	for (size_t at = 0; at < n;) {
		ssize_t sent = raw_send(fd, (const char *)bytes + at, n - at);

		if (sent > 0)
			at += (size_t)sent;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* yield: others of our own wait on this core too. */
static int get(int fd, void *bytes, size_t n, bool spin, bool yield)
{
	for (size_t at = 0; at < n;) {
		ssize_t got = raw_recv(fd, (char *)bytes + at, n - at, spin ? MSG_DONTWAIT : 0);

		if (got > 0)
			at += (size_t)got;
		else if (got == 0)
			return -ECONNRESET;
		else if (errno != EAGAIN && errno != EINTR)
			return -errno;
		else if (yield)
			sched_yield();
	}
	return 0;
}

/* ---- connecting ---- */

struct hello {
	uint64_t cookie;
	uint64_t node;
};

int floor_wire__listen(bool tcp, struct floor_address *at)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	socklen_t bytes =
		tcp ? sizeof(in) : sizeof(sa_family_t); /* the kernel chooses port or abstract name */
	int fd = socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	if (bind(fd, tcp ? (struct sockaddr *)&in : (struct sockaddr *)&un, bytes) || listen(fd, 64))
		goto fail;
	bytes = sizeof(at->raw);
	if (getsockname(fd, (struct sockaddr *)at->raw, &bytes))
		goto fail;
	at->bytes = bytes;
	if (getrandom(&at->cookie, sizeof(at->cookie), 0) == sizeof(at->cookie))
		return fd;
fail:
	rc = errno ? -errno : -EIO;
	close(fd);
	return rc;
}

static void no_delay(int fd)
{
	int one = 1;

	/* A Unix socket has no such option and needs none. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

int floor_wire__connect(const struct floor_address *to, unsigned node)
{
	struct sockaddr_storage where = {0};
	struct hello hello = {to->cookie, node};
	int fd, rc;

	if (to->bytes > sizeof(to->raw))
		return -EINVAL;
	memcpy(&where, to->raw, to->bytes);
	fd = socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	no_delay(fd);
	rc = connect(fd, (struct sockaddr *)&where, to->bytes) ? -errno : put(fd, &hello, sizeof(hello));
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

/* Reads the greeting of a connection; a stranger that says nothing has a second. */
static int greeted(int fd, const struct floor_address *own, unsigned *node)
{
	struct timeval limit = {.tv_sec = 1}, none = {0};
	struct hello hello;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (raw_recv(fd, &hello, sizeof(hello), MSG_WAITALL) != sizeof(hello) || hello.cookie != own->cookie)
		return -EACCES;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
	no_delay(fd);
	*node = (unsigned)hello.node;
	return 0;
}

int floor_wire__accept(int listener, const struct floor_address *own, unsigned *node)
{
	uint64_t until = floor__now() + ACCEPT_NS;

	for (uint64_t now = floor__now(); now < until; now = floor__now()) {
		struct pollfd p = {.fd = listener, .events = POLLIN};
		int fd, n = poll(&p, 1, (int)((until - now) / 1000000) + 1);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n <= 0)
			continue;
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0 && !greeted(fd, own, node))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -ETIMEDOUT;
}

/* ---- the one who asks ---- */

struct request {
	uint8_t what, zero[3];
	uint32_t pages;
	uint8_t rest[FLOOR_REQUEST - 8];
};

int floor_wire__bulk(int fd, void *pages, unsigned count, bool spin)
{
	struct request request = {.what = FETCH, .pages = count};
	int rc = put(fd, &request, sizeof(request));

	return rc ? rc : get(fd, pages, (size_t)count * FLOOR_PAGE, spin, false);
}

int floor_wire__fetch(int fd, void *page, bool spin)
{
	return floor_wire__bulk(fd, page, 1, spin);
}

int floor_wire__park(int fd)
{
	struct request request = {.what = PARK};

	return put(fd, &request, sizeof(request));
}

/* ---- the one who answers ---- */

struct floor_server {
	pthread_t thread;
	int fd, core;
	bool may_spin;
	uint8_t *pages; /* `room` of them */
	unsigned room;
};

/* The layout of the kernel's struct sched_attr, which Debian 12's libc does not declare. */
struct attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* As far up as the system lets it: real time, else a short time slice. */
static void outrank(void)
{
	struct sched_param first = {.sched_priority = 1};
	struct attributes a = {.size = sizeof(a), .runtime = 100000};

	if (sched_setscheduler(0, SCHED_FIFO, &first))
		syscall(SYS_sched_setattr, 0, &a, 0);
}

/* Waits for a request: spins while that is allowed and one may come soon, else blocks. */
static int await(struct floor_server *s, struct request *request, bool soon)
{
	uint64_t until = soon ? floor__now() + SPIN_MAX_NS : 0;
	size_t at = 0;

	while (at < FLOOR_REQUEST) {
		bool spin = soon && __atomic_load_n(&s->may_spin, __ATOMIC_RELAXED);
		ssize_t n =
			raw_recv(s->fd, (uint8_t *)request + at, FLOOR_REQUEST - at, spin ? MSG_DONTWAIT : 0);

		if (n > 0)
			at += (size_t)n;
		else if (n == 0)
			return -ECONNRESET;
		else if (errno == EAGAIN)
			soon = floor__now() < until;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

/* Room for an answer of so many pages, written before it is measured. */
static bool make_room(struct floor_server *s, unsigned pages)
{
	uint8_t *more;

	if (pages <= s->room)
		return true;
	if (pages > FLOOR_PAGES)
		return false;
	more = realloc(s->pages, (size_t)pages * FLOOR_PAGE);
	if (!more)
		return false;
	memset(more, 0x5a, (size_t)pages * FLOOR_PAGE);
	s->pages = more;
	s->room = pages;
	return true;
}

static void *serve(void *arg)
{
	struct floor_server *s = arg;
	struct request request;
	cpu_set_t set;
	bool soon = false;

	CPU_ZERO(&set);
	CPU_SET(s->core, &set);
	sched_setaffinity(0, sizeof(set), &set);
	outrank();
	while (!await(s, &request, soon)) {
		soon = request.what == FETCH;
		if (soon && (!make_room(s, request.pages) ||
			     put(s->fd, s->pages, (size_t)request.pages * FLOOR_PAGE)))
			break;
	}
	shutdown(s->fd, SHUT_RDWR); /* who waits for more need not */
	return NULL;
}

int floor_server__start(struct floor_server **out, int fd, int core)
{
	struct floor_server *s = calloc(1, sizeof(*s));
	sigset_t all, old;
	int rc;

	if (!s)
		return -ENOMEM;
	s->fd = fd;
	s->core = core;
	if (!make_room(s, 1)) {
		free(s);
		return -ENOMEM;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&s->thread, NULL, serve, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc) {
		free(s->pages);
		free(s);
		return -rc;
	}
	*out = s;
	return 0;
}

void floor_server__spin(struct floor_server *s, bool may)
{
	__atomic_store_n(&s->may_spin, may, __ATOMIC_RELAXED);
}

void floor_server__stop(struct floor_server *s)
{
	if (!s)
		return;
	pthread_join(s->thread, NULL);
	close(s->fd);
	free(s->pages);
	free(s);
}

/* ---- all with all ---- */

int floor_wire__exchange(const int *fds, unsigned node, unsigned nodes, bool yield)
{
	uint8_t here[FLOOR_REQUEST] = {'B'};

	for (unsigned step = 1; step < nodes; step *= 2) {
		int rc = put(fds[(node + step) % nodes], here, sizeof(here));

		if (!rc)
			rc = get(fds[(node + nodes - step) % nodes], here, sizeof(here), true, yield);
		if (rc)
			return rc;
	}
	return 0;
}
