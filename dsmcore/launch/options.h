/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h - defaults and DSM_* variables of a run, the same for dsmrun and a program without it. */
#ifndef DSM_LAUNCH_OPTIONS_H
#define DSM_LAUNCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dsmcore/launch/control.h"

#define OPTIONS_NODES_MAX  256u
#define MICROSCOPE_DEFAULT 20 /* thousandths of the run time */

/* Defaults, and over them what DSM_HEAP, DSM_RING_SIZE, DSM_STRICT, DSM_MICROSCOPE, DSM_PLAN,
 * DSM_HISTORY, DSM_TRANSPORT, DSM_FABRIC, DSM_KEY_FILE, DSM_RUN, DSM_UPDATES, DSM_MIGRATION, DSM_INDEPENDENT,
 * DSM_CONSISTENCY and DSM_SILENCE say. Node 0 of 1, run id 0 if not said. Errors: -EINVAL and the like with the reason in `why`. */
int options__from_env(struct run_options *o, char *why, size_t why_size);

/* Each sets one option from text; the reason of -EINVAL, -ENOENT ... goes to `why`. Sizes are bytes or
 * have a suffix K, M or G. */
int options__heap(struct run_options *o, const char *text, char *why, size_t why_size);
int options__ring(struct run_options *o, const char *text, char *why, size_t why_size);
int options__microscope(struct run_options *o, const char *text, char *why, size_t why_size);
int options__plan(struct run_options *o, const char *text, char *why, size_t why_size);
int options__history(struct run_options *o, const char *text, char *why, size_t why_size);
/* Also chooses the transport fabric; as options__transport() with another kind takes the provider back. */
int options__fabric(struct run_options *o, const char *text, char *why, size_t why_size);
int options__transport(struct run_options *o, const char *text, char *why, size_t why_size);
int options__consistency(struct run_options *o, const char *text, char *why, size_t why_size);
int options__key_file(struct run_options *o, const char *text, char *why, size_t why_size);
/* Of options that came in a message: every text ends within its array, and there are as many nodes as there
 * can be.
 */
bool options__sane(const struct run_options *o);
/* "tx", "sc" or "rc". */
static inline const char *options__model(unsigned consistency)
{
	static const char *const names[] = {"tx", "sc", "rc"}; /* by enum core_model */

	return names[consistency];
}
/* Whether the transport goes over TCP, encrypted or not. */
bool options__over_tcp(const struct run_options *o);

/* A random number for the run, if it has none yet. Errors: -EIO. */
int options__draw_run_id(struct run_options *o);
/* Whether so many nodes can run with these. Errors: -EINVAL with the reason. */
int options__fit(const struct run_options *o, unsigned nodes, char *why, size_t why_size);

/* A number of bytes with an optional suffix. Errors: -EINVAL, -ERANGE. */
int options__size(const char *text, uint64_t *bytes);
/* A decimal number in [min, max]. Errors: -EINVAL, -ERANGE. */
int options__number(const char *text, uint64_t min, uint64_t max, uint64_t *number);

#endif
