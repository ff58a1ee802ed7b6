// SPDX-License-Identifier: BSD-2-Clause
/*
 * dsmrun_spawn.c - starts nodes and connects them.
 *
 * A node begins with descriptors 0, 1, 2 and its control line (3), nothing else: the end of a
 * connection must mean the death of the node that held it, so no copy may live in anybody else. For
 * the same reason the socket pairs of the Unix transport are made one by one when the nodes already
 * run, sent, and closed here at once.
 */
#include "dsmcore/launch/dsmrun.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/launch/dsmrun_hosts.h"

#define CONTROL_FD	3
#define PERSONALITY_ASK 0xffffffffu

void spawn__child(pid_t parent, int death_signal, int first)
{
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, death_signal);
	if (getppid() != parent) /* it died before the line above */
		_exit(EXIT_BAD);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	signal(SIGTTOU, SIG_IGN); /* in the background of its terminal it may write all the same */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close_range((unsigned)first, ~0u, 0);
}

/* Set in ourselves: it takes effect at exec, so in nodes only. */
void spawn__fix_addresses(void)
{
	int now = personality(PERSONALITY_ASK);

	if (now >= 0 &&
	    (now & ADDR_NO_RANDOMIZE || personality((unsigned long)(unsigned)now | ADDR_NO_RANDOMIZE) >= 0))
		return;
	run__say("warning: the system does not allow to switch address randomisation off (personality: %s): "
		 "libraries and stacks will lie at other addresses in each node",
		 strerror(errno));
}

/* A node's two threads belong on one core: waking a thread there is far cheaper than on another one. With
 * more nodes than cores the system balances them better than we could. Not being allowed to is no error. */
static void bind_to_core(const struct run *run, unsigned index)
{
	cpu_set_t all, one;
	unsigned cores = sched_getaffinity(0, sizeof(all), &all) ? 0 : (unsigned)CPU_COUNT(&all);

	if (!cores || run->bind == BIND_NONE || run->here == 1 ||
	    (run->bind == BIND_AUTO && run->here > cores))
		return;
	index %= cores;
	CPU_ZERO(&one);
	for (unsigned core = 0; core < CPU_SETSIZE; core++)
		if (CPU_ISSET(core, &all) && index-- == 0)
			CPU_SET(core, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void redirect(int fd, int to)
{
	if (fd >= 0 && dup2(fd, to) < 0)
		_exit(EXIT_BAD);
}

/* Never returns. An exec error goes through `trouble`. */
__attribute__((noreturn)) static void become_node(struct run *run, const struct proc *p, pid_t parent,
						  int control, const int out[2], int trouble)
{
	char number[16];
	int null, rc;

	/* Only the first node reads the input, and not a terminal: it is not in the foreground. */
	if (p->node || run->agent || isatty(STDIN_FILENO)) {
		null = open("/dev/null", O_RDONLY);
		redirect(null, STDIN_FILENO);
	}
	redirect(out[0], STDOUT_FILENO);
	redirect(out[1], STDERR_FILENO);
	/* Neither may be in the other's place while it is moved. */
	trouble = fcntl(trouble, F_DUPFD_CLOEXEC, CONTROL_FD + 1);
	if (trouble < 0)
		_exit(EXIT_BAD);
	redirect(control, CONTROL_FD);
	if (control == CONTROL_FD)
		fcntl(CONTROL_FD, F_SETFD, 0);
	redirect(trouble, CONTROL_FD + 1);
	fcntl(CONTROL_FD + 1, F_SETFD, FD_CLOEXEC);
	spawn__child(parent, SIGKILL, CONTROL_FD + 2);
	snprintf(number, sizeof(number), "%d", CONTROL_FD);
	if (setenv(PROTO_FD_ENV, number, 1))
		_exit(EXIT_BAD);
	bind_to_core(run, p->node - run->first);
	execv(run->program, run->argv);
	rc = errno;
	if (write(CONTROL_FD + 1, &rc, sizeof(rc)) < 0)
		_exit(EXIT_BAD);
	_exit(EXIT_BAD);
}

/* 0 when the program was started, else why not. */
static int exec_result(int trouble)
{
	ssize_t n;
	int rc = 0;

	do {
		n = read(trouble, &rc, sizeof(rc));
	} while (n < 0 && errno == EINTR);
	return n == sizeof(rc) ? -rc : 0;
}

static void close_pair(int fds[2])
{
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int send_options(struct run *run, struct proc *p)
{
	struct run_options o = run->options;
	struct timeval limit = {.tv_sec = 10};
	int life = run->lifeline;

	o.node = (uint16_t)p->node;
	o.local_nodes = (uint16_t)run->here;
	setsockopt(p->control, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return proto__send(p->control, PROTO_OPTIONS, &o, sizeof(o), &life, 1);
}

int spawn__node(struct run *run, struct proc *p)
{
	int control[2] = {-1, -1}, trouble[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
	int ends[2], rc = 0;
	pid_t parent = getpid(), pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) || pipe2(trouble, O_CLOEXEC) ||
	    ((run->prefix || run->agent) && (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)))) {
		rc = -errno;
		goto out;
	}
	pid = fork();
	if (pid < 0) {
		rc = -errno;
		goto out;
	}
	ends[0] = out[1];
	ends[1] = err[1];
	if (pid == 0)
		become_node(run, p, parent, control[1], ends, trouble[1]);
	setpgid(pid, pid); /* whoever is first; after exec the child has done it */
	p->pid = p->self = pid;
	p->started = p->running = true;
	run->alive++;
	p->control = control[0];
	p->out[0].fd = out[0];
	p->out[1].fd = err[0];
	control[0] = out[0] = err[0] = -1;
	close(trouble[1]);
	trouble[1] = -1;
	rc = exec_result(trouble[0]);
	if (rc == 0)
		rc = send_options(run, p);
out:
	if (rc == -ENOEXEC)
		run__say("'%s' is not a program this machine can run (wrong format)", run->argv[0]);
	else if (rc == -EMFILE || rc == -EAGAIN)
		run__say(
			"cannot start node %u: %s; raise the limit (ulimit -n, ulimit -u) or use fewer nodes",
			p->node, strerror(-rc));
	else if (rc)
		run__say("cannot start node %u, '%s': %s", p->node, run->argv[0], strerror(-rc));
	close_pair(control);
	close_pair(trouble);
	close_pair(out);
	close_pair(err);
	return rc;
}

int spawn__packet(struct proc *p, struct proto_packet *m)
{
	int fds[2], rc;

	if (p->control < 0)
		return 0;
	rc = proto__recv(p->control, m, fds, MSG_DONTWAIT);
	close_pair(fds); /* nodes have none to give */
	if (rc == 0)
		return 1;
	if (rc == -EAGAIN)
		return 0;
	close(p->control);
	p->control = -1;
	return rc;
}

bool spawn__reap(struct proc *p, bool signals_only, int *code, int *status)
{
	siginfo_t si = {0};

	if (!p->running || waitid(P_PID, (id_t)p->pid, &si, WEXITED | WNOHANG | WNOWAIT) || !si.si_pid ||
	    (signals_only && si.si_code == CLD_EXITED))
		return false;
	/* While it is a zombie its process group's number cannot belong to anybody else. */
	kill(-p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	*code = si.si_code;
	*status = si.si_status;
	return true;
}

/* Whether it is a file of libfabric's provider shm that belongs to this process: "PROCESS:number:number". */
static bool is_endpoint_of(const char *name, pid_t pid)
{
	unsigned of, a, b;
	int end = 0;

	return sscanf(name, "%u:%u:%u%n", &of, &a, &b, &end) == 3 && !name[end] && of == (unsigned)pid;
}

void spawn__sweep(const struct run *run, const struct proc *p)
{
	DIR *dir = *run->options.fabric ? opendir("/dev/shm") : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (is_endpoint_of(entry->d_name, p->self))
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

/* ---- connections ---- */

static int connect_pair(struct run *run, unsigned a, unsigned b)
{
	int pair[2][2] = {{-1, -1}, {-1, -1}}; /* [channel][end] */
	int rc = 0;

	for (int ch = 0; ch < 2 && !rc; ch++)
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair[ch]))
			rc = -errno;
	if (!rc)
		rc = proto__give(run->procs[a].control, b, (int[2]){pair[0][0], pair[1][0]});
	if (!rc)
		rc = proto__give(run->procs[b].control, a, (int[2]){pair[0][1], pair[1][1]});
	close_pair(pair[0]);
	close_pair(pair[1]);
	return rc;
}

int spawn__hand_sockets(struct run *run)
{
	unsigned end = run->first + run->here;
	int rc = 0;

	for (unsigned a = run->first; a < end && !rc; a++)
		for (unsigned b = a + 1; b < end && !rc; b++)
			rc = connect_pair(run, a, b);
	return rc;
}

/* Those of its own host are not reached over TCP, unless everybody is. */
static bool over_tcp(const struct run *run, const struct proc *from, const struct proc *to)
{
	return from->host != to->host || options__over_tcp(&run->options);
}

static int hand_peers(struct run *run)
{
	struct proto_peers peers = {.key = run->key};
	int rc = 0;

	for (unsigned to = 0; to < run->options.nodes && !rc; to++) {
		for (unsigned n = 0; n < run->options.nodes; n++)
			peers.of[n] = over_tcp(run, &run->procs[to], &run->procs[n]) ? run->procs[n].listens
										     : (struct address){0};
		rc = hosts__send(run, &run->procs[to], PROTO_PEERS, &peers, sizeof(peers));
	}
	mesh_key__wipe(&peers.key);
	mesh_key__wipe(&run->key);
	return rc;
}

/* Everybody's address on the fabric to everybody. */
static int hand_addresses(struct run *run)
{
	uint64_t key;
	int rc = 0;

	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		return -EIO;
	for (unsigned to = 0; to < run->options.nodes; to++)
		for (unsigned n = 0; n < run->options.nodes && !rc; n++) {
			struct proto_fabric p = {.key = key, .node = n, .address = run->procs[n].fabric};

			rc = hosts__send(run, &run->procs[to], PROTO_FABRIC, &p, sizeof(p));
		}
	return rc;
}

static int hand_connections(struct run *run)
{
	bool tcp = options__over_tcp(&run->options);
	int rc = 0;

	if (run->options.nodes == 1)
		return 0;
	if (!strcmp(run->options.transport, "fabric"))
		return hand_addresses(run);
	if (!tcp) {
		hosts__tell(run, FRAME_PAIRS, NULL, 0);
		rc = spawn__hand_sockets(run);
	}
	return !rc && (tcp || run->nhosts > 1) ? hand_peers(run) : rc;
}

int spawn__hand_over(struct run *run)
{
	int rc = hand_connections(run);

	for (unsigned n = 0; n < run->options.nodes && !rc; n++)
		rc = hosts__send(run, &run->procs[n], PROTO_GO, NULL, 0);
	/* A node that died meanwhile is reported by its death. */
	if (rc && rc != -EPIPE)
		run__say("cannot connect the nodes: %s%s", strerror(-rc),
			 rc == -EMFILE || rc == -ENFILE || rc == -ETOOMANYREFS
				 ? "; raise the limit (ulimit -n) or use --transport tcp"
				 : "");
	return rc;
}
