// SPDX-License-Identifier: BSD-2-Clause
/*
 * each.c - the processes of one host agree on who records, by a name that only one can have.
 *
 * The name is that of a Unix socket without a file: it goes with its owner, and is of this host alone. Its owner starts a
 * collector, tells the others when that is ready (they become the program then, and nothing of this is left in them), starts
 * the program as a child, and ends as it does. The launcher waits for it, so there is time to write the trace; it
 * must not end late if the program failed, since the others of the job are told by that.
 */
#include "collector/each.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

#include "collector/each_parts.h"

#define READY_MS  30000 /* verifying and attaching the BPF programs takes a second at most */
#define FINISH_MS 5000	/* for a collector whose nodes have ended: it ends with them, if it has seen any */
#define WRITE_MS  1000	/* for one that is told to end because the program failed */
#define NOT_RUN	  2	/* exit code: nothing was started */
#define CANNOT	  127	/* as shells have it */

#define WORD_GO	  'g'
#define WORD_RING 'r'

struct owner {
	const struct collect_options *options;
	char **program;
	sigset_t before; /* signals blocked when we came */
	int listener, signals, ready;
	pid_t collector, child;
	int collector_status, child_status;
	int *waiting; /* the others, until the collector is ready */
	size_t nwaiting;
	bool go, ring, first; /* ring: what the collector reads; first: rank 0 is on this host */
	char part[4200];
	char job[512]; /* as it stands in the environment of its processes */
};

static int say(const char *what, const char *why)
{
	fprintf(stderr, "dsmcollect: --each: %s: %s\n", what, why);
	return NOT_RUN;
}

/* ---- who records ---- */

static socklen_t name_of(const char *job, struct sockaddr_un *a)
{
	uint64_t hash = XXH64(job, strlen(job), 0); /* the job's name may be longer than fits */
	int n;

	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(a->sun_path + 1, sizeof(a->sun_path) - 1, "procope-each-%u-%016llx", geteuid(),
		     (unsigned long long)hash);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static bool is_ours(int fd)
{
	struct ucred who;
	socklen_t size = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.uid == geteuid();
}

/* ring: a ring must be found and switched on before anything is in it, so the node waits for that. */
static int become(char **program, bool ring)
{
	if (ring)
		setenv("DSM_AWAIT_COLLECTOR", "1", 1);
	execvp(program[0], program);
	fprintf(stderr, "dsmcollect: --each: cannot start '%s': %s\n", program[0], strerror(errno));
	return CANNOT;
}

/* Another process of this host has the name: wait for its word. */
static int join(const struct sockaddr_un *a, socklen_t size, unsigned rank, char **program)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), rc = fd < 0 ? -1 : 1;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char word = 0;

	/* Between its bind() and its listen() it refuses. */
	for (int i = 0; rc > 0 && i < 100; i++) {
		rc = connect(fd, (const struct sockaddr *)a, size);
		if (rc && errno == ECONNREFUSED && !poll(NULL, 0, 20))
			rc = 1;
	}
	if (rc)
		return say("the process that records on this host cannot be reached", strerror(errno));
	if (!is_ours(fd))
		return say("the process that records on this host", "is of another user");
	if (send(fd, &rank, sizeof(rank), MSG_NOSIGNAL) < 0 || poll(&p, 1, READY_MS + 5000) <= 0 ||
	    recv(fd, &word, 1, 0) != 1)
		return say("the collector of this host", "has not started (its message is beside this one)");
	close(fd);
	return become(program, word == WORD_RING);
}

static void tell(const struct owner *w, int fd)
{
	char word = w->ring ? WORD_RING : WORD_GO;

	send(fd, &word, 1, MSG_NOSIGNAL);
	close(fd);
}

static void welcome(struct owner *w)
{
	struct timeval most = {.tv_sec = 1};
	int fd = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC), *more;
	unsigned rank;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	if (!is_ours(fd) || recv(fd, &rank, sizeof(rank), 0) != sizeof(rank)) {
		close(fd);
		return;
	}
	w->first |= rank == 0;
	if (w->go) {
		tell(w, fd);
		return;
	}
	more = reallocarray(w->waiting, w->nwaiting + 1, sizeof(*more));
	if (!more) {
		close(fd);
		return;
	}
	w->waiting = more;
	w->waiting[w->nwaiting++] = fd;
}

/* ---- the collector ---- */

/* Under its parent's hand in any case: whoever kills that ends it, too, and it writes what it has. */
static void live_under(pid_t parent, int signal)
{
	prctl(PR_SET_PDEATHSIG, signal);
	if (getppid() != parent)
		_exit(NOT_RUN);
}

__attribute__((noreturn)) static void collect(struct owner *w, pid_t parent, int ready)
{
	struct collect_options o = *w->options;
	struct collect c;
	int rc;

	live_under(parent, SIGTERM);
	setpgid(0, 0); /* what is sent to all of the job's group is for the program; we end with that */
	o.output = w->part;
	o.job = w->job;
	o.ready_fd = ready;
	o.quiet = true;
	o.json = false;
	close(w->listener);
	rc = collect__open(&c, &o);
	if (rc)
		_exit(rc);
	/* The owner's signals are blocked already: of these only those that end a collection are looked at. */
	collect__run(&c, w->signals);
	_exit(collect__close(&c));
}

static int start_collector(struct owner *w)
{
	int line[2];
	pid_t self = getpid();

	if (pipe2(line, O_CLOEXEC))
		return -errno;
	w->collector = fork();
	if (w->collector == 0) {
		sigset_t set;

		close(line[0]);
		close(w->signals);
		signal(SIGPIPE, SIG_IGN);
		signal(SIGXFSZ, SIG_IGN);
		sigemptyset(&set);
		sigaddset(&set, SIGTERM);
		w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
		collect(w, self, line[1]);
	}
	close(line[1]);
	w->ready = line[0];
	return w->collector < 0 ? -errno : 0;
}

static int start_program(struct owner *w)
{
	pid_t self = getpid();

	w->child = fork();
	if (w->child == 0) {
		live_under(self, SIGKILL);
		sigprocmask(SIG_SETMASK, &w->before, NULL);
		_exit(become(w->program, w->ring));
	}
	return w->child < 0 ? -errno : 0;
}

/* ---- until all is over ---- */

static void take_children(struct owner *w)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == w->collector) {
			w->collector = 0;
			w->collector_status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
		} else if (pid == w->child) {
			w->child = 0;
			w->child_status = status;
		}
	}
}

static void take_signals(struct owner *w)
{
	struct signalfd_siginfo s;

	while (read(w->signals, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo == SIGCHLD)
			take_children(w);
		else if (w->child)
			kill(w->child, (int)s.ssi_signo);
		else if (w->collector && s.ssi_signo != SIGCONT)
			kill(w->collector, SIGTERM);
	}
}

/* One look; false after `ms` without anything. */
static bool look(struct owner *w, int ms)
{
	struct pollfd p[] = {{.fd = w->signals, .events = POLLIN},
			     {.fd = w->listener, .events = POLLIN},
			     {.fd = w->ready, .events = POLLIN}};

	if (poll(p, 3, ms) <= 0)
		return false;
	if (p[0].revents)
		take_signals(w);
	if (p[1].revents)
		welcome(w);
	if (p[2].revents) {
		char text[256] = "";

		w->go = read(w->ready, text, sizeof(text) - 1) > 0;
		w->ring = !strncmp(text, "ready ring", 10);
		close(w->ready);
		w->ready = -1;
		for (size_t i = 0; w->go && i < w->nwaiting; i++)
			tell(w, w->waiting[i]);
		w->nwaiting = w->go ? 0 : w->nwaiting;
	}
	return true;
}

static void finish_collector(struct owner *w, int ms)
{
	for (int left = ms; w->collector && left > 0; left -= 20)
		look(w, 20);
	if (w->collector)
		kill(w->collector, SIGTERM);
	for (int left = 5000; w->collector && left > 0; left -= 20)
		look(w, 20);
	if (w->collector)
		kill(w->collector, SIGKILL);
	while (w->collector)
		look(w, 100);
}

/* As the program ended, so that the launcher hears the truth. */
static int end_like(int status)
{
	struct rlimit none = {0, 0};
	sigset_t set;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &none); /* the program has written its own */
	signal(WTERMSIG(status), SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(WTERMSIG(status));
	return 128 + WTERMSIG(status);
}

static int own(struct owner *w)
{
	int rc = start_collector(w);

	if (rc)
		return say("the collector", strerror(-rc));
	for (int left = READY_MS; !w->go && w->ready >= 0 && w->collector && left > 0; left -= 20)
		look(w, 20);
	if (!w->go) {
		finish_collector(w, 0);
		return say("the collector of this host could not start", "the program was not run");
	}
	rc = start_program(w);
	if (rc)
		return say(w->program[0], strerror(-rc));
	while (w->child)
		look(w, 1000);
	if (w->child_status) {
		finish_collector(w, WRITE_MS);
		each__keep(w->options->output, w->part, w->first);
		return end_like(w->child_status);
	}
	finish_collector(w, FINISH_MS);
	if (w->collector_status)
		fprintf(stderr, "dsmcollect: --each: the collector of this host has ended with status %d\n",
			w->collector_status);
	rc = w->first ? each__merge(w->options, w->part) : 0;
	return w->collector_status ? 1 : rc;
}

static int signals(sigset_t *before)
{
	static const int ours[] = {SIGCHLD, SIGTERM, SIGINT,  SIGHUP,  SIGQUIT,
				   SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		sigaddset(&set, ours[i]);
	sigprocmask(SIG_BLOCK, &set, before);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int each__run(const struct collect_options *options, char **program)
{
	const char *job = getenv("PMIX_NAMESPACE"), *rank = getenv("PMIX_RANK");
	struct owner w = {.options = options, .program = program, .ready = -1};
	struct sockaddr_un a;
	socklen_t size;
	int rc;

	if (!job || !rank)
		return say("this is no job of mpirun or srun --mpi=pmix",
			   "start it with one of these, or use dsmrun --monitor");
	rc = each__name(options->output, rank, w.part, sizeof(w.part));
	if (rc)
		return say(options->output, strerror(-rc));
	if (snprintf(w.job, sizeof(w.job), "PMIX_NAMESPACE=%s", job) >= (int)sizeof(w.job))
		return say("PMIX_NAMESPACE", strerror(ENAMETOOLONG));
	w.first = !strcmp(rank, "0");
	size = name_of(job, &a);
	w.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (w.listener < 0)
		return say("socket", strerror(errno));
	if (bind(w.listener, (const struct sockaddr *)&a, size)) {
		if (errno != EADDRINUSE)
			return say("socket", strerror(errno));
		close(w.listener);
		return join(&a, size, (unsigned)strtoul(rank, NULL, 10), program);
	}
	w.signals = signals(&w.before);
	if (listen(w.listener, SOMAXCONN) || w.signals < 0)
		return say("socket", strerror(errno));
	rc = own(&w);
	free(w.waiting);
	return rc;
}
