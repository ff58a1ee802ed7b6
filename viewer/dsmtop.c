/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dsmtop - what the cluster is doing right now: nodes, hottest pages with their objects, abort rate,
 * losses. Reads the live socket of a collector; see docs/man/dsmtop.1.
 */
#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "collector/number.h"
#include "dsmcore/launch/remedy.h"
#include "viewer/loop.h"
#include "viewer/replay.h"
#include "short_option.h"
#include "version.h"

static const char usage_text[] =
	"Usage: dsmtop [SOCKET] [options]\n"
	"       dsmtop --trace FILE [options]\n"
	"Shows what a running cluster does: nodes, hottest pages with their objects, aborts (under sc and "
	"rc:\n"
	"conflicts of intervals, waits for pages, locks and flushes), losses.\n"
	"Without SOCKET it takes your newest live run.\n\n"
	"  -b, --batch         print text instead of taking over the terminal\n"
	"  -n, --count N       stop after N screens (batch: the default is until the run ends)\n"
	"  -d, --delay SECONDS least time between two screens (default: each sample of the collector)\n"
	"  -s, --sort KEY      order of the pages: wasted, aborts (of sc and rc: waited, conflicts),\n"
	"                      fetches, transfers, invalidations, updates, page, object\n"
	"                      (default wasted; sc: waited, rc: conflicts)\n"
	"      --pages N       pages printed in batch mode (default 20; 0: all)\n"
	"      --json          print samples as JSON lines (schema " LIVE_SCHEMA "); implies -b\n"
	"      --trace FILE    show a recorded trace instead, as if it were live\n"
	"      --speed X       so many times as fast as it was (default 1; 0, and in batch mode: no "
	"waiting)\n"
	"      --ascii         no characters outside ASCII\n"
	"  -l, --list          print the sockets of your live runs, newest first\n"
	"  -h, --help          this text\n"
	"      --version       version\n\n"
	"Keys: q quit, F1 or ? help, F6 or s order, p pause, Tab other pane, arrows and PgUp/PgDn scroll.\n"
	"Exit code: 0; 1 the collector went away before the run ended; 2 bad usage, or no live run.\n";

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "dsmtop: %s%s%s (dsmtop --help lists the options)\n", what, value ? ": " : "",
		value ? value : "");
	return 2;
}

enum { OPT_JSON = 256, OPT_ASCII, OPT_PAGES, OPT_TRACE, OPT_SPEED, OPT_VERSION };

static const struct option option_table[] = {
	{"batch", no_argument, NULL, 'b'},
	{"count", required_argument, NULL, 'n'},
	{"delay", required_argument, NULL, 'd'},
	{"sort", required_argument, NULL, 's'},
	{"pages", required_argument, NULL, OPT_PAGES},
	{"json", no_argument, NULL, OPT_JSON},
	{"ascii", no_argument, NULL, OPT_ASCII},
	{"trace", required_argument, NULL, OPT_TRACE},
	{"speed", required_argument, NULL, OPT_SPEED},
	{"list", no_argument, NULL, 'l'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static int set_sort(struct loop_options *o, const char *name)
{
	int key = model__page_key(name);

	if (key < 0)
		return usage_error("--sort knows wasted or waited, aborts or conflicts, fetches, transfers, "
				   "invalidations, updates, "
				   "page and object, not",
				   name);
	o->sort = (enum page_key)key;
	o->sorted = true;
	return -1;
}

/* Each of these two returns -1 to go on, or the exit code. */
static int take(struct loop_options *o, int option, char **argv, bool *list)
{
	long n;

	switch (option) {
	case 'b':
		o->batch = true;
		return -1;
	case 'n':
		return number__whole(optarg, 1, 1000000000, &o->count)
			       ? usage_error("-n needs a whole number of at least 1, not", optarg)
			       : -1;
	case 'd':
		return number__real(optarg, 0.05, 86400, &o->delay)
			       ? usage_error("-d needs seconds between 0.05 and 86400, not", optarg)
			       : -1;
	case 's':
		return set_sort(o, optarg);
	case OPT_PAGES:
		if (number__whole(optarg, 0, 1000000000, &n))
			return usage_error("--pages needs a whole number of at least 0, not", optarg);
		o->pages = (size_t)n;
		return -1;
	case OPT_JSON:
		o->json = o->batch = true;
		return -1;
	case OPT_TRACE:
		o->trace = optarg;
		return -1;
	case OPT_SPEED:
		return number__real(optarg, 0, 1e6, &o->speed)
			       ? usage_error("--speed needs a number of at least 0, not", optarg)
			       : -1;
	case OPT_ASCII:
		o->utf8 = false;
		return -1;
	case 'l':
		*list = true;
		return -1;
	case 'h':
		fputs(usage_text, stdout);
		return 0;
	case OPT_VERSION:
		puts(VERSION_LINE("dsmtop", "; schema " LIVE_SCHEMA));
		return 0;
	case ':':
		return usage_error("option needs a value", argv[optind - 1]);
	default:
		return usage_error("unknown option", argv[optind - 1]);
	}
}

static int parse(int argc, char **argv, struct loop_options *o, bool *list)
{
	int c, rc;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":bn:d:s:lh", option_table, NULL)) != -1) {
		short_option__value(argv);
		rc = take(o, c, argv, list);
		if (rc >= 0)
			return rc;
	}
	if (argc - optind > 1)
		return usage_error("one socket at most, but there is also", argv[optind + 1]);
	if (optind < argc && o->trace)
		return usage_error("a socket or a --trace, not both; there is also", argv[optind]);
	o->path = optind < argc ? argv[optind] : o->trace;
	if (o->batch)
		o->speed = 0;
	return -1;
}

static int list_sockets(void)
{
	struct source_found *found;
	int n = source__find(&found);

	for (int i = 0; i < n; i++)
		puts(found[i].path);
	free(found);
	if (n == 0)
		fprintf(stderr, "dsmtop: you have no live run\n");
	return n < 0 ? 1 : 0;
}

/* Without a name: the newest socket. Says so when there were others. */
static int pick(char *path, size_t size, struct loop_options *o)
{
	struct source_found *found;
	int n = source__find(&found);

	if (n < 0) {
		fprintf(stderr, "dsmtop: looking for live runs: %s\n", strerror(-n));
		return 1;
	}
	if (n == 0) {
		free(found);
		fprintf(stderr, "dsmtop: you have no live run. Start one with `dsmrun --monitor -n 4 ./app`, "
				"or watch one\n"
				"        that runs already with `dsmcollect`; if that was started with sudo, "
				"so must dsmtop be.\n");
		return 2;
	}
	snprintf(path, size, "%s", found[0].path);
	if (n > 1)
		snprintf(o->note, sizeof(o->note),
			 "%d live runs; this is the newest, %.100s (dsmtop --list shows all)", n, path);
	free(found);
	o->path = path;
	return -1;
}

static int report_open(const char *path, int rc)
{
	struct stat st;
	bool file =
		!stat(path, &st) && !S_ISSOCK(st.st_mode); /* connect() says no more than "refused" then */
	const char *remedy =
		file		      ? "it is no socket; `dsmtop --trace FILE` shows a recorded trace"
		: rc == -ECONNREFUSED ? "its collector has ended; dsmtop --list shows those that run"
		: rc == -ENOENT	      ? "dsmtop --list shows those that run"
		: rc == -EACCES	      ? "it belongs to another user; run dsmtop as that one, or with sudo"
		: rc == -ENAMETOOLONG ? "a Unix socket's path has at most 107 bytes"
				      : "is it a live socket of dsmcollect or dsmrun --monitor?";

	fprintf(stderr, "dsmtop: cannot connect to %s: %s (%s)\n", path, strerror(-rc), remedy);
	return 2;
}

/* A file that is not whole has been shown as far as it goes: said when the screen is free again. */
static int end_replay(const struct loop_options *o, struct replay_child *player, int rc)
{
	struct replay_found found = replay__close(player);

	if (found.damaged)
		fprintf(stderr, "dsmtop: %s: parts are damaged and were left out\n", o->trace);
	if (found.cut)
		fprintf(stderr, "dsmtop: %s: the file was cut short; it was shown up to there\n", o->trace);
	if (rc || found.records || !found.read)
		return rc;
	fprintf(stderr, "dsmtop: %s: the trace holds no record: did the program run under the collector?\n",
		o->trace);
	return 2;
}

int main(int argc, char **argv)
{
	struct loop_options o = {.pages = 20, .speed = 1};
	struct source source;
	struct replay_child player = {0};
	char path[108], why[512];
	bool list = false;
	int rc;

	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error to report */
	setlocale(LC_CTYPE, "");
	o.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	rc = parse(argc, argv, &o, &list);
	if (rc < 0 && list)
		rc = list_sockets();
	if (!rc && fflush(stdout)) {
		fprintf(stderr, "dsmtop: standard output: cannot write: %s%s\n", strerror(errno),
			remedy__write(errno));
		rc = 1;
	}
	if (rc >= 0)
		return rc;
	if (!o.path) {
		rc = pick(path, sizeof(path), &o);
		if (rc >= 0)
			return rc;
	}
	if (o.trace && replay__open(&source, o.trace, o.speed, &player, why, sizeof(why))) {
		fprintf(stderr, "dsmtop: %s\n", why);
		return 2;
	}
	if (!o.trace) {
		rc = source__open(&source, o.path);
		if (rc)
			return report_open(o.path, rc);
	}
	rc = o.batch ? loop__batch(&source, &o) : loop__screen(&source, &o);
	source__close(&source);
	return o.trace ? end_replay(&o, &player, rc) : rc;
}
