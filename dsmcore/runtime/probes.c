/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/runtime/probes.h"

#define _SDT_HAS_SEMAPHORES 1
/* Arguments in registers or immediate: libbpf 1.1 refuses an operand relative to the instruction pointer. */
#define STAP_SDT_ARG_CONSTRAINT nr
#include <sys/sdt.h>

#define X(name, number, probe)                                                                               \
	__extension__ unsigned short dsm_##probe##_semaphore __attribute__((unused, section(".probes")));
DSM_EV_TYPES(X)
X(, , batch)
X(, , batch_pages)
#undef X

#define VOLATILE_READ(x) (*(volatile unsigned short *)&(x))

bool probes__attached(enum dsm_ev_type type)
{
	switch (type) {
#define X(name, number, probe)                                                                               \
	case DSM_EV_##name:                                                                                  \
		return VOLATILE_READ(dsm_##probe##_semaphore) != 0;
		DSM_EV_TYPES(X)
#undef X
	default:
		return false;
	}
}

unsigned probes__tracers(void)
{
	return VOLATILE_READ(dsm_node_semaphore);
}

void probes__fire(const struct dsm_ev_hdr *record, dsm_ev_page page, uint64_t value)
{
	uint32_t bytes = record->size, node = record->node;

	switch (record->type) {
#define X(name, number, probe)                                                                               \
	case DSM_EV_##name:                                                                                  \
		STAP_PROBE5(dsm, probe, record, bytes, node, page, value);                                   \
		break;
		DSM_EV_TYPES(X)
#undef X
	}
}

bool probes__batch_attached(void)
{
	return VOLATILE_READ(dsm_batch_semaphore) != 0;
}

bool probes__batch_pages_attached(void)
{
	return VOLATILE_READ(dsm_batch_pages_semaphore) != 0;
}

void probes__fire_batch(const void *entries, uint32_t bytes, uint32_t node, uint64_t count)
{
	uint64_t none = 0;

	STAP_PROBE5(dsm, batch, entries, bytes, node, count, none);
	STAP_PROBE5(dsm, batch_pages, entries, bytes, node, count, none);
}
