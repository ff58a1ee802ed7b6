/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/launch/put_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_and_close(int fd, const char *text, size_t size)
{
	int rc = 0;

	while (size && !rc) {
		ssize_t n = write(fd, text, size);

		if (n > 0) {
			text += n;
			size -= (size_t)n;
		} else if (n < 0 && errno != EINTR) {
			rc = -errno;
		}
	}
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

static int put_beside(const char *path, const char *text, size_t size)
{
	char temp[PATH_MAX];
	mode_t mask;
	int fd, rc;

	if (snprintf(temp, sizeof(temp), "%s.tmp-XXXXXX", path) >= (int)sizeof(temp))
		return -ENAMETOOLONG;
	/* A name that nobody can foresee, and never a file or link that is there: the folder may be /tmp. */
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	mask = umask(0);
	umask(mask);
	rc = fchmod(fd, 0666 & ~mask) ? -errno : 0;
	if (rc)
		close(fd);
	else
		rc = write_and_close(fd, text, size);
	if (!rc && rename(temp, path))
		rc = -errno;
	if (rc)
		unlink(temp);
	return rc;
}

int put_file(const char *path, const char *text, size_t size)
{
	struct stat st;
	int fd;

	if (stat(path, &st) || S_ISREG(st.st_mode))
		return put_beside(path, text, size);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : write_and_close(fd, text, size);
}

int put_file__check(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX] = ".";
	struct stat st;
	bool there = stat(path, &st) == 0;

	if (!*path)
		return -EINVAL;
	if (strlen(path) >= sizeof(folder))
		return -ENAMETOOLONG;
	if (there && S_ISDIR(st.st_mode))
		return -EISDIR;
	if (there && !S_ISREG(st.st_mode))
		return access(path, W_OK) ? -errno : 0;
	if (slash)
		snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	return access(folder, W_OK | X_OK) ? -errno : 0;
}
