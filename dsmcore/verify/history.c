/* SPDX-License-Identifier: BSD-2-Clause */
/* history.c - reads one node's file of a history (dsm_history.h), mistrusting it. */
#include "dsmcore/verify/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dsmcore/launch/plain.h"

#define RECORD_MAX (64u << 20) /* bytes: more pages than a region has */

struct reader {
	FILE *file;
	const char *path;
	FILE *report;
	struct dsm_history_page *pages; /* of the record at hand */
	size_t cap;
	uint64_t last_number;
	uint32_t last_attempt;
};

static int say(const struct reader *r, int rc, const char *what)
{
	char path[4096];

	plain__copy(path, sizeof(path), r->path);
	if (r->report)
		fprintf(r->report, "dsmverify: %s: %s\n", path, what);
	return rc;
}

/* 1: read whole; 0: the file ends here or inside; <0: an error. */
static int read_bytes(const struct reader *r, void *to, size_t size)
{
	if (fread(to, 1, size, r->file) == size)
		return 1;
	return ferror(r->file) ? say(r, -EIO, "cannot be read") : 0;
}

static int check_record(const struct reader *r, const struct dsm_history_attempt *a)
{
	uint64_t want = sizeof(*a) + ((uint64_t)a->nreads + a->nwrites) * sizeof(struct dsm_history_page);

	if (a->size != want || want > RECORD_MAX)
		return say(r, -EBADMSG,
			   "damaged: a record's size does not match its pages; record the history again");
	if (a->flags & ~(DSM_HISTORY_COMMITTED | DSM_HISTORY_PINNED) || a->end_ns < a->begin_ns)
		return say(r, -EBADMSG, "damaged: a record with unknown flags or an impossible time");
	if (a->number < r->last_number || (a->number == r->last_number && a->attempt <= r->last_attempt))
		return say(r, -EBADMSG, "damaged: attempts are not in their order");
	if (a->nwrites && !(a->flags & DSM_HISTORY_COMMITTED))
		return say(r, -EBADMSG, "damaged: an aborted attempt with writes");
	return 0;
}

/* 1: added; 0: the end (*cut tells which); <0: an error. */
static int read_record(struct reader *r, struct verify *v, uint16_t node, bool *cut)
{
	struct dsm_history_attempt a;
	size_t bytes;
	int rc = read_bytes(r, &a, sizeof(a));

	*cut = rc == 0;
	if (rc <= 0)
		return rc;
	if (!a.number)
		return fgetc(r->file) == EOF ? 0
					     : say(r, -EBADMSG, "damaged: something follows the last record");
	rc = check_record(r, &a);
	if (rc)
		return rc;
	bytes = a.size - sizeof(a);
	rc = verify__grow(&r->pages, &r->cap, bytes / sizeof(*r->pages) + 1, sizeof(*r->pages));
	if (rc)
		return rc;
	rc = bytes ? read_bytes(r, r->pages, bytes) : 1;
	*cut = rc == 0;
	if (rc <= 0)
		return rc;
	r->last_number = a.number;
	r->last_attempt = a.attempt;
	rc = verify__add(v, node, &a, r->pages);
	if (rc == -EINVAL)
		return say(r, -EBADMSG, "damaged: pages of a record do not ascend");
	return rc ? rc : 1;
}

static int read_head(const struct reader *r, struct dsm_history_file *head)
{
	int rc = read_bytes(r, head, sizeof(*head));

	if (rc < 0)
		return rc;
	if (!rc || head->magic != DSM_HISTORY_MAGIC)
		return say(r, -EBADMSG, "not a history file (dsmrun --history DIR writes them)");
	if (head->version != DSM_HISTORY_VERSION)
		return say(r, -EBADMSG, "written by another version of Procope; use its dsmverify");
	if (head->node >= head->nodes)
		return say(r, -EBADMSG, "damaged: the node's number is impossible");
	return 0;
}

static int open_file(struct reader *r)
{
	int fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = -errno; /* not to wait for a pipe */
	struct stat st;

	if (fd < 0)
		return say(r, rc, strerror(-rc));
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (r->file = fdopen(fd, "rb")))
		return 0;
	close(fd);
	return say(r, -EBADMSG, "not a history file (dsmrun --history DIR writes them)");
}

int verify__read_file(struct verify *v, const char *path, struct dsm_history_file *head, bool *cut,
		      FILE *report)
{
	struct reader r = {.path = path, .report = report};
	int rc = open_file(&r);

	*cut = false;
	if (rc)
		return rc;
	rc = read_head(&r, head);
	while (!rc) {
		rc = read_record(&r, v, head->node, cut);
		if (rc <= 0)
			break;
		rc = 0;
	}
	free(r.pages);
	fclose(r.file);
	return rc;
}
