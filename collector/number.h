/* SPDX-License-Identifier: BSD-2-Clause */
/* number.h - numbers as people write them in options of the tools. */
#ifndef PROCOPE_COLLECTOR_NUMBER_H
#define PROCOPE_COLLECTOR_NUMBER_H

/* The whole text is a number, and between the two: 0, else -EINVAL; then *out has any value. */
int number__real(const char *text, double least, double most, double *out);
int number__whole(const char *text, long least, long most, long *out);

#endif
