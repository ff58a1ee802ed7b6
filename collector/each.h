/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * each.h - dsmcollect --each: one command for a job of mpirun or srun that also records it, on however many hosts.
 */
#ifndef PROCOPE_EACH_H
#define PROCOPE_EACH_H

#include "collector/collect.h"

/* Runs `program` as this process of the job, and records all nodes of this host if it is the first process here. At the end
 * the one on rank 0's host makes one trace, options->output, of all hosts' parts. Returns the exit code, or ends as the
 * program did; of the processes that are not the first it becomes the program. One thread. */
int each__run(const struct collect_options *options, char **program);

#endif
