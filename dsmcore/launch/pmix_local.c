// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/launch/pmix_local.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/launch/options.h"
#include "dsmcore/launch/proto.h"

static socklen_t to_address(const char *name, struct sockaddr_un *a)
{
	/* An abstract name begins with a zero byte and has no other end than its length. */
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)snprintf(a->sun_path + 1, PMIX_LOCAL_NAME, "%s", name));
}

static int same_user(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len))
		return -errno;
	return who.uid == geteuid() ? 0 : -EACCES;
}

int pmix_local__listen(char *name)
{
	struct sockaddr_un a;
	uint64_t number[2];
	socklen_t len;
	int fd, rc;

	if (getrandom(number, sizeof(number), 0) != sizeof(number))
		return -EIO;
	snprintf(name, PMIX_LOCAL_NAME, "procope-%016llx%016llx", (unsigned long long)number[0],
		 (unsigned long long)number[1]);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	len = to_address(name, &a);
	if (bind(fd, (struct sockaddr *)&a, len) || listen(fd, OPTIONS_NODES_MAX)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static void close_pair(int fds[2])
{
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int reach(const char *name, int *out)
{
	struct sockaddr_un a;
	socklen_t len;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	len = to_address(name, &a);
	rc = connect(fd, (struct sockaddr *)&a, len) ? -errno : same_user(fd);
	if (rc) {
		close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

int pmix_local__connect(const char *name, unsigned self, unsigned peer, int line)
{
	int pair[2][2] = {{-1, -1}, {-1, -1}}; /* [channel][end] */
	int to = -1, rc = reach(name, &to);

	for (int ch = 0; ch < 2 && !rc; ch++)
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair[ch]))
			rc = -errno;
	if (!rc)
		rc = proto__give(line, peer, (int[2]){pair[0][0], pair[1][0]});
	if (!rc)
		rc = proto__give(to, self, (int[2]){pair[0][1], pair[1][1]});
	close_pair(pair[0]);
	close_pair(pair[1]);
	if (to >= 0)
		close(to); /* what was sent stays there to be received */
	return rc;
}

int pmix_local__accept(int listener, unsigned self, int seconds, int line)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};
	struct proto_packet m;
	int fd, fds[2] = {-1, -1}, rc = poll(&p, 1, seconds * 1000);

	if (rc <= 0)
		return rc ? -errno : -ETIMEDOUT;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0)
		return -errno;
	p.fd = fd;
	rc = same_user(fd);
	if (!rc && poll(&p, 1, seconds * 1000) <= 0)
		rc = -ETIMEDOUT;
	if (!rc)
		rc = proto__recv(fd, &m, fds, MSG_DONTWAIT);
	if (!rc && (m.type != PROTO_SOCKETS || m.peer >= self || fds[1] < 0))
		rc = -EPROTO;
	if (!rc)
		rc = proto__give(line, m.peer, fds);
	close_pair(fds);
	close(fd);
	return rc;
}
