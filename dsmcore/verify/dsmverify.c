/* SPDX-License-Identifier: BSD-2-Clause */
/* dsmverify.c - checks the history that a run left (dsmrun --history DIR). */
#include "dsmcore/verify/verify.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsmcore/launch/plain.h"
#include "dsmcore/launch/remedy.h"
#include "version.h"

static const char usage[] =
	"Usage: dsmverify [--json] [--partial] DIR\n"
	"Checks the history of a run (dsmrun --history DIR): is there one order of all transactions that "
	"explains\n"
	"what each attempt read, the aborted ones too?\n"
	"\n"
	"  --json      one line of JSON instead of words\n"
	"  --partial   a history in which records are missing, because a node died, is good if what is\n"
	"              there is; without it such a history is checked as well, but never good\n"
	"  --help      this text\n"
	"  --version   the version\n"
	"\n"
	"Exit status: 0 yes, 1 no (what contradicts it is printed), 2 the history cannot be read, or is\n"
	"good but not complete (see --partial), or nothing printed.\n";

struct history {
	const char *dir;
	struct verify *v;
	struct dsm_history_file head; /* of the first file read */
	bool have_head, *present;
	unsigned files, cut, missing;
};

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	char text[8192];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	plain__print("dsmverify", text);
}

static int check_head(struct history *h, const struct dsm_history_file *head, const char *path)
{
	if (!h->have_head) {
		h->head = *head;
		h->have_head = true;
		h->present = calloc(head->nodes, sizeof(*h->present));
		if (!h->present)
			return -ENOMEM;
	}
	if (head->run_id != h->head.run_id || head->nodes != h->head.nodes ||
	    head->generation != h->head.generation) {
		say("%s: of another run than its neighbours; use one empty folder a run", path);
		return -EBADMSG;
	}
	if (h->present[head->node]) {
		say("%s: a second file of node %u", path, head->node);
		return -EBADMSG;
	}
	h->present[head->node] = true;
	return 0;
}

static int read_one(struct history *h, const char *name)
{
	struct dsm_history_file head;
	char path[4096];
	bool cut;
	int rc;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", h->dir, name) >= sizeof(path))
		return -ENAMETOOLONG;
	rc = verify__read_file(h->v, path, &head, &cut, stderr);
	if (!rc)
		rc = check_head(h, &head, path);
	if (rc)
		return rc;
	h->files++;
	h->cut += cut;
	return 0;
}

static int is_history(const struct dirent *entry)
{
	unsigned node;
	int end = 0;

	return sscanf(entry->d_name, "node-%u.dsmh%n", &node, &end) == 1 && end && !entry->d_name[end];
}

static int read_all(struct history *h)
{
	struct dirent **list = NULL;
	int count = scandir(h->dir, &list, is_history, alphasort), i, rc = 0;
	uint16_t node;

	if (count < 0) {
		rc = -errno;
		say("%s: %s", h->dir, strerror(-rc));
		return rc;
	}
	for (i = 0; i < count; i++) {
		if (!rc)
			rc = read_one(h, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	if (!rc && !count) {
		say("%s: no history in it (node-0.dsmh ...); dsmrun --history DIR makes one", h->dir);
		return -ENOENT;
	}
	for (node = 0; !rc && node < h->head.nodes; node++)
		h->missing += !h->present[node];
	return rc;
}

static void print(const struct history *h, const struct verify_result *r, bool json)
{
	char dir[4096];

	if (json) {
		printf("{\"schema\":\"procope.verify/1\",\"good\":%s,\"complete\":%s,\"errors\":%" PRIu64
		       ",\"nodes\":%u,\"files\":%u,\"orphans\":%" PRIu64 ","
		       "\"cut\":%u,\"attempts\":%" PRIu64 ",\"committed\":%" PRIu64 ",\"aborted\":%" PRIu64
		       ",\"unchecked\":%" PRIu64 ",\"reads\":%" PRIu64 ",\"writes\":%" PRIu64
		       ",\"pages_written\":%" PRIu64 ",\"real_time\":%s,\"sections\":%s}\n",
		       r->errors ? "false" : "true", h->cut || h->missing ? "false" : "true", r->errors,
		       h->head.nodes, h->files, r->orphans, h->cut, r->attempts, r->committed, r->aborted,
		       r->unchecked, r->reads, r->writes, r->pages,
		       h->head.flags & DSM_HISTORY_ONE_CLOCK ? "true" : "false",
		       h->head.flags & DSM_HISTORY_SECTIONS ? "true" : "false");
		return;
	}
	plain__copy(dir, sizeof(dir), h->dir);
	printf("%s: %" PRIu64 " attempts of %u nodes, %" PRIu64 " committed, %" PRIu64 " aborted (%" PRIu64
	       " of them not checked: pages were forced on them inside library code)\n"
	       "%" PRIu64 " reads and %" PRIu64 " writes of pages\n",
	       dir, r->attempts, h->head.nodes, r->committed, r->aborted, r->unchecked, r->reads, r->writes);
	if (r->errors)
		printf("NOT SERIALIZABLE OR NOT OPAQUE: %" PRIu64 " contradictions\n", r->errors);
	else
		printf("good: one order explains everything%s%s\n",
		       h->cut || h->missing ? " that is there" : "",
		       h->head.flags & DSM_HISTORY_ONE_CLOCK ? ", and it agrees with real time" : "");
	if (h->head.flags & DSM_HISTORY_SECTIONS)
		printf("but this was a run under sc or rc: its blocks are critical sections, of which a "
		       "history "
		       "tells nothing\n");
}

/* What nobody could read was not said. */
static bool written(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	say("standard output: %s%s", strerror(errno), remedy__write(errno));
	return false;
}

static int run(const char *dir, bool json, bool partial)
{
	struct history h = {.dir = dir};
	struct verify_result result;
	int status = 2, rc;

	if (verify__open(&h.v, false)) {
		say("out of memory");
		return 2;
	}
	rc = read_all(&h);
	if (rc == -ENOMEM)
		say("out of memory");
	if (rc)
		goto out;
	if (h.cut || h.missing)
		verify__partial(h.v);
	verify__one_clock(h.v, h.head.flags & DSM_HISTORY_ONE_CLOCK);
	if (verify__check(h.v, json ? stderr : stdout, &result)) {
		say("out of memory");
		goto out;
	}
	print(&h, &result, json);
	if (h.cut || h.missing)
		say("%s: the history is not complete (%u files missing, %u cut: a node died): %" PRIu64
		    " of %" PRIu64 " reads are of versions whose writer is not in it",
		    dir, h.missing, h.cut, result.orphans, result.reads);
	if (written())
		status = result.errors ? 1 : (h.cut || h.missing) && !partial ? 2 : 0;
out:
	verify__close(h.v);
	free(h.present);
	return status;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"json", 0, NULL, 'j'},
					      {"partial", 0, NULL, 'p'},
					      {"help", 0, NULL, 'h'},
					      {"version", 0, NULL, 'V'},
					      {0}};
	bool json = false, partial = false;
	int c;

	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error to report */
	while ((c = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 'p':
			partial = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return written() ? 0 : 2;
		case 'V':
			printf(VERSION_LINE("dsmverify", "; history format %u") "\n", DSM_HISTORY_VERSION);
			return written() ? 0 : 2;
		default:
			fputs("Try dsmverify --help.\n", stderr);
			return 2;
		}
	}
	if (optind + 1 != argc) {
		say("one folder is needed; see dsmverify --help");
		return 2;
	}
	return run(argv[optind], json, partial);
}
