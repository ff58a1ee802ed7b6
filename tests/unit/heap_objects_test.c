/* SPDX-License-Identifier: BSD-2-Clause */
/* heap_objects_test.c - dsm_new(), dsm_free(), dsm_at() and roots, with a made-up node around them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "dsm.h"
#include "dsmcore/memory/objects.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/tx.h"
#include "dsmcore/runtime/txlog.h"
#include "tests/unit/heap_objects_node.h"

/* dsm_at() has no side effect but its complaint: a call without use would be left out. */
static const void *volatile used;

struct avatar {
	double x[6];
};

static uint64_t offset_of(const void *p)
{
	return (uintptr_t)p - DSM_BASE;
}

static void foreign_free(uint64_t offset)
{
	pthread_mutex_lock(&node.lock);
	objects__foreign_free(&offset, 1);
	pthread_mutex_unlock(&node.lock);
}

/* ---- allocation ---- */

static void an_allocation_is_described(void **arg)
{
	struct avatar *a = dsm_new(struct avatar, 10);
	struct dsm_ev_object *o = &made.emitted[0].object;

	(void)arg;
	assert_int_equal(offset_of(a) / SLAB, 1); /* in this node's slab */
	assert_int_equal(made.nemitted, 1);
	assert_int_equal(made.emitted[0].type, DSM_EV_OBJECT);
	assert_int_equal(o->offset, offset_of(a));
	assert_int_equal(o->bytes, 480);
	assert_int_equal(o->count, 10);
	assert_int_equal(o->elem_size, 48);
	assert_int_equal(o->stride, 48);
	assert_int_equal(o->block, 0);
	assert_int_equal(o->site, 0x1111);
	assert_int_equal(o->type, 13 * 1000 + 48);
	assert_int_equal(o->flags, 0);
	assert_int_equal(made.shm.counters.objects, 1);
	assert_int_equal(made.shm.counters.object_bytes, 480);
	assert_ptr_equal(dsm_at(a, 3), &a[3]);
	dsm_new_flat(char, 3);
	assert_int_equal(made.emitted[1].object.flags, DSM_EV_OBJECT_FLAT);
	dsm_free(a);
	assert_int_equal(made.emitted[2].type, DSM_EV_FREE);
	assert_int_equal(made.emitted[2].free.offset, offset_of(a));
	assert_int_equal(made.shm.counters.objects, 1);
	assert_int_equal(made.shm.counters.object_bytes, 3);
	dsm_free(NULL);
	assert_non_null(dsm_new(char, 0));
}

static void reused_memory_is_zeroed_in_a_transaction(void **arg)
{
	struct avatar *a = dsm_new(struct avatar, 4), *b;

	(void)arg;
	assert_int_equal(made.begins, 0); /* fresh memory needs no write */
	memset(a, 0xff, 4 * sizeof(*a));
	dsm_free(a);
	b = dsm_new(struct avatar, 4);
	assert_ptr_equal(a, b);
	assert_int_equal(made.begins, 1);
	for (int i = 0; i < 4 * 6; i++)
		assert_true(b[i / 6].x[i % 6] == 0);
}

/* What was never touched is zero without it. (Here it is not, to show that it is left alone.) */
static void untouched_pages_are_not_zeroed(void **arg)
{
	size_t bytes = 9 * DSM_PAGE_SIZE + 100;
	unsigned char *a = dsm_new_flat(unsigned char, bytes);
	uint32_t first = (uint32_t)((uint64_t)offset_of(a) / DSM_PAGE_SIZE);

	(void)arg;
	made.untouched[0] = first + 2;
	made.untouched[1] = first + 7;
	memset(a, 0xff, bytes);
	dsm_free(a);
	assert_ptr_equal(dsm_new_flat(unsigned char, bytes), a);
	for (size_t i = 0; i < bytes; i++) {
		uint32_t page = (uint32_t)((uint64_t)offset_of(a + i) / DSM_PAGE_SIZE);

		assert_int_equal(a[i], page >= first + 2 && page < first + 7 ? 0xff : 0);
	}
}

static void an_abort_undoes_the_allocation(void **arg)
{
	struct avatar *a, *b;

	(void)arg;
	dsm__tx_begin("test");
	a = dsm_new(struct avatar, 4);
	dsm_new(struct avatar, 400);
	made__abort();
	assert_int_equal(made.shm.counters.objects, 0);
	assert_int_equal(made.nemitted, 4);
	assert_int_equal(made.emitted[3].free.offset, offset_of(a)); /* undone in reverse order */
	made.begins = 0;
	b = dsm_new(struct avatar, 4);
	assert_ptr_equal(a, b);
	assert_int_equal(made.begins, 0); /* fresh again: the abort has undone the writes too */
}

static void running_out_names_the_remedy(void **arg)
{
	(void)arg;
	DIES((void)dsm_new(char, SLAB + 1), "--heap");
	DIES((void)dsm_new(struct avatar, SIZE_MAX / 8), "is used up");
	node.started = false;
	DIES((void)dsm_new(char, 1), "before main()");
	node.started = true;
}

/* ---- frees ---- */

static void a_free_waits_for_the_commit(void **arg)
{
	struct avatar *a = dsm_new(struct avatar, 1), *b;

	(void)arg;
	dsm__tx_begin("test");
	dsm_free(a);
	b = dsm_new(struct avatar, 1);
	assert_ptr_not_equal(a, b);
	assert_int_equal(made.shm.counters.objects, 2);
	made__abort();
	assert_int_equal(made.shm.counters.objects, 1);
	dsm__tx_begin("test");
	dsm_free(a); /* the aborted free was none */
	assert_int_equal(made.shm.counters.objects, 1);
	made__commit();
	assert_int_equal(made.shm.counters.objects, 0);
	assert_ptr_equal(dsm_new(struct avatar, 1), a);
}

static void born_and_freed_in_one_transaction(void **arg)
{
	struct avatar *a;

	(void)arg;
	for (int end = 0; end < 2; end++) {
		dsm__tx_begin("test");
		a = dsm_new(struct avatar, 1);
		dsm_free(a);
		end ? made__commit() : made__abort();
		assert_int_equal(made.shm.counters.objects, 0);
	}
}

static void wrong_frees_are_named(void **arg)
{
	struct avatar *a = dsm_new(struct avatar, 10);
	int local;

	(void)arg;
	DIES(dsm_free(&local), "not a DSM object");
	DIES(dsm_free((void *)(DSM_BASE + 64)), "not a DSM object"); /* the table of roots */
	DIES(dsm_free(&a[1]), "not a live object's start");
	dsm__tx_begin("test");
	dsm_free(a);
	DIES(dsm_free(a), "has freed it already");
	made__abort();
	dsm_free(a);
	DIES(dsm_free(a), "freed twice");
	DIES(foreign_free(offset_of(a)), "another node has freed");
}

static void a_doomed_attempt_may_free_what_is_gone(void **arg)
{
	struct avatar *a = dsm_new(struct avatar, 1);
	int how;

	(void)arg;
	dsm__tx_begin("test");
	tx.doomed = true;
	foreign_free(offset_of(a)); /* the winner has freed it */
	how = setjmp(made.escape);
	if (!how)
		dsm_free(a);
	assert_int_equal(how, 2);
	assert_true(made.unwound);
	assert_string_equal(made.fatal, "");
}

static void a_free_of_both_sides_is_found(void **arg)
{
	struct avatar *a = dsm_new(struct avatar, 1);

	(void)arg;
	dsm__tx_begin("test");
	dsm_free(a);
	foreign_free(offset_of(a)); /* then this attempt is doomed, and aborts */
	made__abort();
	assert_int_equal(made.shm.counters.objects, 0);

	a = dsm_new(struct avatar, 1);
	dsm__tx_begin("test");
	dsm_free(a);
	foreign_free(offset_of(a));
	DIES(made__commit(), "freed by two transactions");
	tx.depth = 0;
	txlog__abort();
}

/* An object that took the place of a freed one is not freed in its stead. */
static void a_reused_place_is_another_object(void **arg)
{
	struct avatar *a = dsm_new(struct avatar, 1);

	(void)arg;
	dsm__tx_begin("test");
	dsm_free(a);
	foreign_free(offset_of(a));
	assert_ptr_equal(dsm_new(struct avatar, 1), a);
	made__abort();
	assert_int_equal(made.shm.counters.objects, 0);
	assert_ptr_equal(dsm_new(struct avatar, 1), a);
	dsm__tx_begin("test");
	dsm_free(a);
	foreign_free(offset_of(a));
	assert_ptr_equal(dsm_new(struct avatar, 1), a);
	DIES(made__commit(), "freed by two transactions");
	assert_int_equal(made.shm.counters.objects, 1);
	tx.depth = 0;
	txlog__abort();
}

/* ---- frees of foreign objects ---- */

static void *foreign(unsigned home, uint64_t at)
{
	return (void *)(DSM_BASE + home * SLAB + at);
}

static void foreign_frees_travel_with_the_commit(void **arg)
{
	(void)arg;
	dsm__tx_begin("test");
	dsm_free(foreign(3, 4096));
	dsm_free(foreign(0, 8192));
	made__abort();
	assert_int_equal(made.nsent, 0);
	dsm__tx_begin("test");
	dsm_free(foreign(3, 4096));
	dsm_free(foreign(0, 8192));
	dsm_free(foreign(3, 16));
	assert_int_equal(made.nsent, 0);
	made__commit();
	assert_int_equal(made.nsent, 2);
	assert_int_equal(made.sent[0].to, 0);
	assert_int_equal(made.sent[0].count, 1);
	assert_int_equal(made.sent[0].offset[0], 8192);
	assert_int_equal(made.sent[1].to, 3);
	assert_int_equal(made.sent[1].count, 2);
	assert_int_equal(made.sent[1].offset[0], 3 * SLAB + 16);
	assert_int_equal(made.sent[1].offset[1], 3 * SLAB + 4096);
	dsm_free(foreign(2, 64)); /* outside: at once */
	assert_int_equal(made.nsent, 3);
	assert_int_equal(made.sent[2].to, 2);
}

/* What was written to memory that is rc may still be on its way: its free waits for the barrier. */
static void foreign_frees_of_rc_wait_for_the_barrier(void **arg)
{
	uint64_t rc = SLAB - 4096; /* the last zone */

	(void)arg;
	made.nsent = 0;
	dsm_free(foreign(3, rc));
	dsm__tx_begin("test");
	dsm_free(foreign(2, rc + 64));
	dsm_free(foreign(2, 64));
	made__commit();
	assert_int_equal(made.nsent, 1);
	assert_int_equal(made.sent[0].offset[0], 2 * SLAB + 64);
	pthread_mutex_lock(&node.lock);
	objects__barrier();
	objects__barrier();
	pthread_mutex_unlock(&node.lock);
	assert_int_equal(made.nsent, 3);
	assert_int_equal(made.sent[1].offset[0], 2 * SLAB + rc + 64);
	assert_int_equal(made.sent[2].offset[0], 3 * SLAB + rc);
}

static void objects_of_each_model_have_zones(void **arg)
{
	void *tx = dsm_new_in(DSM_TXN, struct avatar, 1), *sc = dsm_new_in(DSM_SEQ, struct avatar, 1),
	     *rc = dsm_new_flat_in(DSM_REL, struct avatar, 9);

	(void)arg;
	assert_int_equal(objects__model(offset_of(tx)), CORE_TX);
	assert_int_equal(objects__model(offset_of(sc)), CORE_SC);
	assert_int_equal(objects__model(offset_of(rc)), CORE_RC);
	dsm_free(sc);
	assert_ptr_equal(dsm_new_in(DSM_SEQ, struct avatar, 1), sc);
	dsm__tx_begin("test");
	DIES((void)dsm_new_in(DSM_REL, struct avatar, 1), "could not be undone");
	DIES((void)dsm_new_in((enum dsm_consistency)7, struct avatar, 1), "no such consistency");
	made__abort();
}

static void many_foreign_frees_go_in_few_notes(void **arg)
{
	(void)arg;
	dsm__tx_begin("test");
	for (int i = 0; i < 5000; i++)
		dsm_free(foreign(2, 16 * i));
	made__commit();
	assert_int_equal(made.nsent, 2);
	assert_int_equal(made.sent[0].count + made.sent[1].count, 5000);
}

static void inner(const void *arg) /* as a function of dsm_defer(): at the commit, a transaction of its own */
{
	dsm__tx_begin("test");
	dsm_free(foreign(2, 64));
	*(const bool *)arg ? made__commit() : made__abort();
}

static void transactions_within_a_commit_share_nothing(void **arg)
{
	(void)arg;
	for (int first = 0; first < 2; first++) {
		for (int commits = 0; commits < 2; commits++) {
			bool ends = commits;
			uint32_t total = 0;

			made.nsent = 0;
			dsm__tx_begin("test");
			if (first)
				dsm_free(foreign(2, 16));
			txlog__push(inner, NULL, &ends, sizeof(ends));
			dsm_free(foreign(2, 32));
			made__commit();
			for (unsigned i = 0; i < made.nsent; i++)
				total += made.sent[i].count;
			assert_int_equal(total, 1 + first + commits);
		}
	}
}

/* ---- rundown and roots ---- */

static void rundown(void)
{
	made.nemitted = 0;
	pthread_mutex_lock(&node.lock);
	objects__rundown();
	pthread_mutex_unlock(&node.lock);
}

static void a_rundown_lists_what_lives(void **arg)
{
	enum { N = 1000 };
	void *p[N];
	unsigned found[N] = {0};

	(void)arg;
	for (int i = 0; i < N; i++)
		p[i] = dsm_new(struct avatar, 1);
	for (int i = 0; i < N; i += 2)
		dsm_free(p[i]);
	assert_int_equal(dsm_root_set("first", p[1]), 0);
	dsm__tx_begin("test");
	assert_int_equal(dsm_root_set("aborted", p[1]), 0);
	made__abort();
	assert_int_equal(dsm_root_set("gone", p[3]), 0);
	assert_int_equal(dsm_root_set("gone", NULL), 0);
	rundown();
	assert_int_equal(made.nemitted, N / 2 + 1);
	for (unsigned r = 0; r < N / 2; r++)
		for (int i = 0; i < N; i++)
			found[i] += made.emitted[r].object.offset == offset_of(p[i]);
	for (int i = 0; i < N; i++)
		assert_int_equal(found[i], i % 2);
	assert_int_equal(made.emitted[N / 2].type, DSM_EV_ROOT);
	assert_string_equal(made.emitted[N / 2].root.name, "first");
	assert_int_equal(made.emitted[N / 2].root.offset, offset_of(p[1]));
}

static void the_root_before_an_address_is_found(void **arg)
{
	(void)arg;
	char *a = dsm_new_flat(char, 400);
	uint64_t first = offset_of(&a[0]), second = offset_of(&a[200]), bytes = 0;

	assert_null(roots__before((void *)DSM_BASE, second, &bytes));
	assert_int_equal(dsm_root_set("second", &a[200]), 0);
	assert_null(roots__before((void *)DSM_BASE, second - 1, &bytes));
	assert_int_equal(dsm_root_set("first", &a[0]), 0);
	assert_string_equal(roots__before((void *)DSM_BASE, second - 1, &bytes), "first");
	assert_int_equal(bytes, second - 1 - first);
	assert_string_equal(roots__before((void *)DSM_BASE, second, &bytes), "second");
	assert_int_equal(bytes, 0);
	assert_string_equal(roots__before((void *)DSM_BASE, second + 5000, &bytes), "second");
	assert_int_equal(bytes, 5000);
	assert_int_equal(dsm_root_set("second", NULL), 0);
	assert_string_equal(roots__before((void *)DSM_BASE, second + 7, &bytes), "first");
}

static void a_root_is_told_at_the_commit(void **arg)
{
	struct avatar *a = dsm_new(struct avatar, 1);

	(void)arg;
	made.nemitted = 0;
	dsm__tx_begin("test");
	assert_int_equal(dsm_root_set("name", &a[0].x[2]), 0); /* any DSM address, not only a start */
	assert_int_equal(made.nemitted, 0);
	assert_ptr_equal(dsm_root("name"), &a[0].x[2]);
	made__commit();
	assert_int_equal(made.nemitted, 1);
	assert_int_equal(made.emitted[0].root.offset, offset_of(&a[0].x[2]));
	assert_int_equal(dsm_root_set("name", (void *)DSM_BASE), -EINVAL);
	assert_int_equal(dsm_root_set("name", (void *)(DSM_BASE + NODES * SLAB)), -EINVAL);
	assert_int_equal(dsm_root_set(NULL, a), -EINVAL);
	assert_null(dsm_root(NULL));
}

/* ---- plans ---- */

static char path[256];

static void open_with_plan(const char *site, const char *layout)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f,
		"{\"schema\":\"procope.plan/"
		"1\",\"program\":\"p\",\"rules\":[{\"id\":\"P1\",\"match\":{\"type\":"
		"\"struct avatar\",\"elem_size\":48,\"site\":[%s]},\"layout\":{%s}}]}",
		site, layout);
	assert_int_equal(fclose(f), 0);
	made__open(path);
}

#define FRAMES                                                                                               \
	"{\"build_id\":\"abcd\",\"offset\":273},{\"build_id\":\"abcd\",\"offset\":546},"                     \
	"{\"build_id\":\"abcd\",\"offset\":819}"

static void a_matching_chain_is_laid_out(void **arg)
{
	struct avatar *a, *b;

	(void)arg;
	open_with_plan(FRAMES, "\"stride\":64,\"block\":3,\"block_stride\":256,\"isolate\":true");
	a = dsm_new(struct avatar, 10);
	struct dsm_ev_object *o = &made.emitted[0].object;
	assert_int_equal(o->flags, DSM_EV_OBJECT_PLANNED);
	assert_int_equal(o->stride, 64);
	assert_int_equal(o->block, 3);
	assert_int_equal(o->block_stride, 256);
	assert_int_equal(o->bytes, 3 * 256 + 48);
	assert_int_equal(o->offset % 4096, 0);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(offset_of(dsm_at(a, i)), o->offset + i / 3 * 256 + i % 3 * 64);
	assert_int_equal(offset_of(dsm_at(a, 1ull << 33)),
			 o->offset + (1ull << 33) / 3 * 256 + (1ull << 33) % 3 * 64);
	DIES(used = dsm_at((char *)a, 1), "elements of 1 bytes on an array whose elements have 48");

	made.chain[2] = (void *)0x3334; /* another caller's caller: not this rule's allocation */
	b = dsm_new(struct avatar, 10);
	assert_int_equal(made.emitted[1].object.flags, 0);
	assert_ptr_equal(dsm_at(b, 9), &b[9]);
	made.chain[2] = (void *)0x3333;

	dsm_new_flat(struct avatar, 10); /* may be moved, never padded */
	assert_int_equal(made.emitted[2].object.flags, DSM_EV_OBJECT_PLANNED | DSM_EV_OBJECT_FLAT);
	assert_int_equal(made.emitted[2].object.stride, 48);
	assert_int_equal(made.emitted[2].object.offset % 4096, 0);

	double *other = dsm_new(double, 4);
	assert_ptr_equal(dsm_at(other, 2), other + 2);
	double private[3];
	assert_ptr_equal(dsm_at(private, 2), private + 2);
	dsm_free(a);
	dsm_free(b);
	made__teardown(NULL);
}

static void without_room_the_layout_is_natural(void **arg)
{
	struct avatar *a;

	(void)arg;
	open_with_plan(FRAMES, "\"stride\":4096");
	a = dsm_new(struct avatar, 200); /* the arena has 128 pages */
	assert_int_equal(made.emitted[0].object.flags, 0);
	assert_ptr_equal(dsm_at(a, 199), &a[199]);
	a = dsm_new(struct avatar, 100);
	assert_int_equal(made.emitted[1].object.flags, DSM_EV_OBJECT_PLANNED);
	assert_int_equal(offset_of(dsm_at(a, 1)) - offset_of(a), 4096);
	made__teardown(NULL);
}

static void a_plan_of_another_build_is_ignored(void **arg)
{
	struct avatar *a;

	(void)arg;
	open_with_plan("{\"build_id\":\"beef\",\"offset\":273}", "\"stride\":64");
	a = dsm_new(struct avatar, 10);
	assert_int_equal(made.emitted[0].object.flags, 0);
	assert_ptr_equal(dsm_at(a, 9), &a[9]);
	made__teardown(NULL);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_allocation_is_described, made__setup, made__teardown),
		cmocka_unit_test_setup_teardown(untouched_pages_are_not_zeroed, made__setup, made__teardown),
		cmocka_unit_test_setup_teardown(reused_memory_is_zeroed_in_a_transaction, made__setup,
						made__teardown),
		cmocka_unit_test_setup_teardown(an_abort_undoes_the_allocation, made__setup, made__teardown),
		cmocka_unit_test_setup_teardown(running_out_names_the_remedy, made__setup, made__teardown),
		cmocka_unit_test_setup_teardown(a_free_waits_for_the_commit, made__setup, made__teardown),
		cmocka_unit_test_setup_teardown(born_and_freed_in_one_transaction, made__setup,
						made__teardown),
		cmocka_unit_test_setup_teardown(wrong_frees_are_named, made__setup, made__teardown),
		cmocka_unit_test_setup_teardown(a_doomed_attempt_may_free_what_is_gone, made__setup,
						made__teardown),
		cmocka_unit_test_setup_teardown(a_free_of_both_sides_is_found, made__setup, made__teardown),
		cmocka_unit_test_setup_teardown(a_reused_place_is_another_object, made__setup,
						made__teardown),
		cmocka_unit_test_setup_teardown(foreign_frees_travel_with_the_commit, made__setup,
						made__teardown),
		cmocka_unit_test_setup_teardown(foreign_frees_of_rc_wait_for_the_barrier, made__setup,
						made__teardown),
		cmocka_unit_test_setup_teardown(objects_of_each_model_have_zones, made__setup,
						made__teardown),
		cmocka_unit_test_setup_teardown(many_foreign_frees_go_in_few_notes, made__setup,
						made__teardown),
		cmocka_unit_test_setup_teardown(transactions_within_a_commit_share_nothing, made__setup,
						made__teardown),
		cmocka_unit_test_setup_teardown(a_rundown_lists_what_lives, made__setup, made__teardown),
		cmocka_unit_test_setup_teardown(a_root_is_told_at_the_commit, made__setup, made__teardown),
		cmocka_unit_test_setup_teardown(the_root_before_an_address_is_found, made__setup,
						made__teardown),
		cmocka_unit_test(a_matching_chain_is_laid_out),
		cmocka_unit_test(without_room_the_layout_is_natural),
		cmocka_unit_test(a_plan_of_another_build_is_ignored),
	};
	int fd, failed;

	snprintf(path, sizeof(path), "%s/objects_test.XXXXXX", tmp ? tmp : "/tmp");
	fd = mkstemp(path);
	if (fd < 0) {
		perror(path);
		return 1;
	}
	close(fd);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return failed;
}
