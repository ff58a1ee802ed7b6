/* SPDX-License-Identifier: BSD-2-Clause */
/* plugin.h - libraries of ours that are loaded when a run wants them, because of what they bring with them.
 */
#ifndef DSM_TRANSPORT_PLUGIN_H
#define DSM_TRANSPORT_PLUGIN_H

#include <stddef.h>

/* Loads e.g. "libdsm-tls.so": from the folder of this code (libdsm.so, or the program that contains it), from
 * ../lib or ../../lib from there (programs as installed, tests as built), or from where the system looks.
 * NULL: `why` says what the loader said. Signals and their handlers stay as they are, whatever is loaded. One thread. */
void *plugin__load(const char *file, char *why, size_t why_size);

#endif
