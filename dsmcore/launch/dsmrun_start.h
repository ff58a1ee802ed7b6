/* SPDX-License-Identifier: BSD-2-Clause */
/* dsmrun_start.h - FRAME_START: all that an agent must know to start its nodes. */
#ifndef DSM_LAUNCH_DSMRUN_START_H
#define DSM_LAUNCH_DSMRUN_START_H

#include <stddef.h>
#include <stdint.h>

#include "dsmcore/launch/control.h"

enum trace_source { TRACE_NONE, TRACE_AUTO, TRACE_BPF, TRACE_RING, TRACE_SOURCES };

/* Then strings, each with its end: the host as dsmrun calls it, folder, program, arguments, variables
 * ("NAME=VALUE"). */
struct frame_start {
	uint32_t version; /* PROTO_VERSION */
	uint32_t bytes;	  /* of this structure */
	uint32_t first, count;
	uint32_t arguments, variables;
	uint8_t verbose, bind, stats;
	uint8_t source; /* of the trace, enum trace_source; 0: none is recorded */
	uint8_t reserved[4];
	struct run_options options;
};

#endif
