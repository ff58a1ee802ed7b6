/* SPDX-License-Identifier: BSD-2-Clause */
/* main.c - runs many seeds of the simulated world, or looks closely at one. */
#include "tests/sim/pool.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEEDS	    10000u
#define SEEDS_QUICK 400u  /* PROCOPE_QUICK: under a sanitizer */
#define COVERAGE    5000u /* seeds from which every transition must be met */

static const char usage[] =
	"Usage: sim [OPTION]...\n"
	"Runs protocol cores in a simulated world, a different one for each seed, and checks all they do.\n"
	"\n"
	"  --seeds A-B     seeds to run (default 1-10000)\n"
	"  --seed N        one seed\n"
	"  --only KIND     of a seed's worlds: `tx', that of transactions, `sync', the other models, or\n"
	"                  `blocks', transactions without races\n"
	"  --jobs N        processes that share the seeds (default: one a core)\n"
	"  --nodes N       so many nodes, whatever the seed says\n"
	"  --mutant NAME   break the protocol on purpose; `list' prints the names\n"
	"  --history-only  look at the history and at progress only, not into the cores\n"
	"  --verbose       print each message and what is wrong with the history\n"
	"  --coverage      print the table of transitions\n"
	"  --help          this text\n"
	"\n"
	"Exit status: 0 all good, 1 a seed failed or a transition was not met, 2 bad usage.\n";

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

#define ALL_KINDS ((1u << WORLDS) - 1)

static const char *const kinds[WORLDS] = {"tx", "sync", "blocks"};

static unsigned kind_of(const char *name)
{
	unsigned kind = 0;

	while (kind < WORLDS && strcmp(kinds[kind], name) != 0)
		kind++;
	return kind;
}

static int parse(int argc, char **argv, struct pool_options *o, bool *coverage)
{
	static const struct option longs[] = {
		{"seeds", 1, NULL, 's'},
		{"seed", 1, NULL, 'o'},
		{"only", 1, NULL, 'k'},
		{"nodes", 1, NULL, 'n'},
		{"jobs", 1, NULL, 'j'},
		{"mutant", 1, NULL, 'm'},
		{"history-only", 0, NULL, 'H'},
		{"verbose", 0, NULL, 'v'},
		{"coverage", 0, NULL, 'c'},
		{"help", 0, NULL, 'h'},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 's':
		case 'o':
			if (!parse_range(optarg, &o->first, &o->last))
				return bad("bad seed or range of seeds", optarg);
			break;
		case 'k':
			o->kinds = 1u << kind_of(optarg);
			if (kind_of(optarg) == WORLDS)
				return bad("no such kind of world (tx, sync or blocks)", optarg);
			break;
		case 'n':
			o->run.nodes = (uint32_t)strtoul(optarg, NULL, 10);
			if (!o->run.nodes || o->run.nodes > 1000)
				return bad("bad number of nodes (1 to 1000)", optarg);
			break;
		case 'j':
			o->jobs = (uint32_t)strtoul(optarg, NULL, 10);
			if (!o->jobs || o->jobs > 256)
				return bad("bad number of processes (1 to 256)", optarg);
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
			*coverage = true;
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

static void print_failure(const struct pool_options *o, uint64_t seed, const struct pool_failure *f)
{
	if (f->crashed)
		printf("seed %" PRIu64 " failed: %s\n", seed, f->text);
	else
		printf("seed %" PRIu64 " failed (%s; %s, %u nodes, %u pages): %s\n", seed,
		       world__kind(f->kind), f->profile, f->nodes, f->pages, f->text);
	if (o->run.verbose)
		return;
	printf("  again, step by step: build/tests/sim/sim --verbose --seed %" PRIu64, seed);
	if (!f->crashed)
		printf(" --only %s", kinds[f->world]);
	if (o->run.nodes)
		printf(" --nodes %u", o->run.nodes);
	printf("\n");
}

static void print_totals(const struct totals *t, int failed)
{
	printf("%" PRIu64 " seeds, %d failed; %" PRIu64 " steps, %" PRIu64 " messages (%" PRIu64
	       " slow links, %" PRIu64 " stalls), %" PRIu64 " commits (%" PRIu64
	       " without a message), %" PRIu64 " aborts (%" PRIu64 " conflict, %" PRIu64 " priority, %" PRIu64
	       " cancel), %" PRIu64 " barriers, %" PRIu64 " updates (%" PRIu64 " holders adopted, %" PRIu64
	       " decisions passed on), %" PRIu64 " homes moved (%" PRIu64
	       " asked in vain), at most %u aborts of one transaction; %" PRIu64 " pages prefetched, %" PRIu64
	       " used; %" PRIu64 " opened early for writing, %" PRIu64 " changed; %" PRIu64
	       " pages handed over; %" PRIu64 " irrevocable, %" PRIu64 " waits for a change\n",
	       t->seeds, failed, t->steps, t->messages, t->slow, t->stalls, t->commits, t->local, t->aborts,
	       t->conflicts, t->priorities, t->cancels, t->barriers, t->updates, t->adopted, t->passed,
	       t->moves, t->redirects, t->most_aborts, t->ahead, t->ahead_used, t->opened, t->opened_used,
	       t->handed, t->soles, t->waits);
	printf("without transactions: %" PRIu64 " words read, %" PRIu64 " critical sections (%" PRIu64
	       " on a cached lock; %" PRIu64 " times one was kept from others), %" PRIu64
	       " pages updated, %" PRIu64 " copies that nobody used left\n",
	       t->checked, t->sections, t->cached, t->kept, t->spreads, t->left);
	printf("without races: %" PRIu64 " blocks, %" PRIu64 " undone, %" PRIu64 " pages rebased\n",
	       t->blocks, t->undone, t->rebased);
	printf("%" PRIu64 " nodes died, %" PRIu64 " pages were lost with them, %" PRIu64
	       " times a mutator was told so, %" PRIu64 " of them in doubt of its commit\n",
	       t->deaths, t->lost_pages, t->lost, t->doubts);
}

int main(int argc, char **argv)
{
	struct pool_options o = {
		.first = 1, .kinds = ALL_KINDS, .last = world__quick() ? SEEDS_QUICK : SEEDS};
	struct totals t = {0};
	bool coverage = false;
	unsigned missing = 0;
	int rc, failed;

	o.jobs = pool__cores();
	o.progress = isatty(STDERR_FILENO);
	o.failed = print_failure;
	rc = parse(argc, argv, &o, &coverage);
	if (rc)
		return rc;
	if (o.run.verbose)
		o.jobs = 1;
	failed = pool__run(&o, &t);
	if (failed < 0) {
		fprintf(stderr, "sim: cannot start its processes: %s\n", strerror(-failed));
		return 1;
	}
	print_totals(&t, failed);
	if (coverage || (!core_mutant_active && !failed && !o.run.nodes && o.kinds == ALL_KINDS &&
			 o.last - o.first + 1 >= COVERAGE))
		missing = cover__report(coverage);
	return failed || missing;
}
