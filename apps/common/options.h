/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h - the command line of an example program, read from a table.
 *
 * The programs of one app (with the DSM, sequential, with MPI) read the same table, so that one command line
 * means the same to all of them.
 */
#ifndef APPS_COMMON_OPTIONS_H
#define APPS_COMMON_OPTIONS_H

#include <stdbool.h>

#include "apps/common/app.h"

enum app_option_kind {
	APP_NUMBER, /* value: long, in [least, most] */
	APP_FLAG,   /* value: bool; the option has no argument */
	APP_TEXT,   /* value: const char *, into argv */
	APP_LAYOUT, /* value: enum app_layout */
};

struct app_option {
	const char *name; /* without the dashes; NULL ends the table */
	enum app_option_kind kind;
	void *value; /* holds the default until the option is given */
	long least, most;
};
#define APP_OPTIONS_MOST 16

/* What all apps but world understand. */
struct app_common {
	long size;
	enum app_layout layout;
	bool sequential, json;
};
#define APP_COMMON_OPTIONS(common, largest)                                                                  \
	{"size", APP_NUMBER, &(common)->size, 1, (largest)},                                                 \
		{"layout", APP_LAYOUT, &(common)->layout, 0, 0},                                             \
		{"sequential", APP_FLAG, &(common)->sequential, 0, 0},                                       \
	{                                                                                                    \
		"json", APP_FLAG, &(common)->json, 0, 0                                                      \
	}

/* Reads argv by the table; --help (prints usage), -h and --version are added. Returns 0 to go on, or -1 when
 * the program is to end at once with *status: 0 after --help, APP_USAGE after a message. */
int app_options__read(const struct app *app, const char *usage, const struct app_option *table, int argc,
		      char **argv, int *status);

#endif
