/* SPDX-License-Identifier: BSD-2-Clause */
/* merge_parts.h - what the parts of the merger share: what is known of each trace that goes in. */
#ifndef PROCOPE_MERGE_PARTS_H
#define PROCOPE_MERGE_PARTS_H

#include "collector/hostclocks.h"
#include "collector/merge.h"
#include "collector/trace.h"

#define MERGE_NODES 65536u /* that a record can name */
#define MERGE_PARTS 4096u

/* How a part's clock is known. */
enum merge_clock {
	MERGE_OWN,     /* it is the clock of the result */
	MERGE_PING,    /* the nodes have measured the difference (CLOCK records) */
	MERGE_WALL,    /* from the hosts' wall clocks at the collectors' start */
	MERGE_UNKNOWN, /* neither: its times are left as they are */
};

struct merge_node {
	uint16_t part; /* index + 1; 0: in none */
	uint32_t pid;
	bool ended;
	int status;
	char host[64];
};

struct merge_part {
	const char *path;
	struct trace_reader *reader;
	struct trace_item item; /* not written yet, when `ready` */
	bool ready, ended;
	uint64_t run_id;
	bool cut, damaged, closed;	/* closed: it has a summary */
	char *info, *summary;		/* NULL: none */
	uint64_t wall_ns, monotonic_ns; /* of its collector's start; 0: unknown */
	uint64_t first_ns;		/* its first record's time; 0: it has none */
	enum merge_clock clock;
	int64_t shift_ns; /* add to its times to get the run's; MERGE_PING: to its first */
	bool sampled;	  /* its counters wait to be written */
	struct trace_loss
		*lost; /* as of its last losses, each type once, also those that this version does not know */
	size_t nlost, lost_room;
	uint64_t lost_total;
};

struct merge {
	const struct merge_options *options;
	struct merge_part *part;
	size_t nparts;
	struct merge_node *node; /* [MERGE_NODES] */
	struct hostclocks *clocks;
	unsigned nodes; /* in the cluster, as its nodes say */
	uint16_t lowest;
	uint64_t run_id;
	char program[128];
	struct trace_writer *trace;
	struct trace_counters *counters; /* that wait */
	size_t ncounters, counters_room;
	struct trace_page_stat *pages; /* likewise */
	size_t npages, pages_room;
	struct trace_loss *lost; /* by all, ascending by type */
	size_t nlost, lost_room;
	bool losses_due;
	uint64_t written[DSM_EV_TYPE_MAX], written_total;
	uint64_t bytes;
};

/* merge_survey.c: the first pass. 0, or an exit code after a message. */
int merge__survey(struct merge *m);
/* A node of a part that names itself there. Same as above. */
int merge__own(struct merge *m, struct merge_part *p, uint16_t node);

/* merge_clocks.c: how the parts' clocks differ. Same as above. */
int merge__relate(struct merge *m);
/* A part's time on the run's clock. */
uint64_t merge__time(const struct merge *m, const struct merge_part *p, uint64_t time_ns);
struct json_object;
/* What is known of a part's clock; of all of them. */
void merge__put_clock(struct json_object *o, const struct merge *m, size_t part);
void merge__put_clocks(struct json_object *o, const struct merge *m);
/* For people: clocks that are not known or have stood still; once all is written: effects before their causes. */
void merge__complain_of_clocks(const struct merge *m);
void merge__complain_of_causes(const struct merge *m);
void merge__print_clocks(const struct merge *m);

/* merge_json.c: to be freed; NULL: no memory. */
char *merge__info(const struct merge *m);
char *merge__summary(const struct merge *m);
/* Is anything missing in what was given? Says so. */
bool merge__complain(const struct merge *m);
/* For people on standard error, or JSON on standard output. 0 or a negative errno after a message. */
int merge__print(const struct merge *m);

#endif
