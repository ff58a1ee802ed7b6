/* SPDX-License-Identifier: BSD-2-Clause */
/* caller.h - the line of the program that called the library in which a signal came. */
#ifndef DSM_RUNTIME_CALLER_H
#define DSM_RUNTIME_CALLER_H

/* Walks up from the instruction that a signal interrupted to the first one of the program's own text (modules.h): itself,
 * or the call that led there. NULL: none is found. In the signal's handler, on the interrupted thread. */
const void *caller__in_program(const void *interrupted);

#endif
