/* SPDX-License-Identifier: BSD-2-Clause */
/* ingest.h - from trace files to model and evidence. */
#ifndef ANALYZER_INGEST_H
#define ANALYZER_INGEST_H

#include "evidence.h"

struct ingest_options {
	bool quiet; /* no warnings on standard error */
};

/* Reads the traces in order; those of one run (same run id) together, merged by time. A file that was cut or
 * has damaged parts is used as far as it goes, with a warning in m->runs and on standard error.
 * `e` may be NULL: then only the model is filled. Returns 0, or a negative errno after a message: a file that
 * cannot be read or is no trace, no record in any of them, traces of different programs. */
int ingest__files(struct model *m, struct evidence *e, const char *const *paths, size_t n,
		  const struct ingest_options *options);

#endif
