/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * node.c - a node's life: start, service thread, end.
 *
 * Two threads. The mutator runs the program; it enters the runtime by faults and by the calls of dsm.h. The
 * service thread answers the other nodes whatever the mutator computes. Both step the protocol core under
 * node.lock.
 */
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/pages.h"
#include "dsmcore/runtime/safepoint.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dsm.h"
#include "dsmcore/launch/remedy.h"
#include "dsmcore/memory/objects.h"
#include "dsmcore/memory/objects_layout.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/await.h"
#include "dsmcore/runtime/batch.h"
#include "dsmcore/runtime/clocks.h"
#include "dsmcore/runtime/contention.h"
#include "dsmcore/runtime/cputime.h"
#include "dsmcore/runtime/dispatch.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/fault.h"
#include "dsmcore/runtime/file_limit.h"
#include "dsmcore/runtime/history.h"
#include "dsmcore/runtime/modules.h"
#include "dsmcore/runtime/notes.h"
#include "dsmcore/runtime/phase.h"
#include "dsmcore/runtime/sanitizer.h"
#include "dsmcore/runtime/section.h"
#include "dsmcore/runtime/standing.h"
#include "dsmcore/runtime/thread_end.h"
#include "dsmcore/runtime/tx.h"
#include "dsmcore/transport/stream.h"
#include "dsmcore/transport/transport.h"

#define TICK_MS	     20		/* between looks at what no message announces */
#define CHECK_NS     1000000ull /* at a mutator that receives by itself, once one has been seen to */
#define LISTENER_NS  3000000000ull
#define LOST_GRACE_S 5 /* the launcher normally ends the run long before */

struct node node = {.lock = PTHREAD_MUTEX_INITIALIZER, .options.nodes = 1};

extern int (*start__program_main)(int, char **, char **);

static struct {
	pthread_t thread;
	bool stop, over; /* over: all programs have ended, so the others' connections end too */
	int lost_peer;	 /* -1: none that may be alive */
	int lost_error;
	uint64_t lost_ns;
	uint64_t *finished; /* per peer: barriers it had passed when its program ended, + 1; 0 = runs */
} service = {.lost_peer = -1};

/* ---- messages to the user ---- */

void node__say(const void *pc, const char *text)
{
	struct events_place place = pc ? events__place(pc) : (struct events_place){0};

	if (node.control)
		control__report(node.control, text, place.path, place.offset);
	else
		fprintf(stderr, "dsm: %s\n", text);
}

/* What fork() made of the node. */
static bool in_child(void)
{
	return node.shm && getpid() != (pid_t)node.shm->pid;
}

void node__fatal(const void *pc, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (in_child())
		fprintf(stderr, "dsm: in a child process of the program: %s\n", text);
	else
		node__say(pc, text);
	_exit(2);
}

/* Under the runtime's descriptors there may be others by now. */
void node__deaf(int err)
{
	bool closed = err == -EBADF || err == -EINVAL || err == -ENOTSOCK;

	node__fatal(NULL, "waiting for messages: %s%s", strerror(-err),
		    closed ? ": the program has closed descriptors that the runtime needs: let it close only "
			     "those that it has opened, none in bulk (closefrom(), close_range(), a loop), "
			     "nor become a daemon"
			   : "");
}

void node__not_the_mutator(const void *pc, const char *call)
{
	if (in_child())
		node__fatal(
			pc,
			"%s: a forked child is no node and has no part in the DSM; do it in the node, and "
			"hand the child what it needs before fork() or through a pipe",
			call);
	node__fatal(pc, "%s in a second thread: only the thread that runs main() may use the DSM", call);
}

int dsm_node(void)
{
	return node.options.node;
}

int dsm_nodes(void)
{
	return node.options.nodes;
}

/* ---- service thread ---- */

static void on_message(void *arg, const struct core_msg *msg, const struct wire_blob *blobs)
{
	(void)arg;
	pthread_mutex_lock(&node.lock);
	if (!core_msg__sane(node.core, msg))
		node__fatal(NULL, "node %u sent a message that makes no sense (type %u)", msg->from,
			    msg->type);
	dispatch__message(msg, blobs);
	pthread_mutex_unlock(&node.lock);
}

/* A peer's program has ended: it will come to no further barrier. */
static void peer_finished(uint16_t peer, const void *bytes)
{
	uint64_t barriers;

	memcpy(&barriers, bytes, sizeof(barriers));
	service.finished[peer] = barriers + 1;
	if (dispatch__waiting() && tx.at_barrier)
		node__check_finished_peers(tx.barrier_pc);
	if (dispatch__waiting() && tx.retry_pc)
		node__check_lonely_retry();
}

static void on_note(void *arg, uint16_t from, uint16_t type, const void *bytes, size_t n)
{
	(void)arg;
	pthread_mutex_lock(&node.lock);
	if (!notes__sane(type, bytes, n))
		node__fatal(NULL, "node %u sent a note that makes no sense (type %u, %zu bytes)", from, type,
			    n);
	if (type == OBJECTS_NOTE_FREE)
		objects__foreign_free(bytes, (uint32_t)(n / sizeof(uint64_t)));
	else if (type == NOTE_FINISHED)
		peer_finished(from, bytes);
	else
		clocks__note(from, type, bytes, n);
	pthread_mutex_unlock(&node.lock);
}

/* The protocol takes a lost node's silence for consent (loss.c), so it must have stopped. On one host the
 * kernel ends a process's connections when none of its threads runs any more. Between hosts only an orderly
 * end proves anything: whatever else ends a connection may have struck the network. */
static bool has_stopped(int error)
{
	bool local = !strcmp(node.options.transport, "unix") || !strcmp(node.options.transport, "shm");

	return !error || (local && (error == -ECONNRESET || error == -EPIPE));
}

static void on_lost(void *arg, uint16_t peer, int error)
{
	(void)arg;
	if (__atomic_load_n(&service.over, __ATOMIC_ACQUIRE))
		return;
	if (has_stopped(error)) {
		pthread_mutex_lock(&node.lock);
		dispatch__lost(peer);
		pthread_mutex_unlock(&node.lock);
		return;
	}
	if (error == -EBADMSG || error == -EPROTO || error == -EMSGSIZE) {
		char text[128];

		snprintf(text, sizeof(text), "closed the connections to node %u: %s", peer,
			 error == -EBADMSG
				 ? "what came over them was changed, repeated or left out on the way"
				 : "what came over them is no message of a node");
		node__say(NULL, text);
	}
	/* While the run goes on the launcher sees a node's death first and ends the others. If the peer
	 * lives, it finds out, too, and both end. */
	pthread_mutex_lock(&node.lock);
	if (service.lost_peer < 0) {
		service.lost_peer = peer;
		service.lost_error = error;
		service.lost_ns = events__now();
	}
	pthread_mutex_unlock(&node.lock);
}

/* Nothing has proven that it is dead, and nothing will. */
static void give_up_lost(void)
{
	if (service.lost_error == -ETIMEDOUT)
		node__fatal(NULL,
			    "node %d is lost: nothing has come from it for %u s or more (DSM_SILENCE); is "
			    "its host, or the "
			    "network to it, down?",
			    service.lost_peer, node.options.silence_s);
	node__fatal(NULL, "node %d is lost: the connections to it broke (%s)", service.lost_peer,
		    strerror(-service.lost_error));
}

void node__depends_on_lost(uint16_t peer)
{
	uint64_t end = events__now() + LOST_GRACE_S * 1000000000ull;

	pthread_mutex_unlock(&node.lock);
	await__depart(); /* others wait for their answers meanwhile */
	while (events__now() < end)
		usleep(100000);
	if (tx.at_barrier)
		node__fatal(tx.barrier_pc, "node %u is lost, so this barrier never opens", peer);
	if (!tx.depth)
		node__fatal(tx.needs_pc, "node %u is lost, and with it a page or a lock that is needed here",
			    peer);
	node__fatal(tx.begin_pc, "node %u is lost, and with it a page that this transaction needs", peer);
}

void node__check_finished_peers(const void *pc)
{
	for (unsigned i = 0; service.finished && i < node.options.nodes; i++)
		if (service.finished[i] && service.finished[i] - 1 < tx.barriers)
			node__fatal(pc, "barrier %llu can never be complete: node %u has ended after %llu",
				    (unsigned long long)tx.barriers, i,
				    (unsigned long long)service.finished[i] - 1);
}

void node__check_lonely_retry(void)
{
	unsigned alive = 0;

	for (unsigned i = 0; service.finished && i < node.options.nodes; i++)
		alive += i != node.options.node && !service.finished[i];
	if (!alive)
		node__fatal(tx.retry_pc,
			    "dsm_retry() would wait for ever: no other node is left to change what "
			    "the transaction has read");
}

void node__publish_counters(void)
{
	struct transport_stats s;

	if (!node.transport)
		return;
	transport__stats(node.transport, &s);
	__atomic_store_n(&node.shm->counters.bytes_in, s.bytes_in, __ATOMIC_RELAXED);
	__atomic_store_n(&node.shm->counters.bytes_out, s.bytes_out, __ATOMIC_RELAXED);
	__atomic_store_n(&node.shm->counters.messages_out, s.messages_out, __ATOMIC_RELAXED);
}

/* What no message announces. */
static void tick(void)
{
	bool doomed;

	pthread_mutex_lock(&node.lock);
	events__rundown_if_due();
	batch__tell_old(events__now());
	node__publish_counters();
	if (node.transport)
		clocks__tick();
	/* A doomed mutator that was in a library when the signal came may be out of it by now. */
	core__attempt(node.core, &doomed);
	if (doomed && !dispatch__waiting())
		tgkill(getpid(), node.mutator, SIGURG);
	standing__tell_if_asked();
	if (service.lost_peer >= 0 && events__now() - service.lost_ns > LOST_GRACE_S * 1000000000ull)
		give_up_lost();
	pthread_mutex_unlock(&node.lock);
}

/* Waits until then at most. */
static void serve_until(uint64_t end)
{
	uint64_t now = events__now();
	int ms = end > now ? (int)((end - now) / 1000000) + 1 : 0;
	int err = node.transport ? transport__wait(node.transport, ms) : (usleep((unsigned)ms * 1000), 0);

	if (err < 0 && err != -EINTR)
		node__deaf(err);
}

static void *serve(void *arg)
{
	uint64_t next_tick = 0, next_check = 0;

	(void)arg;
	pthread_setname_np(pthread_self(), "dsm-service");
	contention__service();
	while (!__atomic_load_n(&service.stop, __ATOMIC_ACQUIRE)) {
		serve_until(next_check);
		uint64_t now = events__now();

		dispatch__tick();
		if (now < next_check)
			continue;
		if (now >= next_tick) {
			tick();
			next_tick = now + TICK_MS * 1000000ull;
		}
		int kept = node.transport ? transport__check(node.transport) : 0;

		if (kept < 0)
			node__deaf(kept);
		next_check = kept ? now + CHECK_NS : next_tick;
	}
	return NULL;
}

static int start_service(void)
{
	sigset_t all, old;

	/* The program's signals are the mutator's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int err = pthread_create(&service.thread, NULL, serve, NULL);

	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

/* ---- start ---- */

static int open_shm(void)
{
	uint64_t ring_offset = (sizeof(struct dsm_shm) + 4095) & ~4095ull,
		 bytes = ring_offset + node.options.ring_bytes;
	int fd = memfd_create(DSM_SHM_NAME, MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)bytes))
		return -errno;
	struct dsm_shm *shm = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

	if (shm == MAP_FAILED)
		return -errno;
	/* The descriptor stays open: collectors find the node by it. */
	shm->version = DSM_SHM_VERSION;
	shm->pid = (uint32_t)getpid();
	shm->node = node.options.node;
	shm->nodes = node.options.nodes;
	shm->ring_offset = (uint32_t)ring_offset;
	shm->ring_bytes = node.options.ring_bytes;
	shm->run_id = node.options.run_id;
	shm->counters_bytes = sizeof(struct dsm_counters);
	__atomic_store_n(&shm->magic, DSM_SHM_MAGIC, __ATOMIC_RELEASE);
	node.shm = shm;
	return 0;
}

static int open_core(const struct objects_zones *zones)
{
	struct core_config config = {
		.node = node.options.node,
		.nodes = node.options.nodes,
		.pages = zones->region_pages,
		.pages_per_home = zones->from[CORE_RC + 1],
		.sc_from = zones->from[CORE_SC],
		.rc_from = zones->from[CORE_RC],
		.generation = node.options.generation,
		.update_after = node.options.no_updates ? CORE_NEVER : 0,
		.migrate_after = node.options.no_migration ? CORE_NEVER : 0,
	};
	int err = core__open(&node.core, &config);

	return err ? err : pages__open(zones->region_pages);
}

static int open_transport(struct links *links)
{
	static const struct transport_handler handler = {on_message, on_note, on_lost, NULL};

	if (node.options.nodes == 1)
		return 0;
	service.finished = calloc(node.options.nodes, sizeof(*service.finished));
	if (!service.finished)
		return -ENOMEM;
	return transport__open(&node.transport, node.options.node, node.options.nodes,
			       node.options.generation, links, &handler);
}

static void must(int err, const char *what)
{
	bool refused = err == -EPERM || err == -EACCES || err == -ENOSYS;

	if (err)
		node__fatal(NULL, "%s: %s%s", what, strerror(-err),
			    refused ? "; does a sandbox refuse it? `dsmcheck` says what this machine lacks"
				    : remedy__write(err));
}

/* A child has no part in the run: none of its threads is the mutator (node__not_the_mutator()). */
static void forget_mutator(void)
{
	node.mutator = 0;
}

/* So that a ring's trace has the beginning too. Bounded: the collector may have gone. */
static void await_listener(void)
{
	uint64_t end = events__now() + LISTENER_NS;

	while (!__atomic_load_n(&node.shm->ring_listeners, __ATOMIC_ACQUIRE) && events__now() < end)
		usleep(500);
}

static void *start(void)
{
	struct objects_zones zones;
	struct links links;
	char why[448];
	sigset_t was;

	file_limit__hold(&was);
	modules__read();
	node.mutator = gettid();
	must(-pthread_atfork(NULL, NULL, forget_mutator), "memory for a fork handler");
	if (control__open(&node.control, &node.options, &links))
		_exit(2);
	node.crowded = node.options.local_nodes > sysconf(_SC_NPROCESSORS_ONLN);
	must(open_shm(), "memory that is shared (memfd_create) for the node's counters");
	cputime__init();
	objects_layout__zones(&zones, node.options.heap_bytes, node.options.nodes,
			      (enum core_model)node.options.consistency);
	if (region__open(&node.region, (uint64_t)zones.region_pages << DSM_PAGE_LOG2, why, sizeof(why)))
		node__fatal(NULL, "%s", why);
	/* Both must know of each write. */
	node.options.no_independent |= node.options.strict || *node.options.history;
	must(open_core(&zones), "memory for the protocol");
	must(open_transport(&links), "connections to the other nodes");
	history__open();
	if (objects__open(node.options.heap_bytes, node.options.node, node.options.nodes))
		_exit(2);
	void *stack = tx__open_stack();

	if (!stack)
		node__fatal(NULL, "the mutator's stack cannot be mapped at its address: %s", strerror(errno));
	must(fault__open(), "memory for the signal stack");
	must(thread_end__open(), "memory for a value of the mutator's");
	standing__open();
	if (safepoint__has_segv() && !node.options.strict)
		must(region__coarse(node.region, true), "rights of rows of pages");
	/* The variable is of dsmcollect --each, for the process that it starts and none that this one starts. */
	if (node.options.await_listener || getenv("DSM_AWAIT_COLLECTOR"))
		await_listener();
	unsetenv("DSM_AWAIT_COLLECTOR");
	pthread_mutex_lock(&node.lock);
	events__init();
	pthread_mutex_unlock(&node.lock);
	must(start_service(), "service thread");
	node.started = true;
	file_limit__release(&was);
	return stack;
}

/* ---- end ---- */

static void announce_end(void)
{
	pthread_mutex_lock(&node.lock);
	for (uint16_t i = 0; i < node.options.nodes; i++)
		if (i != node.options.node)
			transport__note(node.transport, i, NOTE_FINISHED, &tx.barriers, sizeof(tx.barriers));
	pthread_mutex_unlock(&node.lock);
}

/* Runs at exit(): the node serves its pages until all programs have ended. */
static void finish(int status, void *arg)
{
	(void)arg;
	if (!node.started || in_child())
		return;
	if (tx.depth)
		node__fatal(tx.begin_pc, "exit(%d) inside the transaction that begins", status);
	section__exit(status);
	fflush(NULL);
	if (node.transport)
		announce_end();
	pthread_mutex_lock(&node.lock);
	control__leave(node.control); /* what comes from now on is for control__done() */
	pthread_mutex_unlock(&node.lock);
	control__done(node.control, status);
	__atomic_store_n(&service.over, true, __ATOMIC_RELEASE);
	pthread_mutex_lock(&node.lock);
	cputime__publish();
	node__publish_counters();
	phase__end();
	events__rundown_if_due();
	events__end(status);
	history__close();
	pthread_mutex_unlock(&node.lock);
	__atomic_store_n(&service.stop, true, __ATOMIC_RELEASE);
	if (node.transport)
		transport__kick(node.transport);
	pthread_join(service.thread, NULL);
	node.started = false;
}

int node__main(int argc, char **argv, char **envp)
{
	void *stack = start();

	on_exit(finish, NULL);
#ifdef DSM_ASAN
	void *fake;

	sanitizer__switch(&fake, (char *)stack - (8 << 20), stack);
#endif
	return snapshot__call(start__program_main, argc, argv, envp, stack);
}
