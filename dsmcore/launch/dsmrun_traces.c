// SPDX-License-Identifier: BSD-2-Clause
/*
 * dsmrun_traces.c - dsmrun's side of a trace that comes from several hosts.
 *
 * A part comes while the run goes on, so a host that is lost takes with it only what had not come yet.
 * Parts have names until the trace is complete: whatever happens to the merge, or to us, they can be read.
 */
#include "dsmcore/launch/dsmrun_traces.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dsmcore/launch/beside.h"

#define FINISH_NS  60000000000ll /* for collectors that end by themselves */
#define PATIENT_NS 2000000000ll	 /* after a bad end */
#define TOLD_NS	   15000000000ll /* once they are told to end; for each moment without a byte */
#define SHOW_MS	   1500		 /* for the last line of the live view */
#define SAY_NS	   3000000000ll

bool traces__spread(const struct run *run)
{
	return run->here < run->options.nodes;
}

static int name_part(const struct run *run, struct host *h)
{
	int n = snprintf(h->part_path, sizeof(h->part_path), "%s.%s.part", run->trace, h->name);

	if (n >= (int)sizeof(h->part_path))
		return -ENAMETOOLONG;
	for (char *c = h->part_path + strlen(run->trace) + 1; *c; c++)
		if (*c == '/')
			*c = '_';
	return 0;
}

static int open_part(const struct run *run, struct host *h)
{
	int rc = name_part(run, h);

	if (rc || h->here)
		return rc;
	/* Never through a link that somebody has put there: the folder may be /tmp. */
	h->part = open(h->part_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
	return h->part < 0 ? -errno : 0;
}

int traces__open(struct run *run)
{
	for (unsigned i = 0; i < run->nhosts; i++) {
		struct host *h = &run->hosts[i];
		int rc = open_part(run, h);

		if (rc) {
			run__say("the part of the trace that is of host '%s', '%s': %s", h->name,
				 h->part_path, strerror(-rc));
			*h->part_path = 0; /* what is there is not ours */
			traces__drop(run);
			return rc;
		}
		if (h->here)
			run->local_trace = h->part_path;
	}
	return 0;
}

void traces__drop(struct run *run)
{
	for (unsigned i = 0; i < run->nhosts; i++) {
		struct host *h = &run->hosts[i];

		if (h->part >= 0)
			close(h->part);
		h->part = -1;
		if (*h->part_path)
			unlink(h->part_path);
		*h->part_path = 0;
	}
}

/* ---- what comes ---- */

static void take_bytes(struct host *h, const uint8_t *bytes, size_t n)
{
	while (n && !h->part_error) {
		ssize_t done = write(h->part, bytes, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			h->part_error = -errno;
			run__say("'%s': %s: the trace of host '%s' ends there", h->part_path, strerror(errno),
				 h->name);
			break;
		}
		bytes += done;
		n -= (size_t)done;
		h->part_bytes += (uint64_t)done;
	}
}

static void note_status(struct run *run, int status)
{
	if (!run->collector_status)
		run->collector_status = status;
}

static void take_end(struct run *run, struct host *h, const struct frame_traced *t)
{
	bool over = run->told_end || run->ending, running = false;

	h->traced = true;
	/* A collector ends with the last words of its nodes, and these with their processes a moment later. */
	for (unsigned n = h->first; n < h->first + h->count && !over; n++)
		running |= run->procs[n].running && !run->procs[n].ended;
	if (t->status)
		run__say("dsmcollect on host '%s' has ended with status %d: its part of the trace is not "
			 "complete",
			 h->name, t->status);
	else if (running)
		run__say("dsmcollect on host '%s' has ended early: its part of the trace is not complete",
			 h->name);
	else if (t->bytes != h->part_bytes && !h->part_error)
		run__say("host '%s' has sent %llu bytes of its trace, and says %llu: it is not complete",
			 h->name, (unsigned long long)h->part_bytes, (unsigned long long)t->bytes);
	else if (run->verbose)
		run__say("host '%s' has sent its trace, %llu bytes", h->name,
			 (unsigned long long)h->part_bytes);
	note_status(run, t->status || running || t->bytes != h->part_bytes ? EXIT_BAD : 0);
}

void traces__take(struct run *run, struct host *h, const struct frame_head *head, const uint8_t *payload)
{
	struct frame_traced t;

	if (h->part < 0 || h->traced)
		return; /* nobody has asked for it */
	if (head->kind == FRAME_TRACE && head->bytes <= FRAME_TRACE_MAX) {
		take_bytes(h, payload, head->bytes);
	} else if (head->kind == FRAME_TRACED && head->bytes == sizeof(t)) {
		memcpy(&t, payload, sizeof(t));
		take_end(run, h, &t);
	}
}

/* ---- the end ---- */

static bool outstanding(const struct run *run, uint64_t *bytes)
{
	bool any = false;

	*bytes = 0;
	for (unsigned i = 0; i < run->nhosts; i++) {
		const struct host *h = &run->hosts[i];

		any |= h->part >= 0 && h->from >= 0 && !h->traced;
		*bytes += h->part_bytes;
	}
	return any;
}

static bool interrupted(const struct run *run)
{
	struct signalfd_siginfo si;
	bool yes = false;

	while (read(run->signals, &si, sizeof(si)) == sizeof(si))
		yes |= si.ssi_signo != SIGCHLD && si.ssi_signo != SIGTSTP;
	return yes;
}

static void close_parts(struct run *run)
{
	for (unsigned i = 0; i < run->nhosts; i++) {
		struct host *h = &run->hosts[i];

		if (h->part < 0)
			continue;
		close(h->part);
		h->part = -1;
		if (h->traced || !run->handed_over)
			continue;
		run__say("host '%s' was lost before all of its trace had come: %llu bytes of it are there",
			 h->name, (unsigned long long)h->part_bytes);
		note_status(run, EXIT_BAD);
	}
}

void traces__gather(struct run *run)
{
	int64_t start = run__now(), until = start;
	uint64_t before = 0, bytes;
	bool told = false, said = false;

	if (run->handed_over) /* else nothing has happened that could be recorded */
		until += run->failed ? PATIENT_NS : FINISH_NS;
	while (outstanding(run, &bytes)) {
		int64_t now = run__now();

		if (told && bytes != before && until < now + TOLD_NS)
			until = now + TOLD_NS; /* a slow line is no reason to cut it */
		before = bytes;
		if (interrupted(run))
			until = now;
		if (now >= until && told)
			break;
		if (now >= until) {
			hosts__tell(run, FRAME_UNTRACE, NULL, 0);
			told = true;
			until = now + TOLD_NS;
		}
		if (!said && now > start + SAY_NS) {
			run__say("waiting for the traces of the other hosts");
			said = true;
		}
		hosts__settle(run, 100);
	}
	close_parts(run);
}

/* ---- one trace of all, and one view while it is not there yet ---- */

static bool is_there(const struct host *h)
{
	struct stat st;

	return stat(h->part_path, &st) == 0 && st.st_size > 0;
}

/* dsmcollect with two words (NULL: none) and the parts; `all`: also those that are empty so far. */
__attribute__((noreturn)) static void become(const struct run *run, const char *path, const char *mode,
					     const char *option, const char *value, bool all, pid_t parent)
{
	char **argv = calloc(run->nhosts + 5ul, sizeof(*argv));
	unsigned n = 0;

	if (!argv)
		_exit(EXIT_BAD);
	argv[n++] = "dsmcollect";
	argv[n++] = (char *)(uintptr_t)mode;
	if (option) {
		argv[n++] = (char *)(uintptr_t)option;
		argv[n++] = (char *)(uintptr_t)value;
	}
	for (unsigned i = 0; i < run->nhosts; i++)
		if (all || is_there(&run->hosts[i]))
			argv[n++] = run->hosts[i].part_path;
	spawn__child(parent, SIGTERM, STDERR_FILENO + 1);
	execv(path, argv);
	_exit(127);
}

void traces__show(struct run *run)
{
	char path[PATH_MAX];
	pid_t parent = getpid();

	if (beside__find("dsmcollect", path, sizeof(path)))
		return;
	run->live = fork();
	if (run->live == 0)
		become(run, path, "--follow", NULL, NULL, true, parent);
	if (run->live < 0) {
		run__say("no live view: %s", strerror(errno));
		run->live = 0;
	}
}

/* It tells who looks on that the run is over. */
static void end_show(struct run *run)
{
	if (!run->live)
		return;
	kill(run->live, SIGTERM);
	for (int ms = 0; ms < SHOW_MS && run->live; ms += 10) {
		if (waitpid(run->live, NULL, WNOHANG))
			run->live = 0;
		else
			poll(NULL, 0, 10);
	}
	if (run->live && kill(run->live, SIGKILL) == 0)
		waitpid(run->live, NULL, 0);
	run->live = 0;
}

static int run_merger(const struct run *run)
{
	char path[PATH_MAX];
	pid_t parent = getpid(), pid;
	int status = 0;

	if (beside__find("dsmcollect", path, sizeof(path)))
		return EXIT_BAD;
	pid = fork();
	if (pid == 0)
		become(run, path, "--merge", "-o", run->trace, false, parent);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0)
		run__say("cannot start dsmcollect: %s", strerror(errno));
	return pid < 0 ? EXIT_BAD : WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_SIGNAL + WTERMSIG(status);
}

int traces__merge(struct run *run)
{
	unsigned parts = 0;
	int rc;

	end_show(run);
	if (!run->handed_over) { /* nothing has happened */
		traces__drop(run);
		return run->collector_status;
	}
	for (unsigned i = 0; i < run->nhosts; i++) {
		if (is_there(&run->hosts[i]))
			parts++;
		else
			unlink(run->hosts[i].part_path);
	}
	if (!parts) {
		run__say("no host has recorded anything: there is no trace");
		return EXIT_BAD;
	}
	rc = run_merger(run);
	if (rc == 0) {
		for (unsigned i = 0; i < run->nhosts; i++)
			unlink(run->hosts[i].part_path);
		return run->collector_status;
	}
	run__say("the parts of the trace are kept as '%s.HOST.part'; dsmreport reads them too", run->trace);
	return run->collector_status ? run->collector_status : rc;
}
