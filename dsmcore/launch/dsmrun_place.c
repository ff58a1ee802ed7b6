// SPDX-License-Identifier: BSD-2-Clause
/* dsmrun_place.c - which hosts there are, and which nodes run on them. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "dsmcore/launch/dsmrun_hosts.h"

/* A name that begins with - would be an option of the remote shell. */
static bool is_name(const char *name)
{
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("'\"\\;|&<>()$`", *c))
			return false;
	return *name && *name != '-' && strlen(name) < sizeof(((struct host *)0)->name);
}

static int named_twice(const struct host *a, const struct host *b, char *why, size_t size)
{
	bool colons = strchr(a->name, ':');
	char both[sizeof(b->name) + 32] = "";

	if (strcasecmp(a->name, b->name) != 0)
		snprintf(both, sizeof(both), " (as '%s' too)", b->name);
	snprintf(why, size, "host '%s' is named twice%s: give its number of nodes once (%s%s%s:%u)", a->name,
		 both, colons ? "[" : "", a->name, colons ? "]" : "", a->slots + b->slots);
	return -EINVAL;
}

static int add(struct run *run, const char *name, unsigned slots, const char *address, char *why, size_t size)
{
	char text[ADDRESS_TEXT];
	struct address a;
	struct host *more, new = {.slots = slots, .to = -1, .from = -1, .part = -1};

	if (!is_name(name)) {
		snprintf(why, size, "host '%s': not a host's name", name);
		return -EINVAL;
	}
	/* One address has many forms, one name only two. */
	snprintf(new.name, sizeof(new.name), "%s", address__parse(name, &a) ? address__text(&a, text) : name);
	snprintf(new.address, sizeof(new.address), "%s", address);
	for (unsigned i = 0; i < run->nhosts; i++)
		if (!strcasecmp(run->hosts[i].name, new.name))
			return named_twice(&run->hosts[i], &new, why, size);
	names__look_up(&new);
	for (unsigned i = 0; i < run->nhosts; i++)
		if (run->hosts[i].here && new.here)
			return named_twice(&run->hosts[i], &new, why, size);
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
	more[run->nhosts++] = new;
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

/* NAME[:NODES]; an IPv6 address, which has colons itself, is in brackets. Cuts it; NULL: bad, with the reason. */
static char *split(char *text, char **count, char *why, size_t size)
{
	char *end = *text == '[' ? strchr(text, ']') : NULL, *colon = strchr(end ? end : text, ':');
	struct address a;

	*count = colon ? colon + 1 : NULL;
	if (end && (!end[1] || colon == end + 1)) {
		end[1] = 0;
		if (address__parse(text, &a)) {
			*end = 0;
			return text + 1;
		}
		colon = NULL; /* the message is about the name */
	}
	if (*text == '[') {
		snprintf(why, size, "host '%s': in brackets belongs an IPv6 address, and behind them :NODES",
			 text);
		return NULL;
	}
	if (colon && strchr(colon + 1, ':')) {
		snprintf(why, size, "host '%s': NAME:NODES; an IPv6 address belongs in brackets: [fd00::1]:2",
			 text);
		return NULL;
	}
	if (colon)
		*colon = 0;
	return text;
}

int hosts__add(struct run *run, const char *list, char *why, size_t size)
{
	char *copy = strdup(list), *save = NULL;
	int rc = 0;

	if (!copy) {
		snprintf(why, size, "hosts '%s': %s", list, strerror(ENOMEM));
		return -ENOMEM;
	}
	for (char *at = strtok_r(copy, ",", &save); at && !rc; at = strtok_r(NULL, ",", &save)) {
		unsigned slots = 1;
		char *count, *name = split(at, &count, why, size);

		rc = name ? 0 : -EINVAL;
		if (!rc && count)
			rc = read_slots(count, &slots, name, why, size);
		if (!rc)
			rc = add(run, name, slots, "", why, size);
	}
	if (!rc && !run->nhosts) {
		snprintf(why, size, "hosts '%s': give names and numbers of nodes, e.g. --hosts a:2,b:2",
			 list);
		rc = -EINVAL;
	}
	free(copy);
	return rc;
}

/* In a host file the number of nodes is apart, so IPv6 addresses need no brackets. */
static int plain_name(char **name, char *why, size_t size)
{
	char *text = *name;
	struct address a;

	if (address__parse(text, &a)) {
		if (*text == '[') {
			text[strlen(text) - 1] = 0;
			++*name;
		}
		return 0;
	}
	if (!strchr(text, ':'))
		return 0;
	snprintf(why, size,
		 "host '%s': neither a name nor an address (NAME:NODES is written NAME slots=NODES here)",
		 text);
	return -EINVAL;
}

static int add_line(struct run *run, char *line, const char *where, char *why, size_t size)
{
	char *save = NULL, *name, *word, address[ADDRESS_SPEC] = "", reason[1024];
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
			snprintf(reason, sizeof(reason), "'%s': a line is NAME [slots=N] [address=WHERE]",
				 word);
			rc = -EINVAL;
		}
	}
	if (!rc)
		rc = plain_name(&name, reason, sizeof(reason));
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
		rc = -errno;
		snprintf(why, size, "host file '%s': %s", path, strerror(-rc));
		return rc;
	}
	for (unsigned n = 1; !rc && fgets(line, sizeof(line), f); n++) {
		snprintf(where, sizeof(where), "%s:%u", path, n);
		if (strchr(line, '\n') || feof(f)) {
			rc = add_line(run, line, where, why, size);
		} else { /* no host file, perhaps one without an end */
			snprintf(why, size, "%s: the line is too long: it is NAME [slots=N] [address=WHERE]",
				 where);
			rc = -EINVAL;
		}
	}
	if (!rc && ferror(f)) {
		rc = -errno;
		snprintf(why, size, "host file '%s': %s", path, strerror(-rc));
	}
	if (!rc && !run->nhosts) {
		snprintf(why, size, "host file '%s' names no host: a line is NAME [slots=N] [address=WHERE]",
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
	names__warn(run);
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
	else
		names__listen(run, h, spec);
}
