/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probes.c - what observation costs: the same work with nobody attached, with a collector that only
 * aggregates, and with one that records a trace.
 *
 * The same nodes go on all the time, on a machine that is another one from one second to the next by 5 to 15 %: its
 * neighbours use its memory and its cores. A cost of 1 % shows only between times that lie close together. So by default one
 * long run is cut into windows of 10 ms with a listener and without (probes_windows.c); with --whole collectors come
 * and go between measurements of a second (probes_whole.c), which sees what outlasts a window, and needs hours to see
 * 1 %. Here is what both need: nodes that take orders, and collectors.
 *
 * A collector is attached to the running nodes by the id of their run, so it never takes another run for this one.
 */
#include "dsmcore/bench/probes.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/bench/floor.h"

#define READY_MS 30000

const char *const probes__modes[PROBES_MODES] = {"none", "aggregated", "recorded"};

/* ---- the collector ---- */

static void trace_path(const struct probes_session *s, char *path, size_t size, const char *suffix)
{
	snprintf(path, size, "%s/trace.dsmt%s", s->folder, suffix);
}

static void remove_trace(const struct probes_session *s)
{
	char path[sizeof(s->folder) + 32];

	trace_path(s, path, sizeof(path), "");
	unlink(path);
	trace_path(s, path, sizeof(path), ".partial");
	unlink(path);
}

static int await_ready(struct probes_session *s, int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char text[256] = "";
	size_t have = 0;

	while (!strchr(text, '\n')) {
		int n = poll(&p, 1, READY_MS);
		ssize_t got;

		if (launch__stopped())
			return BENCH_SIGNAL + launch__stopped();
		if (n < 0 && errno == EINTR)
			continue;
		got = n > 0 ? read(fd, text + have, sizeof(text) - 1 - have) : 0;
		if (got <= 0 || have + (size_t)got >= sizeof(text) - 1) {
			fputs("dsmbench: dsmcollect did not become ready\n", stderr);
			return BENCH_FAILED;
		}
		have += (size_t)got;
		text[have] = 0;
	}
	return sscanf(text, "ready %15s", s->source) == 1 ? 0 : BENCH_FAILED;
}

int probes__attach(struct probes_session *s, enum probes_mode mode)
{
	char path[4096], trace[sizeof(s->folder) + 32];
	char *argv[] = {path, "--run", s->id, "--no-live", "--json", "--ready-fd", "3", NULL, NULL, NULL};
	uint64_t began = floor__now();
	int ready[2], rc;

	trace_path(s, trace, sizeof(trace), "");
	if (mode == PROBES_RECORDED) {
		argv[7] = "--output";
		argv[8] = trace;
	}
	if (launch__beside("dsmcollect", path, sizeof(path)))
		return BENCH_BAD;
	if (pipe2(ready, O_CLOEXEC))
		return BENCH_FAILED;
	rc = launch__start(&s->collector, argv, true, false, ready[1]) ? BENCH_FAILED : 0;
	close(ready[1]);
	if (!rc)
		rc = await_ready(s, ready[0]);
	close(ready[0]);
	s->attach_ms = (double)(floor__now() - began) * 1e-6;
	return rc;
}

int probes__detach(struct probes_session *s)
{
	char text[65536];
	struct json_object *summary, *lost;
	uint64_t began = floor__now();
	size_t have = 0;
	ssize_t n;
	int rc;

	if (s->collector.pid <= 0)
		return 0;
	kill(s->collector.pid, SIGINT);
	while ((n = read(s->collector.out, text + have, sizeof(text) - 1 - have)) > 0 ||
	       (n < 0 && errno == EINTR))
		have += n > 0 ? (size_t)n : 0;
	text[have] = 0;
	rc = launch__wait(&s->collector);
	s->detach_ms = (double)(floor__now() - began) * 1e-6;
	remove_trace(s);
	summary = rc ? NULL : json_tokener_parse(text);
	if (summary && json_object_object_get_ex(summary, "lost_total", &lost))
		s->lost += json_object_get_double(lost);
	json_object_put(summary);
	if (rc && !launch__stopped())
		fprintf(stderr, "dsmbench: dsmcollect ended with status %d\n", rc);
	return launch__stopped() ? BENCH_SIGNAL + launch__stopped() : rc;
}

/* ---- the nodes ---- */

/* Reads the node's lines up to a value of that name. */
static int await_value(struct probes_session *s, const char *name, double *number)
{
	char *line = NULL;
	size_t size = 0;
	int rc = 0;

	results__free(&s->answer);
	while (!rc && isnan(*number = results__number(&s->answer, name))) {
		if (getline(&line, &size, s->lines) <= 0)
			rc = launch__stopped() ? BENCH_SIGNAL + launch__stopped() : BENCH_FAILED;
		else if (launch__take_line(line, &s->answer, s->load))
			rc = BENCH_FAILED;
	}
	free(line);
	return rc;
}

int probes__order(struct probes_session *s, const char *what, double *seconds)
{
	if (dprintf(s->run.in, "%s %s\n", s->load, what) < 0)
		return BENCH_FAILED;
	return await_value(s, "seconds", seconds);
}

/* dsmrun --verbose names the run in its first line. */
static int find_id(struct probes_session *s)
{
	char text[4096], *at;
	ssize_t n = pread(s->run.errors, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = 0;
	at = strstr(text, "dsmrun: run ");
	if (at && sscanf(at, "dsmrun: run %16[0-9a-f]", s->id) == 1)
		return 0;
	fputs("dsmbench: dsmrun does not name its run\n", stderr);
	return BENCH_FAILED;
}

int probes__open(struct probes_session *s)
{
	struct launch_line line;
	double ready;
	int fd, rc;

	if (launch__line(&line, s->o, s->nodes, true))
		return BENCH_BAD;
	if (launch__start(&s->run, line.argv, true, true, -1))
		return BENCH_FAILED;
	fd = fcntl(s->run.out, F_DUPFD_CLOEXEC, 3);
	s->lines = fd < 0 ? NULL : fdopen(fd, "r");
	if (!s->lines)
		return BENCH_FAILED;
	rc = await_value(s, "ready", &ready);
	if (!rc)
		s->idle_ns = results__number(&s->answer, "idle_probe_ns");
	return rc ? rc : find_id(s);
}

int probes__close(struct probes_session *s, int rc)
{
	int status = 0;

	if (s->run.pid > 0) {
		if (rc)
			kill(s->run.pid, SIGTERM);
		else if (dprintf(s->run.in, "end\n") < 0)
			rc = BENCH_FAILED;
		status = launch__wait(&s->run);
	}
	if (s->collector.pid > 0) { /* after the nodes, who may stop it */
		kill(s->collector.pid, SIGTERM);
		kill(s->collector.pid, SIGCONT);
		launch__wait(&s->collector);
	}
	remove_trace(s);
	if (s->lines)
		fclose(s->lines);
	results__free(&s->answer);
	return launch__stopped() ? BENCH_SIGNAL + launch__stopped() : rc ? rc : status;
}

double probes__cpu(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (pid <= 0 || clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return 0;
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct json_object *probes__figure(const struct probes_session *s, enum probes_mode mode,
				   const struct series *with, const struct series *without)
{
	struct json_object *o = figure__json("probes", s->o->transport, s->nodes, "", with, without);

	json_object_object_add(o, "load", json_object_new_string(s->load));
	json_object_object_add(o, "mode", json_object_new_string(probes__modes[mode]));
	json_object_object_add(o, "source", mode == PROBES_NONE ? NULL : json_object_new_string(s->source));
	return o;
}

void probes__spread(struct json_object *o, const char *name, struct spread s, int decimals)
{
	static const char *const suffixes[] = {"", "_low", "_high", "_least", "_most"};
	double values[] = {s.middle, s.low, s.high, s.least, s.most};
	char key[64];

	for (int i = 0; i < 5; i++) {
		snprintf(key, sizeof(key), "%s%s", name, suffixes[i]);
		json__number(o, key, values[i], decimals);
	}
}

/* ---- all loads ---- */

/* Nanoseconds of one probe in each mode: those of the load that does little else. */
static struct json_object *prices(const struct json_object *list, double idle_ns)
{
	struct json_object *o = json_object_new_object();

	json__number(o, "none", idle_ns, 3);
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *f = json_object_array_get_idx(list, i), *load, *mode, *us;

		if (json_object_object_get_ex(f, "load", &load) &&
		    !strcmp(json_object_get_string(load), "objects") &&
		    json_object_object_get_ex(f, "mode", &mode) &&
		    json_object_object_get_ex(f, "probe_us", &us) && us)
			json__number(o, json_object_get_string(mode), json_object_get_double(us) * 1e3, 0);
	}
	return o;
}

static int run_load(struct probes_session *s, struct results *r, struct json_object *list)
{
	int rc = probes__open(s);

	if (!rc)
		rc = s->o->whole ? probes_whole__run(s, r, list) : probes_windows__run(s, r, list);
	return probes__close(s, rc);
}

int probes__run(const struct options *o, struct results *r, struct json_object **out)
{
	static const char *const loads[] = {"walk", "sor", "objects"};
	const char *tmp = getenv("TMPDIR");
	struct json_object *list = json_object_new_array();
	struct probes_session s = {.o = o, .nodes = o->nodes ? o->nodes : 2};
	char folder[sizeof(s.folder)];
	int rc = 0;

	snprintf(folder, sizeof(folder), "%s/dsmbench.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(folder)) {
		fprintf(stderr, "dsmbench: cannot make a folder for traces, %s: %s\n", folder,
			strerror(errno));
		json_object_put(list);
		return BENCH_BAD;
	}
	for (size_t i = 0; i < sizeof(loads) / sizeof(*loads) && !rc; i++) {
		if (o->load && strcmp(o->load, loads[i]) != 0)
			continue;
		s = (struct probes_session){.o = o, .nodes = o->nodes ? o->nodes : 2, .load = loads[i]};
		memcpy(s.folder, folder, sizeof(folder));
		rc = run_load(&s, r, list);
	}
	launch__progress_end();
	rmdir(folder);
	if (!rc) {
		/* The first one, world-like work recorded, stands for all; the others follow in `also`. */
		struct json_object *first = json_object_get(json_object_array_get_idx(list, 0));

		json_object_object_add(first, "probe_ns", prices(list, s.idle_ns));
		json_object_array_del_idx(list, 0, 1);
		json_object_object_add(first, "also", list);
		*out = first;
		return 0;
	}
	json_object_put(list);
	return rc;
}
