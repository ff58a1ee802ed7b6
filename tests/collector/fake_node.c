// SPDX-License-Identifier: BSD-2-Clause
/*
 * fake_node.c - a node without a DSM: it keeps the event contract and nothing else.
 *
 * It needs dsm_events.h only, so it is also the smallest example of how another DSM gets the tools:
 * a memfd with counters and a ring, probes with five scalars, records, a rundown. What it emits is a
 * function of its options and is logged line by line, so that a test can compare a trace with it:
 *
 *   E TYPE SEQ HASH TIME   an activity record was emitted (hash: of what follows the header; time: ns)
 *   I TYPE SEQ HASH TIME   an identity record was emitted; R: in a rundown
 *   L TYPE SEQ             the ring had no room for it
 *   P PAGE fetches fetch_ns transfers bytes invalidations updates aborts wasted_ns
 *
 * With BATCHED (fake_node_batched) records are told in batches.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "dsm_events.h"
#include "tests/collector/fake_options.h"

/* libbpf does not understand an operand like `opt(%rip)`: registers and constants only. */
#define STAP_SDT_ARG_CONSTRAINT nr
#define _SDT_HAS_SEMAPHORES	1
#define X(name, number, probe)                                                                               \
	__extension__ unsigned short dsm_##probe##_semaphore __attribute__((unused, section(".probes")));
DSM_EV_TYPES(X)
#ifdef BATCHED
X(, , batch)
X(, , batch_pages)
#endif
#undef X
#include <sys/sdt.h>

static struct dsm_shm *shm;
static int shm_fd;
static FILE *log_file;
static uint64_t seq;

#define OBJECTS 4
#define PAGES	16
struct page_counts {
	uint64_t fetches, fetch_ns, transfers, bytes, invalidations, updates, aborts, wasted_ns;
};
static struct page_counts pages[PAGES + 1]; /* the last: no page */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t random_state;

static uint64_t random_word(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* ---- emitting ---- */

static unsigned claimed_node(void)
{
	return opt.claim < 0 ? opt.node : (unsigned)opt.claim;
}

static unsigned short *semaphore_of(unsigned type)
{
	switch (type) {
#define X(name, number, probe)                                                                               \
	case number:                                                                                         \
		return &dsm_##probe##_semaphore;
		DSM_EV_TYPES(X)
#undef X
	}
	return NULL;
}

static bool tracer_wants(unsigned type)
{
	return *(volatile unsigned short *)semaphore_of(type) != 0;
}

#ifdef BATCHED
static uint64_t batch_entries, batch_ns;
static bool dies; /* when the next batch has been told, before it is cleared */

static bool batch_wants(unsigned type)
{
	return *(volatile unsigned short *)&dsm_batch_semaphore != 0 ||
	       (*(volatile unsigned short *)&dsm_batch_pages_semaphore != 0 &&
		(DSM_EV_NAMES | DSM_EV_PAGES) >> type & 1);
}

static void tell_batch(void)
{
	uint64_t entries = batch_entries, none = 0;
	uint32_t bytes = (uint32_t)shm->batch_bytes, node = (uint16_t)claimed_node();

	if (!entries)
		return;
	batch_entries = 0;
	DTRACE_PROBE5(dsm, batch, shm->batch, bytes, node, entries, none);
	DTRACE_PROBE5(dsm, batch_pages, shm->batch, bytes, node, entries, none);
	if (dies)
		raise(SIGKILL);
	__atomic_store_n(&shm->batch_bytes, 0, __ATOMIC_RELEASE);
}

static void tell_and_die(void)
{
	dies = true;
	tell_batch();
}

static void tell_old_batch(void)
{
	if (batch_entries && now_ns() - batch_ns > DSM_EV_BATCH_MS * 1000000ull / 2)
		tell_batch();
}

static void put_in_batch(const struct dsm_ev_hdr *r, dsm_ev_page page, uint64_t value)
{
	struct dsm_ev_entry *entry;

	if (shm->batch_bytes + sizeof(*entry) + r->size > DSM_EV_BATCH)
		tell_batch();
	if (!batch_entries++)
		batch_ns = r->time_ns;
	entry = (struct dsm_ev_entry *)(shm->batch + shm->batch_bytes);
	*entry = (struct dsm_ev_entry){page, value};
	memcpy(entry + 1, r, r->size);
	__atomic_store_n(&shm->batch_bytes, shm->batch_bytes + sizeof(*entry) + r->size, __ATOMIC_RELEASE);
}
#else
static bool batch_wants(unsigned type)
{
	(void)type;
	return false;
}

static void put_in_batch(const struct dsm_ev_hdr *r, dsm_ev_page page, uint64_t value)
{
	(void)r, (void)page, (void)value;
}

static void tell_old_batch(void)
{
}
static void tell_batch(void)
{
}
static void tell_and_die(void)
{
}
#endif

static bool ring_wants(void)
{
	return __atomic_load_n(&shm->ring_listeners, __ATOMIC_ACQUIRE) != 0;
}

static void fire(const struct dsm_ev_hdr *r, dsm_ev_page page, uint64_t value)
{
	uint32_t size = r->size;

	switch (r->type) {
#define X(name, number, probe)                                                                               \
	case number:                                                                                         \
		DTRACE_PROBE5(dsm, probe, r, size, (uint32_t)claimed_node(), page, value);                   \
		break;
		DSM_EV_TYPES(X)
#undef X
	}
}

/* False: no room. */
static bool append(const struct dsm_ev_hdr *r)
{
	char *ring = (char *)shm + shm->ring_offset;
	uint64_t head = shm->ring_head, tail = __atomic_load_n(&shm->ring_tail, __ATOMIC_ACQUIRE);
	uint64_t at = head & (shm->ring_bytes - 1), left = shm->ring_bytes - at;
	uint64_t need = r->size <= left ? r->size : left + r->size;

	if (head + need - tail > shm->ring_bytes)
		return false;
	if (r->size > left) {
		if (left >= sizeof(*r))
			((struct dsm_ev_hdr *)(ring + at))->size = 0;
		at = 0;
	}
	memcpy(ring + at, r, r->size);
	__atomic_store_n(&shm->ring_head, head + need, __ATOMIC_RELEASE);
	return true;
}

static uint64_t hash(const void *data, size_t size)
{
	const unsigned char *p = data;
	uint64_t h = 0xcbf29ce484222325u;

	while (size--)
		h = (h ^ *p++) * 0x100000001b3u;
	return h;
}

static void emit(struct dsm_ev_hdr *r, unsigned type, size_t size, dsm_ev_page page, uint64_t value,
		 uint8_t flags)
{
	static const char *const names[DSM_EV_TYPE_MAX] = {
#define X(name, number, probe) [number] = #probe,
		DSM_EV_TYPES(X)
#undef X
	};

	if (!ring_wants() && !tracer_wants(type) && !batch_wants(type))
		return;
	seq++;
	*r = (struct dsm_ev_hdr){.size = (uint16_t)size,
				 .type = (uint16_t)type,
				 .version = DSM_EV_VERSION,
				 .flags = flags,
				 .node = (uint16_t)claimed_node(),
				 .weight = 1,
				 .seq = seq,
				 .time_ns = now_ns()};
	shm->counters.events++;
	if (log_file)
		fprintf(log_file, "%c %s %llu %016llx %llu\n",
			flags & DSM_EV_F_RUNDOWN ? 'R'
			: type <= DSM_EV_END	 ? 'I'
						 : 'E',
			names[type], (unsigned long long)r->seq,
			(unsigned long long)hash(r + 1, size - sizeof(*r)), (unsigned long long)r->time_ns);
	if (ring_wants() && !append(r)) {
		__atomic_add_fetch(&shm->lost[type], 1, __ATOMIC_RELEASE);
		if (log_file)
			fprintf(log_file, "L %s %llu\n", names[type], (unsigned long long)r->seq);
	}
	if (tracer_wants(type))
		fire(r, page, value);
	if (batch_wants(type))
		put_in_batch(r, page, value);
}

#define EMIT(record, type, page, value, flags)                                                               \
	emit(&(record)->hdr, DSM_EV_##type, sizeof(*(record)), page, value, flags)

/* ---- what things are ---- */

static void describe(uint8_t flags)
{
	static struct dsm_ev_node node;
	static struct dsm_ev_module module = {.id = 1, .build_id_len = 20, .path = "/bin/fake"};
	static struct dsm_ev_site site = {.id = 1, .nframes = 2, .frame = {{1, 0x1000}, {1, 0x2000}}};
	static struct dsm_ev_typedesc type = {.id = 1, .size = 48, .module = 1, .name = "struct avatar"};
	static struct dsm_ev_root root = {.name = "avatars"};
	static struct dsm_ev_object object;

	node = (struct dsm_ev_node){.pid = (uint32_t)getpid(),
				    .nodes = (uint16_t)opt.nodes,
				    .page_log2 = 12,
				    .consistency = DSM_EV_TX,
				    .region_bytes = 1 << 30,
				    .run_id = opt.run_id};
	strcpy(node.program, "fake");
	gethostname(node.host, sizeof(node.host) - 1);
	EMIT(&node, NODE, 0, 0, flags);
	EMIT(&module, MODULE, 0, 0, flags);
	EMIT(&site, SITE, 0, 0, flags);
	EMIT(&type, TYPE, 0, 0, flags);
	for (unsigned i = 0; i < OBJECTS; i++) {
		object = (struct dsm_ev_object){.offset = (opt.node * OBJECTS + i) * 4096u,
						.bytes = 64 * 48,
						.count = 64,
						.elem_size = 48,
						.stride = 48,
						.type = 1,
						.site = 1};
		EMIT(&object, OBJECT, DSM_EV_PAGE(object.offset, 12), object.bytes, flags);
	}
	root.offset = opt.node * OBJECTS * 4096u;
	EMIT(&root, ROOT, 0, 0, flags);
}

/* Somebody began to listen since the last look: tell what is true. */
static void rundown_if_due(void)
{
	static uint64_t ring_before;
	static unsigned tracers_before;
	uint64_t ring = __atomic_load_n(&shm->ring_listeners, __ATOMIC_ACQUIRE);
	unsigned tracers = *(volatile unsigned short *)&dsm_node_semaphore;
	bool due = (ring && ring != ring_before) || tracers > tracers_before;

	ring_before = ring;
	tracers_before = tracers;
	tell_old_batch();
	if (!due)
		return;
	describe(DSM_EV_F_RUNDOWN);
	tell_batch();
}

/* ---- what happens ---- */

static struct dsm_ev_interval interval(void)
{
	return (struct dsm_ev_interval){
		.number = random_word() % 1000 + 1, .attempt = (uint32_t)(random_word() % 3), .site = 1};
}

static void one_fault(unsigned p, dsm_ev_page page)
{
	static struct dsm_ev_fault r;

	r = (struct dsm_ev_fault){.interval = interval(),
				  .page = page,
				  .wait_ns = random_word() % 100000,
				  .offset = (uint16_t)(random_word() % 4096),
				  .access = DSM_EV_ACCESS_WRITE,
				  .kind = (uint8_t)(random_word() % 3 + 1)};
	if (r.kind == DSM_EV_FAULT_FETCH) {
		pages[p].fetches++;
		pages[p].fetch_ns += r.wait_ns;
		shm->counters.faults_fetch++;
	}
	EMIT(&r, FAULT, page, r.wait_ns, 0);
}

static void one_abort(unsigned p, dsm_ev_page page)
{
	static struct dsm_ev_abort r;

	r = (struct dsm_ev_abort){
		.interval = interval(), .wasted_ns = random_word() % 50000, .cause = DSM_EV_CAUSE_CONFLICT};
	if (random_word() % 4) {
		r.nmeetings = r.total = 2;
		r.meeting[0].page = page;
		r.meeting[1].page = page + 4096;
	} else { /* the program wanted it */
		r.cause = DSM_EV_CAUSE_CANCEL;
		p = PAGES;
	}
	pages[p].aborts++;
	pages[p].wasted_ns += r.wasted_ns;
	shm->counters.aborts++;
	shm->counters.wasted_ns += r.wasted_ns;
	EMIT(&r, ABORT, r.meeting[0].page, r.wasted_ns, 0);
}

static void one_commit(void)
{
	static struct dsm_ev_commit r;

	r = (struct dsm_ev_commit){
		.interval = interval(), .duration_ns = random_word() % 50000, .pages_read = 3};
	shm->counters.commits++;
	shm->counters.work++;
	shm->counters.committed_ns += r.duration_ns;
	EMIT(&r, COMMIT, 0, r.duration_ns, 0);
}

static void one_writes(dsm_ev_page page)
{
	static union {
		struct dsm_ev_writes r;
		char room[DSM_EV_MAX];
	} u;
	unsigned n = (unsigned)(random_word() % DSM_EV_RUNS);

	u.r = (struct dsm_ev_writes){
		.interval = interval(), .page = page, .basis = DSM_EV_BASIS_CHANGED, .nruns = (uint16_t)n};
	for (unsigned i = 0; i < n; i++)
		u.r.run[i] = (struct dsm_ev_run){(uint16_t)(i * 4), 2};
	if (n % 2)
		u.r.run[n] = (struct dsm_ev_run){0, 0};
	emit(&u.r.hdr, DSM_EV_WRITES, sizeof(u.r) + (n + n % 2) * sizeof(u.r.run[0]), page, 0, 0);
}

static void one_accesses(dsm_ev_page page)
{
	static union {
		struct dsm_ev_accesses r;
		char room[DSM_EV_MAX];
	} u;
	unsigned n = (unsigned)(random_word() % DSM_EV_ACCESS_LIST);

	u.r = (struct dsm_ev_accesses){.interval = interval(),
				       .page = page,
				       .basis = DSM_EV_BASIS_OPERAND,
				       .naccesses = (uint16_t)n};
	for (unsigned i = 0; i < n; i++)
		u.r.access[i] = (struct dsm_ev_access){(uint16_t)(i * 8), 8, 1, {1, i}};
	emit(&u.r.hdr, DSM_EV_ACCESSES, (sizeof(u.r) + n * sizeof(u.r.access[0]) + 7) / 8 * 8, page, 0, 0);
}

static void one_event(unsigned i)
{
	static struct dsm_ev_begin begin;
	static struct dsm_ev_transfer transfer;
	static struct dsm_ev_invalidate invalidate;
	static struct dsm_ev_update update;
	static struct dsm_ev_barrier barrier;
	unsigned p = (unsigned)(random_word() % PAGES);
	dsm_ev_page page = DSM_EV_PAGE(p * 4096u, 12);

	switch (i % 10) {
	case 0:
		begin.interval = interval();
		shm->counters.begins++;
		EMIT(&begin, BEGIN, 0, 0, 0);
		break;
	case 1:
		one_commit();
		break;
	case 2:
		one_abort(p, page);
		break;
	case 3:
		one_fault(p, page);
		break;
	case 4:
		transfer = (struct dsm_ev_transfer){.page = page, .bytes = (uint32_t)(random_word() % 4096)};
		pages[p].transfers++;
		pages[p].bytes += transfer.bytes;
		EMIT(&transfer, TRANSFER, page, transfer.bytes, 0);
		break;
	case 5:
		invalidate = (struct dsm_ev_invalidate){.page = page, .version = i};
		pages[p].invalidations++;
		EMIT(&invalidate, INVALIDATE, page, 0, 0);
		break;
	case 6:
		update = (struct dsm_ev_update){.page = page, .bytes = 64};
		pages[p].updates++;
		EMIT(&update, UPDATE, page, 64, 0);
		break;
	case 7:
		one_writes(page);
		break;
	case 8:
		one_accesses(page);
		break;
	default:
		barrier = (struct dsm_ev_barrier){.number = i, .wait_ns = 5};
		EMIT(&barrier, BARRIER, 0, 5, 0);
	}
}

/* ---- the process ---- */

static int create_shm(void)
{
	size_t size = sizeof(*shm) + opt.ring_bytes;

	shm_fd = memfd_create(DSM_SHM_NAME, MFD_CLOEXEC);
	if (shm_fd < 0 || ftruncate(shm_fd, (off_t)size) < 0)
		return -errno;
	shm = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, shm_fd, 0);
	if (shm == MAP_FAILED)
		return -errno;
	shm->version = DSM_SHM_VERSION;
	shm->pid = (uint32_t)getpid();
	shm->node = (uint16_t)opt.node;
	shm->nodes = (uint16_t)opt.nodes;
	shm->ring_offset = sizeof(*shm);
	shm->ring_bytes = opt.ring_bytes;
	shm->run_id = opt.run_id;
	shm->counters_bytes = sizeof(shm->counters);
	__atomic_store_n(&shm->magic, DSM_SHM_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

static void sleep_us(unsigned us)
{
	nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L}, NULL);
}

static void wait_for_listener(void)
{
	uint64_t until = now_ns() + (uint64_t)(opt.wait_s * 1e9);

	while (!ring_wants() && !tracer_wants(DSM_EV_NODE) && now_ns() < until)
		sleep_us(1000);
}

static void log_pages(void)
{
	for (unsigned p = 0; log_file && p <= PAGES; p++) {
		const struct page_counts *c = &pages[p];
		uint64_t any = c->fetches | c->fetch_ns | c->transfers | c->bytes | c->invalidations |
			       c->updates | c->aborts | c->wasted_ns;
		if (any)
			fprintf(log_file, "P %u %llx %llu %llu %llu %llu %llu %llu %llu %llu\n", opt.node,
				p == PAGES ? 0ull : (unsigned long long)DSM_EV_PAGE(p * 4096u, 12),
				(unsigned long long)c->fetches, (unsigned long long)c->fetch_ns,
				(unsigned long long)c->transfers, (unsigned long long)c->bytes,
				(unsigned long long)c->invalidations, (unsigned long long)c->updates,
				(unsigned long long)c->aborts, (unsigned long long)c->wasted_ns);
	}
}

static void run(void)
{
	static struct dsm_ev_end end;

	if (opt.wait_s > 0)
		wait_for_listener();
	rundown_if_due();
	for (unsigned i = 0; i < opt.records; i++) {
		one_event(i);
		if (opt.batch && i % opt.batch == opt.batch - 1) {
			rundown_if_due();
			if (opt.pause_us)
				sleep_us(opt.pause_us);
		}
	}
	for (uint64_t until = now_ns() + (uint64_t)(opt.linger_s * 1e9); now_ns() < until; sleep_us(2000))
		rundown_if_due();
	log_pages();
	if (opt.shrink && ftruncate(shm_fd, 0) == 0)
		sleep_us(300000);
	if (opt.crash || opt.crash_told) {
		if (log_file)
			fflush(log_file);
		if (opt.crash_told)
			tell_and_die();
		raise(SIGKILL);
	}
	if (opt.shrink)
		return;
	if (opt.then) {
		if (log_file)
			fflush(log_file);
		execl("/proc/self/exe", "fake_node", "--run", opt.then, "--batch", "10", "--pause-us", "3000",
		      NULL);
	}
	EMIT(&end, END, 0, 0, 0);
	tell_batch();
	__atomic_store_n(&shm->ended, 1, __ATOMIC_RELEASE);
}

int main(int argc, char **argv)
{
	int rc;

	if (options__parse(argc, argv))
		return 2;
	random_state = opt.node * 7919u + 12345;
	if (opt.log && !(log_file = fopen(opt.log, "w")))
		return 2;
	rc = create_shm();
	if (rc) {
		fprintf(stderr, "fake_node: %s\n", strerror(-rc));
		return 1;
	}
	if (opt.mark) {
		FILE *f = fopen(opt.mark, "w");
		if (f)
			fclose(f);
	}
	run();
	if (log_file)
		fclose(log_file);
	return 0;
}
