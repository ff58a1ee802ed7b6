/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * modules.h - which program or library a code address belongs to, in terms that hold in other processes:
 * build-id and file offset.
 */
#ifndef DSM_RUNTIME_MODULES_H
#define DSM_RUNTIME_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MODULES_MAX  64
#define BUILD_ID_MAX 24

struct module {
	uintptr_t start, end;	  /* executable segment */
	uint64_t file_offset;	  /* of start */
	uintptr_t data, data_end; /* its writable, not relocation-read-only, part */
	char path[256];
	uint8_t build_id[BUILD_ID_MAX];
	uint32_t build_id_len;
	bool described; /* its MODULE record is out */
	bool program;	/* the program itself, or a library that begins transactions */
};

/* Reads the loaded modules; call again after a dlopen. Not async-signal-safe. */
void modules__read(void);
/* The module at a code address, or NULL. Async-signal-safe. */
struct module *modules__find(const void *pc);
/* Number 0 is the program itself, then the libraries; NULL past the end. */
struct module *modules__get(unsigned index);
unsigned modules__index(const struct module *m);
/* Is pc in the program's own text: the program, or a library in which a transaction has begun?
 * Async-signal-safe. */
bool modules__in_program(const void *pc);
/* A transaction begins at pc: its module counts as the program's from now on. Not async-signal-safe. */
void modules__begins_transactions(const void *pc);
/* Is pc in libdsm's text? */
bool modules__in_runtime(const void *pc);

#endif
