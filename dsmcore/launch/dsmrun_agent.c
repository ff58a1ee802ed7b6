// SPDX-License-Identifier: BSD-2-Clause
/*
 * dsmrun_agent.c - dsmrun on one of the other hosts: starts nodes there and stands between them and the
 * dsmrun that the user has started.
 *
 * It decides nothing: packets and output go on, and how a node has ended. When the line ends, so do its
 * nodes; they are its children as they are dsmrun's on its own machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dsm_events.h"
#include "dsmcore/launch/dsmrun_hosts.h"
#include "dsmcore/launch/dsmrun_start.h"
#include "dsmcore/launch/dsmrun_traces.h"
#include "dsmcore/launch/report.h"

#define END_MS 2000 /* from SIGTERM to SIGKILL */

struct agent {
	struct run run;
	struct frame_reader in;
	unsigned end; /* first + here */
	bool started, leaving;
	int look_ms; /* until the trace is looked at again, -1: there is none */
	char name[320];
};

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
	char why[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, sizeof(why), format, ap);
	va_end(ap);
	frame__send(STDOUT_FILENO, FRAME_FAILED, FRAME_NO_NODE, why, strlen(why), NULL, 0);
}

static void send_frame(struct agent *a, enum frame_kind kind, unsigned node, const void *body, size_t n)
{
	if (frame__send(STDOUT_FILENO, kind, node, body, n, NULL, 0))
		a->leaving = true;
}

/* ---- start ---- */

/* The next of the strings that follow the head; NULL when they are over. */
static char *next_string(char **at, char *end)
{
	char *text = *at, *zero = memchr(text, 0, (size_t)(end - text));

	if (!zero)
		return NULL;
	*at = zero + 1;
	return text;
}

static int take_strings(struct agent *a, const struct frame_start *start, char *at, char *end)
{
	struct run *run = &a->run;
	char *name = next_string(&at, end), *folder = name ? next_string(&at, end) : NULL,
	     *program = folder ? next_string(&at, end) : NULL;

	run->argv = calloc(start->arguments + 1ul, sizeof(*run->argv));
	if (!program || !run->argv)
		return -EPROTO;
	snprintf(a->name, sizeof(a->name), "dsmrun on %s", name);
	run__name = a->name;
	snprintf(run->program, sizeof(run->program), "%s", program);
	for (uint32_t i = 0; i < start->arguments; i++)
		if (!(run->argv[i] = next_string(&at, end)))
			return -EPROTO;
	for (uint32_t i = 0; i < start->variables; i++) {
		char *variable = next_string(&at, end);

		if (!variable || putenv(variable))
			return -EPROTO;
	}
	if (chdir(folder)) {
		fail("folder '%s': %s", folder, strerror(errno));
		return -ENOENT;
	}
	return 0;
}

/* The collector beside the nodes, before the first of them. */
static int start_monitor(struct agent *a, unsigned source)
{
	static const char *const names[] = {
		[TRACE_AUTO] = "auto", [TRACE_BPF] = "bpf", [TRACE_RING] = "ring"};
	int rc;

	a->look_ms = -1;
	if (source == TRACE_NONE)
		return 0;
	a->run.trace = a->run.local_trace = "-";
	a->run.source = names[source];
	rc = spool__open(&a->run);
	if (!rc && monitor__start(&a->run))
		rc = -EIO;
	if (rc)
		fail("its dsmcollect could not start; --source ring needs no privilege");
	a->look_ms = 0;
	return rc;
}

static int start_nodes(struct agent *a, const struct frame_head *head, const uint8_t *payload)
{
	struct run *run = &a->run;
	struct frame_start start;
	char *text;
	int rc;

	if (head->bytes < sizeof(start) || a->started)
		return -EPROTO;
	memcpy(&start, payload, sizeof(start));
	if (start.version != PROTO_VERSION || start.bytes != sizeof(start) ||
	    !options__sane(&start.options) || start.first > start.options.nodes ||
	    start.count > start.options.nodes - start.first || start.arguments > head->bytes ||
	    start.variables > head->bytes || start.source >= TRACE_SOURCES) {
		fail("dsmrun there is of another build: install the same one on all hosts");
		return -EPROTO;
	}
	/* Kept for good: the arguments lie in it. */
	text = malloc(head->bytes - sizeof(start) + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text, payload + sizeof(start), head->bytes - sizeof(start));
	a->started = true;
	run->options = start.options;
	run->first = start.first;
	run->here = start.count;
	a->end = start.first + start.count;
	run->verbose = start.verbose;
	run->bind = (enum bind)start.bind;
	run->stats = start.stats ? "" : NULL;
	rc = take_strings(a, &start, text, text + head->bytes - sizeof(start));
	if (!rc)
		rc = run__open(run);
	if (!rc && start_monitor(a, start.source))
		return -EIO;
	if (rc == 0)
		spawn__fix_addresses();
	for (unsigned n = run->first; n < a->end && !rc; n++)
		rc = spawn__node(run, &run->procs[n]);
	if (rc)
		fail("its nodes could not be started (%s)", strerror(-rc));
	return rc;
}

/* ---- from dsmrun ---- */

static void signal_nodes(struct agent *a, int sig)
{
	for (unsigned n = a->run.first; n < a->end; n++)
		if (a->run.procs[n].running)
			kill(-a->run.procs[n].pid, sig);
}

/* Whoever could not be connected is known by the others' silence; dsmrun has a time limit for that. */
static void connect_nodes(struct agent *a)
{
	int rc = spawn__hand_sockets(&a->run);

	if (rc && rc != -EPIPE)
		fail("its nodes could not be connected with one another: %s", strerror(-rc));
}

static int take(struct agent *a, const struct frame_head *head, const uint8_t *payload)
{
	int32_t sig;
	uint32_t type;

	if (head->kind == FRAME_START)
		return start_nodes(a, head, payload);
	if (!a->started)
		return -EPROTO;
	if (head->kind == FRAME_PAIRS) {
		connect_nodes(a);
	} else if (head->kind == FRAME_UNTRACE) {
		spool__stop(&a->run, false);
	} else if (head->kind == FRAME_SIGNAL && head->bytes == sizeof(sig)) {
		memcpy(&sig, payload, sizeof(sig));
		signal_nodes(a, sig);
	} else if (head->kind == FRAME_PACKET && head->node >= a->run.first && head->node < a->end &&
		   head->bytes >= sizeof(type)) {
		struct proc *p = &a->run.procs[head->node];

		memcpy(&type, payload, sizeof(type));
		if (p->control >= 0) /* one that is gone is seen elsewhere */
			proto__send(p->control, type, payload + sizeof(type), head->bytes - sizeof(type),
				    NULL, 0);
		if (type == PROTO_PEERS || type == PROTO_FABRIC) /* the run's key is in it */
			explicit_bzero((void *)(uintptr_t)payload, head->bytes);
	} else {
		return -EPROTO;
	}
	return 0;
}

static void read_frames(struct agent *a)
{
	struct frame_head head;
	const uint8_t *payload;
	int rc = frame__read(&a->in, STDIN_FILENO), end = rc;

	while (!a->leaving && frame__next(&a->in, &head, &payload, &rc) && !(rc = take(a, &head, payload)))
		;
	if (rc == -EPROTO)
		fail("what dsmrun has sent makes no sense");
	if (end || rc)
		a->leaving = true;
}

/* ---- from the nodes ---- */

static void pass_packet(struct agent *a, struct proc *p, struct proto_packet *m)
{
	uint32_t type = m->type;
	char line[REPORT_LINE];

	if (type == PROTO_HELLO)
		p->self = m->hello.pid;
	if (type == PROTO_DONE && a->run.stats)
		stats__find(p);
	if (type == PROTO_REPORT) {
		report__format(&m->report, line, sizeof(line));
		send_frame(a, FRAME_REPORT, p->node, line, strlen(line));
	} else if (frame__send(
			   STDOUT_FILENO, FRAME_PACKET, p->node, &type, sizeof(type), &m->options,
			   (size_t)proto__body_bytes(type))) { /* any member begins where the union does */
		a->leaving = true;
	}
}

static void read_control(struct agent *a, struct proc *p)
{
	struct proto_packet m;
	int rc;

	while ((rc = spawn__packet(p, &m)) > 0)
		pass_packet(a, p, &m);
	if (rc == -EPROTO)
		send_frame(a, FRAME_ALIEN, p->node, NULL, 0);
}

static void read_output(struct agent *a, struct proc *p, int which)
{
	struct stream *s = &p->out[which];
	ssize_t n = read(s->fd, s->line, sizeof(s->line));

	if (n < 0 && errno == EINTR)
		return;
	if (n > 0) {
		send_frame(a, which ? FRAME_ERR : FRAME_OUT, p->node, s->line, (size_t)n);
		return;
	}
	close(s->fd);
	s->fd = -1;
}

static void report_end(struct agent *a, struct proc *p, int code, int status)
{
	struct frame_ended e = {code, status};
	struct dsm_shm shm;

	read_control(a, p);
	spawn__sweep(&a->run, p);
	for (int s = 0; s < 2; s++)
		while (p->out[s].fd >= 0 &&
		       poll(&(struct pollfd){.fd = p->out[s].fd, .events = POLLIN}, 1, 0) > 0)
			read_output(a, p, s);
	if (a->run.stats && stats__read(p, &shm, sizeof(shm)) == 0)
		send_frame(a, FRAME_STATS, p->node, &shm, sizeof(shm));
	send_frame(a, FRAME_ENDED, p->node, &e, sizeof(e));
	p->running = false;
	a->run.alive--;
}

/* The killed ones first: others fail for that reason. */
static void reap_all(struct agent *a)
{
	int code, status;

	for (int pass = 0; pass < 2; pass++)
		for (unsigned n = a->run.first; n < a->end; n++)
			if (spawn__reap(&a->run.procs[n], pass == 0, &code, &status))
				report_end(a, &a->run.procs[n], code, status);
}

static void on_signals(struct agent *a)
{
	struct signalfd_siginfo si;

	while (read(a->run.signals, &si, sizeof(si)) == sizeof(si))
		if (si.ssi_signo != SIGCHLD && si.ssi_signo != SIGTSTP)
			a->leaving = true;
	reap_all(a);
}

/* ---- the loop ---- */

static void serve(struct agent *a, struct pollfd *polls, int ms)
{
	struct run *run = &a->run;
	unsigned n = 0, nodes = run->here;

	polls[n++] = (struct pollfd){.fd = a->leaving ? -1 : STDIN_FILENO, .events = POLLIN};
	polls[n++] = (struct pollfd){.fd = run->signals, .events = POLLIN};
	for (unsigned i = 0; i < nodes; i++) {
		struct proc *p = &run->procs[run->first + i];

		polls[n++] = (struct pollfd){.fd = p->control, .events = POLLIN};
		polls[n++] = (struct pollfd){.fd = p->out[0].fd, .events = POLLIN};
		polls[n++] = (struct pollfd){.fd = p->out[1].fd, .events = POLLIN};
	}
	if (poll(polls, n, ms) <= 0)
		return;
	for (unsigned i = 0; i < nodes; i++) {
		struct proc *p = &run->procs[run->first + i];

		for (int s = 0; s < 2; s++)
			if (polls[2 + 3 * i + 1 + (unsigned)s].revents)
				read_output(a, p, s);
		if (polls[2 + 3 * i].revents)
			read_control(a, p);
	}
	if (polls[1].revents)
		on_signals(a);
	if (polls[0].revents)
		read_frames(a);
}

/* Until when to wait for something else. */
static int patience(const struct agent *a)
{
	return a->leaving && (a->look_ms < 0 || a->look_ms > 50) ? 50 : a->look_ms;
}

static void loop(struct agent *a)
{
	struct pollfd *polls = calloc(2 + 3 * (size_t)a->run.here, sizeof(*polls));
	int64_t kill_at = 0;

	if (!polls)
		return;
	while (!a->leaving || (a->run.alive && (!kill_at || run__now() < kill_at))) {
		serve(a, polls, patience(a));
		if (!a->leaving)
			a->look_ms = spool__send(&a->run, &a->leaving);
		if (a->leaving && !kill_at) {
			signal_nodes(a, SIGTERM);
			signal_nodes(a, SIGCONT);
			kill_at = run__now() + END_MS * 1000000ll;
		}
	}
	signal_nodes(a, SIGKILL);
	spool__stop(&a->run, true); /* nobody waits for its trace any more */
	free(polls);
}

int agent__run(void)
{
	static struct agent agent;
	struct agent *a = &agent;

	a->run = (struct run){.agent = true, .lifeline = -1, .signals = -1, .spool = -1};
	a->in.greeted = true;
	if (isatty(STDIN_FILENO) || write(STDOUT_FILENO, AGENT_HELLO, sizeof(AGENT_HELLO) - 1) < 0) {
		run__say("--agent is what dsmrun --hosts starts on other hosts, not to be used by hand");
		return EXIT_BAD;
	}
	/* The first frame says what to start. */
	while (!a->started && !a->leaving)
		read_frames(a);
	if (a->started && a->run.procs)
		loop(a);
	frame__free(&a->in);
	return 0;
}
