// SPDX-License-Identifier: BSD-2-Clause
/*
 * dsmrun_names.c - what hosts' names mean: this machine or another one, and the addresses at which a host's nodes are
 * reached when nobody has said it.
 *
 * A name is looked up here, once. The host itself then takes the first of its addresses that one of its interfaces
 * has: a name may have several, and one that is translated on the way is on no interface. All hosts are asked for
 * the same family, if there is one in which each of them has an address: nodes of two families may not reach one
 * another.
 */
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "dsmcore/launch/dsmrun_hosts.h"

static bool is_our_name(const char *name)
{
	char self[HOST_NAME_MAX + 1] = "";
	size_t n;

	if (!strcasecmp(name, "localhost"))
		return true;
	if (gethostname(self, sizeof(self)))
		return false;
	self[sizeof(self) - 1] = 0;
	n = strcspn(self, ".");
	return !strcasecmp(name, self) || (strlen(name) == n && !strncasecmp(name, self, n));
}

static bool has(const struct host *h, const struct address *a)
{
	for (unsigned i = 0; i < h->naddresses; i++)
		if (address__same(&h->addresses[i], a))
			return true;
	return false;
}

static void keep(struct host *h, const struct address *a)
{
	if (h->naddresses < HOST_ADDRESSES && a->family && !has(h, a))
		h->addresses[h->naddresses++] = *a;
}

static void look_up(struct host *h)
{
	struct addrinfo want = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
	const char *at = strrchr(h->name, '@'); /* ssh knows users */
	struct address a;

	if (address__parse(at ? at + 1 : h->name, &a)) {
		keep(h, &a);
		return;
	}
	if (getaddrinfo(at ? at + 1 : h->name, NULL, &want, &found) == 0)
		for (const struct addrinfo *f = found; f; f = f->ai_next)
			if (address__of_socket(&a, f->ai_addr)) {
				a.port = 0;
				keep(h, &a);
			}
	if (found)
		freeaddrinfo(found);
}

/* All of them: a name may stand for several machines, of which this is one. */
static bool all_ours(const struct host *h)
{
	for (unsigned i = 0; i < h->naddresses; i++)
		if (!address__is_ours(&h->addresses[i]))
			return false;
	return h->naddresses;
}

/* Good for others: a link-local address means nothing to them, and a loopback's leads to themselves. */
static bool is_public(const struct address *a)
{
	return !address__is_loopback(a) && !address__is_link_local(a);
}

static bool has_family(const struct host *h, uint8_t family)
{
	for (unsigned i = 0; i < h->naddresses; i++)
		if (is_public(&h->addresses[i]) && (!family || h->addresses[i].family == family))
			return true;
	return false;
}

/* This machine's name often has none but the loopback's; what it would choose shows which families it has. */
static void keep_own(struct host *h)
{
	static const char *const each[] = {ADDRESS_ANY4, ADDRESS_ANY6};
	char why[2 * ADDRESS_SPEC];
	struct address a;

	for (unsigned i = 0; i < 2; i++)
		if (address__find(each[i], &a, why, sizeof(why)) == 0)
			keep(h, &a);
}

void names__look_up(struct host *h)
{
	h->here = is_our_name(h->name);
	if (strcasecmp(h->name, "localhost") != 0)
		look_up(h);
	/* As another user it takes the remote shell, even here. */
	if (!h->here && !strchr(h->name, '@'))
		h->here = all_ours(h);
	if (h->here && !has_family(h, 0))
		keep_own(h);
}

static bool all_have(const struct run *run, uint8_t family)
{
	for (unsigned i = 0; i < run->nhosts; i++)
		if (has_family(&run->hosts[i], 0) && !has_family(&run->hosts[i], family))
			return false;
	return true;
}

/* The family of all hosts whose addresses are known; 0: none is, or there is no such family. */
static uint8_t common_family(const struct run *run)
{
	bool known = false;

	for (unsigned i = 0; i < run->nhosts; i++)
		known |= has_family(&run->hosts[i], 0);
	return !known ? 0 : all_have(run, 4) ? 4 : all_have(run, 6) ? 6 : 0;
}

/* What does not fit any more is left out: that many are no help. */
static void append(char spec[ADDRESS_SPEC], const char *text)
{
	size_t n = strlen(spec);

	if (n + strlen(text) + sizeof(",auto4,auto") < ADDRESS_SPEC)
		snprintf(spec + n, ADDRESS_SPEC - n, "%s%s", n ? "," : "", text);
}

/* family 0: of either */
static void append_addresses(const struct host *h, uint8_t family, char spec[ADDRESS_SPEC])
{
	char text[ADDRESS_TEXT];

	for (unsigned i = 0; i < h->naddresses; i++)
		if (is_public(&h->addresses[i]) && (!family || h->addresses[i].family == family))
			append(spec, address__text(&h->addresses[i], text));
}

void names__listen(const struct run *run, const struct host *h, char spec[ADDRESS_SPEC])
{
	uint8_t family = common_family(run);
	size_t n;

	*spec = 0;
	if (family) {
		append_addresses(h, family, spec);
		append(spec, family == 4 ? ADDRESS_ANY4 : ADDRESS_ANY6);
		append_addresses(h, family == 4 ? 6 : 4, spec);
	} else {
		append_addresses(h, 0, spec);
	}
	n = strlen(spec);
	snprintf(spec + n, ADDRESS_SPEC - n, "%s%s", n ? "," : "", ADDRESS_ANY);
}

void names__warn(const struct run *run)
{
	char text[ADDRESS_TEXT];

	for (unsigned i = 1; i < run->nhosts; i++)
		for (unsigned k = 0; k < i; k++) {
			const struct host *a = &run->hosts[k], *b = &run->hosts[i];

			for (unsigned n = 0; n < b->naddresses; n++)
				if (is_public(&b->addresses[n]) && has(a, &b->addresses[n])) {
					run__say("hosts '%s' and '%s' have the same address %s: if they are "
						 "one "
						 "machine, name it once, with %u nodes; as two its nodes "
						 "share "
						 "cores and no memory",
						 a->name, b->name, address__text(&b->addresses[n], text),
						 a->count + b->count);
					break;
				}
		}
}
