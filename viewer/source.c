/* SPDX-License-Identifier: BSD-2-Clause */
#include "viewer/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

/* A socket file outlives a collector that was killed: only one that answers is a run. -EAGAIN means
 * that its queue of clients is full, so somebody is there. */
static bool answers(const char *path)
{
	int fd = connect_to(path);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || fd == -EAGAIN;
}

static bool live_name(const char *name)
{
	size_t n = strlen(name);

	return n > 10 && !strncmp(name, "live-", 5) && !strcmp(name + n - 5, ".sock");
}

static int scan(const char *dir, struct source_found **found, int count)
{
	struct stat st;
	struct dirent *e;
	DIR *d;

	if (lstat(dir, &st) || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return count;
	d = opendir(dir);
	if (!d)
		return count;
	while ((e = readdir(d))) {
		struct source_found f = {0}, *more;
		int n = snprintf(f.path, sizeof(f.path), "%s/%s", dir, e->d_name);

		if (!live_name(e->d_name) || n < 0 || (size_t)n >= sizeof(f.path))
			continue;
		if (lstat(f.path, &st) || !S_ISSOCK(st.st_mode) || st.st_uid != geteuid() || !answers(f.path))
			continue;
		f.created = st.st_mtim;
		more = reallocarray(*found, (size_t)count + 1, sizeof(f));
		if (!more) {
			closedir(d);
			return -ENOMEM;
		}
		*found = more;
		more[count++] = f;
	}
	closedir(d);
	return count;
}

static int newest_first(const void *va, const void *vb)
{
	const struct timespec *a = &((const struct source_found *)va)->created;
	const struct timespec *b = &((const struct source_found *)vb)->created;

	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? 1 : -1;
	return a->tv_nsec < b->tv_nsec ? 1 : a->tv_nsec > b->tv_nsec ? -1 : 0;
}

int source__find(struct source_found **found)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char dir[96];
	int n = 0;

	*found = NULL;
	if (runtime && runtime[0] == '/' && strlen(runtime) < sizeof(dir) - 16) {
		snprintf(dir, sizeof(dir), "%s/procope", runtime);
		n = scan(dir, found, n);
	}
	/* A collector started without a session (cron, sudo) has no XDG_RUNTIME_DIR: look there too. */
	if (n >= 0) {
		snprintf(dir, sizeof(dir), "/tmp/procope-%u", (unsigned)geteuid());
		n = scan(dir, found, n);
	}
	if (n < 0) {
		free(*found);
		*found = NULL;
		return n;
	}
	if (n > 1)
		qsort(*found, (size_t)n, sizeof(**found), newest_first);
	return n;
}

int source__open(struct source *s, const char *path)
{
	int fd = connect_to(path);

	memset(s, 0, sizeof(*s));
	s->fd = fd < 0 ? -1 : fd;
	return fd < 0 ? fd : 0;
}

int source__adopt(struct source *s, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	memset(s, 0, sizeof(*s));
	s->fd = fd;
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) ? -errno : 0;
}

void source__close(struct source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->buf);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
}

static void drop_taken(struct source *s)
{
	if (!s->taken)
		return;
	memmove(s->buf, s->buf + s->taken, s->used - s->taken);
	s->used -= s->taken;
	s->taken = 0;
	s->scanned = 0;
}

int source__fill(struct source *s)
{
	ssize_t n;

	drop_taken(s);
	if (s->used == s->size) {
		size_t size = s->size ? 2 * s->size : 65536;
		char *buf;

		if (s->used >= SOURCE_LINE_MAX)
			return -EMSGSIZE;
		buf = realloc(s->buf, size);
		if (!buf)
			return -ENOMEM;
		s->buf = buf;
		s->size = size;
	}
	do
		n = read(s->fd, s->buf + s->used, s->size - s->used);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		s->used += (size_t)n;
		return 1;
	}
	if (!n || errno == ECONNRESET)
		return -EPIPE;
	return errno == EAGAIN ? 0 : -errno;
}

bool source__line(struct source *s, const char **line, size_t *length)
{
	char *end;

	drop_taken(s);
	end = s->used > s->scanned ? memchr(s->buf + s->scanned, '\n', s->used - s->scanned) : NULL;
	if (!end) {
		s->scanned = s->used;
		return false;
	}
	*line = s->buf;
	*length = (size_t)(end - s->buf);
	s->taken = *length + 1;
	return true;
}
