/* SPDX-License-Identifier: BSD-2-Clause */
/* address.h - at which address of this machine the other nodes reach one. */
#ifndef DSM_LAUNCH_ADDRESS_H
#define DSM_LAUNCH_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

#define ADDRESS_LOOPBACK "127.0.0.1"
#define ADDRESS_ANY	 "auto"
#define ADDRESS_SPEC	 64

/* What --interface says: an IPv4 address of this machine, the name of an interface, a network (10.1.0.0/16:
 * our address in it), or "auto": the first interface that is up and is not the loopback; of a list
 * ("ib0,auto") the first that this machine has. ip: network byte order. Errors: -EINVAL, -ENODEV and the like
 * with the reason in `why`. */
int address__find(const char *spec, uint32_t *ip, char *why, size_t why_size);
/* Whether text can be such a specification, on whatever machine. Errors: -EINVAL with the reason. */
int address__check(const char *spec, char *why, size_t why_size);

#endif
