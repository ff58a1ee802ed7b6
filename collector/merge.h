/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * merge.h - traces of one run, each taken on a host of its own, become one: dsmcollect --merge.
 *
 * Everything in the result is on one clock, that of the host with the lowest node, so a reader need not
 * know that there were several. Two passes: the first learns which node is in which trace and how the
 * hosts' clocks differ, the second writes. One thread.
 */
#ifndef PROCOPE_MERGE_H
#define PROCOPE_MERGE_H

#include <stdbool.h>
#include <stddef.h>

struct merge_options {
	const char *output;
	bool quiet, json; /* as for a collection */
};

/* Merges the traces at paths[n] (regular files: they are read twice). After messages on standard error returns an exit
 * code: 0; 1: the result was written, but a part was cut, damaged or is missing, or it could not be written whole; 2: these
 * are no traces of one run. */
int merge__traces(const struct merge_options *options, const char *const *paths, size_t n);

#endif
