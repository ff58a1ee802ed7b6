// SPDX-License-Identifier: BSD-2-Clause
/*
 * source_bpf.c - loads dsm.bpf.c, attaches it to the probe sites of one file in all processes, now and
 * later, and reads what it counted.
 *
 * The probe `node` is attached last: the runtime answers it with its rundown, and by then every other
 * probe must be open.
 */
#include "collector/source.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collector/aggregate.h"
#include "collector/dsm_bpf_logic.h"
#include "collector/table.h"
#include "collector/usdt.h"
#include "dsm.skel.h"

#define BATCH	      4096
#define LEAST_BATCHES 4
/* The first pid namespace's inode is fixed in the kernel (PROC_PID_INIT_INO). */
#define PIDNS_FIRST 0xeffffffcu

/* Linux 6.6 has links for many uprobes, which the headers here may not know yet. They take no lock that
 * makes them wait for one another at the end. */
#define UPROBE_MULTI 48 /* BPF_TRACE_UPROBE_MULTI */
struct uprobe_multi_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, semaphores, cookies;
	uint32_t count, multi_flags, pid, reserved[21];
};

struct source_bpf {
	struct source source;
	struct dsm_bpf *skel;
	struct ring_buffer *ring;
	bool all, names_only; /* of the options */
	const char *probe_file;
	struct usdt_site *sites; /* the index is the cookie */
	size_t nsites;
	int fds[DSM_EV_TYPE_MAX]; /* links of many uprobes, one a probe */
	size_t nfds;
	struct bpf_link *links[DSM_BPF_SITES]; /* or, on older kernels, one a site */
	size_t nlinks;
	bool batched; /* records come by batches */
	int cpus;
	struct table pages;  /* page key -> struct page_seen: what was told so far */
	struct table losses; /* (pid, type) -> uint64_t */
	uint64_t full_told;
	struct dsm_bpf_page_key *keys;	/* BATCH */
	uint64_t *counts;		/* cpus */
	struct dsm_bpf_page *values;	/* BATCH */
	const struct source_sink *sink; /* of the poll that runs */
};

/* libbpf explains failures on its log only; the last warning is the best reason we have. */
static char last_warning[256];

static int keep_warning(enum libbpf_print_level level, const char *format, va_list args)
{
	size_t n;

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(last_warning, sizeof(last_warning), format, args);
	n = strcspn(last_warning, "\n");
	last_warning[n] = 0;
	return 0;
}

/* ---- delivering ---- */

static void tell_loss(const struct source_sink *sink, pid_t pid)
{
	sink->loss(sink->ctx, pid, 0, 1);
}

static void tell_record(const struct source_sink *sink, pid_t pid, const struct dsm_ev_hdr *record,
			size_t size)
{
	if (trace_record__sane(record, size) && record->size == size)
		sink->record(sink->ctx, pid, record);
	else
		tell_loss(sink, pid);
}

/* Bytes of the entry and its record; 0: the rest of the batch is nonsense. */
static size_t entry_bytes(const struct dsm_bpf_head *head, size_t left)
{
	size_t size = left >= sizeof(*head) ? head->hdr.size : 0;

	return dsm_bpf__size_ok(size) && sizeof(head->entry) + size <= left ? sizeof(head->entry) + size : 0;
}

static void tell_batch(const struct source_bpf *b, pid_t pid, const char *at, size_t left, unsigned entries)
{
	for (size_t step; entries; at += step, left -= step, entries--) {
		const struct dsm_bpf_head *head = (const void *)at;

		step = entry_bytes(head, left);
		if (!step)
			break;
		if (dsm_bpf__sends(head->hdr.type, b->all, b->names_only))
			tell_record(b->sink, pid, &head->hdr, step - sizeof(head->entry));
	}
	if (left || entries)
		tell_loss(b->sink, pid);
}

static int on_sample(void *ctx, void *data, size_t size)
{
	struct source_bpf *b = ctx;
	const struct dsm_bpf_sample *s = data;

	if (size < sizeof(*s) || s->size > size - sizeof(*s))
		return 0;
	if (s->entries)
		tell_batch(b, (pid_t)s->pid, (const char *)(s + 1), s->size, s->entries);
	else
		tell_record(b->sink, (pid_t)s->pid, (const void *)(s + 1), s->size);
	return 0;
}

/* The batch with its description comes by the other ring. */
static int on_birth(void *ctx, void *data, size_t size)
{
	(void)ctx, (void)data, (void)size;
	return 0;
}

static int bpf_wake_fd(const struct source *s)
{
	return bpf_map__fd(((const struct source_bpf *)s)->skel->maps.births);
}

static void tell_rest(const struct source_bpf *b, pid_t pid, const struct dsm_ev_hdr *record, size_t size)
{
	struct trace_page_stat stat;

	if (!trace_record__sane(record, size)) {
		tell_loss(b->sink, pid);
		return;
	}
	if (aggregate__page_of(record, &stat))
		b->sink->page(b->sink->ctx, pid, &stat);
	if (dsm_bpf__sends(record->type, b->all, b->names_only))
		b->sink->record(b->sink->ctx, pid, record);
}

static void tell_left(const struct source_bpf *b, const struct node_view *view, uint64_t told)
{
	uint64_t left = __atomic_load_n(view->batch_bytes, __ATOMIC_ACQUIRE), batch[DSM_EV_BATCH / 8];
	const char *at = (const char *)batch;
	size_t step;

	if (left <= sizeof(batch))
		memcpy(batch, view->batch_bytes + 1, left);
	if (left > sizeof(batch) || view->broken) {
		tell_loss(b->sink, view->pid);
		return;
	}
	for (; (step = entry_bytes((const void *)at, left)); at += step, left -= step) {
		const struct dsm_ev_hdr *record = &((const struct dsm_bpf_head *)at)->hdr;

		if (record->seq > told)
			tell_rest(b, view->pid, record, step - sizeof(struct dsm_ev_entry));
	}
	if (left)
		tell_loss(b->sink, view->pid);
}

/* What the node had not told. It may have died between telling a batch and clearing it, so what the BPF program has seen is left out. */
static void bpf_node_died(struct source *source, pid_t pid, const struct node_view *view,
			  const struct source_sink *sink)
{
	struct source_bpf *b = (struct source_bpf *)source;
	uint32_t key = (uint32_t)pid;
	uint64_t told = 0;

	if (!b->batched)
		return;
	b->sink = sink;
	bpf_map_lookup_elem(bpf_map__fd(b->skel->maps.told), &key, &told);
	bpf_map_delete_elem(bpf_map__fd(b->skel->maps.told),
			    &key); /* the number may be another node's one day */
	if (view)
		tell_left(b, view, told);
	else
		tell_loss(sink, pid);
}

struct page_seen {
	struct dsm_bpf_page counts;
};

static void tell_page(struct source_bpf *b, const struct dsm_bpf_page_key *k, const struct dsm_bpf_page *now)
{
	struct table_key key = {k->page, (uint64_t)k->pid << 16 | k->node};
	struct page_seen *seen = table__get(&b->pages, key);
	struct trace_page_stat d = {.page = k->page, .node = k->node};

	if (!seen) {
		seen = calloc(1, sizeof(*seen));
		if (!seen || table__put(&b->pages, key, seen)) {
			free(seen);
			return; /* the next poll tells it all */
		}
	}
	if (memcmp(&seen->counts, now, sizeof(*now)) == 0)
		return;
	d.fetches = now->fetches - seen->counts.fetches;
	d.fetch_ns = now->fetch_ns - seen->counts.fetch_ns;
	d.transfers = now->transfers - seen->counts.transfers;
	d.bytes = now->bytes - seen->counts.bytes;
	d.invalidations = now->invalidations - seen->counts.invalidations;
	d.updates = now->updates - seen->counts.updates;
	d.aborts = now->aborts - seen->counts.aborts;
	d.wasted_ns = now->wasted_ns - seen->counts.wasted_ns;
	seen->counts = *now;
	b->sink->page(b->sink->ctx, (pid_t)k->pid, &d);
}

static void read_pages(struct source_bpf *b)
{
	int fd = bpf_map__fd(b->skel->maps.pages), rc;
	uint32_t batch = 0, next = 0;
	bool first = true;

	do {
		uint32_t count = BATCH;
		rc = bpf_map_lookup_batch(fd, first ? NULL : &batch, &next, b->keys, b->values, &count, NULL);
		if (rc && rc != -ENOENT)
			return;
		for (uint32_t i = 0; i < count; i++) {
			tell_page(b, &b->keys[i], &b->values[i]);
		}
		batch = next;
		first = false;
	} while (!rc);
	if (b->skel->bss->pages_full != b->full_told) {
		b->full_told = b->skel->bss->pages_full;
		fprintf(stderr,
			"dsmcollect: more than %d pages are active: %llu events are missing in the page "
			"statistics\n",
			DSM_BPF_PAGES, (unsigned long long)b->full_told);
	}
}

static void read_losses(struct source_bpf *b)
{
	struct dsm_bpf_loss_key key, next;
	int fd = bpf_map__fd(b->skel->maps.losses);
	bool first = true;

	while (bpf_map_get_next_key(fd, first ? NULL : &key, &next) == 0) {
		struct table_key k = {next.pid, next.type};
		uint64_t sum = 0, *told = table__get(&b->losses, k);
		key = next;
		first = false;
		if (bpf_map_lookup_elem(fd, &key, b->counts))
			continue;
		for (int cpu = 0; cpu < b->cpus; cpu++)
			sum += b->counts[cpu];
		if (!told) {
			told = calloc(1, sizeof(*told));
			if (!told || table__put(&b->losses, k, told)) {
				free(told);
				continue;
			}
		}
		if (sum > *told)
			b->sink->loss(b->sink->ctx, (pid_t)key.pid, key.type, sum - *told);
		*told = sum;
	}
}

static void bpf_poll(struct source *s, const struct source_sink *sink, bool all)
{
	struct source_bpf *b = (struct source_bpf *)s;

	b->sink = sink;
	ring_buffer__consume(b->ring);
	if (!all)
		return;
	read_pages(b);
	read_losses(b);
}

/* ---- attaching and letting go ---- */

static void *close_one(void *fd)
{
	close((int)(intptr_t)fd);
	return NULL;
}

/* Each link waits until no processor can be inside its program any more, together in a tenth of a second,
 * one after another in one or two seconds. */
static void detach(struct source_bpf *b)
{
	pthread_t threads[DSM_EV_TYPE_MAX];
	size_t started = 0;

	while (started < b->nfds &&
	       pthread_create(&threads[started], NULL, close_one, (void *)(intptr_t)b->fds[started]) == 0)
		started++;
	for (size_t i = 0; i < b->nfds; i++) {
		if (i < started)
			pthread_join(threads[i], NULL);
		else
			close(b->fds[i]);
	}
	b->nfds = 0;
	for (size_t i = 0; i < b->nlinks; i++)
		bpf_link__destroy(b->links[i]);
	b->nlinks = 0;
}

static void bpf_free(struct source *s)
{
	struct source_bpf *b = (struct source_bpf *)s;

	detach(b);
	ring_buffer__free(b->ring);
	dsm_bpf__destroy(b->skel);
	table__free(&b->pages, free);
	table__free(&b->losses, free);
	free(b->keys);
	free(b->values);
	free(b->counts);
	free(b->sites);
	free(b);
}

static const struct source_ops bpf_ops = {
	.name = "bpf",
	.counts_pages = true,
	.wake_fd = bpf_wake_fd,
	.poll = bpf_poll,
	.node_died = bpf_node_died,
	.free = bpf_free,
};

static int explain_load(int rc, char *why, size_t size)
{
	if (rc == -EPERM || rc == -EACCES)
		snprintf(why, size, "BPF is refused (%s): run as root or with CAP_SYS_ADMIN", strerror(-rc));
	else if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		snprintf(why, size,
			 "this kernel has no type information (/sys/kernel/btf/vmlinux): it needs "
			 "CONFIG_DEBUG_INFO_BTF");
	else
		snprintf(why, size, "loading the BPF programs failed: %s%s%s", strerror(-rc),
			 last_warning[0] ? ": " : "", last_warning);
	return rc;
}

static int fill_sites(struct source_bpf *b)
{
	int rc = 0;

	for (uint32_t i = 0; i < b->nsites && !rc; i++)
		rc = bpf_map_update_elem(bpf_map__fd(b->skel->maps.sites), &i, &b->sites[i].args, BPF_ANY);
	return rc;
}

static int load(struct source_bpf *b, const struct source_options *options, bool multi, char *why,
		size_t size)
{
	struct bpf_program *program;
	struct stat ns;
	int rc;

	b->skel = dsm_bpf__open();
	if (!b->skel)
		return explain_load(-errno, why, size);
	bpf_object__for_each_program(program, b->skel->obj)
		bpf_program__set_expected_attach_type(program, multi ? UPROBE_MULTI : 0);
	bpf_program__set_autoload(b->skel->progs.on_batch, b->batched);
	bpf_program__set_autoload(b->skel->progs.on_batch_pages, b->batched);
	b->skel->rodata->batched = b->batched;
	b->skel->rodata->keep_all = options->all;
	b->skel->rodata->names_only = options->names_only;
	b->skel->rodata->user = options->user;
	if (stat("/proc/self/ns/pid", &ns) == 0) {
		b->skel->rodata->pidns_dev = ns.st_dev;
		b->skel->rodata->pidns_ino = ns.st_ino;
		b->skel->rodata->pidns_first = ns.st_ino == PIDNS_FIRST;
	}
	/* In less than that there would never be room for a batch. */
	if (b->batched && b->source.ring_bytes < LEAST_BATCHES * DSM_EV_BATCH)
		b->source.ring_bytes = LEAST_BATCHES * DSM_EV_BATCH;
	rc = bpf_map__set_max_entries(b->skel->maps.events, (uint32_t)b->source.ring_bytes);
	if (!rc)
		rc = dsm_bpf__load(b->skel);
	if (!rc)
		rc = fill_sites(b);
	if (rc)
		return explain_load(rc, why, size);
	b->ring = ring_buffer__new(bpf_map__fd(b->skel->maps.events), on_sample, b, NULL);
	if (!b->ring || ring_buffer__add(b->ring, bpf_map__fd(b->skel->maps.births), on_birth, b))
		return explain_load(-errno, why, size);
	return 0;
}

struct sites { /* of one probe */
	uint64_t offsets[DSM_BPF_SITES], semaphores[DSM_BPF_SITES], cookies[DSM_BPF_SITES];
	uint32_t count;
};

static void collect_sites(const struct source_bpf *b, const char *probe, struct sites *s)
{
	s->count = 0;
	for (size_t i = 0; i < b->nsites && s->count < DSM_BPF_SITES; i++) {
		if (strcmp(b->sites[i].probe, probe) != 0)
			continue;
		s->offsets[s->count] = b->sites[i].offset;
		s->semaphores[s->count] = b->sites[i].semaphore;
		s->cookies[s->count++] = i;
	}
}

static int attach_multi(struct source_bpf *b, struct bpf_program *program, const struct sites *s)
{
	struct uprobe_multi_attr attr = {
		.prog_fd = (uint32_t)bpf_program__fd(program),
		.attach_type = UPROBE_MULTI,
		.path = (uint64_t)(uintptr_t)b->probe_file,
		.offsets = (uint64_t)(uintptr_t)s->offsets,
		.semaphores = (uint64_t)(uintptr_t)s->semaphores,
		.cookies = (uint64_t)(uintptr_t)s->cookies,
		.count = s->count,
	};
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	if (fd < 0)
		return -errno;
	b->fds[b->nfds++] = fd;
	return 0;
}

static int attach_single(struct source_bpf *b, struct bpf_program *program, const struct sites *s)
{
	for (uint32_t i = 0; i < s->count; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, options, .ref_ctr_offset = s->semaphores[i],
			    .bpf_cookie = s->cookies[i]);
		struct bpf_link *link =
			bpf_program__attach_uprobe_opts(program, -1, b->probe_file, s->offsets[i], &options);
		if (!link)
			return -errno;
		b->links[b->nlinks++] = link;
	}
	return 0;
}

struct probe {
	struct bpf_program *program;
	const char *name;
};

/* All that carry what is wanted, the one that lets the nodes know of us last. A probe that the file does not have is left
 * out: an older DSM, or another one. */
static size_t choose_probes(const struct source_bpf *b, struct probe *chosen)
{
	const struct {
		struct probe probe;
		unsigned type;
	} probes[] = {
#define X(name, number, probe) {{b->skel->progs.on_##probe, #probe}, number},
		DSM_EV_TYPES(X)
#undef X
	};
	size_t n = 0, count = sizeof(probes) / sizeof(probes[0]);

	if (b->batched)
		chosen[n++] = b->names_only ? (struct probe){b->skel->progs.on_batch_pages, "batch_pages"}
					    : (struct probe){b->skel->progs.on_batch, "batch"};
	for (size_t i = 1; i < count && !b->batched; i++)
		if (dsm_bpf__sends(probes[i].type, b->all, b->names_only) || dsm_bpf__counts(probes[i].type))
			chosen[n++] = probes[i].probe;
	chosen[n++] = probes[0].probe; /* NODE is the first in the table */
	return n;
}

static int attach(struct source_bpf *b, bool multi, char *why, size_t size)
{
	struct probe probes[DSM_EV_TYPE_MAX];
	size_t n = choose_probes(b, probes);

	for (size_t i = 0; i < n; i++) {
		struct sites s;
		int rc;

		collect_sites(b, probes[i].name, &s);
		if (!s.count)
			continue;
		rc = multi ? attach_multi(b, probes[i].program, &s) : attach_single(b, probes[i].program, &s);
		if (rc) {
			snprintf(why, size, "attaching to the probe dsm:%s of %s failed: %s%s%s",
				 probes[i].name, b->probe_file, strerror(-rc), last_warning[0] ? ": " : "",
				 last_warning);
			return rc;
		}
	}
	return 0;
}

/* The file tells batches, and the kernel (from 5.17) can walk through them. */
static bool can_batch(const struct source_bpf *b)
{
	for (size_t i = 0; i < b->nsites; i++) {
		if (strcmp(b->sites[i].probe, "batch") == 0)
			return libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_loop, NULL) == 1;
	}
	return false;
}

static int start(struct source_bpf *b, const struct source_options *options, bool multi, char *why,
		 size_t size)
{
	int rc = load(b, options, multi, why, size);

	if (!rc)
		rc = attach(b, multi, why, size);
	if (rc) {
		detach(b);
		ring_buffer__free(b->ring);
		dsm_bpf__destroy(b->skel);
		b->ring = NULL;
		b->skel = NULL;
	}
	return rc;
}

int source_bpf__new(struct source **out, const struct source_options *options, char *why, size_t why_size)
{
	struct source_bpf *b = calloc(1, sizeof(*b));
	int rc = -ENOMEM;

	if (!b) {
		snprintf(why, why_size, "no memory");
		return -ENOMEM;
	}
	b->source.ops = &bpf_ops;
	b->source.ring_bytes = options->ring_bytes;
	last_warning[0] = 0;
	libbpf_set_print(keep_warning);
	b->probe_file = options->probe_file;
	rc = usdt__find(options->probe_file, "dsm", &b->sites, &b->nsites, why, why_size);
	if (rc)
		goto out;
	if (b->nsites > DSM_BPF_SITES) {
		snprintf(why, why_size, "%s has %zu probe sites, more than %d", options->probe_file,
			 b->nsites, DSM_BPF_SITES);
		rc = -E2BIG;
		goto out;
	}
	b->all = options->all;
	b->names_only = options->names_only;
	b->batched = can_batch(b);
	b->source.late_ms = b->batched ? DSM_EV_BATCH_MS : 0;
	rc = -ENOMEM;
	snprintf(why, why_size, "no memory");
	b->cpus = libbpf_num_possible_cpus();
	if (b->cpus < 1)
		goto out;
	b->keys = calloc(BATCH, sizeof(*b->keys));
	b->values = calloc(BATCH, sizeof(*b->values));
	b->counts = calloc((size_t)b->cpus, sizeof(*b->counts));
	if (!b->keys || !b->values || !b->counts)
		goto out;
	rc = start(b, options, true, why, why_size);
	if (rc && rc != -EPERM && rc != -EACCES) /* an older kernel */
		rc = start(b, options, false, why, why_size);
out:
	if (rc)
		bpf_free(&b->source);
	else
		*out = &b->source;
	return rc;
}
