/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot.h - registers and stack of the mutator at the start of a transaction.
 *
 * Unlike setjmp, a resume puts back the stack's bytes and all registers that survive a call, so that the
 * code after snapshot__take() finds exactly what was there, wherever in deeper or already returned frames
 * the mutator has gone since. Caller-saved registers (all vector registers too) are dead across a call by
 * the ABI, so they need no saving; MXCSR and the x87 control word are part of the state, as the ABI says.
 */
#ifndef DSM_RUNTIME_SNAPSHOT_H
#define DSM_RUNTIME_SNAPSHOT_H

#include <stdint.h>

/* snapshot.S knows these offsets. */
struct snapshot {
	uint64_t rbx, rbp, r12, r13, r14, r15; /* 0 .. 40 */
	uint64_t rsp, rip;		       /* 48, 56: after snapshot__take() has returned */
	uint32_t mxcsr;			       /* 64 */
	uint16_t x87;			       /* 68 */
	uint16_t reserved;
	uint8_t *copy;	   /* 72: bytes of the stack [rsp, top) */
	uint64_t top;	   /* 80: end of the stack */
	uint64_t capacity; /* bytes of copy */
};

/* Saves registers and stack; copy must have room for top - rsp. Returns 0; returns again with `value` at
 * each resume. */
int snapshot__take(struct snapshot *s);
/* Puts the stack and the registers back: snapshot__take() returns value. For a mutator that stands in a
 * plain call (in a signal handler the context is edited instead). */
__attribute__((noreturn)) void snapshot__resume(const struct snapshot *s, int value);
/* Calls fn(argc, argv, envp) on another stack that ends at top. */
int snapshot__call(int (*fn)(int, char **, char **), int argc, char **argv, char **envp, void *top);

#endif
