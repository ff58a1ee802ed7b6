// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/launch/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct address) == 24, "it travels: no gaps");

static unsigned ip_bytes(const struct address *a)
{
	return a->family == 4 ? 4 : a->family == 6 ? 16 : 0;
}

/* ::ffff:10.1.0.5 is 10.1.0.5 */
static void unmap(struct address *a)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (a->family != 6 || memcmp(a->ip, mapped, sizeof(mapped)) != 0)
		return;
	memmove(a->ip, a->ip + 12, 4);
	memset(a->ip + 4, 0, 12);
	a->family = 4;
	a->scope = 0;
}

bool address__of_socket(struct address *a, const struct sockaddr *from)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	*a = (struct address){0};
	if (from->sa_family == AF_INET) {
		memcpy(&in, from, sizeof(in));
		a->family = 4;
		a->port = ntohs(in.sin_port);
		memcpy(a->ip, &in.sin_addr, 4);
	} else if (from->sa_family == AF_INET6) {
		memcpy(&in6, from, sizeof(in6));
		a->family = 6;
		a->port = ntohs(in6.sin6_port);
		a->scope = in6.sin6_scope_id;
		memcpy(a->ip, &in6.sin6_addr, 16);
		unmap(a);
	}
	return a->family;
}

socklen_t address__to_socket(const struct address *a, struct sockaddr_storage *to)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(a->port), .sin6_scope_id = a->scope};

	*to = (struct sockaddr_storage){0};
	if (a->family == 4) {
		memcpy(&in.sin_addr, a->ip, 4);
		memcpy(to, &in, sizeof(in));
		return sizeof(in);
	}
	memcpy(&in6.sin6_addr, a->ip, 16);
	memcpy(to, &in6, sizeof(in6));
	return sizeof(in6);
}

static bool parse_zone(const char *zone, struct address *a)
{
	unsigned long number;
	char *end;

	if (!address__is_link_local(a) || a->family != 6)
		return false;
	a->scope = if_nametoindex(zone);
	if (a->scope)
		return true;
	errno = 0;
	number = strtoul(zone, &end, 10);
	if (errno || end == zone || *end || *zone < '0' || *zone > '9' || !number || number > UINT32_MAX)
		return false;
	a->scope = (uint32_t)number;
	return true;
}

bool address__parse(const char *text, struct address *a)
{
	char ip[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	size_t n = strlen(text);
	char *zone;

	*a = (struct address){0};
	if (*text == '[' && n > 2 && text[n - 1] == ']') {
		text++;
		n -= 2;
		if (!memchr(text, ':', n))
			return false;
	}
	if (n >= sizeof(ip))
		return false;
	memcpy(ip, text, n);
	ip[n] = 0;
	zone = strchr(ip, '%');
	if (zone)
		*zone++ = 0;
	if (inet_pton(AF_INET, ip, a->ip) == 1)
		a->family = 4;
	else if (inet_pton(AF_INET6, ip, a->ip) == 1)
		a->family = 6;
	unmap(a);
	if (!a->family || (zone && !parse_zone(zone, a))) {
		*a = (struct address){0};
		return false;
	}
	return true;
}

const char *address__text(const struct address *a, char text[ADDRESS_TEXT])
{
	char ip[INET6_ADDRSTRLEN] = "no address", zone[IF_NAMESIZE + 1] = "", name[IF_NAMESIZE];
	bool brackets = a->family == 6 && a->port;

	if (a->family)
		inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->ip, ip, sizeof(ip));
	if (a->scope && if_indextoname(a->scope, name))
		snprintf(zone, sizeof(zone), "%%%s", name);
	else if (a->scope)
		snprintf(zone, sizeof(zone), "%%%u", a->scope);
	if (a->port)
		snprintf(text, ADDRESS_TEXT, "%s%s%s%s:%u", brackets ? "[" : "", ip, zone,
			 brackets ? "]" : "", a->port);
	else
		snprintf(text, ADDRESS_TEXT, "%s%s", ip, zone);
	return text;
}

bool address__sane(const struct address *a)
{
	static const struct address none;
	struct address plain = *a;

	if (!a->family)
		return !memcmp(a, &none, sizeof(none));
	unmap(&plain);
	if (a->zero || a->scope || plain.family != a->family)
		return false;
	return ip_bytes(a) && !memcmp(a->ip + ip_bytes(a), none.ip, sizeof(a->ip) - ip_bytes(a));
}

bool address__is_loopback(const struct address *a)
{
	static const uint8_t one[16] = {[15] = 1};

	return a->family == 4 ? a->ip[0] == 127 : a->family == 6 && !memcmp(a->ip, one, sizeof(one));
}

bool address__is_link_local(const struct address *a)
{
	return a->family == 4 ? a->ip[0] == 169 && a->ip[1] == 254
			      : a->family == 6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

bool address__same(const struct address *a, const struct address *b)
{
	return a->family == b->family && a->scope == b->scope && !memcmp(a->ip, b->ip, sizeof(a->ip));
}
