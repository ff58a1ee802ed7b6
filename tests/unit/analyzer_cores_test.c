/* SPDX-License-Identifier: BSD-2-Clause */
/* analyzer_cores_test.c - how long a run takes where nodes share cores. */
#include "analyzer/cores.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct saving nothing = {.wasted = 1};

static struct totals four_on_two(struct dsm_counters c, double seconds)
{
	return (struct totals){.sum = c,
			       .measured = true,
			       .seconds = seconds,
			       .node_seconds = 4 * seconds,
			       .nodes = 4,
			       .cores = 2};
}

/* Without a wait each commit takes what it computes, and two cores do it: 4 s of computing take 2 s, 8 s of node time. */
static void computing_is_shared_out(void **state)
{
	struct totals t = four_on_two((struct dsm_counters){.commits = 4000,
							    .commits_local = 4000,
							    .cpu_ns = 4000000000,
							    .cpu_mutator_ns = 4000000000,
							    .cpu_locals = 400,
							    .cpu_local_ns = 400000000},
				      2);
	struct saving more = {.wasted = 1, .commits = 4000}, quicker = {.wasted = 1, .computed_ns = 1e9},
		      all = {.wasted = 1, .computed_ns = 5e9};

	(void)state;
	assert_true(cores__known(&t));
	assert_float_equal(cores__run_ns(&t, &nothing), 8e9, 1e6);
	assert_float_equal(cores__run_ns(&t, &more), 16e9, 1e6);
	assert_float_equal(cores__run_ns(&t, &quicker), 6e9, 1e6);
	assert_true(cores__run_ns(&t, &all) > 0); /* something remains to be computed */
	t.seconds = 100; /* a run that hardly used them could have had half of them */
	assert_float_equal(cores__run_ns(&t, &nothing), 16e9, 1e6);
}

/* Who waits leaves its core to others: waits that are saved save nothing once the cores are the limit. */
static void waits_end_where_cores_do(void **state)
{
	struct totals t = four_on_two((struct dsm_counters){.commits = 1000,
							    .commits_local = 0,
							    .commit_ns = 9000000000,
							    .cpu_ns = 2000000000,
							    .cpu_mutator_ns = 2000000000,
							    .cpu_remotes = 100,
							    .cpu_remote_ns = 200000000},
				      1);
	struct saving half = {.wasted = 1, .added_ns = -4.5e9}, most = {.wasted = 1, .added_ns = -8.1e9};

	(void)state;
	assert_float_equal(cores__run_ns(&t, &nothing), 11e9, 1e6); /* 9 s of waits, 2 s of computing */
	assert_float_equal(cores__run_ns(&t, &half), 6.5e9, 1e6);
	assert_float_equal(cores__run_ns(&t, &most), 4e9,
			   1e6); /* 2 s of computing, twice as many nodes as cores */
}

/* `world` on 4 nodes and 2 cores, without and with a plan that ends the false sharing. The rates were measured; the
 * replay said that all but a hundredth of the waste and of the traffic would go. */
static void a_measured_run_is_predicted(void **state)
{
	struct totals t = four_on_two((struct dsm_counters){.commits = 32481,
							    .commits_local = 11516,
							    .aborts = 37390,
							    .committed_ns = 6091018521,
							    .wasted_ns = 12513911229,
							    .commit_ns = 2963960001,
							    .fetch_ns = 5546267457,
							    .wasted_fetch_ns = 4089916806,
							    .barrier_ns = 25802367,
							    .cpu_ns = 9850224487,
							    .cpu_mutator_ns = 6851151788,
							    .cpu_locals = 932,
							    .cpu_local_ns = 22533469,
							    .cpu_remotes = 10118,
							    .cpu_remote_ns = 1126595337,
							    .cpu_aborts = 25348,
							    .cpu_abort_ns = 2182153431},
				      6.04665484);
	struct saving plan = {.wasted = 0.01, .added_ns = -0.99 * (2963960001 + 5546267457.0 - 4089916806.0)};
	double before = 32481 / 6.04665484, after = 317845 / 6.1123853, predicted;

	(void)state;
	assert_true(cores__known(&t));
	assert_float_equal(cores__run_ns(&t, &nothing) / 1e9, t.node_seconds, 0.1 * t.node_seconds);
	predicted = before * cores__run_ns(&t, &nothing) / cores__run_ns(&t, &plan);
	assert_float_equal(predicted, after, 0.25 * after);
}

static void not_known(void **state)
{
	struct totals t = four_on_two(
		(struct dsm_counters){
			.commits = 1000, .cpu_mutator_ns = 1000, .cpu_locals = 100, .cpu_local_ns = 500},
		1);

	(void)state;
	assert_true(cores__known(&t));
	t.cores = 4; /* one for each */
	assert_false(cores__known(&t));
	t.cores = 0; /* an older trace */
	assert_false(cores__known(&t));
	t.cores = 2;
	t.intervals = true;
	assert_false(cores__known(&t));
	t.intervals = false;
	t.sum.cpu_locals = 3; /* too few */
	assert_false(cores__known(&t));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(computing_is_shared_out),
		cmocka_unit_test(waits_end_where_cores_do),
		cmocka_unit_test(a_measured_run_is_predicted),
		cmocka_unit_test(not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
