/* SPDX-License-Identifier: BSD-2-Clause */
#include "apps/world/terminal.h"

#ifdef WITH_NCURSES

#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

static struct {
	FILE *file; /* NULL: not taken */
	SCREEN *screen;
	pid_t foreground; /* before us */
	struct termios modes;
	int keeper; /* the pipe to the child that puts things back if we cannot */
	char restore[256];
	size_t restore_len;
} terminal = {.keeper = -1};

/* ---- whose it is ---- */

/* To a group of processes as the foreground: from the background that is a write to the terminal, which stops who is not deaf. */
static int hand_over(int fd, pid_t group)
{
	sigset_t stop, before;
	int rc;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTTOU);
	sigprocmask(SIG_BLOCK, &stop, &before);
	rc = tcsetpgrp(fd, group) ? -errno : 0;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

/* Ours to take: it is this node's already, or that of the dsmrun that started it. */
static bool may_take(pid_t foreground)
{
	return foreground == getpgrp() || foreground == getpgid(getppid());
}

/* ---- the keeper ---- */

/* In the child: async-signal-safe calls only. A byte says that all is well; the end of the pipe that we are gone. */
__attribute__((noreturn)) static void keep(int fd, int pipe_end)
{
	static const int deaf[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGTTOU, SIGTTIN};
	char byte;
	ssize_t n;

	setpgid(0, 0); /* what ends the node's group is not meant for us */
	for (size_t i = 0; i < sizeof(deaf) / sizeof(deaf[0]); i++)
		signal(deaf[i], SIG_IGN);
	if (dup2(fd, 0) < 0 || dup2(pipe_end, 1) < 0)
		_exit(1);
	close_range(2, ~0u, 0); /* the node's connections must end with the node */
	do
		n = read(1, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1) {
		if (write(0, terminal.restore, terminal.restore_len) < 0)
			_exit(1);
		tcsetattr(0, TCSANOW, &terminal.modes);
		tcsetpgrp(0, terminal.foreground);
	}
	_exit(0);
}

static int start_keeper(int fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	pid_t child = fork();
	if (child == 0)
		keep(fd, ends[0]);
	close(ends[0]);
	if (child < 0) {
		close(ends[1]);
		return -EAGAIN;
	}
	terminal.keeper = ends[1];
	return 0;
}

static void end_keeper(void)
{
	if (terminal.keeper < 0)
		return;
	if (write(terminal.keeper, "", 1) < 0)
		perror("world: the terminal's keeper");
	close(terminal.keeper);
	terminal.keeper = -1;
}

/* ---- the screen ---- */

static void remember(const char *name)
{
	const char *s = tigetstr(name);
	size_t n = s && s != (const char *)-1 ? strlen(s) : 0;

	if (!n || terminal.restore_len + n > sizeof(terminal.restore))
		return;
	memcpy(terminal.restore + terminal.restore_len, s, n);
	terminal.restore_len += n;
}

/* Does TERM name a terminal that can be drawn on? What puts it back is noted on the way. newterm() does not say, and
 * leaks. */
static bool known_terminal(int fd)
{
	bool can_move;
	int known;

	if (setupterm(NULL, fd, &known) != OK)
		return false;
	const char *move = tigetstr("cup");
	can_move = move && move != (const char *)-1;
	terminal.restore_len = 0;
	remember("sgr0");
	remember("cnorm");
	remember("rmkx");
	remember("rmcup");
	del_curterm(cur_term);
	return can_move;
}

static void set_colours(void)
{
	static const short colours[] = {COLOR_RED,  COLOR_BLUE,	  COLOR_MAGENTA,
					COLOR_CYAN, COLOR_YELLOW, COLOR_WHITE};
	const char *none = getenv("NO_COLOR");

	if ((none && *none) || !has_colors() || start_color() != OK || use_default_colors() != OK)
		return;
	init_pair(1 + PICTURE_WALL, COLOR_WHITE, -1);
	init_pair(1 + PICTURE_HILL, COLOR_GREEN, -1);
	init_pair(1 + PICTURE_GOAL, COLOR_BLACK, COLOR_YELLOW);
	for (int i = 0; i < PICTURE_NODES; i++)
		init_pair((short)(1 + PICTURE_NODE + i), colours[i], -1);
}

/* ncurses would end the program by exit() when a signal does; signals stay what they were. */
static SCREEN *new_screen(void)
{
	static const int kept[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
	struct sigaction before[4];

	for (int i = 0; i < 4; i++)
		sigaction(kept[i], NULL, &before[i]);
	SCREEN *screen = newterm(NULL, terminal.file, terminal.file);
	for (int i = 0; i < 4; i++)
		sigaction(kept[i], &before[i], NULL);
	return screen;
}

static int start_screen(void)
{
	terminal.screen = new_screen();
	if (!terminal.screen)
		return -ENODEV;
	set_term(terminal.screen);
	raw(); /* Ctrl-C is a key, so that the terminal is as it was before the run ends */
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(50);
	set_colours();
	return 0;
}

/* ---- open, close ---- */

static int give_up(const struct app *app, FILE *file, const char *why)
{
	fclose(file);
	return app__bad(app, "--show: %s", why);
}

int terminal__open(const struct app *app)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r+");

	if (!file) {
		if (fd >= 0)
			close(fd);
		return app__bad(app,
				"--show: this node has no terminal to draw on (a node on the host and in the "
				"terminal where dsmrun was started has)");
	}
	terminal.foreground = tcgetpgrp(fd);
	if (tcgetattr(fd, &terminal.modes))
		return give_up(app, file, strerror(errno));
	if (!may_take(terminal.foreground))
		return give_up(app, file,
			       "the terminal belongs to another program: run this in the foreground");
	if (!known_terminal(fd))
		return give_up(app, file, "TERM names no usable terminal");
	int rc = start_keeper(fd);
	if (!rc)
		rc = hand_over(fd, getpgrp());
	terminal.file = file;
	if (!rc)
		rc = start_screen();
	if (rc) {
		terminal__close();
		return app__bad(app, "--show: the terminal cannot be set up: %s", strerror(-rc));
	}
	return 0;
}

void terminal__close(void)
{
	if (!terminal.file)
		return;
	if (terminal.screen) {
		endwin();
		delscreen(terminal.screen);
		terminal.screen = NULL;
	}
	tcsetattr(fileno(terminal.file), TCSANOW, &terminal.modes);
	hand_over(fileno(terminal.file), terminal.foreground);
	end_keeper();
	fclose(terminal.file);
	terminal.file = NULL;
}

/* ---- drawing ---- */

void terminal__size(int *width, int *height)
{
	struct winsize ws;

	if (!ioctl(fileno(terminal.file), TIOCGWINSZ, &ws) && ws.ws_col && ws.ws_row &&
	    (ws.ws_col != COLS || ws.ws_row != LINES))
		resizeterm(ws.ws_row, ws.ws_col);
	*width = COLS;
	*height = LINES;
}

static attr_t attribute(const struct picture_cell *c)
{
	switch (c->style) {
	case PICTURE_PLAIN:
		return A_NORMAL;
	case PICTURE_BAR:
		return A_REVERSE;
	case PICTURE_WALL:
	case PICTURE_HILL:
		return COLOR_PAIR(1 + c->style);
	default:
		return A_BOLD | COLOR_PAIR(1 + c->style);
	}
}

void terminal__draw(const struct picture *p)
{
	for (int y = 0; y < p->height && y < LINES; y++)
		for (int x = 0; x < p->width && x < COLS; x++) {
			const struct picture_cell *c = &p->cells[y * p->width + x];
			mvaddch(y, x, (chtype)(unsigned char)c->ch | attribute(c));
		}
	refresh();
}

enum terminal_key terminal__key(void)
{
	enum terminal_key found = TERMINAL_NONE;
	int ch;

	while ((ch = getch()) != ERR)
		if (ch == 'q' || ch == 'Q' || ch == 27)
			found = TERMINAL_LEAVE;
		else if (ch == 3 || ch == 28) /* Ctrl-C, Ctrl-\ */
			return TERMINAL_INTERRUPT;
		else if (ch == 12) /* Ctrl-L: something wrote over the screen */
			clearok(curscr, TRUE);
	return found;
}

#else /* a program without a view */

int terminal__open(const struct app *app)
{
	return app__bad(app, "--show: this program was built without ncurses: install libncurses-dev and "
			     "build it again");
}

void terminal__close(void)
{
}

void terminal__size(int *width, int *height)
{
	*width = *height = 1;
}

void terminal__draw(const struct picture *p)
{
	(void)p;
}

enum terminal_key terminal__key(void)
{
	return TERMINAL_LEAVE;
}

#endif
