/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/runtime/caller.h"

#include <stdbool.h>
#include <stddef.h>
#include <unwind.h>

#include "dsmcore/runtime/modules.h"

struct walk {
	const void *interrupted, *pc;
	bool below; /* the frame of what was interrupted has been met: above it are handlers */
};

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *arg)
{
	int before; /* of a frame that was interrupted the address is of the instruction; else of the one after the call */
	struct walk *w = arg;
	const char *pc = (const char *)_Unwind_GetIPInfo(context, &before);

	w->below |= pc == w->interrupted;
	if (!w->below || !modules__in_program(pc))
		return _URC_NO_REASON;
	w->pc = before ? pc : pc - 1;
	return _URC_END_OF_STACK;
}

const void *caller__in_program(const void *interrupted)
{
	struct walk w = {.interrupted = interrupted};

	_Unwind_Backtrace(step, &w);
	return w.pc;
}
