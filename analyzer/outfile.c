/* SPDX-License-Identifier: BSD-2-Clause */
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dsmcore/launch/remedy.h"
#include "mem.h"

static int write_all(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, data, bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		bytes -= (size_t)n;
	}
	return 0;
}

static int complain(const char *path, int err)
{
	fprintf(stderr, "%s: %s: cannot write: %s%s\n", program_invocation_short_name, path, strerror(-err),
		remedy__write(err));
	return err;
}

/* Ctrl-C waits until the temporary file has become the result or is gone. */
static void hold_signals(sigset_t *was)
{
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGHUP);
	sigprocmask(SIG_BLOCK, &stop, was);
}

static int write_beside(const char *path, const void *data, size_t bytes)
{
	char *temp = mem__format("%s.XXXXXX", path);
	mode_t mask = umask(0);
	int fd, err = 0;
	sigset_t was;

	umask(mask);
	hold_signals(&was);
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		goto out;
	}
	err = write_all(fd, data, bytes);
	if (!err && fchmod(fd, 0666 & ~mask))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(temp, path))
		err = -errno;
	if (err)
		unlink(temp);
out:
	sigprocmask(SIG_SETMASK, &was, NULL);
	mem__free(temp);
	return err;
}

int outfile__write(const char *path, const void *data, size_t bytes)
{
	struct stat st;
	int err, fd;

	if (!strcmp(path, "-")) {
		err = write_all(STDOUT_FILENO, data, bytes);
		return err && err != -EPIPE ? complain("standard output", err) : err;
	}
	/* A device or FIFO is written to, not replaced. */
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		fd = S_ISDIR(st.st_mode) ? -1 : open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			return complain(path, S_ISDIR(st.st_mode) ? -EISDIR : -errno);
		err = write_all(fd, data, bytes);
		close(fd);
	} else {
		err = write_beside(path, data, bytes);
	}
	return err ? complain(path, err) : 0;
}

int outfile__folder(const char *path)
{
	struct stat st;

	if (!mkdir(path, 0777))
		return 0;
	if (errno == EEXIST && !stat(path, &st) && S_ISDIR(st.st_mode))
		return 0;
	return complain(path, errno == EEXIST ? -ENOTDIR : -errno);
}

int outfile__read(const char *path, size_t most, char **out, size_t *bytes)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	size_t got = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		err = -errno;
	else if (S_ISDIR(st.st_mode))
		err = -EISDIR;
	else if (!S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size > most)
		err = -EFBIG;
	if (!err) {
		*out = mem__alloc((size_t)st.st_size + 1);
		while (got < (size_t)st.st_size) {
			ssize_t n = read(fd, *out + got, (size_t)st.st_size - got);

			if (n <= 0)
				break;
			got += (size_t)n;
		}
		*bytes = got;
	}
	close(fd);
	return err;
}
