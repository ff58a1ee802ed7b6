/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault.h - the mutator's signals: faults on DSM memory, traps of the microscope, doom, crashes.
 */
#ifndef DSM_RUNTIME_FAULT_H
#define DSM_RUNTIME_FAULT_H

/* Installs the handlers, which run on a stack of their own. Called by the mutator. Returns 0 or -ENOMEM. */
int fault__open(void);

#endif
