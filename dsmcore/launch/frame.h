/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.h - what dsmrun and its agents on other hosts say to one another, over the standard input and output
 * of the remote shell that started the agent. So nobody listens, and who may reach whom is that shell's
 * matter.
 *
 * The agent first says AGENT_HELLO; what came before it is the talk of a login shell. Then frames go both
 * ways, in the byte order of the machines, which are all of one kind. Single-threaded.
 */
#ifndef DSM_LAUNCH_FRAME_H
#define DSM_LAUNCH_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_HELLO   "procope-agent-1\n"
#define FRAME_MAX     (16u << 20)
#define FRAME_NO_NODE 0xffffu

enum frame_kind {
	/* to the agent */
	FRAME_START = 1, /* frame_start and strings: what to run */
	FRAME_PAIRS,	 /* connect your nodes with one another */
	FRAME_SIGNAL,	 /* int32: send it to your nodes */
	/* both ways */
	FRAME_PACKET, /* of the control line of `node` (proto.h): uint32 type, then the body */
	/* from the agent */
	FRAME_REPORT, /* `node` has a message for the user: its text, place included */
	FRAME_OUT,    /* bytes that `node` wrote to stdout */
	FRAME_ERR,    /* the same, stderr */
	FRAME_ALIEN,  /* `node` speaks another version of the control protocol */
	FRAME_STATS,  /* struct dsm_shm, the counters of `node` */
	FRAME_ENDED,  /* frame_ended: `node` has */
	FRAME_FAILED, /* a message: the agent cannot go on */
	FRAME_TRACE,  /* bytes of its collector's trace, at most FRAME_TRACE_MAX, in order */
	FRAME_TRACED, /* frame_traced: those were all */
	/* to the agent */
	FRAME_UNTRACE, /* end your collector now */
	FRAME_KINDS
};

#define FRAME_TRACE_MAX 65536u

struct frame_head {
	uint32_t bytes; /* that follow */
	uint16_t kind, node;
};

struct frame_ended {
	int32_t code, status; /* as siginfo_t of waitid() */
};

struct frame_traced {
	int32_t status; /* exit status of the collector */
	uint32_t reserved;
	uint64_t bytes; /* of the trace */
};

/* Writes a whole frame of up to two parts; blocks until the other side has read enough. Errors: -EPIPE ... */
int frame__send(int fd, enum frame_kind kind, unsigned node, const void *head, size_t head_bytes,
		const void *body, size_t body_bytes);

/* What was read and not taken yet. Begin with zeroes. */
struct frame_reader {
	uint8_t *bytes;
	size_t have, room, taken;
	bool greeted; /* AGENT_HELLO is over, or is not expected */
};

/* Reads once from fd. Errors: -EPIPE at the end, -ENOMEM, other negative errno. */
int frame__read(struct frame_reader *r, int fd);
/* The next whole frame: true, *head and *payload (until the next call of either). *rc: -EPROTO when this is
 * not a frame. */
bool frame__next(struct frame_reader *r, struct frame_head *head, const uint8_t **payload, int *rc);
void frame__free(struct frame_reader *r);

#endif
