/* SPDX-License-Identifier: BSD-2-Clause */
/* report.h - what a node's message about the program looks like to the user. */
#ifndef DSM_LAUNCH_REPORT_H
#define DSM_LAUNCH_REPORT_H

#include <stddef.h>

#include "dsmcore/launch/proto.h"

#define REPORT_LINE 4096u /* room for any */

/* "TEXT at FILE:LINE (function)", from the debug information of the file that the report names; without that
 * the file and the offset in it. Control characters of the text become spaces. Slow: reads the file. */
void report__format(const struct proto_report *r, char *line, size_t size);
/* Prints it on stderr as "dsm: node N: ...". */
void report__print(unsigned node, const struct proto_report *r);

#endif
