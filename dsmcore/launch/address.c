// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/launch/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "dsmcore/launch/options.h"

/* What one has to look for. */
struct wanted {
	bool any, network;
	const char *name;  /* of an interface, NULL = none */
	uint32_t ip, mask; /* network byte order */
};

static bool parse_network(const char *spec, struct wanted *w)
{
	char ip[INET_ADDRSTRLEN];
	const char *slash = strchr(spec, '/');
	size_t n = slash ? (size_t)(slash - spec) : strlen(spec);
	struct in_addr a;
	uint64_t bits = 32;

	if (n >= sizeof(ip))
		return false;
	memcpy(ip, spec, n);
	ip[n] = 0;
	if (inet_pton(AF_INET, ip, &a) != 1 || (slash && options__number(slash + 1, 0, 32, &bits)))
		return false;
	w->network = true;
	w->mask = bits ? htonl(~0u << (32 - bits)) : 0;
	w->ip = a.s_addr & w->mask;
	return true;
}

static int parse(const char *spec, struct wanted *w, char *why, size_t size)
{
	*w = (struct wanted){0};
	if (!strcmp(spec, ADDRESS_ANY)) {
		w->any = true;
		return 0;
	}
	if (parse_network(spec, w))
		return 0;
	if (*spec && strlen(spec) < IF_NAMESIZE && !strchr(spec, '/')) {
		w->name = spec;
		return 0;
	}
	snprintf(why, size,
		 "interface '%s': give a name (eth0), an IPv4 address (10.1.0.5) or a network (10.1.0.0/16)",
		 spec);
	return -EINVAL;
}

int address__check(const char *spec, char *why, size_t size)
{
	struct wanted w;

	return parse(spec, &w, why, size);
}

static bool fits(const struct wanted *w, const struct ifaddrs *i)
{
	uint32_t ip;

	if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || !(i->ifa_flags & IFF_UP))
		return false;
	ip = ((const struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr;
	if (w->any)
		return !(i->ifa_flags & IFF_LOOPBACK);
	return w->network ? (ip & w->mask) == w->ip : !strcmp(w->name, i->ifa_name);
}

int address__find(const char *spec, uint32_t *ip, char *why, size_t size)
{
	struct wanted w;
	struct ifaddrs *all, *i;
	int rc = parse(spec, &w, why, size);

	if (rc)
		return rc;
	/* The whole of 127.0.0.0/8 is ours, though no interface lists it. */
	if (w.network && w.mask == ~0u && (ntohl(w.ip) >> 24) == 127) {
		*ip = w.ip;
		return 0;
	}
	if (getifaddrs(&all)) {
		snprintf(why, size, "network interfaces: %s", strerror(errno));
		return -errno;
	}
	for (i = all; i && !fits(&w, i); i = i->ifa_next)
		;
	if (i)
		*ip = ((const struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr;
	freeifaddrs(all);
	if (i)
		return 0;
	if (w.any)
		snprintf(why, size,
			 "no network interface but the loopback is up and has an IPv4 address; other hosts "
			 "cannot reach this one");
	else
		snprintf(why, size,
			 "interface '%s': this machine has none such that is up with an IPv4 address", spec);
	return -ENODEV;
}
