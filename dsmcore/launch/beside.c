/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/launch/beside.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int beside__self(char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size);

	if (n >= 0 && (size_t)n < size) {
		path[n] = 0;
		return 0;
	}
	*path = 0;
	return n < 0 ? -errno : -ENAMETOOLONG;
}

int beside__find(const char *name, char *path, size_t size)
{
	char self[PATH_MAX];
	int rc = beside__self(self, sizeof(self));

	snprintf(path, size, "%s", name);
	if (rc)
		return rc;
	if (!strrchr(self, '/')) /* "(deleted)" and the like */
		return -ENOENT;
	*strrchr(self, '/') = 0;
	if ((size_t)snprintf(path, size, "%s/%s", self, name) >= size)
		return -ENAMETOOLONG;
	return access(path, X_OK) ? -errno : 0;
}
