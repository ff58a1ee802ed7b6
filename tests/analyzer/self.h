/* SPDX-License-Identifier: BSD-2-Clause */
/* self.h - the running test program as a module: its path, build-id and file offsets. */
#ifndef TESTS_ANALYZER_SELF_H
#define TESTS_ANALYZER_SELF_H

#include <stdint.h>

struct self {
	char path[256];
	uint8_t build_id[24];
	uint32_t build_id_len;
};

void self__find(struct self *s);
/* File offset of an address in the program's own code. */
uint32_t self__offset(const void *address);

#endif
