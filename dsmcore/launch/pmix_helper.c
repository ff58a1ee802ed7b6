// SPDX-License-Identifier: BSD-2-Clause
/*
 * pmix_helper.c - dsm-pmix, the launcher of one node in a job of mpirun or srun.
 *
 * A node that finds itself in a PMIx job starts this program (pmix_node.c) and has with it the very line
 * that it would have with dsmrun. What dsmrun knows because it started everybody, the helpers of all nodes
 * tell one another through PMIx: node 0 the options, the key and the run's number, everybody the address at
 * which its node listens. A fence at the end says that all programs have returned. So libdsm needs no PMIx,
 * PMIx's thread, descriptors and memory stay out of the program, and messages find their source lines.
 *
 * The helper speaks to the PMIx server with the name of the node's process (the environment says it), while
 * the real process never does. The server sees the process die whoever speaks for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <pmix.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/launch/address.h"
#include "dsmcore/launch/pmix_local.h"
#include "dsmcore/launch/plain.h"
#include "dsmcore/launch/proto.h"
#include "dsmcore/launch/report.h"

#define LINE	    3	 /* the node's line, as it is given to us */
#define JOIN_S	    60	 /* for all processes of the job to come */
#define STRAGGLER_S 2	 /* what the others get when one has returned non-zero */
#define LEAVE_S	    10	 /* what is left for destructors once all programs have returned */
#define DEATH_MS    3000 /* the server sees a node's death itself, and knows its status */

#define KEY_RUN	 "procope.run"
#define KEY_NODE "procope.node"

/* What node 0 tells everybody. */
struct run_card {
	uint32_t version;
	uint32_t refused; /* it has said why */
	struct run_options options;
	struct mesh_key key; /* unless they read it from a file, each on its host */
	uint64_t fabric_key;
};

/* What each node tells everybody. */
struct node_card {
	struct address listens;
	struct fabric_address fabric;
	char rendezvous[PMIX_LOCAL_NAME]; /* Unix socket of the helper, for those on the same host */
};

static struct {
	int node;	  /* pidfd of the node */
	int wake;	  /* eventfd: PMIx's thread has left word */
	atomic_int fence; /* of the last fence: its status once it is over, else 1 */
	atomic_bool server_lost;
	pmix_proc_t self;
	uint32_t nodes, local_nodes;
	bool local[OPTIONS_NODES_MAX]; /* it is on this host */
	struct run_card run;
	struct node_card cards[OPTIONS_NODES_MAX];
	struct proto_hello hello;
	bool joined, reported, done;
	int status;
} us;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	char text[4096], who[32];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	snprintf(who, sizeof(who), "dsm: node %u", us.self.rank);
	plain__print(who, text);
}

/* Ends the whole job. The node dies with it, or at the end of its lifeline. */
__attribute__((noreturn)) static void give_up(int status)
{
	PMIx_Abort(status, "the message is above", NULL, 0);
	_exit(status);
}

/* ---- PMIx's thread ---- */

static void wake(void)
{
	uint64_t one = 1;

	if (write(us.wake, &one, sizeof(one)) < 0)
		abort(); /* cannot be: an eventfd that nobody closes */
}

static void on_fence(pmix_status_t status, void *arg)
{
	(void)arg;
	us.fence = status;
	wake();
}

static void on_server_lost(size_t id, pmix_status_t status, const pmix_proc_t *source, pmix_info_t info[],
			   size_t ninfo, pmix_info_t results[], size_t nresults,
			   pmix_event_notification_cbfunc_fn_t next, void *arg)
{
	(void)id, (void)status, (void)source, (void)info, (void)ninfo, (void)results, (void)nresults;
	us.server_lost = true;
	wake();
	if (next)
		next(PMIX_EVENT_ACTION_COMPLETE, NULL, 0, NULL, NULL, arg);
}

/* ---- waiting ---- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* A node that ends before its time ends the job. The server sees that too, knows how it ended, and ends the
 * job and with it the connection to us. What is left for us is a node that leaves with status 0. */
__attribute__((noreturn)) static void node_gone(void)
{
	int64_t until = now_ms() + DEATH_MS;

	while (!us.server_lost && now_ms() < until)
		poll(&(struct pollfd){.fd = us.wake, .events = POLLIN}, 1, 100);
	if (us.server_lost)
		_exit(2);
	if (us.joined && !us.reported)
		say("it left the run in the middle (killed, or by _exit() or exec?)");
	give_up(2);
}

static void take_packet(const struct proto_packet *p)
{
	switch (p->type) {
	case PROTO_REPORT:
		report__print(us.self.rank, &p->report);
		us.reported = true;
		break;
	case PROTO_DONE:
		us.done = true;
		us.status = p->status;
		break;
	default:
		say("its process sent a packet of type %u, which makes no sense; ignored", p->type);
	}
}

static void read_line(void)
{
	struct proto_packet p;
	int fds[2], rc;

	while ((rc = proto__recv(LINE, &p, fds, MSG_DONTWAIT)) == 0)
		take_packet(&p);
	if (rc == -EPROTO) {
		say("its process speaks another version of the control protocol: libdsm and its dsm-pmix are "
		    "not "
		    "of the same build");
		give_up(2);
	}
	if (rc != -EAGAIN)
		node_gone();
}

/* Handles what comes until `until` (ms, 0 = for ever), at most once. False: the time is over. */
static bool wait_step(int64_t until)
{
	struct pollfd p[3] = {{.fd = us.node, .events = POLLIN},
			      {.fd = us.wake, .events = POLLIN},
			      {.fd = LINE, .events = POLLIN}};
	int64_t left = until ? until - now_ms() : -1;
	uint64_t count;

	if (until && left <= 0)
		return false;
	if (poll(p, 3, left > 3600000 ? 3600000 : (int)left) < 0 && errno != EINTR) {
		say("poll: %s", strerror(errno));
		give_up(2);
	}
	if (p[1].revents && read(us.wake, &count, sizeof(count)) < 0)
		abort();
	if (us.server_lost) {
		say("the PMIx server (of mpirun or srun) has ended: ending this node");
		syscall(SYS_pidfd_send_signal, us.node, SIGKILL, NULL, 0);
		_exit(2);
	}
	if (p[2].revents)
		read_line();
	else if (p[0].revents)
		node_gone();
	return true;
}

static void check(pmix_status_t rc, const char *what)
{
	if (rc == PMIX_SUCCESS)
		return;
	say("PMIx: %s: %s", what, PMIx_Error_string(rc));
	give_up(2);
}

static void begin_fence(void)
{
	bool collect = true;
	pmix_info_t info;

	us.fence = 1;
	PMIX_INFO_LOAD(&info, PMIX_COLLECT_DATA, &collect, PMIX_BOOL);
	check(PMIx_Fence_nb(NULL, 0, &info, 1, on_fence, NULL), "fence");
}

/* Until all nodes' helpers are here, and what each has put is everywhere. */
static void exchange(void)
{
	int64_t until = now_ms() + JOIN_S * 1000;

	check(PMIx_Commit(), "commit");
	begin_fence();
	while (us.fence == 1)
		if (!wait_step(until)) {
			say("not all %u processes of this job have joined within %d s: is each of them a "
			    "program "
			    "linked with libdsm?",
			    us.nodes, JOIN_S);
			give_up(2);
		}
	check(us.fence, "fence");
}

/* ---- what is put and got ---- */

static uint32_t job_number(const char *key, const char *what)
{
	pmix_proc_t job = us.self;
	pmix_value_t *v = NULL;
	uint32_t n = 0;

	job.rank = PMIX_RANK_WILDCARD;
	check(PMIx_Get(&job, key, NULL, 0, &v), what);
	if (v->type == PMIX_UINT32)
		n = v->data.uint32;
	PMIX_VALUE_RELEASE(v);
	return n;
}

static void find_local(void)
{
	pmix_proc_t job = us.self;
	pmix_value_t *v = NULL;
	char *at, *save = NULL;

	job.rank = PMIX_RANK_WILDCARD;
	check(PMIx_Get(&job, PMIX_LOCAL_PEERS, NULL, 0, &v), "which processes are on this host");
	if (v->type == PMIX_STRING)
		for (at = strtok_r(v->data.string, ",", &save); at; at = strtok_r(NULL, ",", &save)) {
			uint64_t rank;

			if (options__number(at, 0, us.nodes - 1, &rank) == 0 && !us.local[rank]) {
				us.local[rank] = true;
				us.local_nodes++;
			}
		}
	PMIX_VALUE_RELEASE(v);
}

static void put(const char *key, const void *bytes, size_t size)
{
	pmix_value_t v;

	PMIX_VALUE_CONSTRUCT(&v);
	v.type = PMIX_BYTE_OBJECT;
	v.data.bo.bytes = (char *)bytes;
	v.data.bo.size = size;
	check(PMIx_Put(PMIX_GLOBAL, key, &v), "put");
}

static void get(unsigned rank, const char *key, void *bytes, size_t size)
{
	pmix_proc_t from = us.self;
	pmix_value_t *v = NULL;

	from.rank = rank;
	check(PMIx_Get(&from, key, NULL, 0, &v), key);
	if (v->type != PMIX_BYTE_OBJECT || v->data.bo.size != size) {
		say("node %u runs another version of Procope: use the same on all hosts", rank);
		give_up(2);
	}
	memcpy(bytes, v->data.bo.bytes, size);
	PMIX_VALUE_RELEASE(v);
}

/* ---- the order of things ---- */

/* A job that cannot become a run ends when all processes are there, each by itself: an abort while others are
 * connecting to it can make the server of Open MPI 4.1 wait for itself for ever. */
__attribute__((noreturn)) static void refuse(void)
{
	PMIx_Finalize(NULL, 0);
	_exit(2); /* at which the node leaves with status 2 */
}

/* The environment of node 0 holds for all: mpirun does not pass variables on to other hosts by itself. */
static bool prepare_run(char *why, size_t size)
{
	struct run_card *run = &us.run;

	run->version = PROTO_VERSION;
	if (us.nodes > OPTIONS_NODES_MAX) {
		snprintf(why, size, "a run has at most %u nodes, and this job has %u processes",
			 OPTIONS_NODES_MAX, us.nodes);
		return false;
	}
	if (options__from_env(&run->options, why, size) || options__fit(&run->options, us.nodes, why, size))
		return false;
	if (mesh_key__get(&run->options, &run->key, why, size))
		return false;
	if (*run->options.key_file)
		mesh_key__wipe(&run->key);
	if (options__draw_run_id(&run->options) ||
	    getrandom(&run->fabric_key, sizeof(run->fabric_key), 0) != sizeof(run->fabric_key)) {
		snprintf(why, size, "no random numbers: %s", strerror(errno));
		return false;
	}
	run->options.nodes = (uint16_t)us.nodes;
	return true;
}

static void share_options(void)
{
	char why[5000];

	if (us.self.rank == 0) {
		us.run.refused = !prepare_run(why, sizeof(why));
		if (us.run.refused)
			say("%s", why);
		put(KEY_RUN, &us.run, sizeof(us.run));
	}
	exchange();
	get(0, KEY_RUN, &us.run, sizeof(us.run));
	if (us.run.refused)
		refuse();
	if (us.run.version != PROTO_VERSION) {
		say("node 0 runs another version of Procope: use the same on all hosts");
		give_up(2);
	}
	if (*us.run.options.key_file && mesh_key__get(&us.run.options, &us.run.key, why, sizeof(why))) {
		say("%s", why);
		give_up(2);
	}
}

static bool over_tcp(unsigned peer)
{
	return !us.local[peer] || options__over_tcp(&us.run.options);
}

static bool over_fabric(void)
{
	return us.nodes > 1 && !strcmp(us.run.options.transport, "fabric");
}

static void choose_address(char spec[ADDRESS_SPEC])
{
	const char *interface = getenv("DSM_INTERFACE");
	char why[2 * ADDRESS_SPEC + 128];

	if (!interface || !*interface)
		interface = ADDRESS_ANY;
	if (address__check(interface, why, sizeof(why))) {
		say("DSM_INTERFACE: %s", why);
		give_up(2);
	}
	strcpy(spec, interface);
}

static void greet_node(void)
{
	struct run_options o = us.run.options;
	struct proto_packet p;
	int life[2], fds[2], rc;

	p.type = 0;
	o.node = (uint16_t)us.self.rank;
	o.local_nodes = (uint16_t)us.local_nodes;
	if (us.local_nodes < us.nodes)
		choose_address(o.listen);
	else if (us.nodes > 1 && over_tcp(o.node))
		strcpy(o.listen, ADDRESS_LOOPBACK);
	if (pipe2(life, O_CLOEXEC)) { /* the writing end stays open until we die */
		say("pipe: %s", strerror(errno));
		give_up(2);
	}
	rc = proto__send(LINE, PROTO_OPTIONS, &o, sizeof(o), life, 1);
	close(life[0]);
	if (!rc) {
		struct pollfd line = {.fd = LINE, .events = POLLIN};

		poll(&line, 1, JOIN_S * 1000);
		rc = proto__recv(LINE, &p, fds, MSG_DONTWAIT);
	}
	if (rc || p.type != PROTO_HELLO)
		node_gone();
	us.hello = p.hello;
}

static void check_local(int rc, const char *what)
{
	if (rc == 0)
		return;
	say("connecting the nodes of this host: %s: %s", what, strerror(-rc));
	give_up(2);
}

static void get_card(unsigned rank)
{
	struct node_card *card = &us.cards[rank];

	get(rank, KEY_NODE, card, sizeof(*card));
	if (address__sane(&card->listens) && memchr(card->rendezvous, 0, sizeof(card->rendezvous)))
		return;
	say("what node %u tells of itself makes no sense: use the same version of Procope on all hosts",
	    rank);
	give_up(2);
}

static void share_card(int *listener)
{
	struct node_card *mine = &us.cards[us.self.rank];

	mine->listens = us.hello.listens;
	mine->fabric = us.hello.fabric;
	*listener = pmix_local__listen(mine->rendezvous);
	check_local(*listener < 0 ? *listener : 0, "listening");
	put(KEY_NODE, mine, sizeof(*mine));
	exchange();
	us.joined = true;
	for (unsigned n = 0; n < us.nodes; n++)
		if (n != us.self.rank)
			get_card(n);
}

static int hand_addresses(void)
{
	int rc = 0;

	for (unsigned n = 0; n < us.nodes && !rc; n++) {
		struct proto_fabric p = {us.run.fabric_key, n, us.cards[n].fabric};

		rc = proto__send(LINE, PROTO_FABRIC, &p, sizeof(p), NULL, 0);
	}
	return rc;
}

static int hand_connections(int listener)
{
	struct proto_peers peers = {0};
	bool tcp = false;
	int rc;

	for (unsigned n = us.self.rank + 1; n < us.nodes; n++)
		if (!over_tcp(n))
			check_local(pmix_local__connect(us.cards[n].rendezvous, us.self.rank, n, LINE),
				    "connecting");
	for (unsigned n = 0; n < us.self.rank; n++)
		if (!over_tcp(n))
			check_local(pmix_local__accept(listener, us.self.rank, JOIN_S, LINE), "accepting");
	for (unsigned n = 0; n < us.nodes; n++)
		if (n != us.self.rank && over_tcp(n)) {
			peers.of[n] = us.cards[n].listens;
			tcp = true;
		}
	peers.key = us.run.key;
	rc = tcp ? proto__send(LINE, PROTO_PEERS, &peers, sizeof(peers), NULL, 0) : 0;
	mesh_key__wipe(&peers.key);
	return rc;
}

static void connect_node(void)
{
	int listener, rc;

	share_card(&listener);
	rc = over_fabric() ? hand_addresses() : hand_connections(listener);
	close(listener);
	mesh_key__wipe(&us.run.key);
	if (!rc)
		rc = proto__send(LINE, PROTO_GO, NULL, 0, NULL, 0);
	if (rc)
		node_gone();
}

/* The program has returned; the node serves its pages until all have. */
static void await_all(void)
{
	int64_t until = us.status ? now_ms() + STRAGGLER_S * 1000 : 0;

	begin_fence();
	while (us.fence == 1)
		if (!wait_step(until))
			give_up(us.status & 0xff ? us.status & 0xff : 1);
	check(us.fence, "fence");
}

static void dismiss_node(void)
{
	struct pollfd node = {.fd = us.node, .events = POLLIN};

	/* First we leave, then the node: a process that ends without having finalized has failed. */
	check(PMIx_Finalize(NULL, 0), "finalize");
	proto__send(LINE, PROTO_END, NULL, 0, NULL, 0);
	if (poll(&node, 1, LEAVE_S * 1000) != 0)
		return;
	say("it has not ended %d s after its program (does a destructor or an exit handler hang?): killing "
	    "it",
	    LEAVE_S);
	syscall(SYS_pidfd_send_signal, us.node, SIGKILL, NULL, 0);
}

static void open_node(void)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (getsockopt(LINE, SOL_SOCKET, SO_PEERCRED, &who, &len)) {
		fputs("dsm-pmix: a part of Procope that libdsm starts itself when a program runs under "
		      "mpirun or "
		      "srun\n",
		      stderr);
		exit(2);
	}
	us.node = (int)syscall(SYS_pidfd_open, who.pid, 0);
	us.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	/* mpirun ends a process's output with its last holder: only messages may come from us. */
	if (us.node < 0 || us.wake < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0) {
		fprintf(stderr, "dsm: starting dsm-pmix: %s\n", strerror(errno));
		exit(2);
	}
	/* Signals to the job are the node's to follow or not; we end when it ends. */
	for (int s = 1; s < SIGRTMIN; s++)
		if (s == SIGINT || s == SIGTERM || s == SIGHUP || s == SIGQUIT || s == SIGPIPE ||
		    s == SIGTSTP)
			signal(s, SIG_IGN);
}

int main(void)
{
	pmix_status_t lost = PMIX_ERR_LOST_CONNECTION;
	pmix_status_t rc;

	open_node();
	rc = PMIx_Init(&us.self, NULL, 0);
	if (rc != PMIX_SUCCESS) {
		fprintf(stderr,
			"dsm: this process belongs to a PMIx job (PMIX_NAMESPACE) whose server cannot be "
			"reached: %s; "
			"to run it alone unset PMIX_NAMESPACE\n",
			PMIx_Error_string(rc));
		return 2;
	}
	PMIx_Register_event_handler(&lost, 1, NULL, 0, on_server_lost, NULL, NULL);
	us.nodes = job_number(PMIX_JOB_SIZE, "the job's size");
	share_options();
	find_local();
	greet_node();
	connect_node();
	while (!us.done)
		wait_step(0);
	await_all();
	dismiss_node();
	_exit(0); /* PMIx's exit handlers have nothing left to do */
}
