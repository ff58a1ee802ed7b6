/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ui.h - what the user is looking at (pane, scroll, help, menu), and how keys change it. Pure: keys are
 * numbers of its own, so that tests press them without a terminal.
 */
#ifndef PROCOPE_VIEWER_UI_H
#define PROCOPE_VIEWER_UI_H

#include "viewer/model.h"

enum ui_key { /* above every character */
	      UI_KEY_UP = 0x200000,
	      UI_KEY_DOWN,
	      UI_KEY_PAGE_UP,
	      UI_KEY_PAGE_DOWN,
	      UI_KEY_HOME,
	      UI_KEY_END,
	      UI_KEY_TAB,
	      UI_KEY_ENTER,
	      UI_KEY_ESCAPE,
	      UI_KEY_HELP,
	      UI_KEY_SORT,
	      UI_KEY_QUIT,
};

enum ui_pane { UI_NODES, UI_PAGES, UI_PANES };
enum ui_mode { UI_NORMAL, UI_HELP, UI_MENU };

struct ui {
	enum ui_pane pane;
	enum ui_mode mode;
	size_t selected[UI_PANES]; /* row; kept within the rows by the view */
	size_t top[UI_PANES];	   /* first row drawn */
	int visible[UI_PANES];	   /* rows drawn last time: what Page Up and Down move by */
	int menu;		   /* entry under the cursor */
	char note[200];		   /* one line that the user should see, e.g. which run was picked */
	bool replay;		   /* the source is a trace */
	bool gone;		   /* the collector went away without saying that the run ended */
};

/* Takes one key. Returns false when it means "quit". Changes the model only by sorting and pausing. */
bool ui__key(struct ui *ui, struct model *m, int key);

/* Entries of the sort menu of the active pane, and the name of one. */
int ui__menu_entries(const struct ui *ui);
const char *ui__menu_name(const struct ui *ui, const struct model *m, int entry);

#endif
