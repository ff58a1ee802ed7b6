/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dsm_events.h - the event contract between a DSM and the tools that watch it.
 *
 * This header stands alone: a DSM that fills these records and fires these probes gets dsmcollect,
 * dsmtop, dsmreport and dsmgate. docs/events.md gives each field's meaning and unit.
 *
 * How an event travels. The DSM builds a record in memory of its own that stays mapped (never in
 * DSM memory: a tracer that reads it could fault on the DSM's own fault handler) and fires the USDT
 * probe `dsm:<type>` with five scalars: the record's address, its size, the node, the page and one
 * value (nanoseconds or bytes). A tracer may count by the scalars alone or copy the record. Where
 * BPF is refused, the same record is appended to the ring in the node's shared memory (struct
 * dsm_shm below). Either way a record costs nothing while nobody listens. A DSM with many events gathers
 * records and fires one probe for all of them (batches, below).
 *
 * Compatibility. A reader skips record types it does not know and bytes past the fields it knows
 * (hdr.size rules). Fields are only ever appended; a changed meaning is a new type. All integers are
 * little-endian; every record's size is a multiple of 8 and at most DSM_EV_MAX.
 */
#ifndef DSM_EVENTS_H
#define DSM_EVENTS_H

#include <stdint.h>

#define DSM_EV_VERSION 1u
#define DSM_EV_MAX     4096u /* bytes of the largest record, header included */

/* A page is (region offset, log2 of its size) in one word: offsets are multiples of the page size,
 * which is at least 4096, so the size's logarithm fits below them. */
typedef uint64_t dsm_ev_page;
#define DSM_EV_PAGE(offset, log2) ((dsm_ev_page)((uint64_t)(offset) | (uint64_t)(log2)))
#define DSM_EV_PAGE_OFFSET(page)  ((uint64_t)(page) & ~(uint64_t)0xfff)
#define DSM_EV_PAGE_LOG2(page)	  ((unsigned)((page)&0xfff))

/* X(enumerator, number, probe name). Numbers are part of the contract and never reused. */
#define DSM_EV_TYPES(X)                                                                                      \
	X(NODE, 1, node)                                                                                     \
	X(MODULE, 2, module)                                                                                 \
	X(SITE, 3, site)                                                                                     \
	X(TYPE, 4, type)                                                                                     \
	X(OBJECT, 5, object)                                                                                 \
	X(FREE, 6, free)                                                                                     \
	X(ROOT, 7, root)                                                                                     \
	X(CLOCK, 8, clock)                                                                                   \
	X(END, 9, end)                                                                                       \
	X(BEGIN, 16, begin)                                                                                  \
	X(COMMIT, 17, commit)                                                                                \
	X(ABORT, 18, abort)                                                                                  \
	X(FAULT, 19, fault)                                                                                  \
	X(TRANSFER, 20, transfer)                                                                            \
	X(INVALIDATE, 21, invalidate)                                                                        \
	X(UPDATE, 22, update)                                                                                \
	X(WRITES, 23, writes)                                                                                \
	X(ACCESSES, 24, accesses)                                                                            \
	X(BARRIER, 25, barrier)                                                                              \
	X(INTERVAL, 26, interval)                                                                            \
	X(MEET, 27, meet)                                                                                    \
	X(LOCK, 28, lock)                                                                                    \
	X(MOVE, 29, move)

enum dsm_ev_type {
#define X(name, number, probe) DSM_EV_##name = number,
	DSM_EV_TYPES(X)
#undef X
		DSM_EV_TYPE_MAX = 32 /* arrays indexed by type have this length */
};

#define DSM_EV_BIT(name) (1u << DSM_EV_##name)
/* Types that say what is what, and where it lives; and those that say something about a page that is counted. */
#define DSM_EV_NAMES                                                                                         \
	(DSM_EV_BIT(NODE) | DSM_EV_BIT(MODULE) | DSM_EV_BIT(SITE) | DSM_EV_BIT(TYPE) | DSM_EV_BIT(OBJECT) |  \
	 DSM_EV_BIT(FREE) | DSM_EV_BIT(ROOT) | DSM_EV_BIT(END) | DSM_EV_BIT(MOVE))
#define DSM_EV_PAGES                                                                                         \
	(DSM_EV_BIT(FAULT) | DSM_EV_BIT(TRANSFER) | DSM_EV_BIT(INVALIDATE) | DSM_EV_BIT(UPDATE) |            \
	 DSM_EV_BIT(ABORT) | DSM_EV_BIT(MEET))

/* hdr.flags */
#define DSM_EV_F_RUNDOWN    0x01u /* repeats what is already true, for a collector that came late */
#define DSM_EV_F_RETRY	    0x02u /* the interval is a retry (attempt > 0) */
#define DSM_EV_F_MICROSCOPE 0x04u /* the interval was slowed by the microscope: leave it out of rates */
#define DSM_EV_F_AHEAD	    0x08u /* TRANSFER: prefetched; the page is in no read set until its first fault */
#define DSM_EV_F_INTERVAL   0x10u /* the subject is an interval of sc or rc, numbered apart from attempts */

struct dsm_ev_hdr {
	uint16_t size; /* bytes of the whole record, this header included */
	uint16_t type; /* enum dsm_ev_type */
	uint8_t version;
	uint8_t flags; /* DSM_EV_F_* */
	uint16_t node;
	uint32_t generation; /* of the cluster; +1 at each reset */
	uint32_t weight;     /* this record stands for so many occurrences (1 = not sampled) */
	uint64_t seq;	     /* per node, +1 for each record emitted: a gap is a loss */
	uint64_t time_ns;    /* the node's monotonic clock; CLOCK records relate the nodes */
};

/* The subject of every activity: one attempt at a transaction (tx) or one access interval between
 * two acquires or barriers (sc, rc). With hdr.node and hdr.generation it is unique in a run. */
struct dsm_ev_interval {
	uint64_t number;  /* per node; 0 = none. All attempts of one transaction share it */
	uint32_t attempt; /* 0 for the first */
	uint32_t site;	  /* SITE id where the interval begins; 0 = unknown */
};

/* The other side of a conflict; its site is an id of *that* node. */
struct dsm_ev_party {
	struct dsm_ev_interval interval;
	uint32_t generation;
	uint16_t node;
	uint16_t reserved;
};

/* A code address: module id of the record's node, and file offset. module 0 = unknown. */
struct dsm_ev_ip {
	uint32_t module;
	uint32_t offset;
};

/* ---- what things are: emitted when they come to be, and again at a rundown ---- */

enum dsm_ev_consistency { DSM_EV_TX = 1, DSM_EV_SC = 2, DSM_EV_RC = 3 };

struct dsm_ev_node {
	struct dsm_ev_hdr hdr;
	uint32_t pid;
	uint16_t nodes; /* in the cluster */
	uint8_t page_log2;
	uint8_t consistency;	    /* enum dsm_ev_consistency */
	uint64_t region_bytes;	    /* size of the DSM */
	uint64_t region_base;	    /* address at which every node maps it (information only) */
	uint64_t start_realtime_ns; /* wall clock at the node's start */
	uint64_t run_id;	    /* the same on all nodes of one run, random */
	char host[64];
	char program[128]; /* base name, NUL-terminated */
};

struct dsm_ev_module {
	struct dsm_ev_hdr hdr;
	uint32_t id;
	uint32_t build_id_len; /* bytes used of build_id; 0 = the module has none */
	uint8_t build_id[24];
	char path[256];
};

#define DSM_EV_FRAMES 8
struct dsm_ev_site { /* an interned call chain, innermost first */
	struct dsm_ev_hdr hdr;
	uint32_t id;
	uint32_t nframes;
	struct dsm_ev_ip frame[DSM_EV_FRAMES]; /* return addresses */
};

struct dsm_ev_typedesc {
	struct dsm_ev_hdr hdr;
	uint32_t id;
	uint32_t size;	 /* sizeof one element as the program declares it */
	uint32_t module; /* whose debug information describes it */
	uint32_t reserved;
	char name[96]; /* as written in dsm_new(), e.g. "struct avatar" */
};

/* An allocation. Element i lives at offset + (block ? (i/block)*block_stride + (i%block)*stride
 * : i*stride). Without a plan stride == elem_size and block == 0. */
#define DSM_EV_OBJECT_PLANNED 0x1u /* a plan changed this allocation's layout */
#define DSM_EV_OBJECT_FLAT    0x2u /* used as a plain C array: a plan may move it, never pad inside it */
struct dsm_ev_object {
	struct dsm_ev_hdr hdr;
	uint64_t offset; /* region offset of its first byte; names the object until its FREE */
	uint64_t bytes;	 /* laid out, from offset */
	uint64_t count;	 /* elements */
	uint32_t elem_size;
	uint32_t stride;
	uint32_t block;
	uint32_t block_stride;
	uint32_t type;	/* TYPE id of hdr.node */
	uint32_t site;	/* SITE id of hdr.node: the allocation's call chain */
	uint32_t flags; /* DSM_EV_OBJECT_* */
	uint32_t reserved;
};

struct dsm_ev_free {
	struct dsm_ev_hdr hdr;
	uint64_t offset;
};

struct dsm_ev_root { /* a name the program gave to an address */
	struct dsm_ev_hdr hdr;
	uint64_t offset;
	char name[48];
};

struct dsm_ev_clock { /* peer's clock minus this node's, measured by ping; error <= rtt/2 */
	struct dsm_ev_hdr hdr;
	int64_t offset_ns;
	uint64_t rtt_ns;
	uint16_t peer;
	uint16_t reserved[3];
};

struct dsm_ev_end { /* the node's last record */
	struct dsm_ev_hdr hdr;
	int32_t status;		 /* exit status, or -signal */
	uint32_t counters_bytes; /* of counters[], as in struct dsm_shm; 0: it has none */
	uint64_t counters[];	 /* struct dsm_counters, for who comes when the node's memory is gone */
};

/* ---- what happens ---- */

struct dsm_ev_begin { /* sampled: weight */
	struct dsm_ev_hdr hdr;
	struct dsm_ev_interval interval;
};

#define DSM_EV_COMMIT_LOCAL	  0x1u /* no message was needed */
#define DSM_EV_COMMIT_GIVEN	  0x2u /* `iterations` was given, by the program or a plan */
#define DSM_EV_COMMIT_INDEPENDENT 0x4u /* never undone: the program has promised that it need not be */
struct dsm_ev_commit {		       /* local commits are sampled: weight */
	struct dsm_ev_hdr hdr;
	struct dsm_ev_interval interval;
	uint64_t duration_ns; /* begin to end of this attempt */
	uint64_t commit_ns;   /* of which in the commit protocol */
	uint32_t pages_read;
	uint32_t pages_written;
	uint16_t flags;	 /* DSM_EV_COMMIT_* */
	uint16_t pieces; /* so large that the whole loop takes (65535: at least); 0: no loop, or not known */
	uint32_t iterations; /* of a loop that commits within itself, in this transaction; 0: as above */
	/* Of a loop that goes on, at its first attempt; 0: not known. Records made before these fields end here. */
	uint64_t between_ns; /* from the last iteration before this transaction to its own first one */
	uint64_t work_ns;    /* from that to the end of its last one */
	/* Of an attempt that is never undone: until others' commits of its pages were not in the way of this one any more.
	 * Records end here where it is 0. */
	uint64_t rebase_ns;
};

/* X(enumerator, number, name in reports) */
#define DSM_EV_CAUSES(X)                                                                                     \
	X(CONFLICT, 1, "conflict")	 /* another transaction committed first */                           \
	X(UNTOUCHED, 2, "untouched")	 /* as CONFLICT, but this attempt never accessed the page */         \
	X(PRIORITY, 3, "priority")	 /* lost at commit to one that had to win */                         \
	X(IRREVOCABLE, 4, "irrevocable") /* lost to one that cannot abort */                                 \
	X(CANCEL, 5, "cancel")		 /* the program asked for it */                                      \
	X(LOCK, 6, "lock")		 /* a lock could not be had */                                       \
	X(NODE_LOSS, 7, "node-loss")

enum dsm_ev_cause {
#define X(name, number, text) DSM_EV_CAUSE_##name = number,
	DSM_EV_CAUSES(X)
#undef X
		DSM_EV_CAUSE_MAX = 8
};

#define DSM_EV_ACCESS_READ  0x1u
#define DSM_EV_ACCESS_WRITE 0x2u

struct dsm_ev_meeting { /* one page where winner and loser met */
	dsm_ev_page page;
	uint64_t version;	 /* that the loser saw */
	uint64_t winner_version; /* that the winner's commit makes */
	uint8_t access;		 /* of the loser in this attempt: DSM_EV_ACCESS_*; 0 = untouched or unknown */
	uint8_t tracked;	 /* 1: the page was armed, so `access` is exact; 0: it was left mapped */
	uint8_t reserved[6];
};

#define DSM_EV_MEETINGS 16
struct dsm_ev_abort {
	struct dsm_ev_hdr hdr;
	struct dsm_ev_interval interval; /* the loser */
	struct dsm_ev_party winner;	 /* interval.number 0 = none (cancel, ...) */
	uint64_t wasted_ns; /* from its begin to the end of its undoing, and the pause before the next */
	uint32_t cause;	    /* enum dsm_ev_cause */
	uint16_t nmeetings; /* filled below */
	uint16_t total;	    /* pages where they met; > nmeetings when cut */
	struct dsm_ev_meeting meeting[DSM_EV_MEETINGS];
};

enum dsm_ev_fault_kind {
	DSM_EV_FAULT_FETCH = 1,	     /* the page came from another node */
	DSM_EV_FAULT_UPGRADE = 2,    /* first write to a page that was readable (local; sampled) */
	DSM_EV_FAULT_REARM = 3,	     /* the page was here, only tracking closed it (local; sampled) */
	DSM_EV_FAULT_PREFETCHED = 4, /* the page was here, a prefetch had brought it (local; sampled) */
};

struct dsm_ev_fault {
	struct dsm_ev_hdr hdr;
	struct dsm_ev_interval interval;
	dsm_ev_page page;
	uint64_t version; /* of the page after the fault */
	uint64_t wait_ns;
	struct dsm_ev_ip ip; /* the faulting instruction */
	uint16_t offset;     /* of the faulting byte in the page */
	uint16_t home;
	uint8_t access; /* DSM_EV_ACCESS_* */
	uint8_t kind;	/* enum dsm_ev_fault_kind */
	uint8_t reserved[2];
};

struct dsm_ev_transfer { /* page bytes arrived at this node */
	struct dsm_ev_hdr hdr;
	dsm_ev_page page;
	uint64_t version;
	uint32_t bytes; /* on the wire */
	uint16_t from;
	uint16_t diff; /* 1: changed runs only */
};

struct dsm_ev_invalidate { /* this node lost its copy */
	struct dsm_ev_hdr hdr;
	dsm_ev_page page;
	uint64_t version; /* that was lost */
	struct dsm_ev_party winner;
};

struct dsm_ev_update { /* this node's copy was brought up to date instead */
	struct dsm_ev_hdr hdr;
	dsm_ev_page page;
	uint64_t version; /* new */
	uint32_t bytes;
	uint32_t reserved;
	struct dsm_ev_party winner;
};

struct dsm_ev_move { /* this node was the page's home and leaves that to another one */
	struct dsm_ev_hdr hdr;
	dsm_ev_page page;
	uint64_t version; /* that was committed last */
	uint16_t to;
	uint16_t birth; /* its home before it ever moved */
	uint32_t reserved;
};

enum dsm_ev_basis {
	DSM_EV_BASIS_CHANGED = 1,     /* bytes whose value changed (diff): a lower bound of the written */
	DSM_EV_BASIS_FIRST_TOUCH = 2, /* one fault's address */
	DSM_EV_BASIS_OPERAND = 3,     /* every access was seen; sizes from the instruction */
	DSM_EV_BASIS_PAGE = 4,	      /* the whole page, for want of better */
};

struct dsm_ev_run {
	uint16_t offset;
	uint16_t length;
};

/* What an interval wrote to a page. A winner emits it once for each page that others held; a loser
 * for each page it wrote and met its winner on. Several records of one (interval, page) add up. */
#define DSM_EV_WRITES_COMMITTED 0x1u /* 0: the interval aborted */
#define DSM_EV_RUNS		1000
struct dsm_ev_writes {
	struct dsm_ev_hdr hdr;
	struct dsm_ev_interval interval;
	dsm_ev_page page;
	uint64_t version; /* made by this commit, or the base of a loser's */
	uint8_t flags;	  /* DSM_EV_WRITES_* */
	uint8_t basis;	  /* enum dsm_ev_basis */
	uint16_t nruns;
	uint16_t nmasks; /* 0: none; else struct dsm_ev_masks follows the runs, at the next multiple of 8 */
	uint16_t reserved;
	struct dsm_ev_run run[]; /* ascending, disjoint */
};

/* Changed bytes where runs would be many and short, of the first 4096 bytes of the page: bit i % 64 of words[i / 64] says that
 * bytes 8 i to 8 i + 7 have changed ones, and the next mask which of them. Where there are masks there need be no runs. */
struct dsm_ev_masks {
	uint64_t words[8];
	uint8_t mask[]; /* one for each bit that is set: dsm_ev_writes.nmasks */
};
#define DSM_EV_MASKS_AT(nruns)                                                                               \
	((sizeof(struct dsm_ev_writes) + (nruns) * sizeof(struct dsm_ev_run) + 7) & ~7ull)

struct dsm_ev_access {
	uint16_t offset; /* in the page */
	uint8_t size;	 /* bytes; 0 = to be decoded from the instruction */
	uint8_t access;	 /* DSM_EV_ACCESS_* */
	struct dsm_ev_ip ip;
};

/* What the microscope saw of one page in one attempt (read AND written bytes). */
#define DSM_EV_ACCESSES_COMPLETE 0x1u /* every access of the attempt to this page is listed */
#define DSM_EV_ACCESS_LIST	 330  /* most in one record */
struct dsm_ev_accesses {
	struct dsm_ev_hdr hdr;
	struct dsm_ev_interval interval;
	dsm_ev_page page;
	uint64_t version;
	uint8_t flags; /* DSM_EV_ACCESSES_* */
	uint8_t basis;
	uint16_t naccesses;
	uint32_t reserved;
	struct dsm_ev_access access[]; /* in program order, repeats of (offset, access, ip) dropped */
};

struct dsm_ev_barrier {
	struct dsm_ev_hdr hdr;
	uint64_t number;
	uint64_t wait_ns;
};

/* ---- what happens under sequential and release consistency (DSM_EV_SC, DSM_EV_RC): nothing is undone, so a
 * conflict costs what is waited for because of it. MEET is for attempts that are never undone, too ---- */

struct dsm_ev_ended { /* INTERVAL: one is over in which anything remote or shared happened */
	struct dsm_ev_hdr hdr;
	struct dsm_ev_interval interval;
	uint64_t duration_ns;
	uint64_t flush_ns;	/* waited at its end until all copies had what it wrote */
	uint32_t pages_read;	/* opened in it */
	uint32_t pages_written; /* of these, for writing */
};

struct dsm_ev_met {
	dsm_ev_page page;
	uint64_t since;	 /* interval in which this node got what it had of the page; 0: not known */
	uint64_t opened; /* in which it got the right to write: its WRITES of the page bear it; 0: none */
	uint8_t access;	 /* of this node since then: DSM_EV_ACCESS_* */
	uint8_t tracked; /* 1: `access` is exact; 0: the page was left mapped */
	uint8_t wanted;	 /* by the other: WRITE: to change it (rc, tx: has changed it); READ: to read it */
	uint8_t reserved[5];
};

/* Another node's interval wanted (sc) or changed (rc) pages that this node's interval had in use. It costs the
 * wait of that interval's FAULT at the page (sc), or its share of that interval's flush_ns (rc).
 * DSM_EV_TX: `interval` is an attempt that is never undone, `other` one that commits these pages meanwhile, or tries to. It costs
 * its share of rebase_ns in the COMMIT of `interval`. since, opened: 0. Of both sides the number alone says who it is. */
struct dsm_ev_meet {
	struct dsm_ev_hdr hdr;
	struct dsm_ev_interval interval; /* here */
	struct dsm_ev_party other;
	uint16_t nmet;	/* filled below */
	uint16_t total; /* pages; > nmet when cut */
	uint8_t model;	/* enum dsm_ev_consistency: of the pages */
	uint8_t reserved[3];
	struct dsm_ev_met met[]; /* at most DSM_EV_MEETINGS */
};

#define DSM_EV_LOCK_OBJECT 0x1u /* named by an object: `name` is its region offset; else by a site */
#define DSM_EV_LOCK_GIVEN  0x2u /* `iterations` was given, by the program or a plan */
struct dsm_ev_lock {		/* a lock came from another node; one that is here already is only counted */
	struct dsm_ev_hdr hdr;
	struct dsm_ev_interval interval; /* that begins with it */
	uint64_t name;
	uint64_t wait_ns;
	uint16_t manager;
	uint16_t flags;	     /* DSM_EV_LOCK_* */
	uint16_t iterations; /* of a loop, before the lock is given back (65535: at least); 0: as in COMMIT */
	uint16_t pieces;     /* as in COMMIT */
};

/* ---- batches: records told together ---- */

/* A probe that is attached is a trap, which amid other work costs several times what the record costs. So a DSM may gather
 * records, each after an entry with the probe's scalars, and tell them by one probe:
 *
 *   dsm:batch         records of all types
 *   dsm:batch_pages   for who wants DSM_EV_NAMES and DSM_EV_PAGES only; others may be among them
 *
 * with the arguments (address of the first entry, bytes, node, number of entries, 0). A file that has these probes tells by them all
 * that its other probes tell; who listens needs only one of them, and `node` for the rundown. What is not told yet stands in the node's
 * shared memory, so that a node that dies owes nothing; it is told within DSM_EV_BATCH_MS while the node lives. */
struct dsm_ev_entry {
	dsm_ev_page page; /* as the record's own probe has them */
	uint64_t value;
	/* the record follows, hdr.size bytes */
};
#define DSM_EV_BATCH	8192u /* bytes of a batch at most; the largest record has room in an empty one */
#define DSM_EV_BATCH_MS 100u

/* ---- shared memory of a node: counters always, a ring when somebody asks for it ---- */

/* Each node owns a memfd named DSM_SHM_NAME; a collector of the same user finds it under
 * /proc/PID/fd, so nothing is left behind when a node dies. X(name, unit or meaning) */
#define DSM_SHM_NAME	"procope-node"
#define DSM_SHM_MAGIC	0x31454e4f50434f52ull
#define DSM_SHM_VERSION 1u

#define DSM_COUNTERS(X)                                                                                      \
	X(begins, "attempts begun")                                                                          \
	X(commits, "commits")                                                                                \
	X(commits_local, "commits without a message")                                                        \
	X(aborts, "aborts, all causes")                                                                      \
	X(aborts_conflict, "aborts: conflict")                                                               \
	X(aborts_untouched, "aborts: untouched")                                                             \
	X(aborts_priority, "aborts: priority")                                                               \
	X(aborts_cancel, "aborts: cancel")                                                                   \
	X(aborts_other, "aborts: other causes")                                                              \
	X(committed_ns, "ns in attempts that committed")                                                     \
	X(wasted_ns, "ns in attempts that aborted, and in the pauses after them")                            \
	X(commit_ns, "ns in the commit protocol")                                                            \
	X(fetch_ns, "ns waiting for pages")                                                                  \
	X(barrier_ns, "ns waiting at barriers")                                                              \
	X(faults_fetch, "faults served by another node")                                                     \
	X(faults_upgrade, "faults: first write, local")                                                      \
	X(faults_rearm, "faults: tracking only, local")                                                      \
	X(pages_in, "page transfers received")                                                               \
	X(bytes_in, "bytes received")                                                                        \
	X(bytes_out, "bytes sent")                                                                           \
	X(messages_out, "messages sent")                                                                     \
	X(invalidations, "copies lost to another node's commit")                                             \
	X(updates, "copies updated by another node's commit")                                                \
	X(barriers, "barriers passed")                                                                       \
	X(microscope_accesses, "accesses seen one by one")                                                   \
	X(microscope_ns, "ns spent by the microscope")                                                       \
	X(work, "units of work the program reported")                                                        \
	X(objects, "live objects")                                                                           \
	X(object_bytes, "bytes of live objects")                                                             \
	X(events, "records emitted")                                                                         \
	X(sticky_pages, "pages that stay writable between transactions")                                     \
	X(sticky_writes, "changes committed in such pages")                                                  \
	X(faults_prefetched, "faults on pages that a prefetch had brought, local")                           \
	X(bulk_pages, "pages fetched together by dsm_touch()")                                               \
	X(prefetch_asked, "pages asked for ahead of their use")                                              \
	X(prefetch_refused, "of these: refused by their home, which would have had to wait")                 \
	X(prefetch_used, "of these: used")                                                                   \
	X(prefetch_lost, "of these: lost to another node's commit before their use")                         \
	X(ahead_opened, "pages opened for writing ahead of a row of first writes")                           \
	X(ahead_used, "of these: changed by the attempt that was given them")                                \
	X(aborts_irrevocable, "aborts: irrevocable")                                                         \
	X(irrevocable, "attempts that became irrevocable")                                                   \
	X(retries, "dsm_retry(): waits for a change")                                                        \
	X(retry_ns, "ns in them")                                                                            \
	X(update_holders, "as a home: decisions to send a holder updates")                                   \
	X(updates_unused, "copies given up because their updates were not used")                             \
	X(decisions_passed, "as a home: decisions of commits left to the only other holder")                 \
	X(handed_over, "exclusive pages given up to a node that was going to write them")                    \
	X(homes_moved, "as a home: pages whose home it left to another node")                                \
	X(homes_asked, "requests for a page whose home is elsewhere, sent there")                            \
	X(intervals, "intervals in which anything remote or shared happened (sc, rc)")                       \
	X(meets,                                                                                             \
	  "as the holder of a copy: conflicts with another node's interval, or commit, without a loss")      \
	X(locks, "locks acquired")                                                                           \
	X(locks_remote, "of these: that came from another node")                                             \
	X(lock_ns, "ns waiting for locks")                                                                   \
	X(flush_ns, "ns waiting until all copies had what was written")                                      \
	X(wasted_fetch_ns, "of wasted_ns: ns waiting for pages")                                             \
	X(local_ns, "ns in faults on pages that were here, and opening pages ahead of them")                 \
	X(wasted_local_ns, "of wasted_ns: such ns")                                                          \
	X(sections, "critical sections (blocks under sc and rc)")                                            \
	X(flushes, "rc: messages with changes to a home")                                                    \
	X(flushed_pages, "pages in them")                                                                    \
	X(spreads, "as a home: messages with changes (rc) or copies (sc) to who reads them")                 \
	X(spread_pages, "pages in them")                                                                     \
	X(copies_rearmed, "rc, sc: faults on copies that were closed to see whether they are used")          \
	X(copies_given_up, "rc, sc: copies given up because nobody used them")                               \
	X(cores, "processors of the host")                                                                   \
	X(cpu_ns, "ns of processor time, as of the last attempt looked at for the next ones")                \
	X(cpu_mutator_ns, "of these: of the program's own thread")                                           \
	X(cpu_locals, "attempts looked at: committed without a message")                                     \
	X(cpu_local_ns, "ns of processor time in them")                                                      \
	X(cpu_remotes, "attempts looked at: committed with messages")                                        \
	X(cpu_remote_ns, "ns of processor time in them")                                                     \
	X(cpu_aborts, "attempts looked at: aborted")                                                         \
	X(cpu_abort_ns, "ns of processor time in them")                                                      \
	X(changes_ns, "rc: ns of comparing written pages, of packing and of merging changes")                \
	X(merges, "rc: changes of a page that came from elsewhere and were merged")                          \
	X(batches, "batches of records told")                                                                \
	X(rebased, "independent: changed pages put on top of a newer version")                               \
	X(rebase_ns, "independent: ns until others' commits were not in the way of its own any more")

struct dsm_counters {
#define X(name, meaning) uint64_t name;
	DSM_COUNTERS(X)
#undef X
};

/* What the counters grew by in a phase that the program has named; sizes and levels (objects, sticky pages) may shrink:
 * two's complement. */
#define DSM_PHASES 8
struct dsm_phase {
	char name[24]; /* NUL-terminated; "" ends the list */
	uint64_t ns;   /* in the phase, in all */
	struct dsm_counters counters;
};

/* The ring: one producer (the node, under its own lock), one consumer. Positions are byte counts
 * that never wrap back; a record lies contiguously at position % ring_bytes. A header with size 0
 * at a position, or fewer than sizeof(struct dsm_ev_hdr) bytes before the end, means "go on at the
 * ring's start". The producer never waits: what does not fit is counted in lost[type]. */
struct dsm_shm {
	uint64_t magic; /* DSM_SHM_MAGIC, written last */
	uint32_t version;
	uint32_t pid;
	uint16_t node;
	uint16_t nodes;
	uint32_t ring_offset; /* bytes from this struct to the ring */
	uint64_t ring_bytes;  /* power of two */
	uint64_t run_id;
	uint64_t counters_bytes; /* sizeof(struct dsm_counters) of the writer */
	_Alignas(64) struct dsm_counters counters;
	_Alignas(64) uint64_t ring_listeners; /* set to the consumer's pid to switch the ring on, 0: off */
	_Alignas(64) uint64_t ring_head;      /* written by the producer */
	_Alignas(64) uint64_t ring_tail;      /* written by the consumer */
	_Alignas(64) uint64_t lost[DSM_EV_TYPE_MAX];
	uint64_t ended;			   /* 1: the node's END record is out */
	_Alignas(64) uint64_t batch_bytes; /* in use of `batch`: entries that no probe has told yet */
	uint8_t batch[DSM_EV_BATCH];
	struct dsm_phase phases[DSM_PHASES];
};

#endif
