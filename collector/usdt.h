/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usdt.h - the probe sites of an ELF file, as <sys/sdt.h> leaves them in the section .note.stapsdt:
 * where each one is, its semaphore, and where its arguments lie at that instruction.
 */
#ifndef PROCOPE_USDT_H
#define PROCOPE_USDT_H

#include <stddef.h>
#include <stdint.h>

#include "collector/dsm_bpf.h"

struct usdt_site {
	char probe[32];
	uint64_t offset;    /* of the instruction, in the file */
	uint64_t semaphore; /* offset in the file; 0: it has none */
	struct dsm_bpf_site args;
};

/* Finds all sites of a provider with DSM_BPF_ARGS arguments. `sites` is to be freed. `why` says what is
 * wrong with which file. -ENOENT...: cannot be read; -ENOEXEC: no ELF file of this machine; -ENOTSUP: an
 * argument that cannot be read. */
int usdt__find(const char *path, const char *provider, struct usdt_site **sites, size_t *count, char *why,
	       size_t why_size);
/* One argument, "-4@%edi", "8@$1", "8@-16(%rbp)"; moves *text behind it. -ENOTSUP. */
int usdt__parse_arg(const char **text, struct dsm_bpf_arg *arg);

#endif
