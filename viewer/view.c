/* SPDX-License-Identifier: BSD-2-Clause */
#include "viewer/view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "viewer/text.h"
#include "viewer/view_rows.h"

#define MIN_BOTH_PANES 16 /* rows from which nodes and pages are shown together */

/* ---- the header ---- */

#define FIGURE_LEAST 5 /* columns: 99.9%, 1.087, 34.1k */

static void draw_title(struct canvas *c, const struct model *m, const struct ui *ui)
{
	const struct model_sample *s = &m->shown;
	const char *state = ui->gone && !m->ended ? "collector gone"
			    : m->ended		  ? "run ended"
			    : m->paused		  ? "paused"
			    : ui->replay	  ? "replay"
						  : "live";
	enum style style = ui->gone && !m->ended ? STYLE_ALARM : STYLE_TITLE;
	int end = c->width - (int)strlen(state) - 2;
	char t[32];
	int x = 0;

	canvas__style_row(c, 0, STYLE_TITLE, false);
	x = canvas__text(c, x, 0, end, STYLE_TITLE, "dsmtop ");
	x = canvas__text(c, x, 0, end, STYLE_TITLE, s->program[0] ? s->program : "?");
	x = canvas__text(c, x + 2, 0, end, STYLE_TITLE, text__elapsed(t, sizeof(t), s->elapsed_s));
	snprintf(t, sizeof(t), "%zu node%s", s->nnodes, s->nnodes == 1 ? "" : "s");
	x = canvas__text(c, x + 2, 0, end, STYLE_TITLE, t);
	if (s->consistency[0])
		x = canvas__text(c, x + 2, 0, end, STYLE_TITLE, s->consistency);
	x = canvas__text(c, x + 2, 0, end, STYLE_TITLE, s->source);
	x = canvas__text(c, x + 2, 0, end, STYLE_TITLE, s->run_id[0] ? "run " : "");
	canvas__text(c, x, 0, end, STYLE_TITLE, s->run_id);
	canvas__cell(c, end, 0, STYLE_TITLE, ' ');
	canvas__text(c, end + 1 > 0 ? end + 1 : 0, 0, 0, style, state);
}

#define FIGURES 11
struct figure {
	const char *name, *unit;
	char value[32];
	enum style style;
};

static int transaction_figures(const struct model_sample *s, struct figure *f)
{
	int n = 0;

	f[n] = (struct figure){"aborts/commit", "", "", STYLE_BOLD};
	text__ratio(f[n++].value, 32, s->aborts_per_commit);
	f[n] = (struct figure){"wasted", "", "", s->wasted_share > 0.1 ? STYLE_WASTE : STYLE_BOLD};
	text__share(f[n++].value, 32, s->wasted_share);
	f[n] = (struct figure){"work", "/s", "", STYLE_GOOD};
	text__count(f[n++].value, 32, s->rate.work);
	f[n] = (struct figure){"commits", "/s", "", STYLE_BOLD};
	text__count(f[n++].value, 32, s->rate.commits);
	f[n] = (struct figure){"aborts", "/s", "", STYLE_BOLD};
	text__count(f[n++].value, 32, s->rate.aborts);
	f[n] = (struct figure){"fetches", "/s", "", STYLE_BOLD};
	text__count(f[n++].value, 32, s->rate.fetches);
	return n;
}

static int interval_figures(const struct model_sample *s, struct figure *f)
{
	int n = 0;

	f[n] = (struct figure){"conflicts/interval", "", "", STYLE_BOLD};
	text__ratio(f[n++].value, 32, s->conflicts_per_interval);
	f[n] = (struct figure){"lost", "", "", s->lost_share > 0.1 ? STYLE_WASTE : STYLE_BOLD};
	text__share(f[n++].value, 32, s->lost_share);
	f[n] = (struct figure){"work", "/s", "", STYLE_GOOD};
	text__count(f[n++].value, 32, s->rate.work);
	f[n] = (struct figure){"intervals", "/s", "", STYLE_BOLD};
	text__count(f[n++].value, 32, s->rate.intervals);
	f[n] = (struct figure){"conflicts", "/s", "", STYLE_BOLD};
	text__count(f[n++].value, 32, s->rate.conflicts);
	f[n] = (struct figure){"transfers", "/s", "", STYLE_BOLD};
	text__count(f[n++].value, 32, s->rate.transfers);
	f[n] = (struct figure){"lock waits", "/s", "", STYLE_BOLD};
	text__count(f[n++].value, 32, s->rate.lock_waits);
	f[n] = (struct figure){"flushes", "/s", "", STYLE_BOLD};
	text__count(f[n++].value, 32, s->rate.flushes);
	return n;
}

/* Figures flow like words: as many a line as fit, so that no width needs a layout of its own. Each has room for
 * the longest usual value, so that what follows stays where it is from one sample to the next. Returns the first
 * row after them. */
static int draw_totals(struct canvas *c, const struct model *m, int y, int rows)
{
	const struct model_sample *s = &m->shown;
	struct figure figure[FIGURES];
	int n = s->intervals ? interval_figures(s, figure) : transaction_figures(s, figure);
	int last = y + rows, x = 0;

	figure[n] = (struct figure){"in", "/s", "", STYLE_BOLD};
	text__bytes(figure[n++].value, 32, s->rate.bytes_in);
	figure[n] = (struct figure){"records", "", "", STYLE_BOLD};
	text__count(figure[n++].value, 32, (double)s->events);
	if (s->clock_hosts > 1) {
		/* Red: one has stood still, and what was then is in no sure order. */
		figure[n] =
			(struct figure){"clocks within", "", "", s->clock_steps ? STYLE_ALARM : STYLE_BOLD};
		text__nanos(figure[n++].value, 32, (double)s->clock_error_ns);
	}
	for (int i = 0; i < n; i++) {
		int value = (int)strlen(figure[i].value), room = value < FIGURE_LEAST ? FIGURE_LEAST : value;
		int need = (int)(strlen(figure[i].name) + strlen(figure[i].unit)) + 1 + room, from;

		if (x && x + need > c->width) {
			x = 0;
			y++;
		}
		if (y >= last)
			return y;
		from = x;
		x = canvas__text(c, x, y, 0, STYLE_DIM, figure[i].name);
		x = canvas__text(c, x + 1, y, 0, figure[i].style, figure[i].value);
		canvas__text(c, x, y, 0, STYLE_DIM, figure[i].unit);
		x = from + need + 2;
	}
	return y + 1;
}

static int draw_losses(struct canvas *c, const struct model *m, int y)
{
	const struct model_sample *s = &m->shown;
	char n[32];
	int x;

	if (!s->lost_total)
		return y;
	x = canvas__textf(c, 0, y, STYLE_ALARM, "LOST %s records",
			  text__count(n, sizeof(n), (double)s->lost_total));
	x = canvas__text(c, x, y, 0, STYLE_ALARM, ": ");
	x = canvas__text(c, x, y, 0, STYLE_ALARM, s->lost[0] ? s->lost : "types not given");
	canvas__text(c, x, y, 0, STYLE_ALARM, " (counts and rates hold, evidence does not)");
	canvas__style_row(c, y, STYLE_ALARM, true);
	return y + 1;
}

static int draw_message(struct canvas *c, const struct model *m, const struct ui *ui, int y)
{
	if (m->bad_lines) {
		canvas__textf(c, 0, y, STYLE_ALARM, "%llu bad line%s from the socket; the last: %s",
			      (unsigned long long)m->bad_lines, m->bad_lines == 1 ? "" : "s", m->error);
		return y + 1;
	}
	if (ui->note[0]) {
		canvas__text(c, 0, y, 0, STYLE_DIM, ui->note);
		return y + 1;
	}
	return y;
}

/* ---- the graph ---- */

/* The next of 1, 2, 5, 10, 20, ... at or above v: a scale that does not jump with every sample. */
static double round_up(double v)
{
	double p;

	if (v <= 1)
		return 1;
	p = pow(10, floor(log10(v)));
	return v <= p ? p : v <= 2 * p ? 2 * p : v <= 5 * p ? 5 * p : 10 * p;
}

static double history(const struct model *m, size_t back)
{
	if (back >= m->nhistory || back >= MODEL_HISTORY)
		return NAN;
	return m->history[(m->nhistory - 1 - back) % MODEL_HISTORY];
}

static int level(double v, double top, int levels)
{
	int l = isnan(v) ? 0 : (int)floor(v / top * levels + 0.5);

	if (v > 0 && l == 0)
		l = 1; /* a little is not nothing */
	return l > levels ? levels : l;
}

static uint32_t braille(int left, int right)
{
	static const unsigned char l[5] = {0, 0x40, 0x44, 0x46, 0x47}, r[5] = {0, 0x80, 0xa0, 0xb0, 0xb8};

	return left || right ? 0x2800u + (unsigned)(l[left] | r[right]) : ' ';
}

static int clamp(int v, int most)
{
	return v < 0 ? 0 : v > most ? most : v;
}

double view__graph(struct canvas *c, const struct model *m, int x, int y, int width, int height)
{
	static const char ascii[] = " .:|";
	int dots = c->utf8 ? 4 : 3;
	double top = 0;

	for (int i = 0; i < 2 * width; i++)
		top = fmax(top, history(m, (size_t)i)); /* fmax leaves NAN out */
	top = round_up(top);
	for (int col = 0; col < width; col++) {
		int l = level(history(m, (size_t)(2 * col + 1)), top, dots * height);
		int r = level(history(m, (size_t)(2 * col)), top, dots * height);

		for (int row = 0; row < height; row++) {
			int a = clamp(l - row * dots, dots), b = clamp(r - row * dots, dots);

			canvas__cell(c, x + width - 1 - col, y + height - 1 - row, STYLE_GRAPH,
				     c->utf8 ? braille(a, b) : (uint32_t)ascii[a > b ? a : b]);
		}
	}
	return top;
}

static int draw_graph(struct canvas *c, const struct model *m, int y, int rows)
{
	char t[32];
	double top;
	int label = c->width >= 30 ? 16 : 0;

	top = view__graph(c, m, label, y, c->width - label, rows);
	if (label) {
		canvas__text(c, 0, y, label, STYLE_DIM, m->shown.intervals ? "conflicts/s" : "aborts/s");
		canvas__right(c, label - 1, y, STYLE_DIM, text__count(t, sizeof(t), top));
		if (rows > 1)
			canvas__right(c, label - 1, y + rows - 1, STYLE_DIM, "0");
	}
	return y + rows;
}

/* ---- help, menu, key line ---- */

static const char *const help_keys[] = {
	"dsmtop: what the cluster is doing right now",
	"",
	"  q, F10, Ctrl-C  quit",
	"  F1, ?, h        this help",
	"  F6, s           choose what the pane is ordered by",
};

static const char *const help_moves[] = {
	"  P O             pages by address, by object",
	"  Tab             the other pane",
	"  Up Down k j     select; PgUp PgDn Home End move farther",
	"  p               pause the screen (the graph goes on)",
	"",
};

static const char *const help_transactions[2][6] = {
	{
		"  W A F T I U     pages by wasted time, aborts, fetches, transfers,",
		"                  invalidations, updates",
	},
	{
		"  bar of a node: # committed  x wasted  - waiting at barriers,",
		"  as shares of the last interval",
		"  WASTED of a page: time of aborted attempts that first met there",
	},
};

static const char *const help_intervals[2][6] = {
	{
		"  W A F T I U     pages by time waited, conflicts, fetches, transfers,",
		"                  invalidations, updates",
	},
	{
		"  bar of a node: waiting for f pages  l locks  w flushes, and",
		"  - at barriers, as shares of the last interval",
		"  CONFL/s: pages in use that others wanted (sc) or changed (rc)",
		"  LOST of a node: share of its time in f, l and w",
		"  WAITED of a page: by all nodes, for its fetches",
	},
};

static const char *const help_losses[] = {
	"  LOST records: those the collector could not take; rates come from",
	"  counters and stay exact",
};

static int help_lines(struct canvas *c, const char *const *line, size_t n, int y)
{
	for (size_t i = 0; i < n && line[i]; i++, y++)
		canvas__text(c, 0, y, 0, y ? STYLE_PLAIN : STYLE_BOLD, line[i]);
	return y;
}

static void draw_help(struct canvas *c, const struct model *m)
{
	const char *const(*words)[6] = m->shown.intervals ? help_intervals : help_transactions;
	int y;

	canvas__clear(c);
	y = help_lines(c, help_keys, sizeof(help_keys) / sizeof(help_keys[0]), 0);
	y = help_lines(c, words[0], 6, y);
	y = help_lines(c, help_moves, sizeof(help_moves) / sizeof(help_moves[0]), y);
	y = help_lines(c, words[1], 6, y);
	y = help_lines(c, help_losses, sizeof(help_losses) / sizeof(help_losses[0]), y);
	for (int x = 0; x < c->width; x++)
		canvas__cell(c, x, c->height - 1, STYLE_PLAIN, ' ');
	canvas__text(c, 0, c->height - 1, 0, STYLE_KEY, y < c->height ? "any key: back" : "key: back");
}

static void draw_menu(struct canvas *c, const struct model *m, const struct ui *ui)
{
	int n = ui__menu_entries(ui), width = 24, rows = c->height - 1 < n + 1 ? c->height - 1 : n + 1;
	int first = ui->menu + 1 >= rows ? ui->menu + 2 - rows : 0;

	if (width > c->width)
		width = c->width;
	for (int row = 0; row < rows; row++) {
		int entry = first + row - 1;

		for (int x = 0; x < width; x++)
			canvas__cell(c, x, row, row ? STYLE_PLAIN : STYLE_HEADING, ' ');
		if (!row)
			canvas__text(c, 1, row, width, STYLE_HEADING,
				     ui->pane == UI_NODES ? "order nodes by" : "order pages by");
		else if (entry < n)
			canvas__text(c, 2, row, width, entry == ui->menu ? STYLE_SELECTED : STYLE_PLAIN,
				     ui__menu_name(ui, m, entry));
		if (row && entry == ui->menu)
			canvas__cell(c, 0, row, STYLE_SELECTED, '>');
	}
}

static void draw_keys(struct canvas *c, const struct ui *ui)
{
	static const char *const keys[][2] = {
		{"F1", "Help"}, {"F6", "Sort"}, {"Tab", "Pane"}, {"p", "Pause"}, {"q", "Quit"}};
	static const char *const menu[][2] = {{"Enter", "Order"}, {"Esc", "Back"}};
	int n = ui->mode == UI_MENU ? 2 : 5, x = 0;

	for (int i = 0; i < n; i++) {
		x = canvas__text(c, x, c->height - 1, 0, STYLE_KEY,
				 ui->mode == UI_MENU ? menu[i][0] : keys[i][0]);
		x = canvas__text(c, x, c->height - 1, 0, STYLE_DIM,
				 ui->mode == UI_MENU ? menu[i][1] : keys[i][1]) +
		    1;
	}
}

/* ---- the whole ---- */

static void keep_in_view(struct ui *ui, enum ui_pane pane, size_t rows, int visible)
{
	size_t *top = &ui->top[pane], *at = &ui->selected[pane], v = visible > 0 ? (size_t)visible : 1;

	ui->visible[pane] = visible;
	if (*at >= rows)
		*at = rows ? rows - 1 : 0;
	if (*at < *top)
		*top = *at;
	if (*at >= *top + v)
		*top = *at - v + 1;
	if (*top + v > rows)
		*top = rows > v ? rows - v : 0;
}

static int draw_nodes(struct canvas *c, const struct model *m, struct ui *ui, int y, int rows)
{
	const struct model_sample *s = &m->shown;

	keep_in_view(ui, UI_NODES, s->nnodes, rows - 1);
	view_rows__node_heading(c, m, y, ui->pane == UI_NODES);
	for (int i = 0; i < rows - 1 && ui->top[UI_NODES] + (size_t)i < s->nnodes; i++) {
		size_t at = ui->top[UI_NODES] + (size_t)i;

		view_rows__node(c, m, &s->nodes[at], y + 1 + i);
		if (ui->pane == UI_NODES && at == ui->selected[UI_NODES])
			canvas__style_row(c, y + 1 + i, STYLE_SELECTED, false);
	}
	return y + rows;
}

static int draw_pages(struct canvas *c, const struct model *m, struct ui *ui, int y, int rows)
{
	const struct model_sample *s = &m->shown;

	keep_in_view(ui, UI_PAGES, s->npages, rows - 1);
	view_rows__page_heading(c, m, y, ui->pane == UI_PAGES);
	if (!s->npages)
		canvas__text(c, 2, y + 1, 0, STYLE_DIM,
			     s->valid ? "no page has moved between nodes yet"
				      : "waiting for the first sample");
	for (int i = 0; i < rows - 1 && ui->top[UI_PAGES] + (size_t)i < s->npages; i++) {
		size_t at = ui->top[UI_PAGES] + (size_t)i;

		view_rows__page(c, m, &s->pages[at], y + 1 + i);
		if (ui->pane == UI_PAGES && at == ui->selected[UI_PAGES])
			canvas__style_row(c, y + 1 + i, STYLE_SELECTED, false);
	}
	return y + rows;
}

static void draw_panes(struct canvas *c, const struct model *m, struct ui *ui, int y)
{
	int left = c->height - y - 1; /* the key line */
	bool both = c->height >= MIN_BOTH_PANES, detail = both && m->shown.npages > 0;
	int nodes;

	left -= detail;
	if (left < 1)
		return;
	if (!both) {
		if (ui->pane == UI_NODES)
			draw_nodes(c, m, ui, y, left);
		else
			draw_pages(c, m, ui, y, left);
		return;
	}
	nodes = (int)(m->shown.nnodes < 1000 ? m->shown.nnodes : 1000) + 1;
	if (nodes > left / 2)
		nodes = left / 2;
	y = draw_nodes(c, m, ui, y, nodes);
	y = draw_pages(c, m, ui, y, left - nodes);
	if (detail)
		view_rows__detail(c, m, &m->shown.pages[ui->selected[UI_PAGES]], y);
}

void view__draw(struct canvas *c, const struct model *m, struct ui *ui)
{
	int y = 1, graph = c->height >= 40 ? 5 : c->height >= 22 ? 3 : c->height >= 14 ? 2 : 0;

	canvas__clear(c);
	if (ui->mode == UI_HELP) {
		draw_help(c, m);
		return;
	}
	draw_title(c, m, ui);
	y = draw_losses(c, m, y);
	y = draw_totals(c, m, y, c->height < 8 ? 1 : c->height < 14 ? 2 : 4);
	if (c->height >= 8)
		y = draw_message(c, m, ui, y);
	if (graph)
		y = draw_graph(c, m, y, graph);
	draw_panes(c, m, ui, y);
	for (int x = 0; x < c->width; x++)
		canvas__cell(c, x, c->height - 1, STYLE_PLAIN, ' ');
	if (c->height == 1)
		draw_title(c, m, ui);
	else
		draw_keys(c, ui);
	if (ui->mode == UI_MENU)
		draw_menu(c, m, ui);
}

static size_t batch_pages(const struct model *m, size_t pages)
{
	return pages && pages < m->shown.npages ? pages : m->shown.npages;
}

int view__batch_rows(const struct model *m, size_t pages)
{
	return (int)(16 + m->shown.nnodes + batch_pages(m, pages));
}

int view__batch(struct canvas *c, const struct model *m, const struct ui *ui, size_t pages)
{
	const struct model_sample *s = &m->shown;
	int y = 1;

	canvas__clear(c);
	draw_title(c, m, ui);
	y = draw_losses(c, m, y);
	y = draw_totals(c, m, y, 6);
	y = draw_message(c, m, ui, y);
	view_rows__node_heading(c, m, ++y, true);
	for (size_t i = 0; i < s->nnodes; i++)
		view_rows__node(c, m, &s->nodes[i], ++y);
	y += 2;
	view_rows__page_heading(c, m, y, true);
	if (!s->npages)
		canvas__text(c, 2, ++y, 0, STYLE_DIM, "no page has moved between nodes yet");
	for (size_t i = 0; i < batch_pages(m, pages); i++)
		view_rows__page(c, m, &s->pages[i], ++y);
	if (batch_pages(m, pages) < s->npages)
		canvas__textf(c, 2, ++y, STYLE_DIM, "and %zu pages more (--pages 0 shows all)",
			      s->npages - batch_pages(m, pages));
	return y + 1;
}
