/* SPDX-License-Identifier: BSD-2-Clause */
#include "viewer/ui.h"

int ui__menu_entries(const struct ui *ui)
{
	return ui->pane == UI_NODES ? (int)NODE_KEYS : (int)PAGE_KEYS;
}

const char *ui__menu_name(const struct ui *ui, const struct model *m, int entry)
{
	bool intervals = m->shown.intervals;

	return ui->pane == UI_NODES ? model__node_key_name((enum node_key)entry, intervals)
				    : model__page_key_name((enum page_key)entry, intervals);
}

static void sort_by(struct ui *ui, struct model *m, int entry)
{
	if (ui->pane == UI_NODES)
		model__sort_nodes(m, (enum node_key)entry);
	else
		model__sort_pages(m, (enum page_key)entry);
	ui->selected[ui->pane] = 0;
}

static void move(struct ui *ui, const struct model *m, int key)
{
	size_t rows = ui->pane == UI_NODES ? m->shown.nnodes : m->shown.npages;
	size_t *at = &ui->selected[ui->pane], step = 1;

	if (key == UI_KEY_PAGE_UP || key == UI_KEY_PAGE_DOWN)
		step = ui->visible[ui->pane] > 1 ? (size_t)ui->visible[ui->pane] - 1 : 1;
	switch (key) {
	case UI_KEY_UP:
	case UI_KEY_PAGE_UP:
		*at = *at > step ? *at - step : 0;
		break;
	case UI_KEY_DOWN:
	case UI_KEY_PAGE_DOWN:
		*at += step;
		break;
	case UI_KEY_HOME:
		*at = 0;
		break;
	default:
		*at = rows;
		break;
	}
	if (*at >= rows)
		*at = rows ? rows - 1 : 0;
}

static bool menu_key(struct ui *ui, struct model *m, int key)
{
	int n = ui__menu_entries(ui);

	switch (key) {
	case UI_KEY_UP:
	case 'k':
		ui->menu = (ui->menu + n - 1) % n;
		break;
	case UI_KEY_DOWN:
	case 'j':
	case UI_KEY_SORT:
	case 's':
		ui->menu = (ui->menu + 1) % n;
		break;
	case UI_KEY_ENTER:
	case ' ':
		sort_by(ui, m, ui->menu);
		ui->mode = UI_NORMAL;
		break;
	case UI_KEY_QUIT:
		return false;
	default:
		ui->mode = UI_NORMAL;
		break;
	}
	return true;
}

/* Capital letters order the pages, as in top: the row that hurts most is one key away. */
static bool sort_key(struct ui *ui, struct model *m, int key)
{
	static const char letters[] = "WAFTIUPO";

	for (int i = 0; letters[i]; i++) {
		if (key == letters[i]) {
			ui->pane = UI_PAGES;
			sort_by(ui, m, i);
			return true;
		}
	}
	return false;
}

bool ui__key(struct ui *ui, struct model *m, int key)
{
	if (ui->mode == UI_MENU)
		return menu_key(ui, m, key);
	if (ui->mode == UI_HELP) { /* any key leaves the help, but those that quit everywhere */
		ui->mode = UI_NORMAL;
		return key != UI_KEY_QUIT;
	}
	switch (key) {
	case 'q':
	case UI_KEY_QUIT:
		return false;
	case UI_KEY_HELP:
	case '?':
	case 'h':
		ui->mode = UI_HELP;
		break;
	case UI_KEY_SORT:
	case 's':
		ui->mode = UI_MENU;
		ui->menu = ui->pane == UI_NODES ? (int)m->node_key : (int)m->page_key;
		break;
	case UI_KEY_TAB:
		ui->pane = (ui->pane + 1) % UI_PANES;
		break;
	case 'p':
		model__pause(m, !m->paused);
		break;
	case 'k':
		move(ui, m, UI_KEY_UP);
		break;
	case 'j':
		move(ui, m, UI_KEY_DOWN);
		break;
	case UI_KEY_UP:
	case UI_KEY_DOWN:
	case UI_KEY_PAGE_UP:
	case UI_KEY_PAGE_DOWN:
	case UI_KEY_HOME:
	case UI_KEY_END:
		move(ui, m, key);
		break;
	default:
		sort_key(ui, m, key);
		break;
	}
	return true;
}
