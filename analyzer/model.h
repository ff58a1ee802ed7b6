/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.h - what the traces say exists: runs, nodes, code, types, objects, names, counters, losses.
 *
 * Ids in records are per node; the model interns what they mean, so that the same source line, type or
 * allocation site is one thing on all nodes and in all runs. Times are brought to one clock a run: that of
 * its lowest node (collector/hostclocks.h).
 */
#ifndef ANALYZER_MODEL_H
#define ANALYZER_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/hostclocks.h"
#include "collector/trace.h"
#include "ending.h"
#include "joined.h"
#include "mem.h"
#include "table.h"

struct code { /* a place in a program file; image 0 = unknown */
	uint32_t image, offset;
};

struct image { /* an ELF file, told apart by its build-id, or by its path when it has none */
	uint32_t build_id_len;
	uint8_t build_id[24];
	char path[256];
};

struct site { /* a call chain of return addresses, innermost first; site 0 = unknown */
	uint32_t nframes;
	struct code frame[DSM_EV_FRAMES];
};

struct type { /* type 0 = unknown */
	uint32_t size, image;
	char name[96];
};

struct object {
	uint32_t run;
	uint16_t node; /* that allocated it */
	bool flat, planned;
	uint64_t offset, bytes, count;
	uint32_t elem_size, stride, block, block_stride;
	uint32_t type_id, site_id; /* of `node` */
	int64_t born_ns, died_ns;
	uint32_t group; /* model__group(); GROUP_UNKNOWN until asked for */
};
#define GROUP_UNKNOWN UINT32_MAX

/* Allocations that the program (and a plan's rule) cannot tell apart: same type, size and call chain. */
struct group {
	uint32_t type, site;
	uint32_t elem_size;
	bool flat;
	VEC(uint32_t) objects;
};

struct id_map { /* ids of one node to interned numbers; a later definition replaces an earlier one */
	struct table ids;
	uint32_t *value;
	size_t cap;
};

struct node {
	bool seen, ended, counted, from_start;
	uint16_t number;
	uint32_t pid;
	int32_t status;
	uint8_t page_log2, consistency;
	uint16_t cluster; /* nodes that the run was started with */
	uint64_t region_bytes;
	char host[64];
	struct id_map modules, sites, types;
	struct trace_counters first, last;
	uint64_t records;
	uint64_t last_seq, last_number; /* of its records so far; evidence.c */
};

struct root {
	uint32_t run;
	uint64_t offset;
	char name[48];
};

struct page_stat {
	uint32_t run;
	struct trace_page_stat stat;
};

struct page_home { /* a page whose home has moved */
	uint32_t run;
	uint64_t offset;
	uint64_t moves, version; /* version: of the page at the last of them */
	int64_t time_ns;	 /* of the last one */
	uint16_t birth, home;
};

struct run {
	uint64_t id;
	char program[128];
	char *source_file; /* names of the trace files, comma separated */
	char *info, *summary;
	VEC(struct node) nodes; /* ascending by number */
	struct hostclocks
		*clocks; /* of several traces, a part each; NULL: of one, all on one clock already */
	struct joined joined;
	uint64_t lost[DSM_EV_TYPE_MAX];
	uint64_t records, aborts_seen;
	uint64_t lost_in_all;	     /* as the last chunk says, before it says of which types */
	bool cut, damaged, unclosed; /* unclosed: a trace without a summary */
	struct ending ending;
	int64_t first_ns, last_ns;
};

struct model {
	VEC(struct run) runs;
	struct table images, sites, types; /* interned struct image, site, type; 0 = unknown */
	VEC(struct object) objects;
	VEC(struct root) roots;
	VEC(struct group) groups;
	struct table group_ids;
	struct table live; /* (run, offset) -> number; live_object[number]: object + 1, 0 when freed */
	VEC(uint32_t) live_object;
	struct table page_ids;
	VEC(struct page_stat) pages;
	struct table home_ids; /* (page, run) */
	VEC(struct page_home) homes;
	uint32_t *by_offset; /* objects by (run, offset, birth), and the furthest end so far */
	uint64_t *reach;
	size_t indexed;
	uint64_t malformed;
	bool intervals; /* some memory is sc or rc: intervals were recorded */
	bool kept;	/* attempts have met others and were not undone */
};

void model__init(struct model *m);
void model__free(struct model *m);

uint32_t model__run(struct model *m, uint64_t run_id, const char *file);
struct node *model__node(struct model *m, uint32_t run, uint16_t number);
const struct node *model__find_node(const struct model *m, uint32_t run, uint16_t number);

/* Takes in one sane record; those that only say what happens are left to evidence.h. */
void model__record(struct model *m, uint32_t run, const struct dsm_ev_hdr *record);
void model__pages(struct model *m, uint32_t run, const struct trace_page_stat *pages, size_t count);
void model__counters(struct model *m, uint32_t run, const struct trace_counters *counters, size_t count);

/* Parts of model__record() that live in objects.c. */
void model__take_object(struct model *m, uint32_t run, const struct dsm_ev_object *rec, int64_t time_ns);
void model__take_free(struct model *m, uint32_t run, const struct dsm_ev_free *rec, int64_t time_ns);

/* True when records of a type may be missing: lost, or in a damaged part. */
bool model__lossy(const struct model *m, uint32_t run, unsigned type);

/* A node's time on the run's clock. */
int64_t model__time(const struct model *m, uint32_t run, uint16_t node, uint64_t time_ns);

/* What a node's ids mean; 0 / {0, 0} when the defining record never came. */
uint32_t model__site(const struct model *m, uint32_t run, uint16_t node, uint32_t site_id);
struct code model__code(const struct model *m, uint32_t run, uint16_t node, struct dsm_ev_ip ip);
uint32_t model__type(const struct model *m, uint32_t run, uint16_t node, uint32_t type_id);
const struct site *model__site_at(const struct model *m, uint32_t site);
const struct type *model__type_at(const struct model *m, uint32_t type);
const struct image *model__image_at(const struct model *m, uint32_t image);

/* Objects that overlap [from, to) of a run's region at a time: fills `out` with at most `max` object numbers
 * in address order, returns how many. Objects alive then come first in case of doubt. */
size_t model__objects_at(struct model *m, uint32_t run, uint64_t from, uint64_t to, int64_t time_ns,
			 uint32_t *out, size_t max);
uint32_t model__group(struct model *m, uint32_t object);
/* Its root name, or else its group's. */
void model__object_name(const struct model *m, uint32_t object, char *out, size_t size);
/* What elements of the object are called: "row" for those of dsm_new_rows(), else "element". */
const char *model__element(const struct model *m, uint32_t object);
/* "avatars", "stats.*", "struct avatar[64]", ... */
void model__group_name(const struct model *m, uint32_t group, char *out, size_t size);
/* "struct avatar[64]" or "4 x struct stats" */
void model__group_shape(const struct model *m, uint32_t group, char *out, size_t size);

/* Adds up what the counters say between a node's start (or first sample) and its last sample. */
/* Between a node's samples; with less, or less than half of what the records span, rates are noise. */
#define TOTALS_LEAST_NS 10000000
struct totals {
	struct dsm_counters sum;
	bool measured;	     /* long enough to speak of rates; else seconds are 0 */
	double recorded;     /* seconds between the records, for runs too short to measure as well */
	double seconds;	     /* wall time of the runs, added up */
	double node_seconds; /* the same times the nodes */
	unsigned nodes;	     /* most in any run */
	double cores;	     /* of all hosts of a run together, in the mean of the runs; 0: not known */
	bool intervals; /* the runs' default is sc or rc: what counts is intervals, and what they waited */
	uint8_t consistency; /* enum dsm_ev_consistency; 0: runs of several */
};
void model__totals(const struct model *m, struct totals *t);

#endif
