/* SPDX-License-Identifier: BSD-2-Clause */
#include "viewer/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/launch/remedy.h"
#include "viewer/canvas.h"
#include "viewer/live.h"
#include "viewer/screen.h"
#include "viewer/ui.h"
#include "viewer/view.h"

#define BATCH_WIDTH   160 /* columns when no terminal and no COLUMNS says otherwise */
#define BAD_LINES_MAX 3	  /* without one good line: this is no live socket */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Signals arrive as bytes of a descriptor, so every way out is an ordinary return that cleans up. */
static int open_signals(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGCONT);
	sigprocmask(SIG_BLOCK, &set, before);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Returns the first signal that ends the program, or 0. */
static int read_signals(int fd)
{
	struct signalfd_siginfo si;
	int end = 0;

	while (read(fd, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo == SIGCONT) /* others have had the terminal; of SIGSTOP nobody heard */
			screen__again();
		else if (si.ssi_signo != SIGWINCH && !end)
			end = (int)si.ssi_signo;
	}
	return end;
}

static int close_signals(int fd, const sigset_t *before, int sig)
{
	close(fd);
	sigprocmask(SIG_SETMASK, before, NULL);
	if (!sig)
		return 0;
	if (sig == SIGINT)
		return 130;
	signal(sig, SIG_DFL); /* so that the parent sees what ended us */
	raise(sig);
	return 128 + sig;
}

static void say_gone(const struct loop_options *o)
{
	fprintf(stderr,
		o->trace ? "dsmtop: replaying %s stopped before its end\n"
			 : "dsmtop: the collector at %s went away before the run had ended\n",
		o->path);
}

/* ---- on the terminal ---- */

struct show {
	struct source *source;
	const struct loop_options *o;
	struct model model;
	struct ui ui;
	struct canvas canvas;
	double drawn; /* when the last sample was drawn */
	long screens;
	bool fresh; /* a sample waits to be drawn */
};

static void take_lines(struct show *s)
{
	const char *line;
	size_t length;
	int rc;

	do
		rc = source__fill(s->source);
	while (rc == 1);
	while (source__line(s->source, &line, &length))
		if (length && model__line(&s->model, line, length) == 1)
			s->fresh = true;
	if (rc < 0) {
		source__close(s->source);
		s->ui.gone = true;
		if (rc != -EPIPE)
			snprintf(s->ui.note, sizeof(s->ui.note), "the socket broke: %s", strerror(-rc));
	}
}

static bool draw(struct show *s)
{
	int width, height;

	screen__size(&width, &height);
	if (width != s->canvas.width || height != s->canvas.height) {
		if (canvas__resize(&s->canvas, width, height, s->o->utf8))
			return false;
	}
	view__draw(&s->canvas, &s->model, &s->ui);
	screen__draw(&s->canvas);
	return true;
}

static int wait_ms(const struct show *s)
{
	double left = s->drawn + s->o->delay - now();

	if (!s->fresh)
		return -1;
	return left > 0 ? (int)(left * 1000) + 1 : 0;
}

/* One turn; returns false when it is over. */
static bool turn(struct show *s, int signals, int *sig)
{
	struct pollfd p[3] = {{signals, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}, {s->source->fd, POLLIN, 0}};
	bool dirty = false;
	int key;

	if (poll(p, 3, wait_ms(s)) < 0 && errno != EINTR)
		return false;
	if (p[0].revents) {
		*sig = read_signals(signals);
		if (*sig)
			return false;
		dirty = true; /* a new size, or another screen */
	}
	if (p[2].revents) {
		take_lines(s);
		dirty |= s->ui.gone;
	}
	while ((key = screen__key()) >= 0) {
		if (!ui__key(&s->ui, &s->model, key))
			return false;
		dirty = true;
	}
	if (p[1].revents & (POLLHUP | POLLERR)) /* the terminal is gone */
		return false;
	if (s->fresh && now() - s->drawn >= s->o->delay) {
		s->fresh = false;
		s->drawn = now();
		s->screens++;
		dirty = true;
	}
	if (dirty && !draw(s))
		return false;
	return !s->o->count || s->screens < s->o->count;
}

int loop__screen(struct source *source, const struct loop_options *o)
{
	struct show s = {.source = source, .o = o, .ui = {.pane = UI_PAGES, .replay = o->trace != NULL}};
	int signals, sig = 0, rc;
	sigset_t before;

	model__init(&s.model);
	if (o->sorted)
		model__sort_pages(&s.model, o->sort);
	snprintf(s.ui.note, sizeof(s.ui.note), "%s", o->note);
	signals = open_signals(&before);
	if (signals < 0) {
		fprintf(stderr, "dsmtop: signalfd: %s\n", strerror(errno));
		return 1;
	}
	screen__allow_colour(!getenv("NO_COLOR") || !getenv("NO_COLOR")[0]);
	rc = screen__open();
	if (rc) {
		fprintf(stderr, "dsmtop: %s; `dsmtop -b` prints text instead\n",
			rc == -ENOTTY ? "input and output must be a terminal"
				      : "TERM names no usable terminal");
		close_signals(signals, &before, 0);
		return 2;
	}
	if (draw(&s))
		while (turn(&s, signals, &sig))
			;
	screen__close();
	canvas__free(&s.canvas);
	rc = s.ui.gone && !s.model.ended ? 1 : 0;
	if (rc)
		say_gone(o);
	model__free(&s.model);
	sig = close_signals(signals, &before, sig);
	return sig ? sig : rc;
}

/* ---- for scripts ---- */

static int batch_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize ws;
	int n = columns ? atoi(columns) : 0;

	if (n >= 20 && n <= 4096)
		return n;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) && ws.ws_col >= 20)
		return ws.ws_col;
	return BATCH_WIDTH;
}

static int print_text(const struct model *m, const struct loop_options *o, bool gone)
{
	struct ui ui = {.gone = gone, .replay = o->trace != NULL};
	struct canvas c = {0};
	int rc = canvas__resize(&c, batch_width(), view__batch_rows(m, o->pages), o->utf8);

	if (!rc)
		rc = canvas__print(&c, stdout, 0, view__batch(&c, m, &ui, o->pages));
	canvas__free(&c);
	return rc;
}

struct batch {
	const struct loop_options *o;
	struct model model;
	double printed;
	long screens;
	bool pending; /* the newest sample has not been printed */
	char *line;   /* the newest good line: what --json prints */
};

static int print_sample(struct batch *b, bool gone)
{
	int rc = 0;

	if (b->o->json)
		rc = printf("%s\n", b->line) < 0 || fflush(stdout) ? -errno : 0;
	else
		rc = (b->screens && putchar('\n') == EOF) ? -errno : print_text(&b->model, b->o, gone);
	b->pending = false;
	b->printed = now();
	b->screens++;
	if (rc)
		fprintf(stderr, "dsmtop: cannot write to standard output: %s%s\n", strerror(-rc),
			remedy__write(rc));
	return rc;
}

static int bad_line(struct batch *b, int rc)
{
	if (b->model.bad_lines == 1 || rc == -EPROTONOSUPPORT)
		fprintf(stderr, "dsmtop: %s: bad line: %s\n", b->o->path, b->model.error);
	if (rc == -EPROTONOSUPPORT)
		return 2;
	if (!b->model.samples && b->model.bad_lines >= BAD_LINES_MAX) {
		fprintf(stderr, "dsmtop: %s is not a live socket of Procope\n", b->o->path);
		return 2;
	}
	return -1;
}

/* Returns -1 to go on, or the exit code. */
static int batch_line(struct batch *b, const char *line, size_t length)
{
	int rc = model__line(&b->model, line, length);

	if (rc < 0)
		return bad_line(b, rc);
	if (b->o->json) {
		free(b->line);
		b->line = live__rewrite(line, length);
		if (!b->line)
			return 1;
	}
	b->pending = true;
	/* Rates need two samples of the collector, the nodes' bars two of ours: until then a screen would
	 * show dashes where a script wants figures. The end is the last chance. */
	if (!b->model.ended && (!b->model.shown.has_rates || (!b->o->json && b->model.samples < 2)))
		return -1;
	if (!b->model.ended && now() - b->printed < b->o->delay)
		return -1;
	if (print_sample(b, false))
		return 1;
	if (b->model.ended || (b->o->count && b->screens >= b->o->count))
		return 0;
	return -1;
}

static int end_of_stream(struct batch *b, int rc)
{
	if (b->model.ended)
		return 0;
	if (b->pending)
		print_sample(b, true);
	if (rc == -EPIPE && !b->model.samples && b->model.bad_lines)
		fprintf(stderr, "dsmtop: %s is not a live socket of Procope\n", b->o->path);
	else if (rc == -EPIPE)
		say_gone(b->o);
	else
		fprintf(stderr, "dsmtop: reading %s: %s\n", b->o->path, strerror(-rc));
	return !b->model.samples && b->model.bad_lines ? 2 : 1;
}

int loop__batch(struct source *source, const struct loop_options *o)
{
	struct batch b = {.o = o, .printed = -1e9};
	int code = -1, rc;

	model__init(&b.model);
	if (o->sorted)
		model__sort_pages(&b.model, o->sort);
	if (o->note[0])
		fprintf(stderr, "dsmtop: %s\n", o->note);
	while (code < 0) {
		struct pollfd p = {source->fd, POLLIN, 0};
		const char *line;
		size_t length;

		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			break;
		rc = source__fill(source);
		while (code < 0 && source__line(source, &line, &length))
			if (length)
				code = batch_line(&b, line, length);
		if (code < 0 && rc < 0)
			code = end_of_stream(&b, rc);
	}
	model__free(&b.model);
	free(b.line);
	return code < 0 ? 1 : code;
}
