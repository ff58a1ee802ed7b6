// SPDX-License-Identifier: BSD-2-Clause
#include "apps/common/options.h"

#include <assert.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "version.h"

enum { OPT_FIRST = 256, OPT_HELP = 'h', OPT_VERSION = 'V' };

static int take_layout(const struct app *app, const char *text, enum app_layout *out)
{
	if (!strcmp(text, "natural"))
		*out = APP_NATURAL;
	else if (!strcmp(text, "tuned"))
		*out = APP_TUNED;
	else
		return app__bad(app, "--layout is natural or tuned, not \"%s\" (%s --help tells them apart)",
				text, app->name);
	return 0;
}

static int take(const struct app *app, const struct app_option *o, const char *text)
{
	char dashed[40];

	switch (o->kind) {
	case APP_NUMBER:
		snprintf(dashed, sizeof(dashed), "--%s", o->name);
		return app__integer(app, dashed, text, o->least, o->most, o->value);
	case APP_FLAG:
		*(bool *)o->value = true;
		return 0;
	case APP_TEXT:
		*(const char **)o->value = text;
		return 0;
	case APP_LAYOUT:
		return take_layout(app, text, o->value);
	}
	return APP_USAGE;
}

/* getopt_long's own table: our options count from OPT_FIRST. */
static void build(const struct app_option *table, struct option *out)
{
	int n = 0;

	for (; table[n].name; n++) {
		assert(n < APP_OPTIONS_MOST);
		out[n] = (struct option){table[n].name,
					 table[n].kind == APP_FLAG ? no_argument : required_argument, NULL,
					 OPT_FIRST + n};
	}
	out[n++] = (struct option){"help", no_argument, NULL, OPT_HELP};
	out[n++] = (struct option){"version", no_argument, NULL, OPT_VERSION};
	out[n] = (struct option){0};
}

int app_options__read(const struct app *app, const char *usage, const struct app_option *table, int argc,
		      char **argv, int *status)
{
	struct option known[APP_OPTIONS_MOST + 3];
	int code;

	build(table, known);
	opterr = 0;
	*status = 0;
	while ((code = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
		if (code == OPT_HELP) {
			if (app->speaks)
				fputs(usage, stdout);
			return -1;
		}
		if (code == OPT_VERSION) {
			if (app->speaks)
				printf(VERSION_LINE("%s", "") "\n", app->name);
			return -1;
		}
		*status = code >= OPT_FIRST ? take(app, &table[code - OPT_FIRST], optarg)
					    : app__bad_option(app, code, argv);
		if (*status)
			return -1;
	}
	if (optind < argc) {
		*status = app__bad(app, "takes no argument: \"%s\"", argv[optind]);
		return -1;
	}
	return 0;
}
