/* SPDX-License-Identifier: BSD-2-Clause */
/* address.h - IP addresses of either family, and at which of this machine's the other nodes reach one. */
#ifndef DSM_LAUNCH_ADDRESS_H
#define DSM_LAUNCH_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_LOOPBACK "127.0.0.1,::1"
#define ADDRESS_ANY	 "auto"
#define ADDRESS_ANY4	 "auto4"
#define ADDRESS_ANY6	 "auto6"
#define ADDRESS_SPEC	 256 /* bytes of what says where to listen */
#define ADDRESS_TEXT	 80  /* of an address with zone, brackets and port */

/* Travels in messages between launchers and nodes: no gaps, everything unused zero. An IPv4 address never has
 * the IPv6 form (::ffff:10.1.0.5), so each address is one sequence of bytes. */
struct address {
	uint8_t family; /* 4 or 6; 0 = none */
	uint8_t zero;
	uint16_t port; /* host byte order; 0 = none */
	uint32_t
		scope; /* link-local: this machine's number of the interface; 0 in messages, where it means nothing */
	uint8_t ip[16]; /* network byte order, from the first byte on */
};

/* From and to the system's form. of_socket: false if it is no IP address. to_socket: the bytes used. */
bool address__of_socket(struct address *a, const struct sockaddr *from);
socklen_t address__to_socket(const struct address *a, struct sockaddr_storage *to);
/* An address as people write it: 10.1.0.5, fd00::5, fe80::1%eth0 or %2; in brackets too ([fd00::5]), without port.
 * False: it is none, or its zone is not of this machine. */
bool address__parse(const char *text, struct address *a);
/* 10.1.0.5 or fd00::5; with a port 10.1.0.5:99 or [fd00::5]:99. Returns `text`. */
const char *address__text(const struct address *a, char text[ADDRESS_TEXT]);
/* One that came in a message: none at all, or of a known family with nothing where nothing belongs. */
bool address__sane(const struct address *a);
bool address__is_loopback(const struct address *a);   /* 127.0.0.0/8, ::1 */
bool address__is_link_local(const struct address *a); /* 169.254.0.0/16, fe80::/10 */
/* The same machine's address, whatever the port. */
bool address__same(const struct address *a, const struct address *b);

/* What --interface says: an address of this machine, the name of an interface, a network (10.1.0.0/16,
 * fd00::/64: our address in it), "auto": the best of the interfaces that are up and not the loopback, or "auto4" or
 * "auto6": of one family; of a list ("ib0,auto") the first that this machine has. Of several addresses that fit,
 * one that others can reach comes before link-local and loopback ones, then IPv4, then the system's order.
 * Errors: -EINVAL, -ENODEV and the like with the reason in `why`. */
int address__find(const char *spec, struct address *a, char *why, size_t why_size);
/* Whether text can be such a specification, on whatever machine. Errors: -EINVAL with the reason. */
int address__check(const char *spec, char *why, size_t why_size);
/* Whether this machine has it on an interface that is up. */
bool address__is_ours(const struct address *a);

#endif
