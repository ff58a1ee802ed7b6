// SPDX-License-Identifier: BSD-2-Clause
/* sample.h - a trace whose every item is known, for the tests of its reader and its writer. */
#ifndef PROCOPE_TESTS_COLLECTOR_SAMPLE_H
#define PROCOPE_TESTS_COLLECTOR_SAMPLE_H

#include <stdint.h>

#include "collector/trace.h"

#define NRECORDS     40
#define INFO_JSON    "{\"host\":\"h\"}"
#define SUMMARY_JSON "{\"ended\":true}"

struct tally {
	unsigned items[8], damaged;
	int end; /* 0 or -ENODATA */
	uint64_t lost;
};

extern char folder[256], path[300]; /* between setup and teardown */
extern struct trace_page_stat pages[3];
extern struct trace_counters counters[2];
extern struct trace_loss losses[2];

struct dsm_ev_hdr *record(unsigned i);
void write_trace(const char *to);
/* Reads a trace with everything checked against what was written. */
struct tally read_trace(const char *from);
void assert_complete(const struct tally *t);

/* For cmocka_run_group_tests_name(). */
int setup(void **state);
int teardown(void **state);

#endif
