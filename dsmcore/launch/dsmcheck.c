/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dsmcheck - what does this machine lack for Procope, and what is to be done about it? Each thing is tried
 * out; docs/man/dsmcheck.1 lists them.
 */
#include "dsmcore/launch/dsmcheck.h"

#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "dsmcore/launch/plain.h"
#include "dsmcore/launch/remedy.h"
#include "version.h"

#define CHECK_SCHEMA "procope.check/1"

static const char usage_text[] =
	"Usage: dsmcheck [options]\n"
	"Tries out what Procope needs on this machine; for what is missing it says what to do.\n\n"
	"  -m, --missing     print only what is missing\n"
	"      --lib FILE    the libdsm.so to look at (default: ../lib/libdsm.so beside this program)\n"
	"      --json        print JSON (schema " CHECK_SCHEMA ")\n"
	"  -h, --help        this text\n"
	"      --version     version\n\n"
	"Exit code: 0 what a run needs is there, 1 something that a run needs is missing, 2 bad usage.\n";

static const char *const group_key[CHECK_GROUPS] = {"run", "trace", "report", "optional"};
static const char *const group_title[CHECK_GROUPS] = {"to run programs (all needed)",
						      "to record events (BPF, or else the shared ring)",
						      "to draw and name in reports", "optional"};

struct options {
	bool missing, json;
	const char *lib;
};

void checks__add(struct checks *c, enum check_group group, const char *name, const char *remedy,
		 const char *fmt, ...)
{
	struct check *k = &c->item[c->n];
	va_list ap;

	if (c->n == CHECKS_MAX)
		abort(); /* a list in the source has outgrown its array */
	c->n++;
	*k = (struct check){.name = name, .group = group, .ok = !remedy};
	snprintf(k->remedy, sizeof(k->remedy), "%s", remedy ? remedy : "");
	va_start(ap, fmt);
	vsnprintf(k->detail, sizeof(k->detail), fmt, ap);
	va_end(ap);
}

static bool is_ok(const struct checks *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (!strcmp(c->item[i].name, name))
			return c->item[i].ok;
	return false;
}

static bool run_is_possible(const struct checks *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->item[i].group == CHECK_RUN && !c->item[i].ok)
			return false;
	return true;
}

static const char *trace_source(const struct checks *c)
{
	if (is_ok(c, "kernel BTF") && is_ok(c, "BPF maps") && is_ok(c, "BPF on a probe") &&
	    is_ok(c, "USDT probes"))
		return "bpf";
	return is_ok(c, "shared ring") ? "ring" : "none";
}

/* ---- output ---- */

static void print_group(const struct checks *c, enum check_group group, const struct options *o, bool colour)
{
	const char *red = colour ? "\033[1;31m" : "", *green = colour ? "\033[32m" : "",
		   *plain = colour ? "\033[0m" : "";
	bool titled = false;

	for (size_t i = 0; i < c->n; i++) {
		const struct check *k = &c->item[i];

		if (k->group != group || (o->missing && k->ok))
			continue;
		if (!titled)
			printf("%s:\n", group_title[group]);
		titled = true;
		printf("  %s%-7s%s  %-20s  %s\n", k->ok ? green : red, k->ok ? "ok" : "MISSING", plain,
		       k->name, k->detail);
		if (!k->ok)
			printf("           -> %s\n", k->remedy);
	}
}

static void print_text(const struct checks *c, const struct options *o)
{
	const char *no_colour = getenv("NO_COLOR"), *source = trace_source(c);
	bool colour = isatty(STDOUT_FILENO) && !(no_colour && *no_colour);

	for (int g = 0; g < CHECK_GROUPS; g++)
		print_group(c, (enum check_group)g, o, colour);
	printf("programs %s; events are recorded %s\n",
	       run_is_possible(c) ? "can run here" : "CANNOT run here: see what is missing above",
	       !strcmp(source, "bpf")	 ? "through BPF"
	       : !strcmp(source, "ring") ? "through the shared ring (BPF is not available)"
					 : "NOT AT ALL: neither BPF nor the ring is available");
}

static void print_json(const struct checks *c)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	struct utsname u;

	for (size_t i = 0; i < c->n; i++) {
		const struct check *k = &c->item[i];
		struct json_object *e = json_object_new_object();

		json_object_object_add(e, "name", json_object_new_string(k->name));
		json_object_object_add(e, "group", json_object_new_string(group_key[k->group]));
		json_object_object_add(e, "required", json_object_new_boolean(k->group == CHECK_RUN));
		json_object_object_add(e, "ok", json_object_new_boolean(k->ok));
		json_object_object_add(e, "detail", json_object_new_string(k->detail));
		json_object_object_add(e, "remedy", k->ok ? NULL : json_object_new_string(k->remedy));
		json_object_array_add(list, e);
	}
	json_object_object_add(o, "schema", json_object_new_string(CHECK_SCHEMA));
	json_object_object_add(o, "ok", json_object_new_boolean(run_is_possible(c)));
	json_object_object_add(o, "source", json_object_new_string(trace_source(c)));
	json_object_object_add(o, "kernel", json_object_new_string(uname(&u) ? "" : u.release));
	json_object_object_add(o, "checks", list);
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

/* What nobody could read was not said. */
static bool written(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	fprintf(stderr, "dsmcheck: standard output: %s%s\n", strerror(errno), remedy__write(errno));
	return false;
}

/* ---- */

/* What check_process() runs twice to see whether addresses stay. */
static int print_addresses(void)
{
	int local;

	printf("%p %p %p\n", (void *)&local, (void *)(uintptr_t)print_addresses, (void *)(uintptr_t)puts);
	return 0;
}

static int usage_error(const char *what, const char *value)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s%s%s (dsmcheck --help lists the options)", what, value ? ": " : "",
		 value ? value : "");
	plain__print("dsmcheck", text);
	return 2;
}

enum { OPT_JSON = 256, OPT_LIB, OPT_VERSION, OPT_ADDRESSES };

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{"missing", no_argument, NULL, 'm'},
		{"json", no_argument, NULL, OPT_JSON},
		{"lib", required_argument, NULL, OPT_LIB},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, OPT_VERSION},
		{"print-addresses", no_argument, NULL, OPT_ADDRESSES},
		{NULL, 0, NULL, 0},
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":mh", options, NULL)) != -1) {
		switch (c) {
		case 'm':
			o->missing = true;
			break;
		case OPT_JSON:
			o->json = true;
			break;
		case OPT_LIB:
			o->lib = optarg;
			break;
		case 'h':
			fputs(usage_text, stdout);
			return written() ? 0 : 2;
		case OPT_VERSION:
			puts(VERSION_LINE("dsmcheck", "; schema " CHECK_SCHEMA));
			return written() ? 0 : 2;
		case OPT_ADDRESSES:
			return print_addresses();
		case ':':
			return usage_error("option needs a value", argv[optind - 1]);
		default:
			return usage_error("unknown option", argv[optind - 1]);
		}
	}
	return optind < argc ? usage_error("no arguments are taken, but there is", argv[optind]) : -1;
}

int main(int argc, char **argv)
{
	static struct checks c;
	struct options o = {0};
	char self[PATH_MAX] = "", bin[PATH_MAX], lib[PATH_MAX + 32], resolved[PATH_MAX];
	ssize_t n;
	int rc;

	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error to report */
	rc = parse(argc, argv, &o);
	if (rc >= 0)
		return rc;
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n <= 0 || !strrchr(self, '/')) {
		fprintf(stderr, "dsmcheck: /proc is not mounted here; nodes and tools need it: mount -t proc "
				"proc /proc\n");
		return 1;
	}
	strcpy(bin, self);
	*strrchr(bin, '/') = 0;
	snprintf(lib, sizeof(lib), "%s/../lib/libdsm.so", bin);
	check_memory(&c);
	check_probes(&c, o.lib ? o.lib : realpath(lib, resolved) ? resolved : lib);
	check_bpf(&c);
	check_ring(&c);
	check_tools(&c);
	check_debug(&c, self);
	check_process(&c, self);
	check_libraries(&c, bin);
	check_apps(&c, bin);
	check_limits(&c);
	if (o.json)
		print_json(&c);
	else
		print_text(&c, &o);
	if (!written())
		return 2;
	return run_is_possible(&c) ? 0 : 1;
}
