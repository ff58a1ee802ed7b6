// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * dsm.bpf.c - one program for each probe of the event contract, and two for batches of records, which do the same for each
 * record of a batch.
 *
 * Each probe passes (record, its size, node, page, value). What is needed of every event is counted
 * here, by (page, process, node), so that no loss touches it; the records that evidence is made of go
 * into a ring buffer without waking anybody. A record is copied straight into its reserved place: a
 * per-CPU buffer in between would be shared by two tasks when the kernel preempts one inside the
 * program. The ring buffer never says that it was full, so failed reservations are counted, by type.
 *
 * Only the record pointer is followed. It leads to memory of the runtime that was written a moment
 * ago; DSM memory is never read, for that could fault on the DSM's own handler.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdint.h>

#include <bpf/bpf_helpers.h>

#include "collector/dsm_bpf_logic.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile int keep_all = 0, names_only = 0;
const volatile int batched = 0; /* records come by batches: the other probes only let the nodes know of us */
const volatile uint32_t user = 0; /* only processes of this user are heard */
const volatile uint64_t pidns_dev = 0, pidns_ino = 0;
const volatile int pidns_first = 0; /* the collector sees all processes by the kernel's own numbers */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20); /* set by the collector before loading */
} events SEC(".maps");

/* Wakes the collector when a node describes itself in a batch: should it die before its batch is told, the rest is found in its
 * memory, if that was looked for in time. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536); /* the largest page */
} births SEC(".maps");

/* Probe sites by the cookie that each one is attached with. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DSM_BPF_SITES);
	__type(key, uint32_t);
	__type(value, struct dsm_bpf_site);
} sites SEC(".maps");

/* One value for all CPUs: a key belongs to one process, which fires from one or two threads, and counts are
 * added atomically. Allocated beforehand, because a probe that needs many new keys at once would find the
 * allocator's reserve empty. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DSM_BPF_PAGES);
	__type(key, struct dsm_bpf_page_key);
	__type(value, struct dsm_bpf_page);
} pages SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, DSM_BPF_LOSSES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct dsm_bpf_loss_key);
	__type(value, uint64_t);
} losses SEC(".maps");

/* The last record that each process has told in a batch, whether it found room or not: what a node that dies in its probe leaves behind
 * has been counted here. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DSM_BPF_TOLD);
	__type(key, uint32_t);
	__type(value, uint64_t);
} told SEC(".maps");

/* Counts that found no room in `pages`; told as a warning. */
uint64_t pages_full = 0;

static const struct dsm_bpf_page no_page;

static __always_inline uint32_t current_pid(void)
{
	struct bpf_pidns_info info = {0};

	if (pidns_first) /* cheaper than to look into a namespace */
		return bpf_get_current_pid_tgid() >> 32;
	if (bpf_get_ns_current_pid_tgid(pidns_dev, pidns_ino, &info, sizeof(info)) == 0)
		return info.tgid;
	return DSM_BPF_FOREIGN | bpf_get_current_pid_tgid() >> 32;
}

static __always_inline void count_loss(uint32_t pid, uint32_t type)
{
	struct dsm_bpf_loss_key key = {.pid = pid, .type = type < DSM_EV_TYPE_MAX ? type : 0};
	uint64_t zero = 0, *count = bpf_map_lookup_elem(&losses, &key);

	if (!count) {
		bpf_map_update_elem(&losses, &key, &zero, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&losses, &key);
	}
	if (count)
		DSM_BPF_ADD(*count, 1);
}

/* Constant `bytes`, because the verifier wants to know the size of what it hands out. */
static __always_inline long emit_sized(uint32_t pid, const void *what, uint64_t size, uint32_t entries,
				       const uint64_t bytes)
{
	struct dsm_bpf_sample *s = bpf_ringbuf_reserve(&events, sizeof(*s) + bytes, 0);

	if (!s)
		return -1;
	s->pid = pid;
	s->size = size;
	s->entries = entries;
	if (bpf_probe_read_user(s + 1, size, what)) {
		bpf_ringbuf_discard(s, BPF_RB_NO_WAKEUP);
		return -1;
	}
	bpf_ringbuf_submit(s, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline long emit(uint32_t pid, const void *record, uint64_t size)
{
	if (!dsm_bpf__size_ok(size))
		return -1;
#define X(bytes)                                                                                             \
	if (size <= bytes)                                                                                   \
		return emit_sized(pid, record, size, 0, bytes);
	DSM_BPF_CLASSES(X)
#undef X
	return -1;
}

static __always_inline long emit_batch(uint32_t pid, const void *batch, uint64_t size, uint32_t entries)
{
#define X(bytes)                                                                                             \
	if (size <= bytes)                                                                                   \
		return emit_sized(pid, batch, size, entries, bytes);
	DSM_BPF_BATCH_CLASSES(X)
#undef X
	return -1;
}

enum { ARG_RECORD, ARG_SIZE, ARG_NODE, ARG_PAGE, ARG_VALUE };

/* 0 when it cannot be read. */
static __always_inline uint64_t argument(struct pt_regs *ctx, const struct dsm_bpf_site *site,
					 const unsigned n)
{
	const struct dsm_bpf_arg *a = &site->arg[n];
	uint64_t value = a->value;

	if (a->kind != DSM_BPF_ARG_CONST) {
		value = 0;
		/* The verifier forbids reading the context at an offset that it does not know. */
		if (bpf_probe_read_kernel(&value, sizeof(value), (const char *)ctx + a->reg))
			return 0;
		if (a->kind == DSM_BPF_ARG_MEMORY) {
			const char *where = (const char *)value + a->value;
			value = 0;
			if (bpf_probe_read_user(&value, sizeof(value), where))
				return 0;
		}
	}
	value <<= a->shift & 63;
	return a->is_signed ? (uint64_t)((int64_t)value >> (a->shift & 63)) : value >> (a->shift & 63);
}

static __always_inline void count_page(struct dsm_bpf_page_key *key, uint32_t type, const void *record,
				       uint64_t value)
{
	struct dsm_bpf_page *p;
	uint8_t kind = 0;

	if (dsm_bpf__kind_at(type)) {
		bpf_probe_read_user(&kind, sizeof(kind), (const char *)record + dsm_bpf__kind_at(type));
		if (!dsm_bpf__counts_kind(type, kind))
			return;
	}
	p = bpf_map_lookup_elem(&pages, key);
	if (!p) {
		bpf_map_update_elem(&pages, key, &no_page, BPF_NOEXIST);
		p = bpf_map_lookup_elem(&pages, key);
	}
	if (p)
		dsm_bpf__count(p, type, kind, value);
	else
		DSM_BPF_ADD(pages_full, 1);
}

/* The probe site that called, if its process is one to hear. */
static __always_inline const struct dsm_bpf_site *site_of(struct pt_regs *ctx)
{
	uint32_t cookie = bpf_get_attach_cookie(ctx);

	return (uint32_t)bpf_get_current_uid_gid() == user ? bpf_map_lookup_elem(&sites, &cookie) : 0;
}

static __always_inline int handle(struct pt_regs *ctx, const uint32_t type)
{
	int keep = dsm_bpf__sends(type, keep_all, names_only);
	struct dsm_bpf_page_key key = {0};
	const struct dsm_bpf_site *site;
	const void *record = 0;

	if (batched || (!keep && !dsm_bpf__counts(type)))
		return 0;
	site = site_of(ctx);
	if (!site)
		return 0;
	key.pid = current_pid();
	if (keep || dsm_bpf__kind_at(type))
		record = (const void *)argument(ctx, site, ARG_RECORD);
	if (dsm_bpf__counts(type)) {
		key.page = argument(ctx, site, ARG_PAGE);
		key.node = argument(ctx, site, ARG_NODE);
		count_page(&key, type, record, argument(ctx, site, ARG_VALUE));
	}
	if (keep && emit(key.pid, record, argument(ctx, site, ARG_SIZE)))
		count_loss(key.pid, type);
	return 0;
}

/* ---- batches ---- */

struct walk { /* through a batch */
	const char *at, *end;
	uint64_t seq; /* of the last record */
	uint32_t pid, node;
	int lost;    /* count what is to be sent as lost; else count pages */
	int to_send; /* there is something */
	int born;    /* a node describes itself */
};

/* One entry; 1 ends the walk before the batch's end. */
static long visit(uint32_t nth __attribute__((unused)), struct walk *w)
{
	struct dsm_bpf_page_key key = {.pid = w->pid, .node = w->node};
	struct dsm_bpf_head head;
	int sends;

	if (w->end - w->at < (long)sizeof(head) || bpf_probe_read_user(&head, sizeof(head), w->at) ||
	    !dsm_bpf__size_ok(head.hdr.size) || w->end - w->at < (long)(sizeof(head.entry) + head.hdr.size))
		return 1;
	sends = dsm_bpf__sends(head.hdr.type, keep_all, names_only);
	w->seq = head.hdr.seq;
	w->to_send |= sends;
	w->born |= head.hdr.type == DSM_EV_NODE;
	if (w->lost && sends)
		count_loss(w->pid, head.hdr.type);
	if (!w->lost && dsm_bpf__counts(head.hdr.type)) {
		key.page = head.entry.page;
		count_page(&key, head.hdr.type, w->at + sizeof(head.entry), head.entry.value);
	}
	w->at += sizeof(head.entry) + head.hdr.size;
	return 0;
}

/* What is behind nonsense is one loss. In a batch that is sent the collector finds it, too, and counts it. */
static __always_inline void walk_batch(struct walk *w, const char *batch, uint64_t size, uint32_t entries)
{
	w->at = batch;
	w->end = batch + size;
	bpf_loop(entries, visit, w, 0);
	if (w->to_send) {
		if (!emit_batch(w->pid, batch, size, entries))
			return;
		w->lost = 1;
		w->at = batch;
		bpf_loop(entries, visit, w, 0);
	}
	if (w->at != w->end)
		count_loss(w->pid, 0);
}

static __always_inline int handle_batch(struct pt_regs *ctx)
{
	const struct dsm_bpf_site *site = site_of(ctx);
	struct walk w = {0};
	uint64_t size, entries;

	if (!site)
		return 0;
	size = argument(ctx, site, ARG_SIZE);
	entries = argument(ctx, site, ARG_PAGE);
	w.pid = current_pid();
	w.node = argument(ctx, site, ARG_NODE);
	if (size > DSM_EV_BATCH || entries > DSM_BPF_HEADS) {
		count_loss(w.pid, 0);
		return 0;
	}
	walk_batch(&w, (const char *)argument(ctx, site, ARG_RECORD), size, entries);
	if (w.seq)
		bpf_map_update_elem(&told, &w.pid, &w.seq, BPF_ANY);
	if (w.born)
		bpf_ringbuf_output(&births, &w.pid, sizeof(w.pid), BPF_RB_FORCE_WAKEUP);
	return 0;
}

SEC("uprobe")
int on_batch(struct pt_regs *ctx)
{
	return handle_batch(ctx);
}

SEC("uprobe")
int on_batch_pages(struct pt_regs *ctx)
{
	return handle_batch(ctx);
}

#define X(name, number, probe)                                                                               \
	SEC("uprobe")                                                                                        \
	int on_##probe(struct pt_regs *ctx)                                                                  \
	{                                                                                                    \
		return handle(ctx, number);                                                                  \
	}
DSM_EV_TYPES(X)
#undef X
