/* SPDX-License-Identifier: BSD-2-Clause */
#include "decode.h"

#include "dsm_events.h"

#ifdef HAVE_ZYDIS
#include <Zydis/Zydis.h>

unsigned decode__operand(const void *code, size_t bytes, unsigned access)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;
	unsigned best = 0;

	if (!bytes ||
	    ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
	    ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, code, bytes, &insn, op)))
		return 0;
	for (unsigned i = 0; i < insn.operand_count; i++) {
		unsigned size = op[i].size / 8;

		if (op[i].type != ZYDIS_OPERAND_TYPE_MEMORY || op[i].mem.type != ZYDIS_MEMOP_TYPE_MEM)
			continue;
		if (((access & DSM_EV_ACCESS_READ) && (op[i].actions & ZYDIS_OPERAND_ACTION_MASK_READ)) ||
		    ((access & DSM_EV_ACCESS_WRITE) && (op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)))
			best = size > best ? size : best;
	}
	return best;
}
#else
unsigned decode__operand(const void *code, size_t bytes, unsigned access)
{
	(void)code, (void)bytes, (void)access;
	return 0;
}
#endif
