/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "viewer/view.h"

static void feed(struct model *m, int k, int nodes, int pages, unsigned long lost)
{
	static char line[1 << 20];
	int n = snprintf(
		line, sizeof(line),
		"{\"schema\":\"procope.live/1\",\"time_ns\":%d000000000,\"elapsed_s\":%d,\"source\":\"bpf\","
		"\"program\":\"world\",\"run_id\":\"abcd\",\"ended\":false,\"total\":{\"commits_per_s\":1000,"
		"\"aborts_per_s\":%d,\"aborts_per_commit\":0.2,\"wasted_share\":0.5},\"lost\":{\"abort\":%lu}"
		","
		"\"lost_total\":%lu,\"nodes\":[",
		k + 1, k, k, lost, lost);

	for (int i = 0; i < nodes; i++)
		n += snprintf(line + n, sizeof(line) - (size_t)n,
			      "%s{\"node\":%d,\"pid\":7,\"host\":\"h\",\"ended\":false,\"counters\":{"
			      "\"committed_ns\":%d00000000,"
			      "\"wasted_ns\":%d00000000},\"rates\":{\"commits_per_s\":10}}",
			      i ? "," : "", i, 5 * k, 2 * k);
	n += snprintf(line + n, sizeof(line) - (size_t)n, "],\"pages\":[");
	for (int i = 0; i < pages; i++)
		n += snprintf(line + n, sizeof(line) - (size_t)n,
			      "%s{\"page\":%d,\"log2\":12,\"object\":\"struct "
			      "part%03d\",\"objects\":1,\"nodes\":[0,1],"
			      "\"home_moves\":%d,\"home\":3,\"wasted_ns\":%d000}",
			      i ? "," : "", 4096 * i, i, i ? 0 : 2, pages - i);
	n += snprintf(line + n, sizeof(line) - (size_t)n, "]}");
	assert_int_equal(model__line(m, line, (size_t)n), 1);
}

static bool shows(const struct canvas *c, const char *what)
{
	char row[2048];

	for (int y = 0; y < c->height; y++) {
		canvas__row(c, y, row, sizeof(row));
		if (strstr(row, what))
			return true;
	}
	return false;
}

static void draw(struct canvas *c, struct model *m, struct ui *ui, int w, int h, bool utf8)
{
	assert_int_equal(canvas__resize(c, w, h, utf8), 0);
	view__draw(c, m, ui);
}

static void usual_sizes(void **state)
{
	static const int size[][2] = {{80, 24}, {200, 60}, {100, 30}};
	struct canvas c = {0};
	struct ui ui = {.pane = UI_PAGES};
	struct model m;

	(void)state;
	model__init(&m);
	feed(&m, 1, 4, 30, 0);
	feed(&m, 2, 4, 30, 0);
	for (size_t i = 0; i < 3; i++) {
		draw(&c, &m, &ui, size[i][0], size[i][1], true);
		assert_true(shows(&c, "dsmtop world"));
		assert_true(shows(&c, "aborts/commit 0.200"));
		assert_true(shows(&c, "wasted 50.0%"));
		assert_true(shows(&c, "NODE"));
		assert_true(shows(&c, "OBJECT"));
		assert_true(shows(&c, "struct part000"));
		assert_true(shows(&c, "F1Help"));
		assert_true(shows(&c, "#"));
		assert_true(shows(&c, "20.0%")); /* wasted by the node */
		assert_false(shows(&c, "LOST"));
		assert_true(size[i][0] < 200 || shows(&c, "; home: node 3, 2 moves"));
	}
	draw(&c, &m, &ui, 40, 10, true);
	assert_true(shows(&c, "struct part000"));
	assert_true(shows(&c, "aborts/commit 0.200"));
	assert_true(shows(&c, "live"));
	ui.pane = UI_NODES; /* small: the other pane is a Tab away */
	draw(&c, &m, &ui, 40, 10, true);
	assert_true(shows(&c, "COMMIT/s"));
	assert_false(shows(&c, "struct part000"));
	canvas__free(&c);
	model__free(&m);
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

/* The line of the selected page leaves out what does not fit; nothing ends in the middle of a figure. */
static void narrow_detail(void **state)
{
	static const char *const ends[] = {"struct part000", "us wasted", " invalidations", "2 moves"};
	size_t kinds = 0, last = 4;
	struct canvas c = {0};
	struct ui ui = {.pane = UI_PAGES};
	struct model m;
	char row[1024];

	(void)state;
	model__init(&m);
	feed(&m, 1, 4, 30, 0);
	feed(&m, 2, 4, 30, 0);
	for (int w = 130; w >= 23; w--) {
		size_t end = 0;

		draw(&c, &m, &ui, w, 30, true);
		canvas__row(&c, 28, row, sizeof(row));
		assert_non_null(strstr(row, "page 0x0"));
		assert_non_null(strstr(row, "struct part000"));
		while (end < 4 && !ends_with(row, ends[end]))
			end++;
		assert_true(end < 4);
		kinds += end != last;
		last = end;
		assert_true(w < 51 || strstr(row, "; 0 aborts, 30.0us wasted"));
	}
	assert_int_equal(kinds, 4);
	draw(&c, &m, &ui, 20, 30, true);
	canvas__row(&c, 28, row, sizeof(row));
	assert_string_equal(row, "page 0x0 struct p...");
	canvas__free(&c);
	model__free(&m);
}

static void losses_are_loud(void **state)
{
	static const int size[][2] = {{80, 24}, {40, 10}, {20, 4}, {200, 60}};
	struct canvas c = {0};
	struct ui ui = {.pane = UI_PAGES};
	struct model m;

	(void)state;
	model__init(&m);
	feed(&m, 1, 2, 3, 12);
	for (size_t i = 0; i < 4; i++) {
		draw(&c, &m, &ui, size[i][0], size[i][1], true);
		assert_true(shows(&c, "LOST 12 records"));
		assert_int_equal(c.cells[c.width].style, STYLE_ALARM);
	}
	canvas__free(&c);
	model__free(&m);
}

/* No size, mode or amount may write outside (the sanitizer builds look) or leave odd cells. */
static void every_size(void **state)
{
	struct canvas c = {0};
	struct model m;

	(void)state;
	model__init(&m);
	for (int fill = 0; fill < 3; fill++) {
		if (fill)
			feed(&m, fill, fill == 1 ? 1 : 70, fill == 1 ? 0 : 100, (unsigned long)fill - 1);
		for (int w = 1; w < 140; w += w < 50 ? 1 : 13)
			for (int h = 1; h < 50; h += h < 20 ? 1 : 7)
				for (int mode = UI_NORMAL; mode <= UI_MENU; mode++)
					for (int pane = 0; pane < UI_PANES; pane++) {
						struct ui ui = {.pane = (enum ui_pane)pane,
								.mode = (enum ui_mode)mode,
								.selected = {1000, 1000},
								.top = {500, 500},
								.menu = 5};

						draw(&c, &m, &ui, w, h, false);
						for (int i = 0; i < w * h; i++) {
							assert_true(c.cells[i].ch >= 0x20 &&
								    c.cells[i].ch < 0x7f);
							assert_true(c.cells[i].style < STYLE_COUNT);
						}
					}
	}
	canvas__free(&c);
	model__free(&m);
}

static void graph(void **state)
{
	struct canvas c = {0};
	struct model m;
	char row[64];

	(void)state;
	model__init(&m);
	feed(&m, 0, 0, 0, 0);
	feed(&m, 10, 0, 0, 0); /* newest: the top of the scale */
	canvas__resize(&c, 4, 2, false);
	assert_true(view__graph(&c, &m, 0, 0, 4, 2) == 10);
	canvas__row(&c, 0, row, sizeof(row));
	assert_string_equal(row, "   |");
	canvas__row(&c, 1, row, sizeof(row));
	assert_string_equal(row, "   |");
	canvas__resize(&c, 4, 1, true);
	view__graph(&c, &m, 0, 0, 4, 1);
	assert_int_equal(c.cells[3].ch, 0x28b8); /* right column of dots only */
	assert_int_equal(c.cells[2].ch, ' ');
	feed(&m, 1000, 0, 0, 0);
	feed(&m, 1, 0, 0, 0); /* tiny, but not nothing */
	view__graph(&c, &m, 0, 0, 4, 1);
	assert_int_equal(c.cells[3].ch, 0x2800 + 0x47 + 0x80);
	canvas__free(&c);
	model__free(&m);
}

static void hostile_names_stay_in_their_cells(void **state)
{
	static const char line[] = "{\"schema\":\"procope.live/"
				   "1\",\"program\":\"\\u001b[2Jx\",\"pages\":[{\"page\":0,\"object\":"
				   "\"\\u202e\\u5bbd\\u0301wide\\u0007\",\"objects\":1}]}";
	struct canvas c = {0};
	struct ui ui = {.pane = UI_PAGES};
	struct model m;

	(void)state;
	model__init(&m);
	assert_int_equal(model__line(&m, line, strlen(line)), 1);
	draw(&c, &m, &ui, 80, 24, true);
	assert_true(shows(&c, "dsmtop ?[2Jx"));
	assert_true(shows(&c, "???wide?"));
	canvas__free(&c);
	model__free(&m);
}

static void keys(void **state)
{
	struct canvas c = {0};
	struct ui ui = {.pane = UI_PAGES};
	struct model m;

	(void)state;
	model__init(&m);
	feed(&m, 1, 3, 100, 0);
	draw(&c, &m, &ui, 80, 24, false);
	assert_true(ui__key(&ui, &m, UI_KEY_END));
	draw(&c, &m, &ui, 80, 24, false);
	assert_int_equal(ui.selected[UI_PAGES], 99);
	assert_true(shows(&c, "struct part099"));
	assert_false(shows(&c, "struct part000"));
	ui__key(&ui, &m, UI_KEY_HOME);
	ui__key(&ui, &m, UI_KEY_DOWN);
	ui__key(&ui, &m, 'j');
	ui__key(&ui, &m, UI_KEY_UP);
	assert_int_equal(ui.selected[UI_PAGES], 1);
	ui__key(&ui, &m, UI_KEY_PAGE_DOWN);
	assert_true(ui.selected[UI_PAGES] > 3);
	ui__key(&ui, &m, 'P');
	assert_int_equal(m.page_key, PAGE_ADDRESS);
	ui__key(&ui, &m, UI_KEY_SORT); /* the menu starts at the present key */
	assert_int_equal(ui.menu, PAGE_ADDRESS);
	draw(&c, &m, &ui, 80, 24, false);
	assert_true(shows(&c, "order pages by"));
	ui__key(&ui, &m, UI_KEY_DOWN);
	ui__key(&ui, &m, UI_KEY_ENTER);
	assert_int_equal(m.page_key, PAGE_OBJECT);
	assert_int_equal(ui.mode, UI_NORMAL);
	ui__key(&ui, &m, UI_KEY_TAB);
	assert_int_equal(ui.pane, UI_NODES);
	ui__key(&ui, &m, 's');
	ui__key(&ui, &m, UI_KEY_UP); /* from the first entry to the last */
	assert_int_equal(ui.menu, NODE_KEYS - 1);
	assert_true(ui__key(&ui, &m, UI_KEY_ESCAPE));
	assert_int_equal(m.node_key, NODE_NUMBER);
	ui__key(&ui, &m, '?');
	draw(&c, &m, &ui, 80, 24, false);
	assert_true(shows(&c, "this help"));
	assert_true(ui__key(&ui, &m, 'q')); /* leaves the help only */
	ui__key(&ui, &m, 'p');
	assert_true(m.paused);
	draw(&c, &m, &ui, 80, 24, false);
	assert_true(shows(&c, "paused"));
	assert_false(ui__key(&ui, &m, 'q'));
	assert_false(ui__key(&ui, &m, UI_KEY_QUIT));
	canvas__free(&c);
	model__free(&m);
}

static void batch_lists_everything(void **state)
{
	struct canvas c = {0};
	struct ui ui = {0};
	struct model m;
	int used;

	(void)state;
	model__init(&m);
	feed(&m, 1, 70, 100, 5);
	assert_int_equal(canvas__resize(&c, 120, view__batch_rows(&m, 0), false), 0);
	used = view__batch(&c, &m, &ui, 0);
	assert_true(used <= c.height);
	assert_true(shows(&c, "struct part099"));
	assert_true(shows(&c, "  69 "));
	assert_int_equal(canvas__resize(&c, 20, view__batch_rows(&m, 3), false), 0);
	assert_true(view__batch(&c, &m, &ui, 3) <= c.height);
	assert_int_equal(canvas__resize(&c, 120, view__batch_rows(&m, 3), false), 0);
	view__batch(&c, &m, &ui, 3);
	assert_false(shows(&c, "struct part003"));
	assert_true(shows(&c, "and 97 pages more"));
	canvas__free(&c);
	model__free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usual_sizes),
		cmocka_unit_test(narrow_detail),
		cmocka_unit_test(losses_are_loud),
		cmocka_unit_test(every_size),
		cmocka_unit_test(graph),
		cmocka_unit_test(keys),
		cmocka_unit_test(hostile_names_stay_in_their_cells),
		cmocka_unit_test(batch_lists_everything),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
