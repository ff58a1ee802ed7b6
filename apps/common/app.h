/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * app.h - what the example programs share beside the DSM: options, messages, a progress line.
 *
 * A parallel program says each thing once: node 0 speaks, the others only return the same status.
 * Nothing here needs the DSM, so that sequential programs use it too.
 */
#ifndef APPS_COMMON_APP_H
#define APPS_COMMON_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define APP_USAGE  2 /* exit status of bad usage and bad input */
#define APP_OUTPUT 1 /* ... and of a result that could not be written */

struct app {
	const char *name;
	bool speaks; /* this process prints (node 0) */
};

/* So many iterations of its outer loop the program counts as its first, in the phases that it names (dsm_phase()). */
#define APP_FIRST 3

/* How an app lays out what it shares: as one would write it without a thought, or so that nodes do not meet
 * on pages without need. */
enum app_layout { APP_NATURAL, APP_TUNED };
const char *app_layout__name(enum app_layout layout);

/* Prints "NAME: message" to stderr if the app speaks. Returns APP_USAGE. */
__attribute__((format(printf, 2, 3))) int app__bad(const struct app *app, const char *format, ...);

/* Reads an option's value as a whole number in [least, most] / a number of seconds in (0, most].
 * Returns 0, or APP_USAGE after a message that names the option. */
int app__integer(const struct app *app, const char *option, const char *text, long least, long most,
		 long *out);
int app__seconds(const struct app *app, const char *option, const char *text, double most, double *out);

/* What getopt_long() stopped at ('?' or ':'), as a message. Returns APP_USAGE. */
int app__bad_option(const struct app *app, int code, char *const *argv);

/* Path of a file that belongs to the program: DIR-OF-PROGRAM/relative, or the same below
 * ../../../share/procope when it is installed. Returns 0, -ENOENT, -ENAMETOOLONG or another negative errno. */
int app__own_file(char *path, size_t size, const char *relative);

/* Monotonic clock in seconds. */
double app__now(void);

/* FNV-1a's offset basis, and the hash h with these bytes added, taken as words of 8 (the last one padded with
 * zeros). For checksums that hold every bit. */
#define APP_HASH 0xcbf29ce484222325ull
uint64_t app__hash(uint64_t h, const void *data, size_t bytes);

/* The head of an app's result: `{"schema":"procope.NAME/1","size":...,"checksum":"..."` in JSON, or a line of
 * text. The app prints the rest, and in JSON the closing brace. nodes: 0 in a sequential program. */
struct app_result {
	const char *app;
	long size;
	enum app_layout layout;
	int nodes;
	double seconds;
	uint64_t checksum;
};
void app_result__print(const struct app_result *r, bool json);

/* The last thing an app does. Returns status, or APP_OUTPUT after a message if what was printed could not be
 * written (disk full). */
int app__end(const struct app *app, int status);

/* A bar on stderr, only on a terminal and only from the node that speaks (app__progress_wanted()), at most
 * 10 times a second. share is 0 ... 1. app__progress_end() takes it away. Outside transactions only. */
bool app__progress_wanted(const struct app *app);
void app__progress(const struct app *app, double share, const char *text);
void app__progress_end(const struct app *app);

#endif
