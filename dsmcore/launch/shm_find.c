// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/launch/shm_find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dsm_events.h"

#define LINK_TEXT "/memfd:" DSM_SHM_NAME " (deleted)"

int shm_find__process(pid_t pid)
{
	char folder[32];
	int fd;

	snprintf(folder, sizeof(folder), "/proc/%d", (int)pid);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int shm_find__identify(int process, struct shm_find_process *who)
{
	int fd = openat(process, "status", O_RDONLY | O_CLOEXEC), found = 0;
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	char line[512];

	if (!f) {
		int rc = -errno;

		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (fgets(line, sizeof(line), f)) {
		const char *last = strrchr(line, '\t');

		if (strncmp(line, "Uid:", 4) == 0)
			found += sscanf(line + 4, "%u %u", &who->real, &who->effective) == 2;
		if (strncmp(line, "NSpid:", 6) == 0 && last) {
			who->inner = (pid_t)strtol(last + 1, NULL, 10);
			found++;
		}
	}
	fclose(f);
	return found == 2 ? 0 : -ESRCH;
}

static bool is_named(int folder, const char *name)
{
	char text[sizeof(LINK_TEXT)];
	ssize_t n = readlinkat(folder, name, text, sizeof(text));

	return n == (ssize_t)strlen(LINK_TEXT) && memcmp(text, LINK_TEXT, (size_t)n) == 0;
}

static void own_link(int fd, char *path, size_t size)
{
	snprintf(path, size, "/proc/self/fd/%d", fd);
}

/* The name is read again of what was opened, since the process may have put another file in its place. */
static bool look(int folder, const char *name, bool (*visit)(void *ctx, int fd, const struct stat *st),
		 void *ctx)
{
	bool stop = false;
	char path[64];
	struct stat st;
	int fd;

	if (!is_named(folder, name)) /* spares opening all the others */
		return false;
	fd = openat(folder, name, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return false;
	own_link(fd, path, sizeof(path));
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && is_named(AT_FDCWD, path))
		stop = visit(ctx, fd, &st);
	close(fd);
	return stop;
}

int shm_find__each(int process, bool (*visit)(void *ctx, int fd, const struct stat *st), void *ctx)
{
	int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool stop = false;

	if (!dir) {
		int rc = -errno;

		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (!stop && (entry = readdir(dir)))
		stop = entry->d_name[0] != '.' && look(dirfd(dir), entry->d_name, visit, ctx);
	closedir(dir);
	return 0;
}

int shm_find__open(int fd, int flags)
{
	char path[64];
	int opened;

	own_link(fd, path, sizeof(path));
	opened = open(path, flags | O_CLOEXEC);
	return opened < 0 ? -errno : opened;
}
