/* SPDX-License-Identifier: BSD-2-Clause */
/* internal.h - what verify.c (contents and versions) and graph.c (order) share. */
#ifndef DSM_VERIFY_INTERNAL_H
#define DSM_VERIFY_INTERNAL_H

#include "dsmcore/verify/verify.h"

struct attempt {
	uint64_t number, begin_ns, end_ns;
	uint32_t attempt, barriers, flags;
	uint32_t nreads, nwrites;
	uint64_t first; /* index in pages: reads, then writes */
	uint16_t node;
};

/* A committed write; verify.c sorts them by page, then version. */
struct write {
	uint64_t page, version, hash;
	uint32_t by; /* index in attempts */
};

struct verify {
	bool one_clock, partial;
	struct attempt *attempts;
	size_t nattempts, attempts_cap;
	struct dsm_history_page *pages;
	size_t npages, pages_cap;
	struct write *writes;
	size_t nwrites, writes_cap;
};

/* A message is printed for the first few errors of a check; all are counted. */
struct report {
	FILE *to;
	uint64_t errors;
};
void verify_report__error(struct report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define VERIFY_SHOWN 8u

/* Grows *list to hold `need` elements. Errors: -ENOMEM. */
int verify__grow(void *list, size_t *cap, size_t need, size_t elem);
/* The write that made this version of the page, or NULL. */
const struct write *verify__find(const struct verify *v, uint64_t page, uint64_t version);
/* "node 2 tx 17.1 (aborted)" */
const char *verify__name(const struct attempt *a, char *buf, size_t size);
/* Aborted attempts with pinned accesses promise nothing about their reads. */
bool verify__reads_count(const struct attempt *a);

/* graph.c: looks for a cycle in who must come before whom. Errors: -ENOMEM. */
int verify_graph__check(const struct verify *v, struct report *r);

#endif
