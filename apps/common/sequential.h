/* SPDX-License-Identifier: BSD-2-Clause */
/* sequential.h - the way from a parallel program to its sequential twin. */
#ifndef APPS_COMMON_SEQUENTIAL_H
#define APPS_COMMON_SEQUENTIAL_H

#include "apps/common/app.h"

/* Runs NAME-sequential, which lies beside the program NAME, with the same arguments, and waits for it. The
 * yardstick is a program of its own, so that no part of the DSM is in its process. nodes: how many there
 * are; more than one is refused. Returns the twin's exit status, or APP_USAGE after a message. */
int app__run_sequential(const struct app *app, int nodes, char **argv);

#endif
