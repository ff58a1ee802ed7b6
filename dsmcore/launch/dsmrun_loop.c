// SPDX-License-Identifier: BSD-2-Clause
/*
 * dsmrun_loop.c - from the nodes' start to their end.
 *
 * One poll loop over the signals, the control lines and, with --prefix, the output of the nodes (dsmrun_output.c). The
 * run's status is decided once, by the first thing that goes wrong (decide()); from then on the
 * nodes are only ended: SIGTERM to each node's process group, SIGKILL two seconds later.
 */
#include "dsmcore/launch/dsmrun.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/launch/dsmrun_hosts.h"
#include "dsmcore/launch/dsmrun_traces.h"
#include "dsmcore/launch/report.h"

#define HELLO_S	  10ll	       /* a node must join within this */
#define REMOTE_S  30ll	       /* the same when remote shells must start first */
#define MONITOR_S 30ll	       /* and collectors, too */
#define SETTLE_MS 200	       /* for other hosts to say what made a node here fail */
#define END_NS	  2000000000ll /* from SIGTERM to SIGKILL */
#define STRAGGLER 2000000000ll /* what the others get when one has returned non-zero */
#define ANSWER_NS 300000000ll  /* for what nodes say about themselves */
#define LEAVE_S	  10ll	       /* what is left for destructors once all programs have returned */

static void signal_all(struct run *run, int sig)
{
	int32_t number = sig;

	for (unsigned n = 0; n < run->options.nodes; n++)
		if (run->procs[n].running && !run->procs[n].host)
			kill(-run->procs[n].pid, sig);
	hosts__tell(run, FRAME_SIGNAL, &number, sizeof(number));
}

static void end_all(struct run *run, int sig)
{
	signal_all(run, sig);
	signal_all(run, SIGCONT);
	run->ending = true;
	run->deadline_ns = run__now() + END_NS;
}

/* The first failure names the run's status; the rest of the nodes is ended. */
static void decide(struct run *run, int status)
{
	if (!run->failed) {
		run->failed = true;
		run->status = status;
	}
	if (!run->ending)
		end_all(run, SIGTERM);
}

/* A run that does not end by itself: its nodes say what they wait for, and are ended then (on_deadline()). */
static void end_asked(struct run *run, int status)
{
	if (run->failed || run->ending || run->told_end || !run->handed_over) {
		decide(run, status);
		return;
	}
	run->failed = true;
	run->status = status;
	run->deadline_ns = run__now() + ANSWER_NS;
	for (unsigned n = 0; n < run->options.nodes; n++) {
		if (run->procs[n].done)
			fprintf(stderr, "dsm: node %u: its program has ended\n", n);
		else if (run->procs[n].running)
			hosts__send(run, &run->procs[n], PROTO_ASK, NULL, 0);
	}
}

/* ---- what nodes say ---- */

static void node_done(struct run *run, struct proc *p, int status)
{
	if (p->done)
		return;
	p->done = true;
	run->done++;
	if (run->stats && !p->host)
		stats__find(p);
	if (run->verbose)
		run__say("node %u is done, status %d", p->node, status);
	if (status && !run->failed) {
		run->failed = true;
		run->status = status & 0xff ? status & 0xff : 1;
		/* The others may be about to say the same; but they may also wait for this one for ever. */
		run->deadline_ns = run__now() + STRAGGLER;
	}
}

void loop__packet(struct run *run, struct proc *p, struct proto_packet *m)
{
	char text[ADDRESS_TEXT];

	switch (m->type) {
	case PROTO_HELLO:
		if (p->hello)
			break;
		p->hello = true;
		p->self = m->hello.pid;
		p->listens = m->hello.listens;
		if (run->verbose && p->listens.port)
			run__say("node %u listens at %s", p->node, address__text(&p->listens, text));
		p->fabric = m->hello.fabric;
		run->hellos++;
		break;
	case PROTO_REPORT:
		p->reported = true;
		report__print(p->node, &m->report);
		break;
	case PROTO_DONE:
		node_done(run, p, m->status);
		break;
	default:
		run__say("node %u sent a packet of type %u, which makes no sense; ignored", p->node, m->type);
	}
}

void loop__report(struct proc *p, const char *line)
{
	p->reported = true;
	fprintf(stderr, "dsm: node %u: %s\n", p->node, line);
}

void loop__alien(struct run *run, struct proc *p)
{
	run__say("node %u speaks another version of the control protocol: link '%s' with the libdsm of this "
		 "dsmrun",
		 p->node, run->argv[0]);
	decide(run, EXIT_BAD);
}

static void read_control(struct run *run, struct proc *p)
{
	struct proto_packet m;
	int rc;

	while ((rc = spawn__packet(p, &m)) > 0)
		loop__packet(run, p, &m);
	if (rc == -EPROTO)
		loop__alien(run, p);
}

/* ---- the ends of nodes ---- */

static const char *signal_remedy(int sig)
{
	switch (sig) {
	case SIGXFSZ:
		return ": let the program write less into one file, or raise the limit (ulimit -f)";
	case SIGSYS:
		return ": a sandbox (seccomp) forbids a system call that it makes; `dsmcheck` says which of "
		       "those that the DSM "
		       "needs are refused";
	default:
		return "";
	}
}

static void died_of_signal(struct run *run, const struct proc *p, int sig, bool core)
{
	run__say("node %u (process %d%s%s) was killed by signal %d (%s)%s; all nodes are ended%s", p->node,
		 (int)(p->host ? p->self : p->pid), p->host ? " on " : "", p->host ? p->host->name : "", sig,
		 strsignal(sig), core ? ", core dumped" : "", signal_remedy(sig));
	decide(run, EXIT_SIGNAL + sig);
}

static void returned(struct run *run, const struct proc *p, int status)
{
	if (!p->hello) {
		run__say("'%s' ended (exit status %d) before it joined the run%s", run->argv[0], status,
			 status == 0	 ? ": is it linked with libdsm?"
			 : status == 127 ? ": was libdsm.so found?"
					 : "");
		decide(run, EXIT_BAD);
	} else if (status) {
		if (!p->reported && !run->failed)
			run__say("node %u ended with status %d%s", p->node, status,
				 p->done ? ""
					 : ", by _exit(), or without the descriptors that its runtime needs "
					   "(did the "
					   "program close all, as closefrom() does? Let it close its own)");
		decide(run, status);
	} else if (!p->done && !run->failed) {
		run__say("node %u left the run in the middle (by _exit() or exec? or has it closed all "
			 "descriptors?): "
			 "return from main or call exit(), and close only what the program has opened",
			 p->node);
		decide(run, EXIT_BAD);
	}
}

void loop__ended(struct run *run, struct proc *p, int code, int status)
{
	(void)run;
	p->ended = true;
	p->end_code = code;
	p->end_status = status;
}

/* Takes one node that has ended off the books; `signals_only`: if it was killed. */
static void reap(struct run *run, struct proc *p, bool signals_only)
{
	int code = p->end_code, status = p->end_status;
	bool signaled;

	if (p->host ? !p->running || !p->ended || (signals_only && code == CLD_EXITED)
		    : !spawn__reap(p, signals_only, &code, &status))
		return;
	signaled = code != CLD_EXITED;
	read_control(run, p);
	if (!p->host)
		spawn__sweep(run, p);
	if (run->verbose)
		run__say("node %u has ended (%s %d)", p->node, signaled ? "signal" : "status", status);
	if (!run->ending) {
		if (signaled)
			died_of_signal(run, p, status, code == CLD_DUMPED);
		else
			returned(run, p, status);
	}
	p->running = false;
	run->alive--;
}

static bool has_failed(const struct proc *p)
{
	siginfo_t si = {0};

	if (p->host)
		return p->running && p->ended && p->end_code == CLD_EXITED && p->end_status;
	return p->running && waitid(P_PID, (id_t)p->pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       si.si_pid && si.si_code == CLD_EXITED && si.si_status;
}

/* The collector here ends with the last words of the nodes here, before their processes do. */
static bool running_here(const struct run *run)
{
	for (unsigned n = run->first; n < run->first + run->here && !run->told_end && !run->ending; n++)
		if (run->procs[n].running)
			return true;
	return false;
}

/* When a node is killed, others may fail for that very reason; so the killed ones are asked first, and
 * again after a moment when a node has failed in another way. */
static void reap_all(struct run *run)
{
	bool trouble = false;

	for (unsigned n = 0; n < run->options.nodes && !run->ending && !trouble; n++)
		trouble = has_failed(&run->procs[n]);
	if (trouble && run->here < run->options.nodes)
		hosts__settle(run, SETTLE_MS);
	else if (trouble)
		nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
	for (int pass = 0; pass < 2; pass++)
		for (unsigned n = 0; n < run->options.nodes; n++)
			reap(run, &run->procs[n], pass == 0);
	if (monitor__ended(run) && (running_here(run) || run->collector_status >= EXIT_SIGNAL))
		monitor__say_early(run);
}

/* Nobody can say any more how its nodes have ended. */
void loop__host_lost(struct run *run, struct host *h, const char *why)
{
	bool running = false;

	for (unsigned n = h->first; n < h->first + h->count; n++) {
		struct proc *p = &run->procs[n];

		if (!p->running || p->ended)
			continue;
		running = true;
		p->running = false;
		run->alive--;
	}
	if (running && !run->ending) {
		run__say("host '%s': %s", h->name, why);
		decide(run, EXIT_BAD);
	}
}

/* Ctrl-Z reaches only us: the nodes stop with us and go on with us. Time-outs go on too. */
static void pause_all(struct run *run)
{
	signal_all(run, SIGSTOP);
	raise(SIGSTOP);
	signal_all(run, SIGCONT);
}

static void on_signal(struct run *run)
{
	struct signalfd_siginfo si;

	while (read(run->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			continue;
		if (si.ssi_signo == SIGTSTP) {
			pause_all(run);
			continue;
		}
		if (run->ending && run->failed) { /* a second Ctrl-C */
			end_all(run, SIGKILL);
			run->killed = true;
			continue;
		}
		run__say("%s: ending all nodes",
			 si.ssi_signo == SIGINT ? "interrupted" : strsignal((int)si.ssi_signo));
		if (si.ssi_signo == SIGQUIT)
			end_asked(run, EXIT_SIGNAL + SIGQUIT);
		else
			decide(run, EXIT_SIGNAL + (int)si.ssi_signo);
	}
	reap_all(run);
}

/* ---- phases ---- */

/* Their programs have returned and they know that the run is over, but something in them goes on. */
static void kill_lingering(struct run *run)
{
	for (unsigned n = 0; n < run->options.nodes; n++)
		if (run->procs[n].running)
			run__say("node %u (process %d) has not ended %lld s after its program (does a "
				 "destructor or an exit handler hang?): killing it",
				 n, (int)run->procs[n].self, LEAVE_S);
	if (!run->failed) {
		run->failed = true;
		run->status = EXIT_SIGNAL + SIGKILL;
	}
	run->killed = true;
	end_all(run, SIGKILL);
}

/* They were told to kill their nodes and have not said that these are dead: nobody waits for them any more.
 */
static void give_up_hosts(struct run *run)
{
	for (unsigned i = 0; i < run->nhosts; i++) {
		struct host *h = &run->hosts[i];
		bool silent = false;

		for (unsigned n = h->first; n < h->first + h->count; n++)
			silent |= !h->here && run->procs[n].running && !run->procs[n].ended;
		if (!silent)
			continue;
		run__say("host '%s' does not answer: its nodes end when the line of '%s' to it is found to "
			 "be cut",
			 h->name, run->rsh);
		loop__host_lost(run, h, "");
	}
}

static long long join_s(const struct run *run)
{
	if (!traces__spread(run))
		return HELLO_S;
	return run->trace ? REMOTE_S + MONITOR_S : REMOTE_S;
}

static void on_deadline(struct run *run)
{
	run->deadline_ns = 0;
	if (run->ending) {
		if (run->killed)
			give_up_hosts(run);
		else if (run->alive)
			end_all(run, SIGKILL);
		run->killed = true;
	} else if (run->told_end) {
		kill_lingering(run);
	} else if (run->failed) {
		end_all(run, SIGTERM);
	} else if (!run->handed_over) {
		run__say("%u of %u nodes have not joined within %lld s: is '%s' linked with libdsm?",
			 run->options.nodes - run->hellos, run->options.nodes, join_s(run), run->argv[0]);
		decide(run, EXIT_BAD);
	}
}

static void advance(struct run *run)
{
	int rc;

	if (!run->handed_over && run->hellos == run->options.nodes && !run->ending) {
		run->handed_over = true;
		run->deadline_ns = 0;
		run->start_ns = run__now();
		rc = spawn__hand_over(run);
		if (rc)
			reap_all(run); /* a death explains it better */
		if (rc && rc != -EPIPE)
			decide(run, EXIT_BAD);
	}
	if (!run->told_end && run->done == run->options.nodes && !run->ending) {
		run->told_end = true;
		run->end_ns = run__now();
		run->deadline_ns = run->end_ns + LEAVE_S * 1000000000ll;
		for (unsigned n = 0; n < run->options.nodes; n++)
			hosts__send(run, &run->procs[n], PROTO_END, NULL, 0);
	}
	if (run->timeout_ns && run__now() >= run->timeout_ns && !run->ending) {
		run__say("the run has not ended after %u s (--timeout): ending all nodes", run->timeout_s);
		run->timeout_ns = 0;
		end_asked(run, EXIT_TIMEOUT);
	}
	if (run->deadline_ns && run__now() >= run->deadline_ns)
		on_deadline(run);
}

static int wait_ms(const struct run *run)
{
	int64_t until = run->deadline_ns, ms;

	if (run->timeout_ns && !run->ending && (!until || run->timeout_ns < until))
		until = run->timeout_ns;
	if (!until)
		return -1;
	ms = (until - run__now()) / 1000000 + 1;
	return ms < 0 ? 0 : ms > 3600000 ? 3600000 : (int)ms;
}

static void serve(struct run *run, struct pollfd *polls, int ms)
{
	unsigned nodes = run->options.nodes;

	polls[0] = (struct pollfd){.fd = run->signals, .events = POLLIN};
	for (unsigned n = 0; n < nodes; n++) {
		struct proc *p = &run->procs[n];

		polls[1 + n] = (struct pollfd){.fd = p->control, .events = POLLIN};
		for (unsigned s = 0; s < 2; s++)
			polls[1 + nodes + 2 * n + s] = (struct pollfd){.fd = p->out[s].fd, .events = POLLIN};
	}
	for (unsigned i = 0; i < run->nhosts; i++)
		polls[1 + 3 * nodes + i] = (struct pollfd){.fd = run->hosts[i].from, .events = POLLIN};
	int rc = poll(polls, 1 + 3 * nodes + run->nhosts, ms);

	if (rc < 0 && errno != EINTR) { /* would only come again: end the run instead of spinning */
		run__say("poll: %s", strerror(errno));
		exit(EXIT_BAD); /* the nodes die with their parent */
	}
	if (rc <= 0)
		return;
	for (unsigned n = 0; n < nodes; n++) {
		struct proc *p = &run->procs[n];

		for (int s = 0; s < 2; s++)
			if (polls[1 + nodes + 2 * n + (unsigned)s].revents)
				output__read(run, p, s);
		if (polls[1 + n].revents)
			read_control(run, p);
	}
	for (unsigned i = 0; i < run->nhosts; i++)
		if (polls[1 + 3 * nodes + i].revents) {
			hosts__read(run, &run->hosts[i]);
			reap_all(run);
		}
	if (polls[0].revents)
		on_signal(run);
}

static void start_all(struct run *run)
{
	run->deadline_ns = run__now() + join_s(run) * 1000000000ll;
	if (run->timeout_s)
		run->timeout_ns = run__now() + run->timeout_s * 1000000000ll;
	spawn__fix_addresses();
	if (hosts__start(run))
		decide(run, EXIT_BAD);
	for (unsigned n = run->first; n < run->first + run->here && !run->ending; n++)
		if (spawn__node(run, &run->procs[n]))
			decide(run, EXIT_BAD);
	reap_all(run); /* the word of a collector's death may have come while one waited for it */
}

int loop__run(struct run *run)
{
	unsigned nodes = run->options.nodes;
	struct pollfd *polls = calloc(1 + 3 * (size_t)nodes + run->nhosts, sizeof(*polls));

	if (!polls) {
		run__say("out of memory");
		return EXIT_BAD;
	}
	start_all(run);
	while (run->alive) {
		advance(run);
		if (run->alive) /* it may have given up the last ones */
			serve(run, polls, wait_ms(run));
	}
	output__drain(run);
	if (run->trace && traces__spread(run))
		traces__gather(run);
	hosts__finish(run);
	output__finish(run);
	free(polls);
	return run->failed ? run->status : run->unwritten ? EXIT_BAD : 0;
}
