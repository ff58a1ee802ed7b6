/* SPDX-License-Identifier: BSD-2-Clause */
/* each_parts.h - the hosts' parts of a job's trace: FILE.HOST-RANK.part, by the rank of who records there. */
#ifndef PROCOPE_EACH_PARTS_H
#define PROCOPE_EACH_PARTS_H

#include "collector/collect.h"

/* -ENAMETOOLONG, -errno. */
int each__name(const char *output, const char *rank, char *part, size_t size);
/* Waits for the parts of the other hosts, if their folder is this one, and makes one trace of them. An exit code after a
 * message that says what is where, if that cannot be. */
int each__merge(const struct collect_options *options, const char *part);
/* The program has failed: says where what was recorded is. `all`: on behalf of all hosts. */
void each__keep(const char *output, const char *part, bool all);

#endif
