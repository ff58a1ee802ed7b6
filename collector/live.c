// SPDX-License-Identifier: BSD-2-Clause
#include "collector/live.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct client {
	int fd;
	bool is_new; /* has not been sent a line yet */
	char *queue;
	size_t queued, sent;
};

struct live {
	int fd;
	struct sockaddr_un address;
	struct client clients[LIVE_CLIENTS];
	size_t nclients;
};

/* ---- the place ---- */

static bool listens(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool yes = fd >= 0 && (connect(fd, (const void *)address, sizeof(*address)) == 0 || errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return yes;
}

/* Between its bind() and its listen() a collector that starts refuses, too: nobody is dead who listens a moment later. */
static bool is_dead(const struct sockaddr_un *address)
{
	if (listens(address))
		return false;
	poll(NULL, 0, 20);
	return !listens(address);
}

/* The folder must be ours alone: in /tmp anybody may have made it before us. */
static int private_folder(const char *folder, char *why, size_t size)
{
	struct stat st;

	if (mkdir(folder, 0700) < 0 && errno != EEXIST) {
		int rc = -errno;
		snprintf(why, size,
			 "%s: %s: set XDG_RUNTIME_DIR to a folder of this user (or to nothing, for one in "
			 "/tmp), "
			 "or use --live PATH or --no-live",
			 folder, strerror(-rc));
		return rc;
	}
	if (lstat(folder, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077)) {
		snprintf(why, size,
			 "%s is not a folder of this user with mode 0700: remove it, or use --live PATH or "
			 "--no-live",
			 folder);
		return -EACCES;
	}
	return 0;
}

static void remove_stale(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		struct sockaddr_un a = {.sun_family = AF_UNIX};
		int pid, end = 0;
		if (sscanf(entry->d_name, "live-%d.sock%n", &pid, &end) != 1 || !end || entry->d_name[end])
			continue;
		if ((size_t)snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", folder, entry->d_name) >=
		    sizeof(a.sun_path))
			continue;
		if (is_dead(&a))
			unlink(a.sun_path);
	}
	if (dir)
		closedir(dir);
}

static int usual_place(char *path, size_t path_size, char *why, size_t size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char folder[256];
	size_t n;
	int rc;

	if (runtime && *runtime)
		n = (size_t)snprintf(folder, sizeof(folder), "%s/procope", runtime);
	else
		n = (size_t)snprintf(folder, sizeof(folder), "/tmp/procope-%u", geteuid());
	if (n >= sizeof(folder)) {
		snprintf(why, size, "XDG_RUNTIME_DIR is too long: use --live PATH");
		return -ENAMETOOLONG;
	}
	rc = private_folder(folder, why, size);
	if (rc)
		return rc;
	remove_stale(folder);
	n = (size_t)snprintf(path, path_size, "%s/live-%d.sock", folder, (int)getpid());
	if (n < path_size)
		return 0;
	snprintf(why, size, "%s is too long for a socket: use --live PATH", folder);
	return -ENAMETOOLONG;
}

/* A socket that nobody listens at is a dead collector's and may go; anything else stays. */
static int make_room(const struct sockaddr_un *address, char *why, size_t size)
{
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(why, size, "%s exists and is not a socket: name another path", address->sun_path);
		return -EEXIST;
	}
	if (!is_dead(address)) {
		snprintf(why, size, "%s is in use by another collector: name another path",
			 address->sun_path);
		return -EADDRINUSE;
	}
	unlink(address->sun_path);
	return 0;
}

static int bind_private(const struct sockaddr_un *address, char *why, size_t size)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t before = umask(0177);
	int rc = 0;

	if (fd < 0 || bind(fd, (const void *)address, sizeof(*address)) < 0)
		rc = -errno;
	umask(before);
	if (!rc && listen(fd, LIVE_CLIENTS) < 0) {
		rc = -errno;
		unlink(address->sun_path);
	}
	if (!rc)
		return fd;
	snprintf(why, size, "%s: %s", address->sun_path, strerror(-rc));
	if (fd >= 0)
		close(fd);
	return rc;
}

int live__open(struct live **out, const char *path, char *why, size_t why_size)
{
	struct live *l = calloc(1, sizeof(*l));
	int rc = 0;

	*out = NULL;
	if (!l) {
		snprintf(why, why_size, "no memory");
		return -ENOMEM;
	}
	l->address.sun_family = AF_UNIX;
	if (!path) {
		rc = usual_place(l->address.sun_path, sizeof(l->address.sun_path), why, why_size);
	} else if ((size_t)snprintf(l->address.sun_path, sizeof(l->address.sun_path), "%s", path) >=
		   sizeof(l->address.sun_path)) {
		snprintf(why, why_size, "%s: a socket's path has at most %zu bytes", path,
			 sizeof(l->address.sun_path) - 1);
		rc = -ENAMETOOLONG;
	}
	if (!rc)
		rc = make_room(&l->address, why, why_size);
	if (!rc) {
		l->fd = bind_private(&l->address, why, why_size);
		rc = l->fd < 0 ? l->fd : 0;
	}
	if (rc)
		free(l);
	else
		*out = l;
	return rc;
}

const char *live__path(const struct live *l)
{
	return l->address.sun_path;
}

size_t live__clients(const struct live *l)
{
	return l->nclients;
}

/* ---- clients ---- */

static void drop(struct live *l, size_t i)
{
	close(l->clients[i].fd);
	free(l->clients[i].queue);
	l->clients[i] = l->clients[--l->nclients];
}

/* Sends what the socket takes now. False: the client is gone. */
static bool push(struct client *c)
{
	while (c->sent < c->queued) {
		ssize_t n = send(c->fd, c->queue + c->sent, c->queued - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		c->sent += (size_t)n;
	}
	c->sent = c->queued = 0;
	return true;
}

/* A client says nothing; what it sends anyway is thrown away, and its end is noticed here. */
static bool still_there(struct client *c)
{
	char waste[256];
	ssize_t n = recv(c->fd, waste, sizeof(waste), MSG_DONTWAIT);

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

static bool enqueue(struct client *c, const char *line, size_t length)
{
	char *grown;

	if (c->sent) {
		memmove(c->queue, c->queue + c->sent, c->queued - c->sent);
		c->queued -= c->sent;
		c->sent = 0;
	}
	if (c->queued + length > LIVE_BACKLOG)
		return false;
	grown = realloc(c->queue, c->queued + length);
	if (!grown)
		return false;
	memcpy(grown + c->queued, line, length);
	c->queue = grown;
	c->queued += length;
	return true;
}

/* The socket's mode keeps others out already, unless somebody has changed it. */
static bool welcome(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) && (peer.uid == geteuid() || !peer.uid);
}

size_t live__poll(struct live *l)
{
	size_t waiting = 0;
	int fd;

	while ((fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		if (l->nclients == LIVE_CLIENTS || !welcome(fd)) {
			close(fd);
			continue;
		}
		l->clients[l->nclients++] = (struct client){.fd = fd, .is_new = true};
	}
	for (size_t i = l->nclients; i-- > 0;) {
		if (!still_there(&l->clients[i]) || !push(&l->clients[i]))
			drop(l, i);
	}
	for (size_t i = 0; i < l->nclients; i++)
		waiting += l->clients[i].is_new;
	return waiting;
}

void live__send(struct live *l, const char *line, size_t length, bool only_new)
{
	for (size_t i = l->nclients; i-- > 0;) {
		struct client *c = &l->clients[i];
		if (only_new && !c->is_new)
			continue;
		c->is_new = false;
		if (!enqueue(c, line, length) || !push(c))
			drop(l, i);
	}
}

void live__close(struct live *l, int timeout_ms)
{
	struct pollfd p[LIVE_CLIENTS];

	if (!l)
		return;
	/* The name goes first: who connects from now on must not wait for an answer. */
	unlink(l->address.sun_path);
	close(l->fd);
	for (int left = timeout_ms; left > 0; left -= 10) {
		size_t n = 0;
		for (size_t i = l->nclients; i-- > 0;) {
			struct client *c = &l->clients[i];
			if (!push(c) || !c->queued)
				drop(l, i);
			else
				p[n++] = (struct pollfd){.fd = c->fd, .events = POLLOUT};
		}
		if (!n)
			break;
		poll(p, n, 10);
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	while (l->nclients)
		drop(l, 0);
	free(l);
}
