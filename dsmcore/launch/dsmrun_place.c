// SPDX-License-Identifier: BSD-2-Clause
/* dsmrun_place.c - which hosts there are, and which nodes run on them. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dsmcore/launch/dsmrun_hosts.h"

static bool is_here(const char *name)
{
	char self[HOST_NAME_MAX + 1] = "";
	size_t n;

	if (!strcmp(name, "localhost") || !strcmp(name, ADDRESS_LOOPBACK))
		return true;
	if (gethostname(self, sizeof(self)))
		return false;
	self[sizeof(self) - 1] = 0;
	n = strcspn(self, ".");
	return !strcmp(name, self) || (strlen(name) == n && !strncmp(name, self, n));
}

/* A name that begins with - would be an option of the remote shell. */
static bool is_name(const char *name)
{
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("'\"\\;|&<>()$`", *c))
			return false;
	return *name && *name != '-' && strlen(name) < sizeof(((struct host *)0)->name);
}

static int add(struct run *run, const char *name, unsigned slots, const char *address, char *why, size_t size)
{
	struct host *more, *h;

	if (!is_name(name)) {
		snprintf(why, size, "host '%s': not a host's name", name);
		return -EINVAL;
	}
	for (unsigned i = 0; i < run->nhosts; i++)
		if (!strcmp(run->hosts[i].name, name) || (run->hosts[i].here && is_here(name))) {
			snprintf(why, size, "host '%s' is named twice: give its number of nodes once (%s:%u)",
				 name, name, run->hosts[i].slots + slots);
			return -EINVAL;
		}
	if (run->nhosts == OPTIONS_NODES_MAX) {
		snprintf(why, size, "more than %u hosts", OPTIONS_NODES_MAX);
		return -EINVAL;
	}
	if (*address && address__check(address, why, size))
		return -EINVAL;
	more = realloc(run->hosts, (run->nhosts + 1) * sizeof(*more));
	if (!more) {
		snprintf(why, size, "hosts: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	run->hosts = more;
	h = &more[run->nhosts++];
	*h = (struct host){.slots = slots, .here = is_here(name), .to = -1, .from = -1, .part = -1};
	snprintf(h->name, sizeof(h->name), "%s", name);
	snprintf(h->address, sizeof(h->address), "%s", address);
	return 0;
}

static int read_slots(const char *text, unsigned *slots, const char *what, char *why, size_t size)
{
	uint64_t v;

	if (options__number(text, 1, OPTIONS_NODES_MAX, &v)) {
		snprintf(why, size, "%s: number of nodes '%s': give 1 to %u", what, text, OPTIONS_NODES_MAX);
		return -EINVAL;
	}
	*slots = (unsigned)v;
	return 0;
}

int hosts__add(struct run *run, const char *list, char *why, size_t size)
{
	char *copy = strdup(list), *save = NULL;
	int rc = copy ? 0 : -ENOMEM;

	for (char *at = copy ? strtok_r(copy, ",", &save) : NULL; at && !rc;
	     at = strtok_r(NULL, ",", &save)) {
		char *colon = strchr(at, ':');
		unsigned slots = 1;

		if (colon) {
			*colon = 0;
			rc = read_slots(colon + 1, &slots, at, why, size);
		}
		if (!rc)
			rc = add(run, at, slots, "", why, size);
	}
	if (!rc && !run->nhosts) {
		snprintf(why, size, "hosts '%s': give names and numbers of nodes, e.g. --hosts a:2,b:2",
			 list);
		rc = -EINVAL;
	}
	free(copy);
	return rc;
}

static int add_line(struct run *run, char *line, const char *where, char *why, size_t size)
{
	char *save = NULL, *name, *word, address[ADDRESS_SPEC] = "", reason[512];
	unsigned slots = 1;
	int rc = 0;

	line[strcspn(line, "#\r\n")] = 0;
	name = strtok_r(line, " \t", &save);
	if (!name)
		return 0;
	while (!rc && (word = strtok_r(NULL, " \t", &save))) {
		if (!strncmp(word, "slots=", 6)) {
			rc = read_slots(word + 6, &slots, name, reason, sizeof(reason));
		} else if (!strncmp(word, "address=", 8) && strlen(word + 8) < sizeof(address)) {
			strcpy(address, word + 8);
		} else {
			snprintf(reason, sizeof(reason), "'%s': a line is NAME [slots=N] [address=IP]", word);
			rc = -EINVAL;
		}
	}
	if (!rc)
		rc = add(run, name, slots, address, reason, sizeof(reason));
	if (rc)
		snprintf(why, size, "%s: %s", where, reason);
	return rc;
}

int hosts__add_file(struct run *run, const char *path, char *why, size_t size)
{
	FILE *f = fopen(path, "re");
	char line[1024], where[PATH_MAX + 32];
	int rc = 0;

	if (!f) {
		snprintf(why, size, "host file '%s': %s", path, strerror(errno));
		return -errno;
	}
	for (unsigned n = 1; !rc && fgets(line, sizeof(line), f); n++) {
		snprintf(where, sizeof(where), "%s:%u", path, n);
		if (strchr(line, '\n') || feof(f)) {
			rc = add_line(run, line, where, why, size);
		} else { /* no host file, perhaps one without an end */
			snprintf(why, size, "%s: the line is too long: it is NAME [slots=N] [address=IP]",
				 where);
			rc = -EINVAL;
		}
	}
	if (!rc && ferror(f)) {
		rc = -errno;
		snprintf(why, size, "host file '%s': %s", path, strerror(-rc));
	}
	if (!rc && !run->nhosts) {
		snprintf(why, size, "host file '%s' names no host: a line is NAME [slots=N] [address=IP]",
			 path);
		rc = -EINVAL;
	}
	fclose(f);
	return rc;
}

int hosts__place(struct run *run, unsigned nodes, char *why, size_t size)
{
	unsigned slots = 0, at = 0, used = 0;

	for (unsigned i = 0; i < run->nhosts; i++)
		slots += run->hosts[i].slots;
	if (!nodes)
		nodes = slots;
	if (nodes > slots || nodes > OPTIONS_NODES_MAX) {
		snprintf(why, size,
			 "%u nodes, but the hosts have room for %u, and a run for %u (--hosts NAME:NODES)",
			 nodes, slots, OPTIONS_NODES_MAX);
		return -EINVAL;
	}
	for (unsigned i = 0; i < run->nhosts && at < nodes; i++, used++) {
		struct host *h = &run->hosts[i];

		h->first = at;
		h->count = nodes - at < h->slots ? nodes - at : h->slots;
		at += h->count;
		if (h->here) {
			run->first = h->first;
			run->here = h->count;
		}
	}
	run->nhosts = used;
	run->options.nodes = (uint16_t)nodes;
	for (unsigned i = 0; i < used; i++)
		if (run->hosts[i].here)
			hosts__listen(run, &run->hosts[i], run->options.listen);
	return 0;
}

/* Here too, so that all nodes see the same. */
static int set_here(const char *variable)
{
	size_t n = strcspn(variable, "=");
	char *name;
	int rc;

	if (!variable[n])
		return 0;
	name = strndup(variable, n);
	rc = name && !setenv(name, variable + n + 1, 1) ? 0 : -ENOMEM;
	free(name);
	return rc;
}

int hosts__add_variable(struct run *run, const char *text, char *why, size_t size)
{
	size_t n = strcspn(text, "=");
	const char *value = text[n] ? NULL : getenv(text);
	char **more = realloc(run->variables, (run->nvariables + 1) * sizeof(*more)), *variable = NULL;

	if (more)
		run->variables = more;
	if (!n || (!text[n] && !value)) {
		snprintf(why, size, "variable '%s': %s", text,
			 n ? "is not set here; give NAME=VALUE" : "has no name");
		return -EINVAL;
	}
	if (!more || asprintf(&variable, "%s%s%s", text, value ? "=" : "", value ? value : "") < 0 ||
	    set_here(text)) {
		free(variable);
		snprintf(why, size, "variable '%s': %s", text, strerror(ENOMEM));
		return -ENOMEM;
	}
	run->variables[run->nvariables++] = variable;
	return 0;
}

void hosts__free(struct run *run)
{
	for (unsigned i = 0; i < run->nvariables; i++)
		free(run->variables[i]);
	free(run->variables);
	free(run->hosts);
}

/* What the name means here; not where it means ourselves. */
static bool resolve(const char *name, char *out, size_t size)
{
	struct addrinfo want = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
	bool ok = false;

	if (getaddrinfo(name, NULL, &want, &found) == 0 && found) {
		struct in_addr a = ((const struct sockaddr_in *)(const void *)found->ai_addr)->sin_addr;

		ok = (ntohl(a.s_addr) >> 24) != 127 && inet_ntop(AF_INET, &a, out, (socklen_t)size);
	}
	if (found)
		freeaddrinfo(found);
	return ok;
}

void hosts__listen(const struct run *run, const struct host *h, char *spec)
{
	if (run->nhosts < 2) {
		strcpy(spec,
		       run->options.nodes > 1 && options__over_tcp(&run->options) ? ADDRESS_LOOPBACK : "");
		return;
	}
	if (*h->address)
		strcpy(spec, h->address);
	else if (*run->interface)
		strcpy(spec, run->interface);
	else if (resolve(h->name, spec, INET_ADDRSTRLEN)) /* may be translated on the way */
		strcat(spec, "," ADDRESS_ANY);
	else
		strcpy(spec, ADDRESS_ANY);
}
