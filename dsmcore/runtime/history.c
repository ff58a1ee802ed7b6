/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/runtime/history.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "dsm_history.h"
#include "dsmcore/launch/remedy.h"
#include "dsmcore/memory/diff.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/file_limit.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/pages.h"
#include "dsmcore/runtime/tx.h"

static struct {
	FILE *file;
	bool pinned;
	uint64_t begin_ns;
	uint32_t barriers;
	struct dsm_history_page *read, *write;
	uint32_t nreads, nwrites, capacity;
	bool committed;
} history;

void history__open(void)
{
	char path[sizeof(node.options.history) + 64];
	struct dsm_history_file head = {
		.magic = DSM_HISTORY_MAGIC,
		.version = DSM_HISTORY_VERSION,
		.flags = DSM_HISTORY_ONE_CLOCK |
			 (node.options.consistency == CORE_TX ? 0 : DSM_HISTORY_SECTIONS),
		.run_id = node.options.run_id,
		.page_bytes = DSM_PAGE_BYTES,
		.node = node.options.node,
		.nodes = node.options.nodes,
		.generation = node.options.generation,
	};

	if (!node.options.history[0])
		return;
	int n = snprintf(path, sizeof(path), "%s/", node.options.history);

	snprintf(path + n, sizeof(path) - (size_t)n, DSM_HISTORY_FILE, node.options.node);
	mkdir(node.options.history,
	      0777); /* if no node of this host has; what else is wrong with it fopen() says */
	history.file = fopen(path, "we");
	if (!history.file || fwrite(&head, sizeof(head), 1, history.file) != 1)
		node__fatal(NULL, "history cannot be written: %s%s (%s)", strerror(errno),
			    remedy__write(errno), path);
}

void history__begin(void)
{
	if (!history.file)
		return;
	history.pinned = false;
	history.begin_ns = tx.begin_ns;
	history.barriers = (uint32_t)tx.barriers;
}

void history__pinned(void)
{
	history.pinned = true;
}

static uint64_t hash(const uint8_t *page)
{
	return XXH3_64bits(page, DSM_PAGE_BYTES);
}

static void grow(void)
{
	if (history.nreads < history.capacity)
		return;
	history.capacity = history.capacity ? 2 * history.capacity : 256;
	history.read = realloc(history.read, history.capacity * sizeof(*history.read));
	history.write = realloc(history.write, history.capacity * sizeof(*history.write));
	if (!history.read || !history.write)
		node__fatal(NULL, "out of memory for the history");
}

static void touched(void *arg, uint32_t page, uint64_t version, bool read, bool written, bool tracked)
{
	const uint8_t *frame = region__frame(node.region, page), *twin = pages__twin(page);

	(void)arg, (void)read, (void)tracked;
	grow();
	history.read[history.nreads++] = (struct dsm_history_page){page, version, hash(twin ? twin : frame)};
	if (history.committed && written && twin && diff__any(frame, twin))
		history.write[history.nwrites++] = (struct dsm_history_page){page, version + 1, hash(frame)};
}

__attribute__((noreturn)) static void fail(void)
{
	node__fatal(NULL, "history cannot be written: %s%s (%s)", strerror(errno), remedy__write(errno),
		    node.options.history);
}

static void put(const void *data, size_t bytes)
{
	if (bytes && fwrite(data, bytes, 1, history.file) != 1)
		fail();
}

static int by_page(const void *a, const void *b)
{
	uint64_t x = ((const struct dsm_history_page *)a)->page,
		 y = ((const struct dsm_history_page *)b)->page;

	return x < y ? -1 : x > y;
}

void history__end(const struct core_party *p, bool committed)
{
	sigset_t was;

	if (!history.file)
		return;
	history.nreads = history.nwrites = 0;
	history.committed = committed;
	core__touched(node.core, touched, NULL);
	qsort(history.read, history.nreads, sizeof(*history.read), by_page);
	qsort(history.write, history.nwrites, sizeof(*history.write), by_page);
	struct dsm_history_attempt r = {
		.size = (uint32_t)(sizeof(r) +
				   (history.nreads + history.nwrites) * sizeof(struct dsm_history_page)),
		.attempt = p->attempt,
		.number = p->number,
		.begin_ns = history.begin_ns,
		.end_ns = events__now(),
		.barriers = history.barriers,
		.flags = (committed ? DSM_HISTORY_COMMITTED : 0) | (history.pinned ? DSM_HISTORY_PINNED : 0),
		.nreads = history.nreads,
		.nwrites = history.nwrites,
	};

	file_limit__hold(&was);
	put(&r, sizeof(r));
	put(history.read, history.nreads * sizeof(*history.read));
	put(history.write, history.nwrites * sizeof(*history.write));
	file_limit__release(&was);
}

void history__close(void)
{
	struct dsm_history_attempt end = {.size = sizeof(end)};
	sigset_t was;

	if (!history.file)
		return;
	file_limit__hold(&was);
	put(&end, sizeof(end));
	if (fclose(history.file))
		fail();
	history.file = NULL;
	file_limit__release(&was);
}
