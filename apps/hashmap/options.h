/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h - command line and results, the same for both programs of hashmap. */
#ifndef APPS_HASHMAP_OPTIONS_H
#define APPS_HASHMAP_OPTIONS_H

#include "apps/common/options.h"
#include "apps/hashmap/table.h"

struct hashmap_options {
	struct app_common common; /* size: keys */
};

/* Returns 0 to go on, or -1 when the program is to end at once with *status. */
int hashmap_options__read(struct hashmap_options *o, const struct app *app, int argc, char **argv,
			  int *status);

/* What looking up all keys, and as many that are not there, has shown. */
struct tally {
	long found, wrong, absent; /* wrong: found with another value */
	uint64_t hash;		   /* sum of a hash of each key with its value */
};
void tally__look(struct tally *tally, const struct table *t, long k, long keys);

struct hashmap_result {
	struct tally tally;
	double insert, look_up; /* seconds */
	int nodes;		/* 0: sequential program */
};
/* Prints it, and returns the exit status: 0, or 1 if a key is missing or wrong. */
int hashmap_result__print(const struct hashmap_result *r, const struct hashmap_options *o);

#endif
