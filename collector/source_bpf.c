// SPDX-License-Identifier: BSD-2-Clause
/*
 * source_bpf.c - loads dsm.bpf.c, attaches it to the probes of one file for all processes, now and
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
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "collector/dsm_bpf_logic.h"
#include "collector/table.h"
#include "dsm.skel.h"

#define BATCH 4096

struct source_bpf {
	struct source source;
	struct dsm_bpf *skel;
	struct ring_buffer *ring;
	struct bpf_link *links[DSM_EV_TYPE_MAX];
	int cpus;
	struct table pages;  /* page key -> struct page_seen: what was told so far */
	struct table losses; /* (pid, type) -> uint64_t */
	uint64_t full_told;
	struct dsm_bpf_page_key *keys;	/* BATCH */
	uint64_t *counts;		/* cpus */
	struct dsm_bpf_page *values;	/* BATCH * cpus */
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

static int on_sample(void *ctx, void *data, size_t size)
{
	struct source_bpf *b = ctx;
	const struct dsm_bpf_sample *s = data;
	const struct dsm_ev_hdr *record = (const void *)(s + 1);

	if (size < sizeof(*s) || s->size > size - sizeof(*s))
		return 0;
	if (trace_record__sane(record, s->size) && record->size == s->size)
		b->sink->record(b->sink->ctx, (pid_t)s->pid, record);
	else
		b->sink->loss(b->sink->ctx, (pid_t)s->pid, 0, 1);
	return 0;
}

struct page_seen {
	struct dsm_bpf_page counts;
};

static void sum_cpus(const struct dsm_bpf_page *values, int cpus, struct dsm_bpf_page *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (int cpu = 0; cpu < cpus; cpu++) {
		sum->fetches += values[cpu].fetches;
		sum->fetch_ns += values[cpu].fetch_ns;
		sum->transfers += values[cpu].transfers;
		sum->bytes += values[cpu].bytes;
		sum->invalidations += values[cpu].invalidations;
		sum->updates += values[cpu].updates;
		sum->aborts += values[cpu].aborts;
		sum->wasted_ns += values[cpu].wasted_ns;
	}
}

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
			struct dsm_bpf_page sum;
			sum_cpus(&b->values[i * (uint32_t)b->cpus], b->cpus, &sum);
			tell_page(b, &b->keys[i], &sum);
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

/* ---- setting up ---- */

static void *destroy_link(void *link)
{
	bpf_link__destroy(link);
	return NULL;
}

/* The kernel waits for a grace period at each probe, about 0.1 s: 2 s one after another, so let them
 * wait together. */
static void detach(struct source_bpf *b)
{
	pthread_t threads[DSM_EV_TYPE_MAX];
	bool started[DSM_EV_TYPE_MAX] = {false};

	for (unsigned type = 0; type < DSM_EV_TYPE_MAX; type++) {
		if (b->links[type])
			started[type] =
				pthread_create(&threads[type], NULL, destroy_link, b->links[type]) == 0;
	}
	for (unsigned type = 0; type < DSM_EV_TYPE_MAX; type++) {
		if (started[type])
			pthread_join(threads[type], NULL);
		else
			bpf_link__destroy(b->links[type]);
		b->links[type] = NULL;
	}
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
	free(b);
}

static const struct source_ops bpf_ops = {
	.name = "bpf",
	.counts_pages = true,
	.poll = bpf_poll,
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

static int load(struct source_bpf *b, const struct source_options *options, char *why, size_t size)
{
	struct stat ns;
	int rc;

	b->skel = dsm_bpf__open();
	if (!b->skel)
		return explain_load(-errno, why, size);
	b->skel->rodata->keep_all = options->all;
	if (stat("/proc/self/ns/pid", &ns) == 0) {
		b->skel->rodata->pidns_dev = ns.st_dev;
		b->skel->rodata->pidns_ino = ns.st_ino;
	}
	rc = bpf_map__set_max_entries(b->skel->maps.events, (uint32_t)options->ring_bytes);
	if (!rc)
		rc = dsm_bpf__load(b->skel);
	if (rc)
		return explain_load(rc, why, size);
	b->ring = ring_buffer__new(bpf_map__fd(b->skel->maps.events), on_sample, b, NULL);
	return b->ring ? 0 : explain_load(-errno, why, size);
}

/* A probe that the file does not have is left out: an older DSM, or another one. */
static int attach_one(struct source_bpf *b, struct bpf_program *program, unsigned type, const char *probe,
		      const struct source_options *options, char *why, size_t size)
{
	struct bpf_link *link =
		bpf_program__attach_usdt(program, -1, options->probe_file, "dsm", probe, NULL);

	if (link) {
		b->links[type] = link;
		return 1;
	}
	if (errno == ENOENT)
		return 0;
	snprintf(why, size, "attaching to the probe dsm:%s of %s failed: %s%s%s", probe, options->probe_file,
		 strerror(errno), last_warning[0] ? ": " : "", last_warning);
	return -errno;
}

static int attach(struct source_bpf *b, const struct source_options *options, char *why, size_t size)
{
	struct {
		struct bpf_program *program;
		unsigned type;
		const char *probe;
	} probes[] = {
#define X(name, number, probe) {b->skel->progs.on_##probe, number, #probe},
		DSM_EV_TYPES(X)
#undef X
	};
	size_t n = sizeof(probes) / sizeof(probes[0]);
	int attached = 0;

	for (size_t i = 0; i < n; i++) {
		size_t at = (i + 1) % n; /* NODE is the first in the table and comes last */
		int rc = 0;
		if (dsm_bpf__keeps(probes[at].type, options->all) || dsm_bpf__counts(probes[at].type))
			rc = attach_one(b, probes[at].program, probes[at].type, probes[at].probe, options,
					why, size);
		if (rc < 0)
			return rc;
		attached += rc;
	}
	if (attached)
		return 0;
	snprintf(why, size,
		 "%s has no probe of the provider dsm: name the file that emits them with --probe-file",
		 options->probe_file);
	return -ENOENT;
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
	snprintf(why, why_size, "no memory");
	last_warning[0] = 0;
	libbpf_set_print(keep_warning);
	if (access(options->probe_file, R_OK) < 0) {
		rc = -errno;
		snprintf(why, why_size, "%s: %s: name the file that emits the probes with --probe-file",
			 options->probe_file, strerror(errno));
		goto out;
	}
	b->cpus = libbpf_num_possible_cpus();
	if (b->cpus < 1)
		goto out;
	b->keys = calloc(BATCH, sizeof(*b->keys));
	b->values = calloc((size_t)BATCH * (size_t)b->cpus, sizeof(*b->values));
	b->counts = calloc((size_t)b->cpus, sizeof(*b->counts));
	if (!b->keys || !b->values || !b->counts)
		goto out;
	rc = load(b, options, why, why_size);
	if (!rc)
		rc = attach(b, options, why, why_size);
out:
	if (rc)
		bpf_free(&b->source);
	else
		*out = &b->source;
	return rc;
}
