// SPDX-License-Identifier: BSD-2-Clause
/* mesh_key.c - where a run's key comes from. */
#include "dsmcore/launch/mesh.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS ((size_t)2 * MESH_KEY)

int mesh_key__random(struct mesh_key *key)
{
	return getrandom(key, sizeof(*key), 0) == sizeof(*key) ? 0 : -EIO;
}

void mesh_key__wipe(struct mesh_key *key)
{
	explicit_bzero(key, sizeof(*key));
}

static int refuse(int rc, char *why, size_t size, const char *path, const char *what)
{
	snprintf(why, size, "key file '%s': %s", path, what);
	return rc;
}

static int digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* A newline may follow the digits. */
static int parse(const char *text, size_t n, struct mesh_key *key)
{
	if (n != DIGITS && (n != DIGITS + 1 || text[DIGITS] != '\n'))
		return -EINVAL;
	for (size_t i = 0; i < MESH_KEY; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		key->bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

/* The file that was opened, whatever its name leads to by now. */
static int check(int fd, const char *path, char *why, size_t size)
{
	struct stat st;

	if (fstat(fd, &st))
		return refuse(-errno, why, size, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return refuse(-EINVAL, why, size, path, "it is not a file");
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return refuse(-EPERM, why, size, path,
			      "it belongs to another user, who knows the key; make one of your own");
	if (st.st_mode & 077)
		return refuse(-EPERM, why, size, path,
			      "others may read or change it; make a new one with mode 0600");
	return 0;
}

int mesh_key__read(const char *path, struct mesh_key *key, char *why, size_t size)
{
	char text[DIGITS + 2];
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc;

	if (fd < 0)
		return refuse(-errno, why, size, path, strerror(errno));
	rc = check(fd, path, why, size);
	if (rc == 0) {
		n = read(fd, text, sizeof(text));
		rc = n < 0 ? refuse(-errno, why, size, path, strerror(errno)) : parse(text, (size_t)n, key);
		if (rc == -EINVAL)
			refuse(rc, why, size, path,
			       "it must hold 64 hexadecimal digits; make one with (umask 077; openssl rand "
			       "-hex 32 "
			       ">FILE)");
	}
	explicit_bzero(text, sizeof(text));
	close(fd);
	return rc;
}

int mesh_key__get(const struct run_options *o, struct mesh_key *key, char *why, size_t size)
{
	int rc;

	if (!*o->key_file) {
		rc = mesh_key__random(key);
		snprintf(why, size, "no random numbers for the run's key: %s", strerror(-rc));
		return rc;
	}
	if (!strcmp(o->transport, "insecure-tcp") || !strcmp(o->transport, "fabric")) {
		snprintf(why, size,
			 "a key file is of no use with the transport %s, which encrypts nothing: leave one "
			 "of them out",
			 o->transport);
		return -EINVAL;
	}
	return mesh_key__read(o->key_file, key, why, size);
}
