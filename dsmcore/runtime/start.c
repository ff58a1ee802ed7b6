/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * start.c - how a program becomes a node without a line of its own: libdsm defines __libc_start_main, which
 * the C runtime's _start calls with the address of main. It passes node__main to libc instead, which starts
 * the node and then runs the program's main on a stack at a known address.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "dsm.h"
#include "dsmcore/launch/pmix_node.h"
#include "dsmcore/runtime/node.h"

typedef int main_fn(int, char **, char **);
typedef int start_fn(main_fn *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

main_fn *start__program_main;

DSM_API int __libc_start_main(main_fn *program_main, int argc, char **argv, void (*init)(void),
			      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	start_fn *next = (start_fn *)dlsym(RTLD_NEXT, "__libc_start_main");

	if (!next) {
		fputs("dsm: the C library's start cannot be found\n", stderr);
		abort();
	}
	pmix_node__fix_addresses(argv, argv + argc + 1);
	start__program_main = program_main;
	return next(node__main, argc, argv, init, fini, rtld_fini, stack_end);
}
