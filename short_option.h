/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * short_option.h - "-o=FILE" is FILE, as "--output=FILE" is. getopt_long() gives "=FILE" there, and a file of that name would be
 * made. Who wants a value that begins with "=" writes it apart: "-o =FILE".
 */
#ifndef PROCOPE_SHORT_OPTION_H
#define PROCOPE_SHORT_OPTION_H

#include <getopt.h>
#include <string.h>

/* After each getopt_long(argc, argv, ...) that found an option. */
static inline void short_option__value(char *const *argv)
{
	const char *word = argv[optind - 1];

	if (optarg && word[0] == '-' && word[1] != '-' && strchr(word, '=') == optarg)
		optarg++;
}

#endif
