/* SPDX-License-Identifier: BSD-2-Clause */
#define NCURSES_WIDECHAR 1
#include "viewer/screen.h"

#include <curses.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "viewer/ui.h"

static SCREEN *terminal;
static bool colour_allowed = true;
static struct termios saved_modes;
static char restore[256]; /* what a crash writes: leave the other screen, show the cursor, plain text */
static size_t restore_len;
static attr_t style_attr[STYLE_COUNT];
static short style_pair[STYLE_COUNT];

void screen__allow_colour(bool allow)
{
	colour_allowed = allow;
}

/* ---- crashes ---- */

static void crashed(int sig)
{
	/* only async-signal-safe calls; the default action, restored by SA_RESETHAND, follows */
	if (write(STDOUT_FILENO, restore, restore_len) < 0)
		_exit(128 + sig);
	tcsetattr(STDOUT_FILENO, TCSANOW, &saved_modes);
	raise(sig);
}

static const char *capability(const char *name)
{
	const char *s = tigetstr(name);

	return s == (const char *)-1 ? NULL : s;
}

static void remember(const char *name)
{
	const char *s = capability(name);
	size_t n;

	if (!s)
		return;
	n = strlen(s);
	if (restore_len + n > sizeof(restore))
		return;
	memcpy(restore + restore_len, s, n);
	restore_len += n;
}

static void catch_crashes(bool on)
{
	static const int sigs[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
	struct sigaction sa = {.sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};

	sa.sa_handler = on ? crashed : SIG_DFL;
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &sa, NULL);
}

/* ---- styles ---- */

static void set_style(enum style s, attr_t attr, short fg, short bg, bool colour)
{
	style_attr[s] = attr;
	style_pair[s] = 0;
	if (colour && init_pair((short)(s + 1), fg, bg) == OK)
		style_pair[s] = (short)(s + 1);
}

static void set_styles(bool colour)
{
	set_style(STYLE_PLAIN, A_NORMAL, -1, -1, false);
	set_style(STYLE_DIM, A_NORMAL, COLOR_CYAN, -1, colour);
	set_style(STYLE_BOLD, A_BOLD, -1, -1, false);
	set_style(STYLE_TITLE, colour ? A_BOLD : A_REVERSE, COLOR_WHITE, COLOR_BLUE, colour);
	set_style(STYLE_HEADING, colour ? A_NORMAL : A_REVERSE, COLOR_BLACK, COLOR_GREEN, colour);
	set_style(STYLE_SORTED, colour ? A_NORMAL : A_REVERSE | A_BOLD, COLOR_BLACK, COLOR_CYAN, colour);
	set_style(STYLE_SELECTED, colour ? A_NORMAL : A_REVERSE, COLOR_BLACK, COLOR_CYAN, colour);
	set_style(STYLE_ALARM, colour ? A_BOLD : A_REVERSE | A_BOLD, COLOR_WHITE, COLOR_RED, colour);
	set_style(STYLE_GOOD, A_NORMAL, COLOR_GREEN, -1, colour);
	set_style(STYLE_WASTE, colour ? A_NORMAL : A_BOLD, COLOR_RED, -1, colour);
	set_style(STYLE_WAIT, A_NORMAL, COLOR_BLUE, -1, colour);
	set_style(STYLE_GRAPH, A_NORMAL, COLOR_RED, -1, colour);
	set_style(STYLE_KEY, colour ? A_BOLD : A_REVERSE, -1, -1, false);
	set_style(STYLE_OBJECT, A_BOLD, -1, -1, false);
}

/* ---- open, close ---- */

/* COLUMNS and LINES are for terminals that do not know their size themselves, and then have to be sizes: newterm() makes
 * room for all that they say, or fails as if it did not know the terminal. */
static void size_from_environment(void)
{
	static const char *const name[] = {"COLUMNS", "LINES"};
	struct winsize ws;

	use_env(ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) || !ws.ws_col || !ws.ws_row);
	for (size_t i = 0; i < 2; i++) {
		const char *text = getenv(name[i]);
		char *end = NULL;
		long n = text ? strtol(text, &end, 10) : 1;

		if (n < 1 || n > CANVAS_SIDE_MAX || (end && *end))
			unsetenv(name[i]);
	}
}

int screen__open(void)
{
	bool colour, can_move;
	int known;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return -ENOTTY;
	if (tcgetattr(STDOUT_FILENO, &saved_modes))
		return -errno;
	size_from_environment();
	/* newterm() reports a terminal it does not know, where initscr() would exit; but it leaks then: ask
	 * first */
	if (setupterm(NULL, STDOUT_FILENO, &known) != OK)
		return -ENODEV;
	can_move = capability("cup") != NULL;
	del_curterm(cur_term);
	if (!can_move) /* TERM=dumb: everything would be one line, written over and over */
		return -ENODEV;
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal)
		return -ENODEV;
	set_term(terminal);
	restore_len = 0;
	remember("sgr0");
	remember("cnorm");
	remember("rmkx");
	remember("rmcup");
	catch_crashes(true);
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(50);
	colour = colour_allowed && has_colors() && start_color() == OK && use_default_colors() == OK;
	set_styles(colour);
	return 0;
}

void screen__close(void)
{
	if (!terminal)
		return;
	endwin();
	delscreen(terminal);
	terminal = NULL;
	catch_crashes(false);
}

void screen__size(int *width, int *height)
{
	struct winsize ws;

	/* SIGWINCH is read through a descriptor, so ncurses does not see it: tell it the size */
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) && ws.ws_col && ws.ws_row &&
	    (ws.ws_col != COLS || ws.ws_row != LINES))
		resizeterm(ws.ws_row, ws.ws_col);
	*width = COLS < CANVAS_SIDE_MAX ? COLS : CANVAS_SIDE_MAX;
	*height = LINES < CANVAS_SIDE_MAX ? LINES : CANVAS_SIDE_MAX;
}

void screen__again(void)
{
	reset_prog_mode();
	curs_set(0);
	clearok(curscr, TRUE);
}

void screen__draw(const struct canvas *c)
{
	for (int y = 0; y < c->height && y < LINES; y++) {
		for (int x = 0; x < c->width && x < COLS; x++) {
			const struct cell *cell = &c->cells[y * c->width + x];
			wchar_t text[2] = {(wchar_t)cell->ch, 0};
			cchar_t cc;

			setcchar(&cc, text, style_attr[cell->style], style_pair[cell->style], NULL);
			mvadd_wch(y, x, &cc);
		}
	}
	refresh();
}

/* ---- keys ---- */

int screen__key(void)
{
	wint_t ch;
	int rc = get_wch(&ch);

	if (rc == ERR)
		return -1;
	if (rc == OK) {
		switch (ch) {
		case '\t':
			return UI_KEY_TAB;
		case '\r':
		case '\n':
			return UI_KEY_ENTER;
		case 27:
			return UI_KEY_ESCAPE;
		case 12: /* Ctrl-L: something wrote over the screen */
			clearok(curscr, TRUE);
			return 0;
		default:
			return (int)ch;
		}
	}
	switch (ch) {
	case KEY_UP:
		return UI_KEY_UP;
	case KEY_DOWN:
		return UI_KEY_DOWN;
	case KEY_PPAGE:
		return UI_KEY_PAGE_UP;
	case KEY_NPAGE:
		return UI_KEY_PAGE_DOWN;
	case KEY_HOME:
		return UI_KEY_HOME;
	case KEY_END:
		return UI_KEY_END;
	case KEY_BTAB:
		return UI_KEY_TAB;
	case KEY_ENTER:
		return UI_KEY_ENTER;
	case KEY_F(1):
		return UI_KEY_HELP;
	case KEY_F(6):
		return UI_KEY_SORT;
	case KEY_F(10):
		return UI_KEY_QUIT;
	default:
		return 0;
	}
}
