/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/runtime/txlog.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dsmcore/memory/alloc_hooks.h"
#include "dsmcore/runtime/node.h"

struct entry {
	txlog_fn commit, abort;
	size_t bytes;	 /* of the argument that follows, padded to 16 */
	size_t previous; /* offset of the entry before + 1, for going back; 0 = none */
};

static struct {
	uint8_t *data;
	size_t used, capacity, last; /* last: offset of the last entry + 1, 0 = none */
} log;

static size_t padded(size_t bytes)
{
	return (bytes + 15) & ~(size_t)15;
}

static void reserve(size_t more)
{
	if (log.used + more <= log.capacity)
		return;
	while (log.used + more > log.capacity)
		log.capacity = log.capacity ? 2 * log.capacity : 4096;
	log.data = realloc(log.data, log.capacity);
	if (!log.data)
		node__fatal(NULL, "out of memory for what a transaction has to undo or defer");
}

void *txlog__reserve(txlog_fn commit, txlog_fn abort, size_t bytes)
{
	size_t head = padded(sizeof(struct entry)), need = head + padded(bytes);

	alloc_hooks__enter();
	reserve(need);
	alloc_hooks__leave();
	struct entry e = {commit, abort, bytes, log.last};
	uint8_t *at = log.data + log.used;

	memcpy(at, &e, sizeof(e));
	log.last = log.used + 1;
	log.used += need;
	return at + head;
}

void txlog__push(txlog_fn commit, txlog_fn abort, const void *arg, size_t bytes)
{
	void *room = txlog__reserve(commit, abort, bytes);

	if (bytes)
		memcpy(room, arg, bytes);
}

/* The log is emptied before its entries run, and they run from a copy: a call may start a transaction. */
void txlog__commit(void)
{
	size_t head = padded(sizeof(struct entry)), used = log.used;

	if (!used)
		return;
	uint8_t *data = log.data;

	log.data = NULL;
	log.used = log.capacity = log.last = 0;
	for (size_t at = 0; at < used;) {
		struct entry e;

		memcpy(&e, data + at, sizeof(e));
		if (e.commit)
			e.commit(data + at + head);
		at += head + padded(e.bytes);
	}
	alloc_hooks__enter();
	if (log.data) {
		free(data);
	} else { /* keep it for the next transaction */
		log.data = data;
		log.capacity = used;
	}
	alloc_hooks__leave();
}

void txlog__abort(void)
{
	size_t head = padded(sizeof(struct entry));

	while (log.last) {
		size_t at = log.last - 1;
		struct entry e;

		memcpy(&e, log.data + at, sizeof(e));
		log.last = e.previous;
		log.used = at;
		if (e.abort)
			e.abort(log.data + at + head);
	}
}
