// SPDX-License-Identifier: BSD-2-Clause
/* address_find.c - what --interface says, and which address of this machine it means. */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "dsmcore/launch/address.h"
#include "dsmcore/launch/options.h"

/* What one has to look for. */
struct wanted {
	bool any;	  /* not the loopback */
	uint8_t family;	  /* 0 = either */
	const char *name; /* of an interface, NULL = none; beside a network: its zone */
	bool network;
	unsigned bits;
	uint8_t ip[16];
};

enum { NOT_ONE = 1, BAD_BITS, BAD_ZONE };

static const char *const reasons[] = {
	[NOT_ONE] =
		"give a name (eth0), an address (10.1.0.5, fd00::5) or a network (10.1.0.0/16, fd00::/64)",
	[BAD_BITS] = "give a name (eth0), an address or a network; of an IPv4 network 0 to 32 bits are "
		     "common to all "
		     "its addresses (10.1.0.0/16), of an IPv6 network 0 to 128 (fd00::/64)",
	[BAD_ZONE] = "give a name (eth0), an address or a network; only IPv6 link-local addresses are of one "
		     "interface "
		     "(fe80::1%eth0), and that has a name of 1 to 15 characters",
};

static int parse_bits(const char *text, struct wanted *w, unsigned all)
{
	uint64_t bits = all;

	if (text && options__number(text, 0, all, &bits))
		return BAD_BITS;
	w->bits = (unsigned)bits;
	return 0;
}

static int parse_ip(const char *ip, const char *zone, struct wanted *w, unsigned *all)
{
	struct address a;

	if (!address__parse(ip, &a))
		return NOT_ONE;
	*all = a.family == 4 ? 32 : 128;
	if (zone && (a.family != 6 || !address__is_link_local(&a)))
		return BAD_ZONE;
	w->network = true;
	w->family = a.family;
	memcpy(w->ip, a.ip, sizeof(w->ip));
	return 0;
}

/* [fd00::5] is fd00::5; what is in no such brackets stays, and is refused then. */
static char *unpack(char *one)
{
	size_t n = strlen(one);

	if (*one != '[' || one[n - 1] != ']' || !strchr(one, ':'))
		return one;
	one[n - 1] = 0;
	return one + 1;
}

/* `one` is cut into its parts, which w points to. */
static int parse_network(char *one, struct wanted *w)
{
	char *slash = strchr(one, '/'), *zone;
	unsigned all;
	int rc;

	if (slash)
		*slash++ = 0;
	one = unpack(one);
	zone = strchr(one, '%');
	if (zone)
		*zone++ = 0;
	rc = parse_ip(one, zone, w, &all);
	if (!rc && zone && (!*zone || strlen(zone) >= IF_NAMESIZE))
		rc = BAD_ZONE;
	w->name = zone;
	return rc ? rc : parse_bits(slash, w, all);
}

/* The kernel refuses / in an interface's name, and names that long. An IPv4 address of it may have a name behind one
 * colon (eth0:1); brackets, % and more colons mean an address. */
static bool is_name(const char *one)
{
	const char *colon = strchr(one, ':');

	return *one && strlen(one) < IF_NAMESIZE && !strpbrk(one, "/%[] \t") && colon != one &&
	       (!colon || !strchr(colon + 1, ':'));
}

/* copy: room for the parts of `one`, which w points to */
static int parse(const char *one, struct wanted *w, char copy[ADDRESS_SPEC])
{
	*w = (struct wanted){0};
	snprintf(copy, ADDRESS_SPEC, "%s", one);
	if (!strcmp(one, ADDRESS_ANY) || !strcmp(one, ADDRESS_ANY4) || !strcmp(one, ADDRESS_ANY6)) {
		w->any = true;
		w->family = !strcmp(one, ADDRESS_ANY4) ? 4 : !strcmp(one, ADDRESS_ANY6) ? 6 : 0;
		return 0;
	}
	if (strpbrk(one, "/:%") || strspn(one, "0123456789.") == strlen(one)) {
		int rc = parse_network(copy, w);

		if (rc != NOT_ONE || !is_name(one))
			return rc;
	}
	if (!is_name(one))
		return NOT_ONE;
	*w = (struct wanted){.name = one};
	return 0;
}

static int explain(const char *spec, int reason, char *why, size_t size)
{
	snprintf(why, size, "interface '%.*s': %s", ADDRESS_SPEC, spec, reasons[reason]);
	return -EINVAL;
}

/* Takes the next one off a list: "eth0,10.1.0.0/16". False at its end. */
static bool next_of(const char **list, char one[ADDRESS_SPEC])
{
	size_t n = strcspn(*list, ",");

	if (!**list)
		return false;
	snprintf(one, ADDRESS_SPEC, "%.*s", (int)n, *list);
	*list += n + ((*list)[n] == ',');
	return true;
}

int address__check(const char *spec, char *why, size_t size)
{
	char one[ADDRESS_SPEC], copy[ADDRESS_SPEC];
	struct wanted w;
	int reason = 0;

	if (!*spec || strlen(spec) >= ADDRESS_SPEC)
		return explain(spec, NOT_ONE, why, size);
	while (!reason && next_of(&spec, one))
		reason = parse(one, &w, copy);
	return reason ? explain(one, reason, why, size) : 0;
}

static bool in_network(const struct wanted *w, const uint8_t ip[16])
{
	unsigned whole = w->bits / 8, rest = w->bits % 8;

	return !memcmp(ip, w->ip, whole) && (!rest || (ip[whole] ^ w->ip[whole]) >> (8 - rest) == 0);
}

static bool fits(const struct wanted *w, const struct ifaddrs *i, const struct address *a)
{
	if (w->family && a->family != w->family)
		return false;
	if (w->any)
		return !address__is_loopback(a);
	return (!w->name || !strcmp(w->name, i->ifa_name)) && (!w->network || in_network(w, a->ip));
}

/* Less is better. A cluster whose machines have their addresses on `lo`, for routing, has mere link-local ones on its
 * cards; and a bridge without anybody behind it (docker0) is up, but not running. */
static unsigned rank(const struct ifaddrs *i, const struct address *a)
{
	return 16u * address__is_loopback(a) + 8u * address__is_link_local(a) +
	       4u * !(i->ifa_flags & IFF_RUNNING) + 2u * !!(i->ifa_flags & IFF_LOOPBACK) + (a->family == 6);
}

static bool of_interface(const struct ifaddrs *i, struct address *a)
{
	return i->ifa_addr && (i->ifa_flags & IFF_UP) && address__of_socket(a, i->ifa_addr);
}

/* The whole of 127.0.0.0/8 is ours where a part of it is, though no interface lists it. */
static bool is_whole_loopback(const struct wanted *w, const struct address *a)
{
	return w->network && w->family == 4 && w->bits == 32 && w->ip[0] == 127 && a->family == 4 &&
	       address__is_loopback(a);
}

static bool find_one(const char *one, const struct ifaddrs *all, struct address *found)
{
	char copy[ADDRESS_SPEC];
	unsigned best = ~0u;
	struct wanted w;

	if (parse(one, &w, copy))
		return false;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct address a;

		if (!of_interface(i, &a))
			continue;
		if (is_whole_loopback(&w, &a))
			memcpy(a.ip, w.ip, sizeof(a.ip));
		if (fits(&w, i, &a) && rank(i, &a) < best) {
			best = rank(i, &a);
			*found = a;
		}
	}
	return best != ~0u;
}

static int nothing_found(const char *spec, const char *last, char *why, size_t size)
{
	const char *kind = !strcmp(last, ADDRESS_ANY4) ? "IPv4" : !strcmp(last, ADDRESS_ANY6) ? "IPv6" : "IP";

	if (!strncmp(last, ADDRESS_ANY, strlen(ADDRESS_ANY)) && strlen(last) <= strlen(ADDRESS_ANY) + 1)
		snprintf(why, size,
			 "no network interface but the loopback is up and has an %s address; other hosts "
			 "cannot "
			 "reach this one",
			 kind);
	else
		snprintf(why, size,
			 "interface '%s': this machine has none such that is up with an IP address (ip addr "
			 "lists "
			 "what it has)",
			 spec);
	return -ENODEV;
}

int address__find(const char *spec, struct address *a, char *why, size_t size)
{
	struct ifaddrs *all;
	const char *list = spec;
	char one[ADDRESS_SPEC] = "";
	bool found = false;
	int rc = address__check(spec, why, size);

	*a = (struct address){0};
	if (rc)
		return rc;
	if (getifaddrs(&all)) {
		rc = -errno;
		snprintf(why, size, "network interfaces: %s", strerror(errno));
		return rc;
	}
	while (!found && next_of(&list, one))
		found = find_one(one, all, a);
	freeifaddrs(all);
	return found ? 0 : nothing_found(spec, one, why, size);
}

bool address__is_ours(const struct address *a)
{
	struct ifaddrs *all;
	struct address ours;
	bool found = false;

	if (address__is_loopback(a))
		return true;
	if (getifaddrs(&all))
		return false;
	for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next)
		found = of_interface(i, &ours) && address__same(a, &ours);
	freeifaddrs(all);
	return found;
}
