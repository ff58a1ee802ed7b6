/* SPDX-License-Identifier: BSD-2-Clause */
/* pmix_node.h - a node that mpirun or srun has started: how it gets a line as from dsmrun. */
#ifndef DSM_LAUNCH_PMIX_NODE_H
#define DSM_LAUNCH_PMIX_NODE_H

#include <stdbool.h>

/* This process is one of a PMIx job, and not the child of one that is. */
bool pmix_node__in_job(void);
/* Starts the helper (pmix_helper.c), which speaks to PMIx for this process. line: our end of the line to it.
 * Errors: negative errno after a message. */
int pmix_node__start(int *line);
/* Only in a job: starts the program again, once, with address randomisation off, as dsmrun would have started
 * it. Returns when there is nothing to do or the system does not allow it (then after a warning). */
void pmix_node__fix_addresses(char **argv, char **envp);
/* Says so when another launcher has started several of these, which do not know of one another. */
void pmix_node__warn_of_strangers(void);

#endif
