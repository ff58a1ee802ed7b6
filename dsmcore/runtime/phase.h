/* SPDX-License-Identifier: BSD-2-Clause */
/* phase.h - the node's counters by phase of the program. */
#ifndef DSM_RUNTIME_PHASE_H
#define DSM_RUNTIME_PHASE_H

/* The program's last phase is over. The caller holds node.lock. */
void phase__end(void);

#endif
