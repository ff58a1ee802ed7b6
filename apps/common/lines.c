// SPDX-License-Identifier: BSD-2-Clause
#include "apps/common/lines.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int app_lines__open(struct app_lines *l, const struct app *app, const char *path, const char *what,
		    const char *option)
{
	struct stat st;

	*l = (struct app_lines){.app = app, .path = path};
	l->file = fopen(path, "re");
	if (!l->file)
		return app__bad(app, "cannot read the %s %s: %s (%s FILE names another)", what, path,
				strerror(errno), option);
	if (!fstat(fileno(l->file), &st) && S_ISDIR(st.st_mode)) {
		app_lines__close(l);
		return app__bad(app, "the %s %s is a folder (%s FILE names a file)", what, path, option);
	}
	return 0;
}

void app_lines__close(struct app_lines *l)
{
	if (l->file)
		fclose(l->file);
	l->file = NULL;
}

int app_lines__next(struct app_lines *l)
{
	size_t n = 0;
	int c = 0;

	while (n < APP_LINE_MOST && (c = getc(l->file)) != EOF && c != '\n')
		l->line[n++] = (char)c;
	if (!n && c == EOF)
		return 0;
	l->line[n] = '\0';
	l->length = n;
	l->number += !l->goes_on;
	l->goes_on = n == APP_LINE_MOST;
	return 1;
}

int app_lines__next_statement(struct app_lines *l)
{
	while (app_lines__next(l))
		if (l->length && l->line[0] != '#')
			return 1;
	return 0;
}

int app_lines__bad(const struct app_lines *l, unsigned number, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return app__bad(l->app, "%s:%u: %s", l->path, number, text);
}

bool app_lines__is(const struct app_lines *l, const char *word)
{
	size_t n = strlen(word);

	return !strncmp(l->line, word, n) && (l->line[n] == ' ' || !l->line[n]);
}

int app_lines__numbers(const struct app_lines *l, const char *word, double *out, int n)
{
	const char *at = l->line + strlen(word);
	char *end;

	if (!app_lines__is(l, word) || strlen(l->line) != l->length)
		return -1;
	for (int i = 0; i < n; i++) {
		if (*at != ' ')
			return -1;
		out[i] = strtod(at, &end);
		if (end == at || !isfinite(out[i]))
			return -1;
		at = end;
	}
	while (*at == ' ')
		at++;
	return *at ? -1 : 0;
}
