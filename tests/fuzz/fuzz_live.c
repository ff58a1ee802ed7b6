// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_live.c - any bytes as lines of the live socket, each state drawn at several sizes.
 *
 * Bytes that are no JSON of the schema must change nothing; what is drawn must hold printable single
 * columns only, whatever the strings say.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/live.h"
#include "viewer/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void draw(struct model *m, struct ui *ui, int width, int height)
{
	struct canvas c = {0};

	if (canvas__resize(&c, width, height, true))
		abort();
	view__draw(&c, m, ui);
	for (int i = 0; i < width * height; i++)
		if (c.cells[i].ch < 0x20 || (c.cells[i].ch >= 0x7f && c.cells[i].ch < 0xa0) ||
		    c.cells[i].style >= STYLE_COUNT)
			abort();
	canvas__free(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ui ui = {.pane = UI_PAGES};
	struct model m;
	const char *at = (const char *)data, *end = at + size;

	model__init(&m);
	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((nl ? nl : end) - at);

		if (model__line(&m, at, n) == 1) {
			char *text = live__rewrite(at, n);

			for (const char *p = text; p && *p; p++)
				if ((unsigned char)*p < 0x20)
					abort();
			free(text);
		} else if (!m.error[0]) {
			abort();
		}
		at += n + 1;
	}
	for (int key = 0; key < PAGE_KEYS; key++) {
		model__sort_pages(&m, (enum page_key)key);
		model__sort_nodes(&m, (enum node_key)(key % NODE_KEYS));
		ui__key(&ui, &m, key % 2 ? UI_KEY_END : UI_KEY_TAB);
		draw(&m, &ui, 20 + 23 * key, 6 + 5 * key);
	}
	model__free(&m);
	return 0;
}
