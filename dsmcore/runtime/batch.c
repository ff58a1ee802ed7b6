/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/runtime/batch.h"

#include <string.h>

#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/probes.h"

/* Looked at every 20 ms (node.c), so a record is told within DSM_EV_BATCH_MS. */
#define OLD_NS (DSM_EV_BATCH_MS * 1000000ull / 2)

_Static_assert(sizeof(struct dsm_ev_entry) + DSM_EV_MAX <= DSM_EV_BATCH, "the largest record has room");

static struct {
	uint32_t entries;
	uint64_t first_ns; /* time of the oldest one */
} batch;

bool batch__wanted(enum dsm_ev_type type)
{
	return probes__batch_attached() ||
	       (probes__batch_pages_attached() && (DSM_EV_NAMES | DSM_EV_PAGES) >> type & 1);
}

void batch__tell(void)
{
	struct dsm_shm *shm = node.shm;

	if (!batch.entries)
		return;
	COUNT(batches, 1);
	probes__fire_batch(shm->batch, (uint32_t)shm->batch_bytes, node.options.node, batch.entries);
	__atomic_store_n(&shm->batch_bytes, 0, __ATOMIC_RELEASE);
	batch.entries = 0;
}

void batch__tell_old(uint64_t now)
{
	if (batch.entries && now - batch.first_ns >= OLD_NS)
		batch__tell();
}

void batch__put(const struct dsm_ev_hdr *record, dsm_ev_page page, uint64_t value)
{
	struct dsm_shm *shm = node.shm;
	struct dsm_ev_entry *entry;

	if (shm->batch_bytes + sizeof(*entry) + record->size > DSM_EV_BATCH)
		batch__tell();
	if (!batch.entries++)
		batch.first_ns = record->time_ns;
	entry = (struct dsm_ev_entry *)(shm->batch + shm->batch_bytes);
	*entry = (struct dsm_ev_entry){page, value};
	memcpy(entry + 1, record, record->size);
	/* Killed here or later, the node leaves whole records behind. */
	__atomic_store_n(&shm->batch_bytes, shm->batch_bytes + sizeof(*entry) + record->size,
			 __ATOMIC_RELEASE);
}
