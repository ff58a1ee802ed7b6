// SPDX-License-Identifier: BSD-2-Clause
/* dsmrun_monitor.c - runs dsmcollect beside the nodes. */
#include "dsmcore/launch/dsmrun.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/launch/beside.h"

#define READY_S	   30u /* verifying and attaching the BPF programs takes a second at most */
#define FINISH_NS  60000000000ll
#define PATIENT_NS 2000000000ll /* after a bad end, before it is told to stop */
#define WRITE_NS   5000000000ll /* what it then has to write its file */
#define EXIT_GONE  (-1)		/* it has ended; how, is still to be asked */
#define GIVE_UP_NS 2000000000ll /* the same when it has recorded nothing yet */

/* An agent's standard streams are the line to dsmrun. */
static void redirect(int spool)
{
	int null = open("/dev/null", O_RDONLY);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(spool, STDOUT_FILENO) < 0)
		_exit(EXIT_BAD);
}

__attribute__((noreturn)) static void become_collector(const struct run *run, const char *path, pid_t parent,
						       int ready)
{
	char id[24], number[16], nodes[32];
	char *argv[16] = {
		"dsmcollect", "-o",	  (char *)run->local_trace, "--run", id, "--until-end", "--ready-fd",
		number,	      "--source", (char *)run->source};
	int fd = ready, n = 10;

	if (run->here < run->options.nodes || run->spool >= 0) { /* the merged trace has a summary */
		argv[n++] = "--nodes";
		argv[n++] = nodes;
		argv[n++] = "--quiet";
		if (run->spool < 0)
			argv[n++] = "--no-live"; /* here all hosts are shown (dsmrun_traces.c) */
	}
	if (run->spool >= 0)
		redirect(run->spool); /* before anything is put in its place */
	/* spawn__child() closes from 4 up. */
	if (fd != 3 && dup2(fd, 3) < 0)
		_exit(EXIT_BAD);
	fcntl(3, F_SETFD, 0);
	spawn__child(parent, SIGTERM, 4);
	snprintf(number, sizeof(number), "%d", 3);
	snprintf(id, sizeof(id), "%016llx", (unsigned long long)run->options.run_id);
	snprintf(nodes, sizeof(nodes), "%u-%u", run->first, run->first + run->here - 1);
	execv(path, argv);
	_exit(127);
}

/* A collector that was killed could not take its socket away. */
static void sweep_socket(const struct run *run)
{
	if (run->collector_status >= EXIT_SIGNAL && *run->live_socket == '/')
		unlink(run->live_socket);
}

bool monitor__ended(struct run *run)
{
	int status;

	if (!run->collector || waitpid(run->collector, &status, WNOHANG) != run->collector)
		return false;
	run->collector = 0;
	run->collector_status = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL + WTERMSIG(status);
	sweep_socket(run);
	return true;
}

/* A collector that is killed has not given its trace its name yet. */
void monitor__say_early(const struct run *run)
{
	char partial[PATH_MAX];
	int n = snprintf(partial, sizeof(partial), "%s.partial", run->trace);
	bool there = n < (int)sizeof(partial) && !access(partial, R_OK);

	run__say("dsmcollect has ended early (status %d): the trace '%s' is not complete%s%s",
		 run->collector_status, run->trace,
		 there ? "; what was written until then can be read from " : "", there ? partial : "");
}

/* It is not ready in time, which --timeout may have shortened. */
static int too_late(const struct run *run, unsigned seconds)
{
	bool ours = seconds == run->timeout_s;

	run__say("dsmcollect is not ready after %u s%s; try it by hand, or --source ring: the program was "
		 "not run",
		 seconds, ours ? " (--timeout)" : "");
	return ours ? EXIT_TIMEOUT : EXIT_BAD;
}

/* Waits until dsmcollect writes "ready", ends, or we are told to stop. Returns an exit status, or EXIT_GONE. */
static int await_ready(struct run *run, int fd)
{
	unsigned most = run->timeout_s && run->timeout_s < READY_S ? run->timeout_s : READY_S;
	int64_t until = run__now() + most * 1000000000ll;
	char text[sizeof(run->live_socket) + 32] = "";
	size_t have = 0;

	/* "ready SOURCE SOCKET", written at once */
	while (have < sizeof(text) - 1 && !strstr(text, "ready")) {
		struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = run->signals, .events = POLLIN}};
		int64_t ms = (until - run__now()) / 1000000;
		struct signalfd_siginfo si;
		ssize_t n;

		if (ms <= 0 || poll(p, 2, (int)ms) == 0)
			return too_late(run, most);
		if (p[1].revents && read(run->signals, &si, sizeof(si)) == sizeof(si) &&
		    si.ssi_signo != SIGCHLD && si.ssi_signo != SIGTSTP)
			return EXIT_SIGNAL + (int)si.ssi_signo;
		if (!p[0].revents)
			continue;
		n = read(fd, text + have, sizeof(text) - 1 - have);
		if (n <= 0)
			break;
		have += (size_t)n;
		text[have] = 0;
	}
	/* A BPF program sees a node's first record; a ring must be found and switched on first. */
	run->options.await_listener = strstr(text, "ready ring") != NULL;
	if (strstr(text, "ready")) {
		(void)sscanf(text, "ready %*15s %127[^\n]", run->live_socket);
		return 0;
	}
	return EXIT_GONE;
}

static void say_gone(int status)
{
	char how[64] = "its message is above";

	if (status >= EXIT_SIGNAL)
		snprintf(how, sizeof(how), "killed by signal %d", status - EXIT_SIGNAL);
	run__say("dsmcollect could not start (%s); the program was not run", how);
}

/* A stopped one ends, too. */
static void stop_collector(const struct run *run)
{
	kill(run->collector, SIGTERM);
	kill(run->collector, SIGCONT);
}

/* Waits until it has ended: is told to after `patient` ns, and killed after `grace` ns more. */
static void await_end(struct run *run, int64_t patient, int64_t grace)
{
	int64_t start = run__now(), term = start + patient, kill_at = term + grace;
	bool told = false, said = false;

	while (run->collector) {
		struct pollfd p = {.fd = run->signals, .events = POLLIN};
		struct signalfd_siginfo si;

		if (monitor__ended(run))
			break;
		if (!told && run__now() >= term) {
			stop_collector(run);
			told = true;
		}
		if (told && run__now() > kill_at)
			kill(run->collector, SIGKILL);
		if (!said && run__now() > start + 3000000000ll) {
			run__say("waiting for dsmcollect to finish '%s'", run->trace);
			said = true;
		}
		if (poll(&p, 1, 50) > 0)
			while (read(run->signals, &si, sizeof(si)) == sizeof(si))
				if (si.ssi_signo != SIGCHLD && si.ssi_signo != SIGTSTP)
					term = run__now();
	}
}

int monitor__start(struct run *run)
{
	char path[PATH_MAX];
	int ready[2], rc;
	pid_t parent = getpid();

	if (!run->trace || !run->here)
		return 0;
	if (beside__find("dsmcollect", path, sizeof(path))) {
		run__say("--monitor needs dsmcollect beside dsmrun: build it (make dsmcollect) or run "
			 "without --monitor");
		return EXIT_BAD;
	}
	if (pipe2(ready, O_CLOEXEC)) {
		run__say("cannot start dsmcollect: %s", strerror(errno));
		return EXIT_BAD;
	}
	run->collector = fork();
	if (run->collector == 0)
		become_collector(run, path, parent, ready[1]);
	close(ready[1]);
	if (run->collector < 0) {
		run__say("cannot start dsmcollect: %s", strerror(errno));
		run->collector = 0;
		rc = EXIT_BAD;
	} else {
		rc = await_ready(run, ready[0]);
	}
	close(ready[0]);
	if (rc && run->collector) {
		int status;

		await_end(run, 0, GIVE_UP_NS);
		status = run->collector_status;
		if (rc == EXIT_GONE) {
			say_gone(status);
			rc = status && status < EXIT_SIGNAL ? status : EXIT_BAD;
		}
	}
	return rc;
}

void monitor__finish(struct run *run, bool failed)
{
	bool running = run->collector != 0;

	await_end(run, failed ? PATIENT_NS : FINISH_NS, WRITE_NS);
	if (running && run->collector_status >= EXIT_SIGNAL) /* it could not say so itself */
		monitor__say_early(run);
}
