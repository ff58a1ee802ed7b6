/* SPDX-License-Identifier: BSD-2-Clause */
/* version.h - the version of all programs and of dsm.pc, and the line that --version prints. The Makefile reads it, too. */
#ifndef PROCOPE_VERSION_H
#define PROCOPE_VERSION_H

#define PROCOPE_VERSION "0.1.0"

/* "NAME VERSION (Procope)": two words that scripts can take, then what is useful to know. `more`: the formats that the
 * program reads or writes, "; trace format 1" for example, or "". All are string literals, and may be a format of printf(). */
#define VERSION_LINE(name, more) name " " PROCOPE_VERSION " (Procope" more ")"

#endif
