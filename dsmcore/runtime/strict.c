/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/runtime/strict.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dsmcore/memory/diff.h"
#include "dsmcore/memory/objects.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/modules.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/pages.h"
#include "dsmcore/runtime/tx.h"

#define REPORTS_MAX 256 /* different places; each is reported once */
#define PAGE_MASK   ((uintptr_t)DSM_PAGE_BYTES - 1)

static struct {
	bool armed;
	bool lenient; /* the attempt will not be undone */
	const void *reported[REPORTS_MAX];
	unsigned reports;
} strict;

/* True the first time. */
static bool first_time(const void *place)
{
	for (unsigned i = 0; i < strict.reports; i++)
		if (strict.reported[i] == place)
			return false;
	if (strict.reports == REPORTS_MAX)
		return false;
	strict.reported[strict.reports++] = place;
	return true;
}

/* The program's .data and .bss, whole pages. The first page may hold read-only relocations too; they are not
 * written after start. */
static void *data_range(size_t *bytes)
{
	const struct module *program = modules__get(0);
	uintptr_t from = program->data & ~PAGE_MASK, to = (program->data_end + PAGE_MASK) & ~PAGE_MASK;

	*bytes = to - from;
	return (void *)from;
}

static void protect_data(int rights)
{
	size_t bytes;
	void *data = data_range(&bytes);

	if (bytes)
		mprotect(data, bytes, rights);
}

void strict__begin(void)
{
	if (!node.options.strict)
		return;
	strict.armed = true;
	strict.lenient = false;
	protect_data(PROT_READ);
}

/* Those that are sc or rc are nobody's transaction's. */
static void close_pages_of(uint16_t home)
{
	uint32_t first, count;

	objects__pages(home, CORE_TX, &first, &count);
	region__protect(node.region, first, count, CORE_NONE);
}

void strict__end(void)
{
	if (!strict.armed)
		return;
	protect_data(PROT_READ | PROT_WRITE); /* a handler of the program may run before it is done */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	strict.armed = false;
	/* Close all pages, so that an access outside a transaction cannot find one mapped. The core's rights
	 * stay: the next transaction's accesses open the pages again (tx__reopen()). */
	pthread_mutex_lock(&node.lock);
	for (uint16_t i = 0; i < node.options.nodes; i++)
		close_pages_of(i);
	pthread_mutex_unlock(&node.lock);
}

void strict__irrevocable(void)
{
	if (!strict.armed)
		return;
	strict.lenient = true;
	protect_data(PROT_READ | PROT_WRITE);
}

bool strict__fault(void *address, const void *pc)
{
	size_t bytes;
	char *data = data_range(&bytes);

	if (!strict.armed || (char *)address < data || (char *)address >= data + bytes)
		return false;
	/* The loader resolving a function at its first call changes nothing that an abort should undo. */
	const struct module *from = modules__find(pc);

	if (!(from && strstr(from->path, "/ld-linux")) && first_time(pc))
		node__say(pc, "strict: write to a global or static variable inside a transaction: an abort "
			      "does not undo it");
	mprotect((void *)((uintptr_t)address & ~PAGE_MASK), DSM_PAGE_BYTES, PROT_READ | PROT_WRITE);
	return true;
}

void strict__system_write(const void *memory, size_t bytes, const void *pc)
{
	size_t range;
	char *data = data_range(&range), *from = (char *)memory, *to = from + bytes;

	if (!strict.armed || strict.lenient || to <= data || from >= data + range)
		return;
	if (first_time(pc))
		node__say(pc, "strict: a system call writes to a global or static variable inside a "
			      "transaction: an "
			      "abort does not undo it");
	from = from < data ? data : from;
	to = to > data + range ? data + range : to;
	from = (char *)((uintptr_t)from & ~PAGE_MASK);
	mprotect(from, (size_t)(to - from), PROT_READ | PROT_WRITE);
}

/* Memory that means something else, or nothing, on another node. Code addresses are the same everywhere. */
static const char *private_memory(uintptr_t value)
{
	static uintptr_t heap_start;
	const struct module *program = modules__get(0);
	uintptr_t heap_end = (uintptr_t)sbrk(0);

	if (!heap_start)
		heap_start = program->data_end;
	if (value >= (uintptr_t)__builtin_frame_address(0) && value < tx.start.top)
		return "the stack";
	if (value >= program->data && value < program->data_end)
		return "a global or static variable";
	if (value >= heap_start && value < heap_end)
		return "malloc()ed memory";
	return NULL;
}

static void check_page(uint32_t page)
{
	const uint8_t *frame = region__frame(node.region, page), *twin = pages__twin(page);

	for (unsigned at = 0; at < DSM_PAGE_BYTES; at += sizeof(uintptr_t)) {
		uintptr_t value;
		char text[160];

		if (!memcmp(frame + at, twin + at, sizeof(value)))
			continue;
		memcpy(&value, frame + at, sizeof(value));
		const char *what = private_memory(value);

		uintptr_t key = (uintptr_t)tx.begin_pc ^ (((uintptr_t)page << DSM_PAGE_LOG2) + at) << 20;

		if (!what || !first_time((void *)key))
			continue;
		snprintf(text, sizeof(text),
			 "strict: a pointer to %s (%#lx) becomes visible to other nodes at DSM offset %#llx, "
			 "by the transaction",
			 what, (unsigned long)value, ((unsigned long long)page << DSM_PAGE_LOG2) + at);
		node__say(tx.begin_pc, text);
	}
}

void strict__check_commit(void)
{
	size_t n;

	if (!node.options.strict)
		return;
	/* The mutator's own pages do not change under it; the lock is for the list. */
	pthread_mutex_lock(&node.lock);
	const uint32_t *page = core__dirty(node.core, &n);

	for (size_t i = 0; i < n; i++)
		check_page(page[i]);
	pthread_mutex_unlock(&node.lock);
}

void strict__system_call(const char *name, const void *pc)
{
	char text[128];

	if (!node.options.strict || strict.lenient || !first_time(pc))
		return;
	snprintf(text, sizeof(text),
		 "strict: DSM memory handed to %s() inside a transaction: an abort does not undo the call",
		 name);
	node__say(pc, text);
}
