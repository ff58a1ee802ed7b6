/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - runs many seeds of the simulated world, or looks closely at one. */
#include "tests/sim/sim.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS	    10000u
#define SEEDS_QUICK 400u  /* PROCOPE_QUICK: under a sanitizer */
#define COVERAGE    2000u /* seeds from which every transition must be met */
#define SHOWN	    10u	  /* failures */

static const char usage[] =
	"Usage: sim [OPTION]...\n"
	"Runs protocol cores in a simulated world, a different one for each seed, and checks all they do.\n"
	"\n"
	"  --seeds A-B     seeds to run (default 1-10000)\n"
	"  --seed N        one seed\n"
	"  --nodes N       so many nodes, whatever the seed says\n"
	"  --mutant NAME   break the protocol on purpose; `list' prints the names\n"
	"  --history-only  look at the history and at progress only, not into the cores\n"
	"  --verbose       print each message and what is wrong with the history\n"
	"  --coverage      print the table of transitions\n"
	"  --help          this text\n"
	"\n"
	"Exit status: 0 all good, 1 a seed failed or a transition was not met, 2 bad usage.\n";

struct options {
	uint64_t first, last;
	struct run run;
	bool coverage;
};

static int find_mutant(const char *name)
{
	static const char *const names[] = {
#define X(name, what) #name,
		CORE_MUTANTS_LIST(X)
#undef X
	};
	static const char *const whats[] = {
#define X(name, what) what,
		CORE_MUTANTS_LIST(X)
#undef X
	};
	unsigned i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(name, "list"))
			printf("%-26s %s\n", names[i], whats[i]);
		else if (!strcmp(name, names[i]))
			return (int)i + 1;
	}
	if (!strcmp(name, "list"))
		exit(0);
	return 0;
}

static bool parse_range(const char *text, uint64_t *first, uint64_t *last)
{
	char *end;

	*first = *last = strtoull(text, &end, 10);
	if (end == text)
		return false;
	if (*end == '-')
		*last = strtoull(end + 1, &end, 10);
	return !*end && *last >= *first;
}

static int bad(const char *what, const char *value)
{
	fprintf(stderr, "sim: %s '%s'; see sim --help\n", what, value);
	return 2;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"seeds", 1, NULL, 's'},    {"seed", 1, NULL, 'o'},	    {"nodes", 1, NULL, 'n'},
		{"mutant", 1, NULL, 'm'},   {"history-only", 0, NULL, 'H'}, {"verbose", 0, NULL, 'v'},
		{"coverage", 0, NULL, 'c'}, {"help", 0, NULL, 'h'},	    {0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
		case 'o':
			if (!parse_range(optarg, &o->first, &o->last))
				return bad("bad seed or range of seeds", optarg);
			break;
		case 'n':
			o->run.nodes = (uint32_t)strtoul(optarg, NULL, 10);
			if (!o->run.nodes || o->run.nodes > 1000)
				return bad("bad number of nodes (1 to 1000)", optarg);
			break;
		case 'm':
			core_mutant_active = (enum core_mutant)find_mutant(optarg);
			if (!core_mutant_active)
				return bad("no such mutant", optarg);
			break;
		case 'H':
			o->run.history_only = true;
			break;
		case 'v':
			o->run.verbose = true;
			break;
		case 'c':
			o->coverage = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			return 2;
		}
	}
	return optind < argc ? bad("unexpected argument", argv[optind]) : 0;
}

static void print_failure(const struct world *w, const struct options *o)
{
	printf("seed %" PRIu64 " failed (%s; %s, %u nodes, %u pages): %s\n", w->seed, world__kind(w->kind),
	       w->profile.name, w->profile.nodes, w->profile.pages, w->failure);
	if (o->run.verbose)
		return;
	printf("  again, step by step: build/tests/sim/sim --verbose --seed %" PRIu64, w->seed);
	if (o->run.nodes)
		printf(" --nodes %u", o->run.nodes);
	printf("\n");
}

int main(int argc, char **argv)
{
	struct options o = {.first = 1, .last = world__quick() ? SEEDS_QUICK : SEEDS};
	struct totals t = {0};
	struct world w;
	unsigned failed = 0, missing = 0;
	int rc = parse(argc, argv, &o);

	if (rc)
		return rc;
	for (o.run.seed = o.first; o.run.seed <= o.last && failed < SHOWN; o.run.seed++) {
		if (world__run(&w, &o.run, &t))
			continue;
		failed++;
		print_failure(&w, &o);
	}
	printf("%" PRIu64 " seeds, %u failed; %" PRIu64 " steps, %" PRIu64 " messages, %" PRIu64
	       " commits (%" PRIu64 " without a message), %" PRIu64 " aborts (%" PRIu64 " conflict, %" PRIu64
	       " priority, %" PRIu64 " cancel), %" PRIu64 " barriers, at most %u aborts of one transaction\n",
	       t.seeds, failed, t.steps, t.messages, t.commits, t.local, t.aborts, t.conflicts, t.priorities,
	       t.cancels, t.barriers, t.most_aborts);
	if (o.coverage ||
	    (!core_mutant_active && !failed && !o.run.nodes && o.last - o.first + 1 >= COVERAGE))
		missing = cover__report(o.coverage);
	return failed || missing;
}
