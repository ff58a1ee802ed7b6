// SPDX-License-Identifier: BSD-2-Clause
#include "collector/nodes.h"

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dsmcore/launch/shm_find.h"

struct nodes {
	struct node_view *first;
	uid_t user;
	nodes_found_fn found;
	void *ctx;
	struct sigaction before;
};

/* For the signal handler; a view is in the list before its memory is read, and unmapped after it left it. */
static struct nodes *the_nodes;

/* The owner made its memfd shorter and we touched what is gone. Put zeros there and go on: readers
 * check `broken`. mmap is a plain system call, safe here. */
static void on_sigbus(int signal, siginfo_t *info, void *context)
{
	const char *at = info->si_addr;

	(void)context;
	for (struct node_view *v = the_nodes ? the_nodes->first : NULL; v; v = v->next) {
		const char *start = (const char *)v->shm;
		if (at < start || at >= start + v->size)
			continue;
		if (mmap(v->shm, v->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) == MAP_FAILED)
			break;
		v->broken = 1;
		return;
	}
	sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
}

int nodes__new(struct nodes **out, uid_t user, nodes_found_fn found, void *ctx)
{
	struct nodes *n = calloc(1, sizeof(*n));

	*out = n;
	if (!n)
		return -ENOMEM;
	n->user = user;
	n->found = found;
	n->ctx = ctx;
	the_nodes = n;
	sigaction(SIGBUS, &(struct sigaction){.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO}, &n->before);
	return 0;
}

static void view__free(struct node_view *v)
{
	munmap(v->shm, v->size);
	if (v->pidfd >= 0)
		close(v->pidfd);
	free(v);
}

void nodes__drop(struct nodes *n, struct node_view *view)
{
	struct node_view **link = &n->first;

	while (*link && *link != view)
		link = &(*link)->next;
	if (*link)
		*link = view->next;
	view__free(view);
}

void nodes__free(struct nodes *n)
{
	if (!n)
		return;
	while (n->first)
		nodes__drop(n, n->first);
	sigaction(SIGBUS, &n->before, NULL);
	the_nodes = NULL;
	free(n);
}

struct node_view *nodes__first(struct nodes *n)
{
	return n->first;
}

/* ---- one memfd ---- */

#define LINE		       64u /* alignment of the parts of struct dsm_shm */
#define BEHIND_COUNTERS(field) (offsetof(struct dsm_shm, field) - offsetof(struct dsm_shm, ring_listeners))

_Static_assert(offsetof(struct dsm_shm, ring_listeners) ==
		       offsetof(struct dsm_shm, counters) +
			       (sizeof(struct dsm_counters) + LINE - 1) / LINE * LINE,
	       "the parts behind the counters follow at the next line");

/* Counters are appended to from version to version and everything behind them moves. */
static bool place_fields(struct node_view *v, uint64_t counters_bytes)
{
	uint64_t base = offsetof(struct dsm_shm, counters) + (counters_bytes + LINE - 1) / LINE * LINE;
	char *start;

	if (counters_bytes > 65536 || counters_bytes % 8 ||
	    base + sizeof(struct dsm_shm) - offsetof(struct dsm_shm, ring_listeners) > v->size)
		return false;
	start = (char *)v->shm + base;
	v->counters_bytes = counters_bytes;
	v->listeners = (uint64_t *)(start + BEHIND_COUNTERS(ring_listeners));
	v->head = (uint64_t *)(start + BEHIND_COUNTERS(ring_head));
	v->tail = (uint64_t *)(start + BEHIND_COUNTERS(ring_tail));
	v->lost = (uint64_t *)(start + BEHIND_COUNTERS(lost));
	v->ended = (uint64_t *)(start + BEHIND_COUNTERS(ended));
	v->batch_bytes = (uint64_t *)(start + BEHIND_COUNTERS(batch_bytes));
	return true;
}

/* Takes the values once, so that what was checked is what is used. False: not (yet) a node. */
static bool adopt_header(struct node_view *v)
{
	const volatile struct dsm_shm *shm = v->shm;
	uint64_t offset, bytes;

	if (__atomic_load_n(&v->shm->magic, __ATOMIC_ACQUIRE) != DSM_SHM_MAGIC ||
	    shm->version != DSM_SHM_VERSION)
		return false;
	v->node = shm->node;
	v->nodes = shm->nodes;
	v->run_id = shm->run_id;
	if (!place_fields(v, shm->counters_bytes))
		return false;
	offset = shm->ring_offset;
	bytes = shm->ring_bytes;
	if (bytes >= DSM_EV_MAX && (bytes & (bytes - 1)) == 0 &&
	    offset > (uint64_t)((char *)v->ended - (char *)v->shm) && offset % 8 == 0 && offset <= v->size &&
	    bytes <= v->size - offset) {
		v->ring_offset = offset;
		v->ring_bytes = bytes;
	}
	return !v->broken;
}

/* A child of the node inherits the descriptor; only the process that the memory names is the node.
 * Its own idea of its pid counts, which is another one inside a container. Another user's process is none,
 * whatever its memory says; nor is one that has taken on this user's rights for a while. */
static bool owns(const struct nodes *n, int process, pid_t pid, uint32_t claimed)
{
	struct shm_find_process who;

	return shm_find__identify(process, &who) == 0 && who.real == n->user && who.effective == n->user &&
	       ((uint32_t)pid == claimed || (uint32_t)who.inner == claimed);
}

static struct node_view *known(struct nodes *n, const struct stat *st)
{
	struct node_view *v = n->first;

	while (v && (v->dev != st->st_dev || v->ino != st->st_ino))
		v = v->next;
	return v;
}

struct look { /* at one process */
	struct nodes *nodes;
	pid_t pid;
	int process; /* of shm_find__process() */
	struct node_view *found;
};

static struct node_view *open_view(const struct look *l, int fd, const struct stat *st)
{
	struct nodes *n = l->nodes;
	struct node_view *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->pid = l->pid;
	v->dev = st->st_dev;
	v->ino = st->st_ino;
	v->size = (size_t)st->st_size;
	v->shm = mmap(NULL, v->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (v->shm == MAP_FAILED) {
		free(v);
		return NULL;
	}
	v->pidfd = (int)syscall(SYS_pidfd_open, l->pid, 0);
	v->next = n->first;
	n->first = v; /* before its memory is read: see on_sigbus() */
	/* owns() last: while the process lives its number is its own, so the pidfd is of this process. */
	if (!adopt_header(v) || !owns(n, l->process, l->pid, v->shm->pid)) {
		nodes__drop(n, v);
		return NULL;
	}
	v->seen = true;
	n->found(n->ctx, v);
	return v;
}

/* False: no node, or not ready yet; the next scan looks again. */
static bool look_at(void *ctx, int at, const struct stat *first)
{
	struct look *l = ctx;
	struct node_view *v = known(l->nodes, first);
	struct stat st;
	int fd;

	if (v) {
		v->seen = v->seen || v->pid == l->pid;
		l->found = v->pid == l->pid ? v : NULL;
		return l->found;
	}
	if (first->st_uid != l->nodes->user)
		return false;
	fd = shm_find__open(at, O_RDWR | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && (size_t)st.st_size >= offsetof(struct dsm_shm, counters))
		l->found = open_view(l, fd, &st);
	close(fd);
	return l->found;
}

/* ---- processes ---- */

/* Processes that are none of the user's are left out early. Those that may not be dumped belong to root. */
static bool may_be_users(const struct nodes *n, int process)
{
	struct stat st;

	return fstat(process, &st) == 0 && (st.st_uid == n->user || st.st_uid == 0);
}

static struct node_view *scan_process(struct nodes *n, pid_t pid)
{
	struct look look = {.nodes = n, .pid = pid, .process = shm_find__process(pid)};

	if (look.process < 0)
		return NULL;
	if (may_be_users(n, look.process))
		shm_find__each(look.process, look_at, &look);
	close(look.process);
	return look.found;
}

void nodes__scan(struct nodes *n)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	if (!dir)
		return;
	for (struct node_view *v = n->first; v; v = v->next)
		v->seen = false;
	while ((entry = readdir(dir))) {
		char *end;
		long pid = strtol(entry->d_name, &end, 10);
		if (*end == 0 && pid > 0)
			scan_process(n, (pid_t)pid);
	}
	closedir(dir);
	for (struct node_view *v = n->first; v; v = v->next) {
		if (!v->seen && v->pidfd < 0)
			v->gone = true;
	}
}

struct node_view *nodes__of_pid(struct nodes *n, pid_t pid)
{
	for (struct node_view *v = n->first; v; v = v->next) {
		if (v->pid == pid && !v->gone)
			return v;
	}
	return scan_process(n, pid);
}

void nodes__look_again(struct nodes *n, pid_t pid)
{
	const struct node_view *now = scan_process(n, pid);

	for (struct node_view *v = n->first; now && v; v = v->next)
		v->gone = v->gone || (v->pid == pid && v != now);
}

void nodes__check_alive(struct nodes *n)
{
	for (struct node_view *v = n->first; v; v = v->next) {
		struct pollfd p = {.fd = v->pidfd, .events = POLLIN};
		if (!v->gone && v->pidfd >= 0 && poll(&p, 1, 0) > 0)
			v->gone = true;
	}
}

/* ---- what is in it ---- */

bool node_view__counters(const struct node_view *view, struct dsm_counters *counters)
{
	const uint64_t *from = (const uint64_t *)&view->shm->counters;
	uint64_t *to = (uint64_t *)counters;

	memset(counters, 0, sizeof(*counters));
	for (size_t i = 0; i < sizeof(*counters) / 8 && i < view->counters_bytes / 8; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	return !view->broken;
}

bool node_view__ended(const struct node_view *view)
{
	return view->gone || view->broken || __atomic_load_n(view->ended, __ATOMIC_ACQUIRE) != 0;
}

void node_view__ask_rundown(struct node_view *view, bool ask)
{
	uint64_t self = (uint64_t)getpid(), from = ask ? 0 : self;

	__atomic_compare_exchange_n(view->listeners, &from, ask ? self : 0, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_ACQUIRE);
}
