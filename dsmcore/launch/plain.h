/* SPDX-License-Identifier: BSD-2-Clause */
/* plain.h - messages that hold names from elsewhere. */
#ifndef DSM_LAUNCH_PLAIN_H
#define DSM_LAUNCH_PLAIN_H

#include <stddef.h>

/* Copies text, cut where `room` bytes end. Control bytes, with which a name could feign a line of its own or
 * steer a terminal, become \n, \t or \xNN; all else stays, UTF-8 too. Doing it twice changes nothing. */
void plain__copy(char *to, size_t room, const char *text);
/* "WHO: TEXT" as one such line to standard error, by one write: lines of other processes come between, not
 * into it. */
void plain__print(const char *who, const char *text);

#endif
