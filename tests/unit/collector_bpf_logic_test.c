// SPDX-License-Identifier: BSD-2-Clause
/*
 * collector_bpf_logic_test.c - the lines that decide inside the BPF programs, compiled for here; and
 * that they agree with what the ring source makes of the same records.
 */
#include <stdint.h>

#include "collector/dsm_bpf_logic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "collector/aggregate.h"
#include "collector/source.h"

static void test_size_classes(void **state)
{
	(void)state;
	for (unsigned size = sizeof(struct dsm_ev_hdr); size <= DSM_EV_MAX; size += 8) {
		assert_true(dsm_bpf__size_ok(size));
		assert_true(dsm_bpf__reserved(size) >= size + sizeof(struct dsm_bpf_sample));
		assert_true(dsm_bpf__reserved(size) <= size * 2 + 24);
	}
	assert_int_equal(dsm_bpf__reserved(sizeof(struct dsm_ev_abort)), sizeof(struct dsm_ev_abort) + 8);
	assert_int_equal(dsm_bpf__reserved(sizeof(struct dsm_ev_fault)), sizeof(struct dsm_ev_fault) + 8);
	assert_int_equal(dsm_bpf__reserved(sizeof(struct dsm_ev_commit)), sizeof(struct dsm_ev_commit) + 8);
	assert_false(dsm_bpf__size_ok(DSM_EV_MAX + 8));
	assert_false(dsm_bpf__size_ok(24));
	assert_false(dsm_bpf__size_ok(36));
	assert_false(dsm_bpf__size_ok(UINT64_MAX - 7));
}

static void test_keeps(void **state)
{
	(void)state;
	for (unsigned type = 0; type < DSM_EV_TYPE_MAX; type++) {
		bool counted_only = type == DSM_EV_BEGIN || type == DSM_EV_TRANSFER ||
				    type == DSM_EV_INVALIDATE || type == DSM_EV_UPDATE;
		assert_int_equal(!!dsm_bpf__keeps(type, 0), !counted_only);
		assert_true(dsm_bpf__keeps(type, 1));
		assert_int_equal(source__keeps(type, false), !!dsm_bpf__keeps(type, 0));
	}
}

/* Without a trace the records of what happens stay with their nodes; names, beginnings and ends do not. */
static void test_names(void **state)
{
	static const unsigned names[] = {DSM_EV_NODE, DSM_EV_MODULE, DSM_EV_SITE, DSM_EV_TYPE, DSM_EV_OBJECT,
					 DSM_EV_FREE, DSM_EV_ROOT,   DSM_EV_END,  DSM_EV_MOVE};
	unsigned n = 0;

	(void)state;
	for (unsigned type = 0; type < DSM_EV_TYPE_MAX; type++) {
		bool is_name = false;
		for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			is_name |= names[i] == type;
		assert_int_equal(!!dsm_bpf__sends(type, 0, 1), is_name);
		for (int all = 0; all < 2; all++)
			assert_int_equal(dsm_bpf__sends(type, all, 0), dsm_bpf__keeps(type, all));
		n += is_name;
	}
	assert_int_equal(n, sizeof(names) / sizeof(names[0]));
}

/* One record through both ways of counting. */
static void same_counts(const struct dsm_ev_hdr *r, unsigned kind, uint64_t value)
{
	struct dsm_bpf_page kernel = {0};
	struct trace_page_stat user = {0};
	bool counted = aggregate__page_of(r, &user);

	_Static_assert(sizeof(kernel) == sizeof(user) - offsetof(struct trace_page_stat, fetches),
		       "the same counts");
	if (dsm_bpf__counts(r->type))
		dsm_bpf__count(&kernel, r->type, kind, value);
	assert_true(counted || kernel.fetches == 0);
	assert_memory_equal(&kernel, &user.fetches, sizeof(kernel));
}

static void counts_nothing(const struct dsm_ev_hdr *record, unsigned kind, uint64_t value)
{
	struct dsm_bpf_page none = {0}, p = {0};
	struct trace_page_stat s;

	dsm_bpf__count(&p, record->type, kind, value);
	assert_memory_equal(&p, &none, sizeof(p));
	assert_false(aggregate__page_of(record, &s));
	assert_false(dsm_bpf__counts_kind(record->type, kind));
	assert_int_not_equal(dsm_bpf__kind_at(record->type), 0);
}

static void test_counts_agree(void **state)
{
	struct dsm_ev_fault f = {.hdr.type = DSM_EV_FAULT, .wait_ns = 11};
	struct dsm_ev_transfer t = {.hdr.type = DSM_EV_TRANSFER, .bytes = 22};
	struct dsm_ev_invalidate i = {.hdr.type = DSM_EV_INVALIDATE};
	struct dsm_ev_update u = {.hdr.type = DSM_EV_UPDATE, .bytes = 33};
	struct dsm_ev_abort a = {.hdr.type = DSM_EV_ABORT, .wasted_ns = 44};
	struct dsm_ev_meet m = {.hdr.type = DSM_EV_MEET, .total = 3};
	struct dsm_ev_commit c = {.hdr.type = DSM_EV_COMMIT, .duration_ns = 55};

	(void)state;
	for (f.kind = 0; f.kind < 5; f.kind++) {
		if (f.kind == DSM_EV_FAULT_FETCH) {
			same_counts(&f.hdr, f.kind, f.wait_ns);
			continue;
		}
		counts_nothing(&f.hdr, f.kind, f.wait_ns);
	}
	same_counts(&t.hdr, 0, t.bytes);
	same_counts(&i.hdr, 0, 0);
	same_counts(&u.hdr, 0, u.bytes);
	same_counts(&a.hdr, 0, a.wasted_ns);
	same_counts(&m.hdr, 0, m.total);
	m.model = DSM_EV_TX; /* nothing was undone where an abort would be */
	counts_nothing(&m.hdr, m.model, m.total);
	same_counts(&c.hdr, 0, c.duration_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size_classes),
		cmocka_unit_test(test_keeps),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_counts_agree),
	};

	return cmocka_run_group_tests_name("bpf logic", tests, NULL, NULL);
}
