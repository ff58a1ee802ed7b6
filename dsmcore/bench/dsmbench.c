/* SPDX-License-Identifier: BSD-2-Clause */
/* dsmbench.c - options, the table of benchmarks, and what comes out: one JSON object each, and raw samples.
 */
#include "dsmcore/bench/bench.h"

#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dsm.h"
#include "dsmcore/launch/plain.h"
#include "dsmcore/launch/put_file.h"
#include "dsmcore/launch/remedy.h"
#include "version.h"

#define COUNT_MAX     100000
#define WHOLE_SECONDS 1
#define FORMAT_TTY    (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)

/* Options by letter: t transport, n nodes, c count, l seconds, o owner, g gap, p pages, d disjoint, r reps, u
 * unbound, q sequential, i no updates, w load, W window, P plant, T whole,
 * m consistency, x write */
static const struct command commands[] = {
	{"floor", "raw sockets and a bare fault handler, no DSM", paths__floor, node_floor__main, "tclogu", 2,
	 2, 4000, 20},
	{"fault", "read of a 4 KiB page of another node", paths__fault, node_fault__main, "tcloguqr", 2, 2,
	 4000, 20},
	{"bulk", "dsm_touch() of 1 to 1024 pages of another node", bulk__run, node_bulk__main, "tclogupmx", 2,
	 2, 100, 4},
	{"pingpong", "one page written by turns, the round trip", paths__pingpong, node_pingpong__main,
	 "tclui", 2, 2, 4000, 20},
	{"commit", "transaction on pages that nobody else has", paths__commit, node_commit__main, "tnclpdur",
	 1, 16, 100000, 2},
	{"barrier", "all nodes meet", paths__barrier, node_barrier__main, "tnclu", 2, 16, 4000, 20},
	{"migrate", "a page that one node writes and another reads: its home moves, or stays", migrate__run,
	 node_migrate__main, "tcui", 3, 3, 2000, 0},
	{"undo", "a loop that writes pages of its own, to be undone and as independent", paths__undo,
	 node_undo__main, "tncu", 1, 16, 140, 0},
	{"scale", "messages a commit, 8 to 1024 simulated nodes", scale__run, NULL, "nc", 16, 1024, 60, 0},
	{"probes", "run time with nobody attached, with a collector, recorded", probes__run, node_load__main,
	 "tnlruwWPT", 2, 16, 0, 25},
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

/* ---- help ---- */

static void print_usage(void)
{
	puts("Usage: dsmbench BENCHMARK [OPTION]...\n"
	     "Measures one path of the DSM and, by turns with it, what the kernel and the wire need at least "
	     "for\n"
	     "the same (the floor). Prints one JSON object.\n");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	printf("\n"
	       "      --transport KIND  tcp (default, not encrypted), tls, unix, shm or fabric\n"
	       "      --fabric PROVIDER the transport fabric: libfabric's name, e.g. tcp or shm\n"
	       "      --nodes N         commit (default 1), barrier (default 2, and 4), scale (1024), probes "
	       "and undo (2)\n"
	       "      --owner STATE     fault, floor, bulk: waiting, computing (100 ms without a call) or "
	       "both "
	       "(default)\n"
	       "      --count N         samples (commit: transactions; scale: commits of each node)\n"
	       "      --seconds S       at most for one state; probes, commit --disjoint: of one "
	       "measurement\n"
	       "      --gap US          fault, floor, bulk: pause before each sample (default 0)\n"
	       "      --pages N         commit: pages written (default 1, and 16); bulk: pages of one call "
	       "(default 1,\n"
	       "                        4, 16, 64, 256 and 1024)\n"
	       "      --consistency M   bulk: tx (default), sc or rc\n"
	       "      --write           bulk: pages that are wanted for writing\n"
	       "      --disjoint        commit: rate of 1, 2, 4 ... N nodes, each on pages of its own\n"
	       "      --sequential      fault: pages in their order, so that prefetch helps; default: at "
	       "random\n"
	       "      --no-updates      pingpong, migrate: by invalidation alone\n"
	       "      --load NAME       probes: walk, sor or objects alone; default: all three\n"
	       "      --window MS       probes: a collector listens for so long and pauses for so long (%d)\n"
	       "      --plant N         probes: delay work that is listened to by N thousandths, as a check\n"
	       "      --whole           probes: collectors come and go between measurements of a second\n"
	       "      --reps N          probes --whole: repetitions (default %d); fault, commit: so often "
	       "the "
	       "nodes\n"
	       "                        start anew, and all samples count (default 1)\n"
	       "      --unbound         leave the nodes' cores to the system; default: node i has core i\n"
	       "      --samples FILE    keep the raw samples: name, owner, nodes, microseconds\n"
	       "  -h, --help            this text\n"
	       "      --version         version\n"
	       "\n"
	       "Exit status: 0 measured; 1 a run failed; 2 bad usage; 128 + signal when interrupted.\n"
	       "It is a benchmark: no figure makes it fail. `make bench` holds them against the aims.\n",
	       PROBES_WINDOW_MS, PROBES_REPS);
}

static int bad(const char *format, const char *what, const char *more)
{
	char text[4096];
	int n = snprintf(text, sizeof(text), format, what, more);

	if (n < (int)sizeof(text))
		snprintf(text + n, sizeof(text) - (size_t)n, " (dsmbench --help)");
	plain__print("dsmbench", text);
	return BENCH_BAD;
}

/* What nobody could read was not said. */
static bool written(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	fprintf(stderr, "dsmbench: standard output: %s%s\n", strerror(errno), remedy__write(errno));
	return false;
}

/* ---- options ---- */

enum {
	OPT_TRANSPORT = 't',
	OPT_FABRIC = 'f',
	OPT_NODES = 'n',
	OPT_COUNT = 'c',
	OPT_SECONDS = 'l',
	OPT_OWNER = 'o',
	OPT_GAP = 'g',
	OPT_PAGES = 'p',
	OPT_DISJOINT = 'd',
	OPT_SEQUENTIAL = 'q',
	OPT_REPS = 'r',
	OPT_LOAD = 'w',
	OPT_WINDOW = 'W',
	OPT_PLANT = 'P',
	OPT_WHOLE = 'T',
	OPT_SAMPLES = 's',
	OPT_UNBOUND = 'u',
	OPT_NO_UPDATES = 'i',
	OPT_CONSISTENCY = 'm',
	OPT_WRITE = 'x',
	OPT_AS_NODE = 'N',
	OPT_VERSION = 'V'
};

static const struct option table[] = {
	{"transport", required_argument, NULL, OPT_TRANSPORT},
	{"fabric", required_argument, NULL, OPT_FABRIC},
	{"nodes", required_argument, NULL, OPT_NODES},
	{"count", required_argument, NULL, OPT_COUNT},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"owner", required_argument, NULL, OPT_OWNER},
	{"gap", required_argument, NULL, OPT_GAP},
	{"pages", required_argument, NULL, OPT_PAGES},
	{"disjoint", no_argument, NULL, OPT_DISJOINT},
	{"sequential", no_argument, NULL, OPT_SEQUENTIAL},
	{"reps", required_argument, NULL, OPT_REPS},
	{"load", required_argument, NULL, OPT_LOAD},
	{"window", required_argument, NULL, OPT_WINDOW},
	{"plant", required_argument, NULL, OPT_PLANT},
	{"whole", no_argument, NULL, OPT_WHOLE},
	{"samples", required_argument, NULL, OPT_SAMPLES},
	{"unbound", no_argument, NULL, OPT_UNBOUND},
	{"no-updates", no_argument, NULL, OPT_NO_UPDATES},
	{"consistency", required_argument, NULL, OPT_CONSISTENCY},
	{"write", no_argument, NULL, OPT_WRITE},
	{"as-node", no_argument, NULL, OPT_AS_NODE},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{0},
};

static int set_number(const char *name, unsigned least, unsigned most, unsigned *to)
{
	char *end, text[128];
	long v;

	errno = 0;
	v = strtol(optarg, &end, 10);
	if (errno || end == optarg || *end || v < (long)least || v > (long)most) {
		snprintf(text, sizeof(text), "--%s takes a whole number from %u to %u, not '%%s'%%s", name,
			 least, most);
		return bad(text, optarg, "");
	}
	*to = (unsigned)v;
	return 0;
}

static int set_seconds(struct options *o)
{
	char *end;

	o->seconds = strtod(optarg, &end);
	if (end == optarg || *end || !(o->seconds >= (o->as_node ? 0 : 0.001)) || o->seconds > 3600)
		return bad("--seconds takes a number up to 3600, not '%s'%s", optarg, "");
	return 0;
}

static int set_transport(struct options *o)
{
	static const char *const known[] = {"tcp", "tls", "unix", "shm", "fabric"};

	if (!strcmp(optarg, "insecure-tcp")) /* what dsmrun calls it */
		optarg = "tcp";
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(optarg, known[i])) {
			o->transport = known[i];
			return 0;
		}
	return bad("unknown transport '%s': give tcp (not encrypted; insecure-tcp of dsmrun), tls, unix, shm "
		   "or fabric%s",
		   optarg, "");
}

static int set_owner(struct options *o)
{
	static const char *const names[] = {"both", "waiting", "computing"};

	for (int i = 0; i < 3; i++)
		if (!strcmp(optarg, names[i])) {
			o->owner = (enum owner)i;
			return 0;
		}
	return bad("--owner '%s': give waiting, computing or both%s", optarg, "");
}

static int set_consistency(struct options *o)
{
	static const char *const names[] = {"tx", "sc", "rc"};

	for (int i = 0; i < 3; i++)
		if (!strcmp(optarg, names[i])) {
			o->consistency = names[i];
			return 0;
		}
	return bad("--consistency '%s': give tx, sc or rc%s", optarg, "");
}

static int set_load(struct options *o)
{
	if (strcmp(optarg, "walk") && strcmp(optarg, "sor") && strcmp(optarg, "objects"))
		return bad("--load '%s': give walk, sor or objects%s", optarg, "");
	o->load = optarg;
	return 0;
}

/* 0 is "as the benchmark is defined" when one dsmbench starts another. */
static int take(struct options *o, int opt)
{
	unsigned least = o->as_node ? 0 : 1;

	switch (opt) {
	case OPT_TRANSPORT:
		return set_transport(o);
	case OPT_FABRIC:
		o->fabric = optarg;
		o->transport = "fabric";
		return 0;
	case OPT_NODES:
		return set_number("nodes", 1, 1024, &o->nodes);
	case OPT_COUNT:
		return set_number("count", least, 10000000, &o->count);
	case OPT_SECONDS:
		return set_seconds(o);
	case OPT_OWNER:
		return set_owner(o);
	case OPT_GAP:
		return set_number("gap", 0, 1000000, &o->gap_us);
	case OPT_PAGES:
		return set_number("pages", least, 1024, &o->pages);
	case OPT_DISJOINT:
		o->disjoint = true;
		return 0;
	case OPT_SEQUENTIAL:
		o->sequential = true;
		return 0;
	case OPT_REPS:
		return set_number("reps", 1, 1000, &o->reps);
	case OPT_LOAD:
		return set_load(o);
	case OPT_WINDOW:
		return set_number("window", 2, 1000, &o->window_ms);
	case OPT_PLANT:
		return set_number("plant", 0, 1000, &o->plant);
	case OPT_WHOLE:
		o->whole = true;
		return 0;
	case OPT_SAMPLES:
		o->samples = optarg;
		return 0;
	case OPT_NO_UPDATES:
		o->no_updates = true;
		return 0;
	case OPT_UNBOUND:
		o->unbound = true;
		return 0;
	case OPT_CONSISTENCY:
		return set_consistency(o);
	case OPT_WRITE:
		o->write = true;
		return 0;
	case OPT_AS_NODE:
		o->as_node = true;
		return 0;
	}
	return bad(opt == ':' ? "option %s needs a value%s" : "unknown option %s%s", optarg ? optarg : "",
		   "");
}

static int find_command(struct options *o, const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(name, commands[i].name)) {
			o->command = &commands[i];
			return 0;
		}
	return bad("unknown benchmark '%s'%s", name, "");
}

/* Does the benchmark know the option? Those that hold for all are in no list. */
static int check_taken(const struct options *o, const char *given)
{
	const char *probes = strcmp(o->command->name, "probes") == 0 ? given : "";

	for (; *given; given++)
		for (const struct option *t = table; t->name; t++)
			if (t->val == *given && strchr("tfnclogpdruqiwWPTmx", *given) &&
			    !strchr(o->command->takes, *given == OPT_FABRIC ? OPT_TRANSPORT : *given))
				return bad("--%s says nothing to '%s'", t->name, o->command->name);
	if (o->nodes && (o->nodes < o->command->nodes_min || o->nodes > o->command->nodes_max)) {
		fprintf(stderr, "dsmbench: %s runs on %u to %u nodes, not %u (dsmbench --help)\n",
			o->command->name, o->command->nodes_min, o->command->nodes_max, o->nodes);
		return BENCH_BAD;
	}
	if (!strcmp(o->transport, "fabric") != !!o->fabric)
		return bad("--transport fabric needs --fabric NAME, and no other transport takes it%s%s", "",
			   "");
	if (o->whole ? strpbrk(probes, "WP") != NULL : strchr(probes, OPT_REPS) != NULL)
		return bad("--reps belongs to --whole, --window and --plant do not%s%s", "", "");
	if (o->disjoint && o->reps)
		return bad("--reps says nothing to --disjoint, whose rates are of --seconds each%s%s", "",
			   "");
	if (o->disjoint && o->pages > 64)
		return bad("--disjoint takes at most 64 pages%s%s", "", "");
	if (strchr("f", o->command->name[0]) && o->count > COUNT_MAX)
		return bad("%s takes at most 100000 samples%s", o->command->name, "");
	return 0;
}

/* Exit status, or -1 to go on. */
static int parse(struct options *o, int argc, char **argv)
{
	char given[64] = "";
	size_t n = 0;
	int opt, rc;

	*o = (struct options){.program = argv[0], .transport = "tcp"};
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
		if (opt == 'h')
			print_usage();
		else if (opt == OPT_VERSION)
			puts(VERSION_LINE("dsmbench", ""));
		if (opt == 'h' || opt == OPT_VERSION)
			return written() ? 0 : BENCH_BAD;
		if (opt == ':' || opt == '?')
			optarg = argv[optind - 1];
		rc = take(o, opt);
		if (rc)
			return rc;
		if (n < sizeof(given) - 1)
			given[n++] = (char)opt;
	}
	if (optind == argc)
		return bad("which benchmark? Give one of those that --help lists%s%s", "", "");
	if (optind + 1 < argc)
		return bad("one benchmark at a time: '%s' is too much%s", argv[optind + 1], "");
	rc = find_command(o, argv[optind]);
	if (!rc && !o->as_node)
		rc = check_taken(o, given);
	if (!o->count)
		o->count = o->command ? o->command->count : 0;
	if (!o->as_node && o->seconds <= 0 && o->command)
		o->seconds = o->whole ? WHOLE_SECONDS : o->command->seconds;
	if (!o->window_ms)
		o->window_ms = PROBES_WINDOW_MS;
	return rc ? rc : -1;
}

/* ---- the raw samples ---- */

static int write_samples(const struct results *r, const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int rc = f ? 0 : -errno;

	if (f) {
		fputs("# name\towner\tnodes\tmicroseconds\n", f);
		for (size_t i = 0; i < r->nseries; i++)
			for (size_t k = 0; k < r->series[i].n; k++)
				fprintf(f, "%s\t%s\t%u\t%.3f\n", r->series[i].name,
					*r->series[i].owner ? r->series[i].owner : "-", r->series[i].nodes,
					r->series[i].us[k]);
		rc = fclose(f) ? -errno : put_file(path, text, size);
	}
	free(text);
	if (rc)
		fprintf(stderr, "dsmbench: cannot write the samples to '%s': %s%s\n", path, strerror(-rc),
			remedy__write(rc));
	return rc;
}

/* Before minutes of measuring, not after. */
static int can_write(const char *path)
{
	int rc = put_file__check(path);

	if (rc)
		fprintf(stderr, "dsmbench: cannot write the samples to '%s': %s\n", path,
			*path ? strerror(-rc) : "no name");
	return rc;
}

int main(int argc, char **argv)
{
	struct results r = {0};
	struct json_object *out = NULL;
	struct options o;
	int rc;

	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error to report */
	rc = parse(&o, argc, argv);
	if (rc >= 0)
		return rc;
	if (o.as_node)
		return node__start(&o);
	if (dsm_nodes() > 1)
		return bad("start it without dsmrun: it starts its nodes itself%s%s", "", "");
	if (o.samples && can_write(o.samples))
		return BENCH_BAD;
	launch__signals();
	rc = o.command->run(&o, &r, &out);
	launch__progress_end();
	if (!rc && o.samples && write_samples(&r, o.samples))
		rc = BENCH_BAD;
	if (out && o.fabric)
		json_object_object_add(out, "provider", json_object_new_string(o.fabric));
	if (!rc && out) {
		puts(json_object_to_json_string_ext(
			out, isatty(STDOUT_FILENO) ? FORMAT_TTY : JSON_C_TO_STRING_NOSLASHESCAPE));
		rc = written() ? 0 : BENCH_FAILED;
	}
	json_object_put(out);
	results__free(&r);
	return rc;
}
