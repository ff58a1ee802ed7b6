/* SPDX-License-Identifier: BSD-2-Clause */
/* decode.h - the memory operand of one x86-64 instruction (through Zydis, where the build found it). */
#ifndef ANALYZER_DECODE_H
#define ANALYZER_DECODE_H

#include <stddef.h>

/* Bytes that the instruction reads or writes (`access`: DSM_EV_ACCESS_*) in memory; 0 when it does not, when
 * it cannot be decoded or when the decoder is not built in. Thread-safe. */
unsigned decode__operand(const void *code, size_t bytes, unsigned access);

#endif
