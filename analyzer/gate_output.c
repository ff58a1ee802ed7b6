/* SPDX-License-Identifier: BSD-2-Clause */
#include "analyzer/gate_output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Pipes, terminals and devices cannot be replaced by a rename. */
static bool in_place(const char *path)
{
	struct stat st;

	return !stat(path, &st) && !S_ISREG(st.st_mode);
}

static int print_to(FILE *f, int (*print)(const struct gate_report *r, FILE *out),
		    const struct gate_report *r)
{
	int rc = print(r, f);

	if (!rc && fsync(fileno(f)) && errno != EINVAL && errno != EROFS)
		rc = -errno;
	if (fclose(f) && !rc)
		rc = -errno;
	return rc;
}

static int replace(const char *path, int (*print)(const struct gate_report *r, FILE *out),
		   const struct gate_report *r)
{
	size_t n = strlen(path);
	char *tmp = malloc(n + 8);
	sigset_t all, before;
	mode_t mask = umask(0);
	FILE *f;
	int fd, rc;

	umask(mask);
	if (!tmp)
		return -ENOMEM;
	memcpy(tmp, path, n);
	strcpy(tmp + n, ".XXXXXX");
	sigfillset(&all); /* a report is short: a signal waits until nothing half-written can be left */
	sigprocmask(SIG_BLOCK, &all, &before);
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
		goto out;
	}
	fchmod(fd, 0666 & ~mask);
	f = fdopen(fd, "w");
	rc = f ? print_to(f, print, r) : -errno;
	if (!f)
		close(fd);
	if (!rc && rename(tmp, path))
		rc = -errno;
	if (rc)
		unlink(tmp);
out:
	sigprocmask(SIG_SETMASK, &before, NULL);
	free(tmp);
	return rc;
}

int gate_output__write(const char *path, int (*print)(const struct gate_report *r, FILE *out),
		       const struct gate_report *r)
{
	FILE *f;

	if (!path || !strcmp(path, "-"))
		return print(r, stdout);
	if (!in_place(path))
		return replace(path, print, r);
	f = fopen(path, "we");
	return f ? print_to(f, print, r) : -errno;
}
