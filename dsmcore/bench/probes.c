/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probes.c - what observation costs: the same work with nobody attached, with a collector that only
 * aggregates, and with one that records a trace.
 *
 * The nodes go on all the time. Each measurement with a collector stands between two with nobody attached
 * (none, aggregated, none, recorded, none ...), and its ratio is to the mean of these two: a machine that gets
 * faster or slower cancels out. What is printed is the median of the ratios and the range in which it lies
 * with 95 %, since a machine whose neighbours use its memory is not quieter than some per cent. Beside the run
 * time stands the CPU time of the nodes and of the collector, which say more when others use the machine too, and
 * from it the price of a probe. A collector is attached to the running nodes by the id of their run, so it
 * never takes another run for this one.
 */
#include "dsmcore/bench/bench.h"

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

#define READY_MS  30000
#define SETTLE_US 300000 /* for the rundown of a collector that came late */
#define REPS_MAX  1000

enum mode { NONE, AGGREGATED, RECORDED, MODES };
static const char *const mode_names[MODES] = {"none", "aggregated", "recorded"};

struct session {
	const struct options *o;
	const char *load; /* walk, sor, objects */
	unsigned nodes;
	struct child run, collector;
	FILE *lines;
	char id[32], folder[4096], source[16];
	struct results answer;
	double lost;
	double idle_ns; /* a probe that nobody listens to */
};

/* ---- the collector ---- */

static void trace_path(const struct session *s, char *path, size_t size, const char *suffix)
{
	snprintf(path, size, "%s/trace.dsmt%s", s->folder, suffix);
}

static void remove_trace(const struct session *s)
{
	char path[sizeof(s->folder) + 32];

	trace_path(s, path, sizeof(path), "");
	unlink(path);
	trace_path(s, path, sizeof(path), ".partial");
	unlink(path);
}

static int await_ready(struct session *s, int fd)
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

static int attach(struct session *s, enum mode mode)
{
	char path[4096], trace[sizeof(s->folder) + 32];
	char *argv[] = {path, "--run", s->id, "--no-live", "--json", "--ready-fd", "3", NULL, NULL, NULL};
	int ready[2], rc;

	trace_path(s, trace, sizeof(trace), "");
	if (mode == RECORDED) {
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
	return rc;
}

/* Ends it and adds what it lost. */
static int detach(struct session *s)
{
	char text[65536];
	struct json_object *summary, *lost;
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
static int await_value(struct session *s, const char *name, double *number)
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

static int order(struct session *s, uint64_t amount, double *seconds)
{
	if (dprintf(s->run.in, "%s %llu\n", s->load, (unsigned long long)amount) < 0)
		return BENCH_FAILED;
	return await_value(s, "seconds", seconds);
}

/* dsmrun --verbose names the run in its first line. */
static int find_id(struct session *s)
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

static int open_session(struct session *s)
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

static int close_session(struct session *s, int rc)
{
	int status;

	if (s->collector.pid > 0) {
		kill(s->collector.pid, SIGTERM);
		launch__wait(&s->collector);
	}
	remove_trace(s);
	if (s->run.pid <= 0)
		return rc;
	if (rc)
		kill(s->run.pid, SIGTERM);
	else if (dprintf(s->run.in, "end\n") < 0)
		rc = BENCH_FAILED;
	status = launch__wait(&s->run);
	if (s->lines)
		fclose(s->lines);
	results__free(&s->answer);
	return launch__stopped() ? BENCH_SIGNAL + launch__stopped() : rc ? rc : status;
}

/* ---- measuring ---- */

struct measured {
	double seconds[2 * REPS_MAX + 1], cpu[2 * REPS_MAX + 1];
	double events, commits, sum;
	double microscope; /* CPU time that the nodes gave to looking at single accesses, seconds */
	double collector;  /* its CPU time while the nodes worked, seconds */
};

static double cpu_of(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (pid <= 0 || clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &t))
		return 0;
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int once(struct session *s, enum mode mode, uint64_t amount, struct measured *m, unsigned at,
		struct results *r)
{
	char key[32];
	int rc = mode == NONE ? 0 : attach(s, mode);
	double before;

	if (rc)
		return rc;
	usleep(SETTLE_US);
	before = cpu_of(s->collector.pid);
	rc = order(s, amount, &m->seconds[at]);
	if (!rc) {
		m->collector += cpu_of(s->collector.pid) - before;
		m->events += results__number(&s->answer, "events");
		m->commits += results__number(&s->answer, "commits");
		m->microscope += results__number(&s->answer, "microscope");
		m->sum += m->seconds[at];
		m->cpu[at] = results__number(&s->answer, "cpu");
		snprintf(key, sizeof(key), "%s.%s", s->load, mode_names[mode]);
		rc = results__sample(r, key, "", s->nodes, m->seconds[at] * 1e6) ? BENCH_FAILED : 0;
		snprintf(key, sizeof(key), "%s.%s.cpu", s->load, mode_names[mode]);
		if (!rc && results__sample(r, key, "", s->nodes, m->cpu[at] * 1e6))
			rc = BENCH_FAILED;
	}
	return rc ? rc : detach(s);
}

/* How much work takes about the wanted time. The first rounds are slower than the rest and warm everything
 * up, so that the last one decides. */
static int calibrate(struct session *s, uint64_t *amount)
{
	double took = 0;
	int rc = 0;

	*amount = strcmp(s->load, "sor") == 0 ? 2 : 2000;
	for (int tries = 0; tries < 12 && !rc && took < s->o->seconds / 2; tries++) {
		rc = order(s, *amount, &took);
		if (!rc && took < s->o->seconds / 2)
			*amount *= took < s->o->seconds / 8 ? 4 : 2;
	}
	for (int again = 0; again < 2 && !rc; again++) {
		*amount = (uint64_t)((double)*amount * s->o->seconds / took) + 1;
		if (!again)
			rc = order(s, *amount, &took);
	}
	return rc;
}

struct spread {
	double least, low, middle, high, most; /* low to high: holds the true median with 95 % */
};

/* The range of a median by counting: how many of n samples lie below it is a matter of tossing coins. */
static struct spread spread_of(double *x, unsigned n)
{
	double aside = 0.98 * sqrt((double)n);
	unsigned low = (double)n / 2 > aside ? (unsigned)((double)n / 2 - aside) : 0;

	qsort(x, n, sizeof(*x), bench__ascending);
	return (struct spread){x[0], x[low], (x[(n - 1) / 2] + x[n / 2]) / 2, x[n - 1 - low], x[n - 1]};
}

/* What nobody attached took just before and just after the i-th measurement of this mode. */
static double beside(const double *none, enum mode mode, unsigned i)
{
	unsigned before = mode == NONE ? i : 2 * i + (mode == RECORDED);

	return mode == NONE ? none[i] : (none[before] + none[before + 1]) / 2;
}

/* Additional CPU time by records, where every transaction makes two and the median is one of many. */
static void price(struct json_object *o, const struct measured *with, struct spread extra, unsigned n)
{
	double each = n / with->events;

	if (with->events <= 0)
		each = NAN;
	json__number(o, "probe_us", extra.middle * each, 3);
	json__number(o, "probe_us_low", extra.low * each, 3);
	json__number(o, "probe_us_high", extra.high * each, 3);
}

static void compare(struct json_object *o, const struct measured *m, enum mode mode, unsigned reps)
{
	double time[2 * REPS_MAX + 1], cpu[2 * REPS_MAX + 1], extra[2 * REPS_MAX + 1];
	const struct measured *with = &m[mode], *none = &m[NONE];
	unsigned n = mode == NONE ? 2 * reps + 1 : reps;
	struct spread s;

	for (unsigned i = 0; i < n; i++) {
		time[i] = with->seconds[i] / beside(none->seconds, mode, i);
		cpu[i] = with->cpu[i] / beside(none->cpu, mode, i);
		extra[i] = (with->cpu[i] - beside(none->cpu, mode, i)) * 1e6;
	}
	s = spread_of(time, n);
	json__number(o, "ratio", s.middle, 4);
	json__number(o, "ratio_low", s.low, 4);
	json__number(o, "ratio_high", s.high, 4);
	json__number(o, "ratio_least", s.least, 4);
	json__number(o, "ratio_most", s.most, 4);
	s = spread_of(cpu, n);
	json__number(o, "cpu_ratio", s.middle, 4);
	json__number(o, "cpu_ratio_low", s.low, 4);
	json__number(o, "cpu_ratio_high", s.high, 4);
	json__number(o, "collector_ms_per_s", with->collector / with->sum * 1e3, 2);
	json__number(o, "microscope_ms_per_s", with->microscope / with->sum * 1e3, 2);
	json__number(o, "commits_per_s", with->commits / with->sum, 0);
	json__number(o, "probes_per_s", with->events / with->sum, 0);
	price(o, with, spread_of(extra, n), n);
}

static struct json_object *figure(struct session *s, enum mode mode, const struct measured *m, unsigned reps,
				  const struct results *r)
{
	struct json_object *o;
	char key[32], none[32];

	snprintf(key, sizeof(key), "%s.%s", s->load, mode_names[mode]);
	snprintf(none, sizeof(none), "%s.none", s->load);
	o = figure__json("probes", s->o->transport, s->nodes, "", results__series(r, key, "", s->nodes),
			 results__series(r, none, "", s->nodes));
	json_object_object_add(o, "load", json_object_new_string(s->load));
	json_object_object_add(o, "mode", json_object_new_string(mode_names[mode]));
	json_object_object_add(o, "source", mode == NONE ? NULL : json_object_new_string(s->source));
	compare(o, m, mode, reps);
	json__number(o, "lost", mode == NONE ? 0 : s->lost, 0);
	return o;
}

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

static int run_load(struct session *s, struct results *r, struct json_object *list)
{
	unsigned reps = s->o->reps ? s->o->reps : PROBES_REPS;
	struct measured *m = calloc(MODES, sizeof(*m));
	uint64_t amount = 0;
	int rc;

	if (!m)
		return BENCH_FAILED;
	rc = open_session(s);
	if (!rc)
		rc = calibrate(s, &amount);
	if (!rc)
		rc = once(s, NONE, amount, &m[NONE], 0, r);
	for (unsigned k = 0; k < 4 * reps && !rc; k++) {
		enum mode mode = k % 4 == 0 ? AGGREGATED : k % 4 == 2 ? RECORDED : NONE;

		launch__progress(s->load, (double)k / (4 * reps));
		rc = once(s, mode, amount, &m[mode], mode == NONE ? k / 2 + 1 : k / 4, r);
	}
	rc = close_session(s, rc);
	for (int mode = MODES - 1; mode >= 0 && !rc; mode--)
		json_object_array_add(list, figure(s, (enum mode)mode, m, reps, r));
	free(m);
	return rc;
}

int probes__run(const struct options *o, struct results *r, struct json_object **out)
{
	static const char *const loads[] = {"walk", "sor", "objects"};
	const char *tmp = getenv("TMPDIR");
	struct json_object *list = json_object_new_array();
	struct session s = {.o = o, .nodes = o->nodes ? o->nodes : 2};
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
		s = (struct session){.o = o, .nodes = o->nodes ? o->nodes : 2, .load = loads[i]};
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
