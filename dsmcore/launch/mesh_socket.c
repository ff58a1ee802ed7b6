// SPDX-License-Identifier: BSD-2-Clause
/*
 * mesh_socket.c - how TCP is to treat the few small messages of a DSM.
 *
 * TCP is made for streams. When packets are lost it waits, twice as long after each further loss, up to two
 * minutes; and who has little to say hears of a loss by waiting only. Worse, what it holds for the round-trip
 * time are then those waits themselves: with each fifth packet lost, the first wait grows from 0.2 to some 4
 * s. A node that waits for a page has nothing else to send, so nobody is spared anything by this patience.
 *
 * Longer silence than `silence_s` is death: without a limit of ours TCP would wait for 15 minutes, or for
 * ever if it has nothing to send. A kernel before 6.15 cannot be told to wait less between its attempts, and
 * makes too few in that time to tell a bad cable from a dead host: there the limit is longer.
 */
#include "dsmcore/launch/mesh_parts.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* Linux 6.15, newer than most headers. */
#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif
#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45
#endif
#ifndef TCP_DELACK_MAX_US
#define TCP_DELACK_MAX_US 46
#endif

#define RTO_MAX_MS    1000 /* the least that the kernel takes */
#define RTO_MIN_US    50000
#define DELACK_MAX_US 10000 /* what acknowledgements may wait for company; must be less than RTO_MIN_US */
#define CALLS	      127   /* SYNs until it gives up by itself: the time for joining is the limit */
#define ASK_S	      5	    /* whoever hears nothing asks, so often */
#define PATIENCE      4	    /* times silence_s, of a kernel before 6.15 */

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) ? -errno : 0;
}

/* Whether waits stay short. What the kernel does not know is no error. */
static bool hurry(int fd)
{
	/* Before 6.15: six waits of equal length, and longer ones only after them. */
	set(fd, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1);
	if (set(fd, IPPROTO_TCP, TCP_DELACK_MAX_US, DELACK_MAX_US) == 0)
		set(fd, IPPROTO_TCP, TCP_RTO_MIN_US, RTO_MIN_US);
	return set(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, RTO_MAX_MS) == 0;
}

int mesh_socket__tune(int fd, unsigned silence_s)
{
	unsigned limit_s = hurry(fd) ? silence_s : PATIENCE * silence_s, ask_s = limit_s / 3;
	int rc;

	if (ask_s > ASK_S)
		ask_s = ASK_S;
	/* 0 would be the kernel's own limit: 15 waits, which are short now. */
	rc = set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, limit_s ? (int)(limit_s * 1000) : INT32_MAX);
	if (rc == 0)
		rc = set(fd, IPPROTO_TCP, TCP_SYNCNT, CALLS);
	if (rc == 0)
		rc = set(fd, IPPROTO_TCP, TCP_KEEPIDLE, ask_s ? (int)ask_s : 1);
	if (rc == 0)
		rc = set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
	if (rc == 0)
		rc = set(fd, IPPROTO_TCP, TCP_KEEPCNT, CALLS); /* TCP_USER_TIMEOUT ends it */
	return rc ? rc : set(fd, SOL_SOCKET, SO_KEEPALIVE, silence_s != 0);
}
