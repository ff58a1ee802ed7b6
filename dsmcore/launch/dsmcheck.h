/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dsmcheck.h - the list of what was looked for, and the parts that look.
 *
 * Every check does the thing in question, on a small scale, and reports what happened: a kernel version or
 * a configuration file says what should be, not what is. What can hang or crash is done in a child.
 */
#ifndef DSM_LAUNCH_DSMCHECK_H
#define DSM_LAUNCH_DSMCHECK_H

#include <stdbool.h>
#include <stddef.h>

enum check_group {
	CHECK_RUN,	/* without it no program runs */
	CHECK_TRACE,	/* one source, BPF or ring, is enough to record */
	CHECK_REPORT,	/* pictures and source lines */
	CHECK_OPTIONAL, /* more comfort or speed */
	CHECK_GROUPS
};

struct check {
	const char *name;
	enum check_group group;
	bool ok;
	char detail[320]; /* what was found */
	char remedy[320]; /* what to do; empty when ok */
};

#define CHECKS_MAX 64
struct checks {
	size_t n;
	struct check item[CHECKS_MAX];
};

/* Adds a result: it is good exactly when `remedy` is NULL. */
void checks__add(struct checks *c, enum check_group group, const char *name, const char *remedy,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Each adds its checks. bin: the folder of this program's file; the libraries are in ../lib. */
void check_memory(struct checks *c);
void check_process(struct checks *c, const char *self);
void check_bpf(struct checks *c);
void check_ring(struct checks *c);
void check_probes(struct checks *c, const char *libdsm);
void check_tools(struct checks *c);
void check_debug(struct checks *c, const char *self);
void check_libraries(struct checks *c, const char *bin);
void check_tls(struct checks *c);
void check_fabric(struct checks *c, const char *bin);
void check_apps(struct checks *c, const char *bin);
void check_limits(struct checks *c);

/* Was this program or library linked with that one (the beginning of its name)? */
bool check_elf__needs(const char *file, const char *soname);
/* Runs work(arg, why, size) in a child. Returns what it returned (0 or negative errno), -ETIMEDOUT after
 * `seconds`, or -ECHILD when it died; why[size] is what it wrote, or how it ended. */
int check_child__run(int (*work)(void *arg, char *why, size_t size), void *arg, int seconds, char *why,
		     size_t size);
/* Runs a program with `input`, and keeps at most size - 1 bytes of its output. Returns its exit status or
 * negative errno: -ENOENT when there is no such program, -ETIMEDOUT. */
int check_child__command(const char *const argv[], const char *input, int seconds, char *output, size_t size);

#endif
