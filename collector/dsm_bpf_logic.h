/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dsm_bpf_logic.h - the decisions of the BPF programs, free of BPF, since the kernel cannot run a
 * USDT program on request: tests/unit/collector_bpf_logic_test.c compiles the same lines.
 */
#ifndef PROCOPE_DSM_BPF_LOGIC_H
#define PROCOPE_DSM_BPF_LOGIC_H

#include "collector/dsm_bpf.h"
#include "dsm_events.h"

#define DSM_BPF_INLINE static inline __attribute__((always_inline))

/* Several tasks may be inside a program on one CPU (a preemptible kernel), so per CPU is not enough. */
#define DSM_BPF_ADD(where, what) __sync_fetch_and_add(&(where), (what))

/* Are records of this type for the trace, or only counted? */
DSM_BPF_INLINE int dsm_bpf__keeps(unsigned type, int all)
{
	return all || (type != DSM_EV_BEGIN && type != DSM_EV_TRANSFER && type != DSM_EV_INVALIDATE &&
		       type != DSM_EV_UPDATE);
}

/* Records that say what is what, and where it lives. They are all that a collector without a trace needs: what happens
 * to pages it counts, what the nodes do it reads from their counters. A probe without a listener costs nothing, and its record
 * is not even built. */
DSM_BPF_INLINE int dsm_bpf__names(unsigned type)
{
	return type < DSM_EV_TYPE_MAX && DSM_EV_NAMES >> type & 1;
}

/* Does a record of this type travel to the collector? */
DSM_BPF_INLINE int dsm_bpf__sends(unsigned type, int all, int names_only)
{
	return names_only ? dsm_bpf__names(type) : dsm_bpf__keeps(type, all);
}

/* Does a probe of this type say something about a page? */
DSM_BPF_INLINE int dsm_bpf__counts(unsigned type)
{
	return type < DSM_EV_TYPE_MAX && DSM_EV_PAGES >> type & 1;
}

/* Where a record says of which kind it is; 0: it need not be read. */
DSM_BPF_INLINE unsigned dsm_bpf__kind_at(unsigned type)
{
	return type == DSM_EV_FAULT  ? __builtin_offsetof(struct dsm_ev_fault, kind)
	       : type == DSM_EV_MEET ? __builtin_offsetof(struct dsm_ev_meet, model)
				     : 0;
}

/* And is it one that is counted? An attempt that met another and was not undone for it is no abort. */
DSM_BPF_INLINE int dsm_bpf__counts_kind(unsigned type, unsigned kind)
{
	return type == DSM_EV_FAULT  ? kind == DSM_EV_FAULT_FETCH
	       : type == DSM_EV_MEET ? kind != DSM_EV_TX
				     : 1;
}

/* Counts one event. `kind` is the fault's (enum dsm_ev_fault_kind), of a MEET its model; `value` the probe's: ns or bytes. */
DSM_BPF_INLINE void dsm_bpf__count(struct dsm_bpf_page *p, unsigned type, unsigned kind, uint64_t value)
{
	if (!dsm_bpf__counts_kind(type, kind))
		return;
	switch (type) {
	case DSM_EV_FAULT:
		DSM_BPF_ADD(p->fetches, 1);
		DSM_BPF_ADD(p->fetch_ns, value);
		return;
	case DSM_EV_TRANSFER:
		DSM_BPF_ADD(p->transfers, 1);
		DSM_BPF_ADD(p->bytes, value);
		return;
	case DSM_EV_INVALIDATE:
		DSM_BPF_ADD(p->invalidations, 1);
		return;
	case DSM_EV_UPDATE:
		DSM_BPF_ADD(p->updates, 1);
		return;
	case DSM_EV_ABORT:
		DSM_BPF_ADD(p->aborts, 1);
		DSM_BPF_ADD(p->wasted_ns, value);
		return;
	case DSM_EV_MEET: /* a conflict where nothing is undone */
		DSM_BPF_ADD(p->aborts, 1);
		return;
	}
}

/* A record that a probe names: may its size be believed? */
DSM_BPF_INLINE int dsm_bpf__size_ok(uint64_t size)
{
	return size >= sizeof(struct dsm_ev_hdr) && size <= DSM_EV_MAX && size % 8 == 0;
}

/* The ring buffer reserves only sizes that are constants: X(bytes of record). Most records are a little
 * smaller than one of these. */
#define DSM_BPF_CLASSES(X)                                                                                   \
	X(48) X(80) X(88) X(96) X(104) X(144) X(208) X(264) X(320) X(600) X(1048) X(2072) X(4096)

/* The same for batches. */
#define DSM_BPF_BATCH_CLASSES(X) X(512) X(1024) X(2048) X(4096) X(8192)

/* What comes before the rest of a record in a batch. */
struct dsm_bpf_head {
	struct dsm_ev_entry entry;
	struct dsm_ev_hdr hdr;
};
#define DSM_BPF_HEADS (DSM_EV_BATCH / sizeof(struct dsm_bpf_head)) /* most in a batch */

/* Bytes that a record of this size takes in the ring buffer, sample header included, ring header not. */
DSM_BPF_INLINE unsigned dsm_bpf__reserved(uint64_t size)
{
#define X(bytes)                                                                                             \
	if (size <= bytes)                                                                                   \
		return sizeof(struct dsm_bpf_sample) + bytes;
	DSM_BPF_CLASSES(X)
#undef X
	return 0;
}

#endif
