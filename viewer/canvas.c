/* SPDX-License-Identifier: BSD-2-Clause */
#include "viewer/canvas.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "collector/shown.h"

int canvas__resize(struct canvas *c, int width, int height, bool utf8)
{
	struct cell *cells;

	if (width < 1 || height < 1 || width > CANVAS_SIDE_MAX || height > CANVAS_SIDE_MAX)
		return -EINVAL;
	cells = calloc((size_t)width * (size_t)height, sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	canvas__free(c);
	c->width = width;
	c->height = height;
	c->utf8 = utf8;
	c->cells = cells;
	canvas__clear(c);
	return 0;
}

void canvas__free(struct canvas *c)
{
	free(c->cells);
	*c = (struct canvas){0};
}

void canvas__clear(struct canvas *c)
{
	for (int i = 0; i < c->width * c->height; i++)
		c->cells[i] = (struct cell){.ch = ' ', .style = STYLE_PLAIN};
}

static uint32_t drawable(const struct canvas *c, uint32_t ch)
{
	if (ch >= 0x20 && ch < 0x7f)
		return ch;
	if (!c->utf8 || wcwidth((wchar_t)ch) != 1)
		return '?';
	return ch;
}

void canvas__cell(struct canvas *c, int x, int y, enum style style, uint32_t ch)
{
	if (x < 0 || y < 0 || x >= c->width || y >= c->height)
		return;
	c->cells[y * c->width + x] = (struct cell){.ch = drawable(c, ch), .style = (uint8_t)style};
}

int canvas__text(struct canvas *c, int x, int y, int limit, enum style style, const char *text)
{
	if (limit <= 0 || limit > c->width)
		limit = c->width;
	while (*text && x < limit) {
		uint32_t ch;
		size_t n = shown__decode(text, &ch);

		canvas__cell(c, x++, y, style, n ? ch : '?');
		text += n ? n : 1;
	}
	return x;
}

int canvas__textf(struct canvas *c, int x, int y, enum style style, const char *fmt, ...)
{
	char buf[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	return canvas__text(c, x, y, 0, style, buf);
}

void canvas__right(struct canvas *c, int end, int y, enum style style, const char *text)
{
	int columns = 0;
	uint32_t ch;

	for (const char *p = text; *p; columns++) {
		size_t n = shown__decode(p, &ch);

		p += n ? n : 1;
	}
	canvas__text(c, end - columns, y, end > 0 ? end : -1, style, text);
}

void canvas__style_row(struct canvas *c, int y, enum style style, bool keep)
{
	if (y < 0 || y >= c->height)
		return;
	for (int x = 0; x < c->width; x++) {
		struct cell *cell = &c->cells[y * c->width + x];

		if (!keep || cell->style == STYLE_PLAIN)
			cell->style = (uint8_t)style;
	}
}

static size_t encode(uint32_t c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

static int row_length(const struct canvas *c, int y)
{
	int n = c->width;

	while (n > 0 && c->cells[y * c->width + n - 1].ch == ' ')
		n--;
	return n;
}

void canvas__row(const struct canvas *c, int y, char *buf, size_t size)
{
	size_t at = 0;

	if (!size)
		return;
	if (y >= 0 && y < c->height) {
		int n = row_length(c, y);

		for (int x = 0; x < n && at + 5 < size; x++)
			at += encode(c->cells[y * c->width + x].ch, buf + at);
	}
	buf[at] = 0;
}

int canvas__print(const struct canvas *c, FILE *out, int from, int to)
{
	char *buf = malloc((size_t)c->width * 4 + 8);
	int rc;

	if (!buf)
		return -ENOMEM;
	errno = 0;
	for (int y = from < 0 ? 0 : from; y < to && y < c->height; y++) {
		canvas__row(c, y, buf, (size_t)c->width * 4 + 8);
		fprintf(out, "%s\n", buf);
	}
	rc = fflush(out) || ferror(out) ? -(errno ? errno : EIO) : 0;
	free(buf);
	return rc;
}
