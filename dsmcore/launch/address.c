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
	char one[ADDRESS_SPEC];
	struct wanted w;
	int rc = 0;

	if (!*spec || strlen(spec) >= ADDRESS_SPEC)
		return parse("", &w, why, size);
	while (!rc && next_of(&spec, one))
		rc = parse(one, &w, why, size);
	return rc;
}

static bool fits(const struct wanted *w, const struct ifaddrs *i)
{
	uint32_t ip;

	if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || !(i->ifa_flags & IFF_UP))
		return false;
	ip = ((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr.s_addr;
	if (w->any)
		return !(i->ifa_flags & IFF_LOOPBACK);
	return w->network ? (ip & w->mask) == w->ip : !strcmp(w->name, i->ifa_name);
}

static bool find_one(const char *spec, const struct ifaddrs *i, uint32_t *ip)
{
	struct wanted w;
	char why[256];

	if (parse(spec, &w, why, sizeof(why)))
		return false;
	/* The whole of 127.0.0.0/8 is ours, though no interface lists it. */
	if (w.network && w.mask == ~0u && (ntohl(w.ip) >> 24) == 127) {
		*ip = w.ip;
		return true;
	}
	while (i && !fits(&w, i))
		i = i->ifa_next;
	if (i)
		*ip = ((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr.s_addr;
	return i;
}

int address__find(const char *spec, uint32_t *ip, char *why, size_t size)
{
	struct ifaddrs *all;
	const char *list = spec;
	char one[ADDRESS_SPEC];
	bool found = false;
	int rc = address__check(spec, why, size);

	if (rc)
		return rc;
	if (getifaddrs(&all)) {
		rc = -errno;
		snprintf(why, size, "network interfaces: %s", strerror(errno));
		return rc;
	}
	while (!found && next_of(&list, one))
		found = find_one(one, all, ip);
	freeifaddrs(all);
	if (found)
		return 0;
	if (!strcmp(one, ADDRESS_ANY))
		snprintf(why, size,
			 "no network interface but the loopback is up and has an IPv4 address; other hosts "
			 "cannot reach this one");
	else
		snprintf(why, size,
			 "interface '%s': this machine has none such that is up with an IPv4 address", spec);
	return -ENODEV;
}
