/* SPDX-License-Identifier: BSD-2-Clause */
/* lines.h - text files of statements, one a line; what is wrong with one is said with file and line. */
#ifndef APPS_COMMON_LINES_H
#define APPS_COMMON_LINES_H

#include <stdio.h>

#include "apps/common/app.h"

#define APP_LINE_MOST 4096
struct app_lines {
	const struct app *app;
	const char *path;
	FILE *file;
	char line[APP_LINE_MOST + 1]; /* the current one, without its newline */
	size_t length;		      /* of it; less than that up to its first NUL in a damaged file */
	unsigned number;	      /* of it, from 1; 0 before the first */
	bool goes_on;		      /* what comes next is of the same line */
};

/* Opens a file; what: the word for it in messages ("scene"), option: the one that names another. Returns 0, or
 * APP_USAGE after a message. */
int app_lines__open(struct app_lines *l, const struct app *app, const char *path, const char *what,
		    const char *option);
void app_lines__close(struct app_lines *l);

/* Goes to the next line / to the next that is neither empty nor a comment (`#` at its start). Returns 1, or 0 at
 * the file's end. What is longer than APP_LINE_MOST bytes comes in pieces, so that a file without an end has one. */
int app_lines__next(struct app_lines *l);
int app_lines__next_statement(struct app_lines *l);

/* Prints "NAME: path:number: message". Returns APP_USAGE. */
__attribute__((format(printf, 3, 4))) int app_lines__bad(const struct app_lines *l, unsigned number,
							 const char *format, ...);

/* If the line is "WORD" followed by exactly n numbers, stores them and returns 0; -1 when it is not so. The numbers
 * are finite. */
int app_lines__numbers(const struct app_lines *l, const char *word, double *out, int n);

/* Is this word the line's first? */
bool app_lines__is(const struct app_lines *l, const char *word);

#endif
