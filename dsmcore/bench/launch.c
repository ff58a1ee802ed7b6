/* SPDX-License-Identifier: BSD-2-Clause */
/* launch.c - this program as nodes under dsmrun: starting, reading, and ending cleanly. */
#include "dsmcore/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dsmcore/bench/floor.h"
#include "dsmcore/bench/stats.h"
#include "dsmcore/launch/beside.h"
#include "dsmcore/launch/options.h"

/* ---- signals ---- */

#define CHILDREN 4
static volatile pid_t children[CHILDREN];
static volatile sig_atomic_t stopped;

/* Ctrl-C in a terminal reaches the children by itself; to be told twice does them no harm. */
static void on_signal(int sig)
{
	int saved = errno;

	stopped = sig;
	for (int i = 0; i < CHILDREN; i++)
		if (children[i] > 0) {
			kill(children[i], SIGTERM);
			kill(children[i], SIGCONT); /* a collector may be stopped */
		}
	errno = saved;
}

void launch__signals(void)
{
	static const int sigs[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa = {.sa_handler = on_signal}, now;

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		if (!sigaction(sigs[i], NULL, &now) && now.sa_handler != SIG_IGN)
			sigaction(sigs[i], &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int launch__stopped(void)
{
	return stopped;
}

static void remember(pid_t pid)
{
	for (int i = 0; i < CHILDREN; i++)
		if (!children[i]) {
			children[i] = pid;
			break;
		}
	if (stopped) /* it came while the child was on its way */
		kill(pid, SIGTERM);
}

static void forget(pid_t pid)
{
	for (int i = 0; i < CHILDREN; i++)
		if (children[i] == pid)
			children[i] = 0;
}

/* ---- progress ---- */

static bool drawn;

void launch__progress(const char *what, double share)
{
	static uint64_t last;
	uint64_t now = floor__now();

	if (!isatty(STDERR_FILENO) || (now - last < 100000000u && share < 1))
		return;
	last = now;
	drawn = true;
	fprintf(stderr, "\rdsmbench %s: %3.0f %%\033[K", what, share > 1 ? 100.0 : share * 100);
	fflush(stderr);
}

void launch__progress_end(void)
{
	if (drawn)
		fputs("\r\033[K", stderr);
	drawn = false;
}

/* ---- children ---- */

int launch__beside(const char *name, char *path, size_t size)
{
	int rc = beside__find(name, path, size);

	if (rc)
		fprintf(stderr,
			"dsmbench: cannot find %s beside this program (%s): %s; `make %s` builds it\n", name,
			path, strerror(-rc), name);
	return rc;
}

__attribute__((noreturn)) static void become(char *const *argv, pid_t parent, int in, int out, int errors,
					     int ready)
{
	/* A collector may be stopped, and would not hear the other one. */
	prctl(PR_SET_PDEATHSIG, ready >= 0 ? SIGKILL : SIGTERM);
	if (getppid() != parent)
		_exit(BENCH_BAD);
	signal(SIGPIPE, SIG_DFL);
	if ((in >= 0 && dup2(in, STDIN_FILENO) < 0) || dup2(out, STDOUT_FILENO) < 0 ||
	    (errors >= 0 && dup2(errors, STDERR_FILENO) < 0) || (ready >= 0 && dup2(ready, 3) < 0))
		_exit(BENCH_BAD);
	if (ready >= 0)
		fcntl(3, F_SETFD, 0);
	execv(argv[0], argv);
	_exit(127);
}

static void close_pipe(int p[2])
{
	for (int i = 0; i < 2; i++)
		if (p[i] >= 0)
			close(p[i]);
}

int launch__start(struct child *c, char *const *argv, bool keep, bool input, int ready)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	pid_t parent = getpid();

	*c = (struct child){.in = -1, .out = -1, .errors = -1};
	if (keep)
		c->errors = memfd_create("dsmbench-messages", MFD_CLOEXEC);
	if ((keep && c->errors < 0) || pipe2(out, O_CLOEXEC) || (input && pipe2(in, O_CLOEXEC)))
		goto fail;
	c->pid = fork();
	if (c->pid < 0)
		goto fail;
	if (!c->pid)
		become(argv, parent, in[0], out[1], c->errors, ready);
	remember(c->pid);
	close(out[1]);
	if (in[0] >= 0)
		close(in[0]);
	c->in = in[1];
	c->out = out[0];
	return 0;
fail:
	fprintf(stderr, "dsmbench: cannot start %s: %s\n", argv[0], strerror(errno));
	close_pipe(in);
	close_pipe(out);
	if (c->errors >= 0)
		close(c->errors);
	*c = (struct child){.in = -1, .out = -1, .errors = -1};
	return -EAGAIN;
}

static void print_kept(int fd)
{
	char text[4096];
	ssize_t n;
	off_t at = 0;

	while ((n = pread(fd, text, sizeof(text), at)) > 0) {
		fwrite(text, 1, (size_t)n, stderr);
		at += n;
	}
}

int launch__wait(struct child *c)
{
	int status = 0, rc;

	if (c->pid <= 0)
		return BENCH_FAILED;
	if (c->in >= 0)
		close(c->in);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	forget(c->pid);
	rc = WIFEXITED(status) ? WEXITSTATUS(status) : BENCH_SIGNAL + WTERMSIG(status);
	if (c->errors >= 0 && rc && !stopped)
		print_kept(c->errors);
	if (c->errors >= 0)
		close(c->errors);
	if (c->out >= 0)
		close(c->out);
	*c = (struct child){.in = -1, .out = -1, .errors = -1};
	return rc;
}

/* ---- nodes ---- */

const char *launch__transport(const struct options *o, unsigned nodes)
{
	return nodes == 1 ? "none" : o->transport;
}

bool launch__over_tcp(const struct options *o)
{
	if (o->fabric) /* its shm stays on the host, as a Unix socket does */
		return strcmp(o->fabric, "shm") != 0;
	return !strcmp(o->transport, "tcp") || !strcmp(o->transport, "tls");
}

/* Our tables say plainly what is on the wire. dsmrun's tcp is encrypted, so that nobody forgets it. */
static char *dsmrun_transport(const char *ours)
{
	return !strcmp(ours, "tcp") ? "insecure-tcp" : !strcmp(ours, "tls") ? "tcp" : (char *)ours;
}

static char *text(struct launch_line *l, unsigned *used, const char *format, double number)
{
	char *t = l->text[(*used)++];

	snprintf(t, sizeof(l->text[0]), format, number);
	return t;
}

int launch__line(struct launch_line *l, const struct options *o, unsigned nodes, bool verbose)
{
	static const char *const owners[] = {"both", "waiting", "computing"};
	unsigned n = 0, used = 0;
	char **a = l->argv;

	if (beside__self(l->self, sizeof(l->self)) || launch__beside("dsmrun", l->dsmrun, sizeof(l->dsmrun)))
		return -ENOENT;
	a[n++] = l->dsmrun;
	/* It measures fetches: a copy that is kept up to date would never be fetched again. */
	if (o->no_updates || strcmp(o->command->name, "fault") == 0 || strcmp(o->command->name, "bulk") == 0)
		a[n++] = "--no-updates";
	if (o->consistency) {
		a[n++] = "--consistency";
		a[n++] = (char *)o->consistency;
	}
	if (o->no_migration)
		a[n++] = "--no-migration";
	/* Half of the time nobody listens, and what is saved then is spent on the other half. */
	if (strcmp(o->command->name, "probes") == 0 && !o->whole) {
		a[n++] = "--microscope";
		a[n++] = text(l, &used, "%.0f", MICROSCOPE_DEFAULT / 2);
	}
	a[n++] = "--nodes";
	a[n++] = text(l, &used, "%.0f", nodes);
	a[n++] = o->fabric ? "--fabric" : "--transport";
	a[n++] = o->fabric ? (char *)o->fabric : dsmrun_transport(o->transport);
	if (verbose)
		a[n++] = "--verbose";
	a[n++] = l->self;
	a[n++] = "--as-node";
	a[n++] = o->fabric ? "--fabric" : "--transport";
	a[n++] = (char *)(o->fabric ? o->fabric : o->transport);
	a[n++] = "--owner";
	a[n++] = (char *)owners[o->owner];
	a[n++] = "--count";
	a[n++] = text(l, &used, "%.0f", o->count);
	a[n++] = "--pages";
	a[n++] = text(l, &used, "%.0f", o->pages);
	a[n++] = "--gap";
	a[n++] = text(l, &used, "%.0f", o->gap_us);
	a[n++] = "--seconds";
	a[n++] = text(l, &used, "%.3f", o->seconds);
	if (o->unbound)
		a[n++] = "--unbound";
	if (o->disjoint)
		a[n++] = "--disjoint";
	if (o->sequential)
		a[n++] = "--sequential";
	if (o->consistency) {
		a[n++] = "--consistency";
		a[n++] = (char *)o->consistency;
	}
	if (o->write)
		a[n++] = "--write";
	a[n++] = (char *)o->command->name;
	a[n] = NULL;
	return 0;
}

int launch__take_line(char *line, struct results *r, const char *what)
{
	char name[32], owner[16];
	unsigned nodes;
	double number;
	struct window w;

	if (sscanf(line, "s %31s %15s %u %lf", name, owner, &nodes, &number) == 4)
		return results__sample(r, name, strcmp(owner, "-") ? owner : "", nodes, number);
	if (sscanf(line, "v %31s %lf", name, &number) == 2)
		return results__value(r, name, number);
	if (sscanf(line, "w %" SCNu64 " %lf %lf %lf %lf %lf", &w.index, &w.seconds, &w.rate, &w.cpu,
		   &w.events, &w.microscope) == 6)
		return results__window(r, &w);
	if (sscanf(line, "p %lf", &number) == 1) {
		launch__progress(what, number);
		return 0;
	}
	return -EPROTO;
}

/* Reads lines until the end, or until a signal. */
static int read_all(FILE *f, struct results *r, const char *what)
{
	char *line = NULL;
	size_t size = 0;
	int rc = 0;

	while (!rc && getline(&line, &size, f) > 0) {
		rc = launch__take_line(line, r, what);
		if (rc)
			fprintf(stderr, "dsmbench: %s: %s: %s", what,
				rc == -EPROTO ? "not a line of a node" : strerror(-rc), line);
	}
	free(line);
	return rc;
}

int launch__nodes(const struct options *o, unsigned nodes, struct results *r, const char *what)
{
	struct launch_line line;
	struct child c;
	FILE *f;
	int rc, status;

	if (launch__line(&line, o, nodes, false))
		return BENCH_BAD;
	if (launch__start(&c, line.argv, false, false, -1))
		return BENCH_FAILED;
	launch__progress(what, 0);
	f = fdopen(c.out, "r");
	if (!f) {
		kill(c.pid, SIGTERM);
		launch__wait(&c);
		return BENCH_FAILED;
	}
	c.out = -1;
	rc = read_all(f, r, what);
	if (rc)
		kill(c.pid, SIGTERM);
	fclose(f);
	launch__progress_end();
	status = launch__wait(&c);
	if (stopped)
		return BENCH_SIGNAL + stopped;
	if (status)
		fprintf(stderr, "dsmbench: %s: the nodes ended with status %d\n", what, status);
	return status ? status : rc ? BENCH_FAILED : 0;
}
