// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/launch/options.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dsmcore/protocol/core.h"

#define HEAP_DEFAULT	(1ull << 30)
#define HEAP_MIN	(1ull << 20)
#define HEAP_MAX	(1ull << 40)
#define RING_DEFAULT	(8ull << 20)
#define RING_MIN	(8ull << 10)
#define RING_MAX	(1ull << 30)
#define SILENCE_DEFAULT 30
#define SILENCE_MAX	86400

__attribute__((format(printf, 4, 5))) static int fail(int rc, char *why, size_t size, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, size, format, ap);
	va_end(ap);
	return rc;
}

int options__number(const char *text, uint64_t min, uint64_t max, uint64_t *number)
{
	unsigned long long v;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno || v < min || v > max)
		return -ERANGE;
	*number = v;
	return 0;
}

int options__size(const char *text, uint64_t *bytes)
{
	static const char suffixes[] = "KMG";
	unsigned long long v;
	unsigned shift = 0;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (*end) {
		const char *s = strchr(suffixes, *end & ~0x20);

		if (!s || !*s || end[1])
			return -EINVAL;
		shift = 10 * (unsigned)(s - suffixes + 1);
	}
	if (errno || v > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes = (uint64_t)v << shift;
	return 0;
}

int options__heap(struct run_options *o, const char *text, char *why, size_t size)
{
	uint64_t v;

	if (options__size(text, &v) || v < HEAP_MIN || v > HEAP_MAX)
		return fail(-EINVAL, why, size,
			    "heap size '%s': give 1M to 1024G (bytes, or with a suffix K, M or G)", text);
	o->heap_bytes = (v + 4095) & ~4095ull;
	return 0;
}

int options__ring(struct run_options *o, const char *text, char *why, size_t size)
{
	uint64_t v;

	if (options__size(text, &v) || v < RING_MIN || v > RING_MAX || (v & (v - 1)))
		return fail(-EINVAL, why, size, "ring size '%s': give a power of two from 8K to 1G", text);
	o->ring_bytes = v;
	return 0;
}

int options__microscope(struct run_options *o, const char *text, char *why, size_t size)
{
	uint64_t v;

	if (options__number(text, 0, 1000, &v))
		return fail(-EINVAL, why, size,
			    "microscope share '%s': give 0 (off) to 1000 thousandths of the run time", text);
	o->microscope_permille = (uint32_t)v;
	return 0;
}

/* The nodes may change their folder: paths travel absolute. */
static int absolute(const char *what, const char *path, char *out, size_t room, char *why, size_t size)
{
	char full[PATH_MAX];

	if (!realpath(path, full))
		return fail(-errno, why, size, "%s '%s': %s", what, path, strerror(errno));
	if (strlen(full) >= room)
		return fail(-ENAMETOOLONG, why, size, "%s '%s': path too long", what, path);
	strcpy(out, full);
	return 0;
}

int options__plan(struct run_options *o, const char *text, char *why, size_t size)
{
	struct stat st;
	int rc;

	if (!*text) {
		o->plan[0] = 0;
		return 0;
	}
	rc = absolute("plan", text, o->plan, sizeof(o->plan), why, size);
	if (rc)
		return rc;
	if (stat(o->plan, &st) || !S_ISREG(st.st_mode))
		return fail(-EINVAL, why, size, "plan '%s' is not a file", text);
	if (access(o->plan, R_OK))
		return fail(-errno, why, size, "plan '%s': %s", text, strerror(errno));
	return 0;
}

/* The folder that a new one at this path would be in, into a buffer of PATH_MAX bytes; and its own name. */
static const char *parent_of(const char *path, char *parent)
{
	size_t n = strlen(path), name;

	while (n > 1 && path[n - 1] == '/')
		n--;
	for (name = n; name && path[name - 1] != '/';)
		name--;
	if (n >= PATH_MAX)
		return NULL;
	if (name)
		snprintf(parent, PATH_MAX, "%.*s", (int)name, path);
	else
		strcpy(parent, ".");
	return path + name;
}

/* The nodes make it, wherever they run: a run that does not start leaves none behind. */
static int new_history(struct run_options *o, const char *text, char *why, size_t size)
{
	char parent[PATH_MAX], full[PATH_MAX];
	const char *name = parent_of(text, parent);
	struct stat st;

	if (!name || !realpath(parent, full))
		return fail(name ? -errno : -ENAMETOOLONG, why, size,
			    "history folder '%s': the folder that it would be in: %s%s", text,
			    strerror(name ? errno : ENAMETOOLONG),
			    name && errno == ENOENT ? "; make that first (mkdir -p)" : "");
	if (stat(full, &st) || !S_ISDIR(st.st_mode))
		return fail(-ENOTDIR, why, size, "history folder '%s': '%s' is not a folder", text, full);
	if (access(full, W_OK | X_OK))
		return fail(-errno, why, size, "history folder '%s' cannot be made in '%s': %s", text, full,
			    strerror(errno));
	if (snprintf(o->history, sizeof(o->history), "%s/%s", full[1] ? full : "", name) >=
	    (int)sizeof(o->history))
		return fail(-ENAMETOOLONG, why, size, "history folder '%s': path too long", text);
	return 0;
}

int options__history(struct run_options *o, const char *text, char *why, size_t size)
{
	struct stat st;
	int rc;

	if (!*text) {
		o->history[0] = 0;
		return 0;
	}
	if (lstat(text, &st) && errno == ENOENT)
		return new_history(o, text, why, size);
	rc = absolute("history folder", text, o->history, sizeof(o->history), why, size);
	if (rc)
		return rc;
	if (stat(o->history, &st) || !S_ISDIR(st.st_mode))
		return fail(-ENOTDIR, why, size, "history folder '%s' is not a folder", text);
	if (access(o->history, W_OK | X_OK))
		return fail(-errno, why, size, "history folder '%s': %s", text, strerror(errno));
	return 0;
}

int options__key_file(struct run_options *o, const char *text, char *why, size_t size)
{
	o->key_file[0] = 0;
	return *text ? absolute("key file", text, o->key_file, sizeof(o->key_file), why, size) : 0;
}

int options__transport(struct run_options *o, const char *text, char *why, size_t size)
{
	static const char *const kinds[] = {"shm", "unix", "tcp", "insecure-tcp", "fabric"};

	if (!strcmp(text, "tls")) /* what tcp is, unless it says insecure */
		text = "tcp";
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(text, kinds[i])) {
			strcpy(o->transport, text);
			if (strcmp(text, "fabric") != 0)
				o->fabric[0] = 0;
			return 0;
		}
	return fail(
		-EINVAL, why, size,
		"transport '%s': give shm, unix, tcp or tls (the same: TCP, encrypted), insecure-tcp (not "
		"encrypted) or fabric",
		text);
}

int options__consistency(struct run_options *o, const char *text, char *why, size_t size)
{
	for (uint8_t i = 0; i <= CORE_RC; i++)
		if (!strcmp(text, options__model(i))) {
			o->consistency = i;
			return 0;
		}
	return fail(-EINVAL, why, size,
		    "consistency '%s': give tx (transactions), sc (sequential) or rc (release consistency)",
		    text);
}

int options__fabric(struct run_options *o, const char *text, char *why, size_t size)
{
	if (!*text || strlen(text) >= sizeof(o->fabric))
		return fail(-EINVAL, why, size,
			    "fabric provider '%s': give libfabric's name of one, e.g. shm, tcp, verbs or efa "
			    "(fi_info -l lists them)",
			    text);
	strcpy(o->fabric, text);
	strcpy(o->transport, "fabric");
	return 0;
}

bool options__sane(const struct run_options *o)
{
	return memchr(o->plan, 0, sizeof(o->plan)) && memchr(o->history, 0, sizeof(o->history)) &&
	       memchr(o->key_file, 0, sizeof(o->key_file)) && memchr(o->transport, 0, sizeof(o->transport)) &&
	       memchr(o->fabric, 0, sizeof(o->fabric)) && memchr(o->listen, 0, sizeof(o->listen)) &&
	       o->consistency <= CORE_RC && o->nodes >= 1 && o->nodes <= OPTIONS_NODES_MAX;
}

bool options__over_tcp(const struct run_options *o)
{
	return !strcmp(o->transport, "tcp") || !strcmp(o->transport, "insecure-tcp");
}

static int switch_from(bool *to, const char *text, char *why, size_t size)
{
	if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
		return fail(-EINVAL, why, size, "'%s': give 0 or 1", text);
	*to = *text == '1';
	return 0;
}

static int silence_from(struct run_options *o, const char *text, char *why, size_t size)
{
	uint64_t v = SILENCE_DEFAULT;

	if (*text && options__number(text, 0, SILENCE_MAX, &v))
		return fail(-EINVAL, why, size, "'%s': give whole seconds, at most %u; 0: for ever", text,
			    SILENCE_MAX);
	o->silence_s = (uint32_t)v;
	return 0;
}

/* For those who want to name a run before it starts, to dsmcollect for instance. */
static int run_id_from(struct run_options *o, const char *text, char *why, size_t size)
{
	o->run_id = strtoull(text, NULL, 16);
	if (!*text || strlen(text) > 16 || strspn(text, "0123456789abcdefABCDEF") != strlen(text) ||
	    !o->run_id)
		return fail(-EINVAL, why, size, "run '%s': give up to 16 hexadecimal digits, not 0", text);
	return 0;
}

static int strict_from(struct run_options *o, const char *text, char *why, size_t size)
{
	return switch_from(&o->strict, text, why, size);
}

static int updates_from(struct run_options *o, const char *text, char *why, size_t size)
{
	bool updates = true;
	int rc = switch_from(&updates, text, why, size);

	o->no_updates = !updates;
	return rc;
}

static int migration_from(struct run_options *o, const char *text, char *why, size_t size)
{
	bool migration = true;
	int rc = switch_from(&migration, text, why, size);

	o->no_migration = !migration;
	return rc;
}

static int independent_from(struct run_options *o, const char *text, char *why, size_t size)
{
	bool independent = true;
	int rc = switch_from(&independent, text, why, size);

	o->no_independent = !independent;
	return rc;
}

int options__from_env(struct run_options *o, char *why, size_t size)
{
	static const struct {
		const char *name;
		int (*set)(struct run_options *o, const char *text, char *why, size_t size);
	} vars[] = {
		{"DSM_HEAP", options__heap},	       {"DSM_RING_SIZE", options__ring},
		{"DSM_STRICT", strict_from},	       {"DSM_MICROSCOPE", options__microscope},
		{"DSM_PLAN", options__plan},	       {"DSM_HISTORY", options__history},
		{"DSM_TRANSPORT", options__transport}, {"DSM_RUN", run_id_from},
		{"DSM_KEY_FILE", options__key_file},   {"DSM_FABRIC", options__fabric},
		{"DSM_UPDATES", updates_from},	       {"DSM_SILENCE", silence_from},
		{"DSM_MIGRATION", migration_from},     {"DSM_CONSISTENCY", options__consistency},
		{"DSM_INDEPENDENT", independent_from},
	};
	char reason[PATH_MAX + 256];

	*o = (struct run_options){
		.nodes = 1,
		.heap_bytes = HEAP_DEFAULT,
		.ring_bytes = RING_DEFAULT,
		.silence_s = SILENCE_DEFAULT,
		.microscope_permille = MICROSCOPE_DEFAULT,
		.transport = "shm",
	};
	for (size_t i = 0; i < sizeof(vars) / sizeof(*vars); i++) {
		const char *text = getenv(vars[i].name);
		int rc = text ? vars[i].set(o, text, reason, sizeof(reason)) : 0;

		if (rc)
			return fail(rc, why, size, "variable %s: %s", vars[i].name, reason);
	}
	return 0;
}

int options__fit(const struct run_options *o, unsigned nodes, char *why, size_t size)
{
	if (o->heap_bytes / 4096 < nodes * 16ull)
		return fail(-EINVAL, why, size,
			    "a heap of %llu bytes is too small for %u nodes: give at least 64K a node",
			    (unsigned long long)o->heap_bytes, nodes);
	if (!strcmp(o->transport, "fabric") && !*o->fabric)
		return fail(
			-EINVAL, why, size,
			"transport fabric: over which provider? Add --fabric NAME or set DSM_FABRIC, e.g. to "
			"tcp (fi_info -l lists them)");
	return 0;
}

int options__draw_run_id(struct run_options *o)
{
	while (!o->run_id)
		if (getrandom(&o->run_id, sizeof(o->run_id), 0) != sizeof(o->run_id))
			return -EIO;
	return 0;
}
