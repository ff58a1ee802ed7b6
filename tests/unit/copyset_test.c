/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copyset_test.c - sets of nodes against plain arrays of bits: what is in them, their order, and that of
 * equal large sets there is one, which goes with its last user.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dsmcore/protocol/internal.h"

#define NODES 700u
#define SETS  40u

struct model {
	bool has[NODES];
};

static uint64_t state = 1;

static uint32_t below(uint32_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % n;
}

static void same(const struct dsm_core *core, struct copyset set, const struct model *m)
{
	uint32_t node, n = 0;

	for (node = 0; node < NODES; node++) {
		assert_int_equal(copyset__has(core, set, (uint16_t)node), m->has[node]);
		if (m->has[node])
			assert_int_equal(copyset__node(core, set, n++), node);
	}
	assert_int_equal(copyset__count(core, set), n);
	assert_int_equal(set.word == 0, n == 0);
}

static size_t large_sets(const struct dsm_core *core)
{
	return core->sets.nlarge - core->sets.nfree;
}

static void test_random(void **arg)
{
	static struct model model[SETS];
	struct dsm_core core = {0};
	struct copyset set[SETS] = {0};
	uint32_t step, i, j, node, range;

	(void)arg;
	memset(model, 0, sizeof(model));
	for (step = 0; step < 200000; step++) {
		i = below(SETS);
		range = i % 4 == 0 ? NODES : 2u + i; /* some large, most small and often equal */
		node = below(range);
		switch (below(i % 4 == 0 ? 200 : 30)) {
		case 0:
			copyset__clear(&core, &set[i]);
			memset(&model[i], 0, sizeof(model[i]));
			break;
		case 1:
			j = below(SETS);
			if (j == i)
				break;
			copyset__clear(&core, &set[i]);
			set[i] = copyset__share(&core, set[j]);
			model[i] = model[j];
			break;
		default:
			model[i].has[node] = below(5) < 3;
			if (model[i].has[node])
				copyset__add(&core, &set[i], (uint16_t)node);
			else
				copyset__remove(&core, &set[i], (uint16_t)node);
		}
		if (step % 64 == 0)
			same(&core, set[i], &model[i]);
	}
	for (i = 0; i < SETS; i++) {
		same(&core, set[i], &model[i]);
		for (j = 0; j < SETS; j++)
			assert_int_equal(set[i].word == set[j].word,
					 !memcmp(&model[i], &model[j], sizeof(model[i])));
	}
	for (i = 0; i < SETS; i++)
		copyset__clear(&core, &set[i]);
	assert_int_equal(large_sets(&core), 0);
	assert_false(core.nomem);
	copyset__free_all(&core);
}

/* The case that the design is for: however many nodes share all pages, that is one set. */
static void test_shared(void **arg)
{
	struct dsm_core core = {0};
	struct copyset set[1000] = {0};
	uint16_t node;
	uint32_t i;

	(void)arg;
	for (node = 0; node < 300; node++)
		for (i = 0; i < 1000; i++)
			copyset__add(&core, &set[i], node);
	assert_int_equal(large_sets(&core), 1);
	for (i = 1; i < 1000; i++)
		assert_int_equal(set[i].word, set[0].word);
	for (i = 0; i < 1000; i++)
		copyset__clear(&core, &set[i]);
	assert_int_equal(large_sets(&core), 0);
	copyset__free_all(&core);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
