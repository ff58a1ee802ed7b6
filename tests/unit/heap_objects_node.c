/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/heap_objects_node.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "dsm.h"
#include "dsmcore/memory/alloc_hooks.h"
#include "dsmcore/memory/objects.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/protocol/core.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/modules.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/tx.h"
#include "dsmcore/runtime/txlog.h"
#include "dsmcore/transport/transport.h"

struct made_up made = {.chain = {(void *)0x1111, (void *)0x2222, (void *)0x3333}};

struct node node = {.lock = PTHREAD_MUTEX_INITIALIZER};
struct tx tx;

void node__fatal(const void *pc, const char *format, ...)
{
	va_list ap;

	(void)pc;
	va_start(ap, format);
	vsnprintf(made.fatal, sizeof(made.fatal), format, ap);
	va_end(ap);
	pthread_mutex_trylock(&node.lock);
	pthread_mutex_unlock(&node.lock);
	longjmp(made.escape, 1);
}

void tx__unwind(int how)
{
	(void)how;
	made.unwound = true;
	tx.depth = 0;
	txlog__abort();
	longjmp(made.escape, 2);
}

void tx__require_writable(const void *pc, const char *call)
{
	(void)pc, (void)call;
}

bool tx__check(void)
{
	return tx.doomed;
}

void alloc_hooks__enter(void)
{
	made.guards++;
}

void alloc_hooks__leave(void)
{
	made.guards--;
}

bool alloc_hooks__mutator(void)
{
	return true;
}

bool core__untouched(const struct dsm_core *core, uint32_t page)
{
	(void)core;
	assert_int_not_equal(pthread_mutex_trylock(&node.lock), 0); /* the caller holds it */
	return page >= made.untouched[0] && page < made.untouched[1];
}

void node__not_the_mutator(const void *pc, const char *call)
{
	node__fatal(pc, "%s", call);
}

int tx__begin_call(const void *pc, const char *call)
{
	(void)pc, (void)call;
	return dsm__tx_begin("call");
}

void tx__acts_for(const void *pc)
{
	(void)pc;
}

int dsm__tx_begin(const char *place)
{
	(void)place;
	made.begins++;
	made.guarded_zeroing |= made.guards > 0;
	tx.depth++;
	return 1;
}

void dsm__tx_leave(int *live)
{
	(void)live;
	if (--tx.depth == 0)
		txlog__commit();
}

bool dsm_in_tx(void)
{
	return tx.depth;
}

void made__abort(void)
{
	tx.depth = 0;
	txlog__abort();
}

void made__commit(void)
{
	int live;

	dsm__tx_leave(&live);
}

int64_t region__offset(const struct region *r, const void *address)
{
	(void)r;
	uint64_t at = (uintptr_t)address - DSM_BASE;

	return at < NODES * SLAB ? (int64_t)at : -1;
}

void *region__address(const struct region *r, uint64_t offset)
{
	(void)r;
	return (void *)(DSM_BASE + offset);
}

bool events__wanted(enum dsm_ev_type type)
{
	(void)type;
	return true;
}

void events__emit(struct dsm_ev_hdr *record, enum dsm_ev_type type, size_t bytes, dsm_ev_page page,
		  uint64_t value)
{
	(void)page, (void)value;
	assert_int_not_equal(pthread_mutex_trylock(&node.lock), 0); /* the caller holds it */
	assert_true(made.nemitted < sizeof(made.emitted) / sizeof(*made.emitted));
	made.emitted[made.nemitted].type = type;
	memcpy(&made.emitted[made.nemitted++].object, record, bytes);
}

uint32_t events__site(const void *const *pcs, size_t n)
{
	return n ? (uint32_t)(uintptr_t)pcs[0] : 0;
}

uint32_t events__type(const char *name, uint32_t size, const void *pc)
{
	(void)pc;
	return (uint32_t)strlen(name) * 1000 + size;
}

struct events_place events__place(const void *pc)
{
	static const uint8_t build_id[] = {0xab, 0xcd};

	return (struct events_place){"/program", build_id, 2, (uintptr_t)pc & 0xfff};
}

size_t events__backtrace(const void **pcs, size_t max)
{
	assert_true(max >= 3);
	memcpy(pcs, made.chain, 3 * sizeof(*pcs));
	return 3;
}

struct module *modules__get(unsigned index)
{
	static struct module program = {.build_id = {0xab, 0xcd}, .build_id_len = 2};

	return index ? NULL : &program;
}

int transport__note(struct transport *t, uint16_t to, uint16_t type, const void *bytes, size_t n)
{
	(void)t;
	assert_int_equal(type, OBJECTS_NOTE_FREE);
	assert_true(n <= WIRE_NOTE_MAX && made.nsent < 16);
	made.sent[made.nsent].to = to;
	made.sent[made.nsent].count = n / 8;
	memcpy(made.sent[made.nsent++].offset, bytes, n);
	return 0;
}

/* The tests that die in the middle of a commit jump out of txlog__commit(), which then cannot free its copy.
 */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
	return "leak:txlog__push\n";
}

void made__open(const char *plan)
{
	memset(&made.shm, 0, sizeof(made.shm));
	node.shm = &made.shm;
	node.started = true;
	node.options.node = 1;
	node.options.nodes = NODES;
	snprintf(node.options.plan, sizeof(node.options.plan), "%s", plan ? plan : "");
	tx = (struct tx){0};
	made.nemitted = made.nsent = made.begins = made.guards = 0;
	made.unwound = made.guarded_zeroing = false;
	made.fatal[0] = 0;
	assert_ptr_equal(mmap((void *)DSM_BASE, PAGES * 4096ull, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
			 (void *)DSM_BASE);
	assert_int_equal(objects__open(PAGES * 4096ull, 1, NODES), 0);
}

int made__setup(void **arg)
{
	(void)arg;
	made__open(NULL);
	return 0;
}

int made__teardown(void **arg)
{
	(void)arg;
	assert_false(made.guarded_zeroing); /* the guard must not be held where an attempt may begin */
	assert_int_equal(made.guards, 0);
	objects__close();
	munmap((void *)DSM_BASE, PAGES * 4096ull);
	return 0;
}
