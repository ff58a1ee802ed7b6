// SPDX-License-Identifier: BSD-2-Clause
#include "apps/common/app.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Control bytes are shown, not sent to the terminal: a message may quote what a damaged file or a user gave. */
static void print_shown(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			fprintf(stderr, "\\x%02x", (unsigned char)*text);
		else
			fputc(*text, stderr);
}

int app__bad(const struct app *app, const char *format, ...)
{
	char text[2 * PATH_MAX];
	va_list args;

	if (!app->speaks)
		return APP_USAGE;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "%s: ", app->name);
	print_shown(text);
	fputc('\n', stderr);
	return APP_USAGE;
}

int app__integer(const struct app *app, const char *option, const char *text, long least, long most,
		 long *out)
{
	char *end;

	errno = 0;
	long value = strtol(text, &end, 10);
	if (end == text || *end || errno || value < least || value > most)
		return app__bad(app, "%s needs a whole number from %ld to %ld, not \"%s\"", option, least,
				most, text);
	*out = value;
	return 0;
}

int app__seconds(const struct app *app, const char *option, const char *text, double most, double *out)
{
	char *end;

	errno = 0;
	double value = strtod(text, &end);
	if (end == text || *end || errno || !isfinite(value) || value <= 0 || value > most)
		return app__bad(app, "%s needs a number of seconds up to %g, not \"%s\"", option, most, text);
	*out = value;
	return 0;
}

int app__bad_option(const struct app *app, int code, char *const *argv)
{
	extern int optind;

	return app__bad(app, "%s: %s (%s --help lists the options)",
			code == ':' ? "option needs a value" : "unknown option", argv[optind - 1], app->name);
}

int app__end(const struct app *app, int status)
{
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	app__bad(app, "the result cannot be written: %s", strerror(errno ? errno : EIO));
	return APP_OUTPUT;
}

int app__own_file(char *path, size_t size, const char *relative)
{
	static const char *const places[] = {"", "../../../share/procope/"};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return -errno;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if ((size_t)snprintf(path, size, "%s/%s%s", self, places[i], relative) >= size)
			return -ENAMETOOLONG;
		if (!access(path, F_OK))
			return 0;
	}
	return -ENOENT;
}

double app__now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

const char *app_layout__name(enum app_layout layout)
{
	return layout == APP_TUNED ? "tuned" : "natural";
}

uint64_t app__hash(uint64_t h, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes) {
		uint64_t word = 0;
		size_t n = bytes < sizeof(word) ? bytes : sizeof(word);

		memcpy(&word, at, n);
		/* FNV-1a by words, then a shift: a multiplication alone never moves a high bit down. */
		h = (h ^ word) * 0x100000001b3ull;
		h ^= h >> 32;
		at += n;
		bytes -= n;
	}
	return h;
}

void app_result__print(const struct app_result *r, bool json)
{
	unsigned long long checksum = r->checksum;

	if (json) {
		printf("{\"schema\":\"procope.%s/1\",\"size\":%ld,\"layout\":\"%s\",\"nodes\":%d,"
		       "\"seconds\":%.6f,\"checksum\":\"%016llx\"",
		       r->app, r->size, app_layout__name(r->layout), r->nodes, r->seconds, checksum);
		return;
	}
	printf("%s of size %ld, %s layout, ", r->app, r->size, app_layout__name(r->layout));
	if (r->nodes)
		printf("%d node%s", r->nodes, r->nodes == 1 ? "" : "s");
	else
		printf("sequential");
	printf(": %.3f s, checksum %016llx\n", r->seconds, checksum);
}

static double progress_drawn;

bool app__progress_wanted(const struct app *app)
{
	static int terminal = -1;

	if (terminal < 0)
		terminal = isatty(STDERR_FILENO);
	return app->speaks && terminal;
}

void app__progress(const struct app *app, double share, const char *text)
{
	enum { WIDTH = 30 };
	char bar[WIDTH + 1];
	double now;

	if (!app__progress_wanted(app)) /* before the clock: some call this for each of many small things */
		return;
	now = app__now();
	if (now - progress_drawn < 0.1)
		return;
	progress_drawn = now;
	int filled = share >= 1 ? WIDTH : (int)(share * WIDTH);
	memset(bar, '#', (size_t)filled);
	memset(bar + filled, '.', (size_t)(WIDTH - filled));
	bar[WIDTH] = '\0';
	fprintf(stderr, "\r%s [%s] %3.0f %%  %s\033[K", app->name, bar, share * 100, text);
	fflush(stderr);
}

void app__progress_end(const struct app *app)
{
	if (app__progress_wanted(app) && progress_drawn > 0)
		fputs("\r\033[K", stderr);
}
