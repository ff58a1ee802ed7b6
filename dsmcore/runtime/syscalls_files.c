/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syscalls_files.c - calls that hand a path, or a structure to be filled in, to the kernel. syscalls.c says why
 * they are wrapped. On 64-bit machines open() and open64() are the same; which one a program calls depends on how
 * it was compiled.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dsmcore/runtime/syscalls.h"

/* One path, nothing else in memory. */
#define PATH_CALL(type, name, parameters, path, arguments)                                                   \
	DSM_API type name parameters                                                                         \
	{                                                                                                    \
		NEXT(name);                                                                                  \
		syscalls__prepare_text(#name, path, NODE_CALLER);                                            \
		return next arguments;                                                                       \
	}

PATH_CALL(int, access, (const char *path, int mode), path, (path, mode))
PATH_CALL(int, chdir, (const char *path), path, (path))
PATH_CALL(int, mkdir, (const char *path, mode_t mode), path, (path, mode))
PATH_CALL(int, rmdir, (const char *path), path, (path))
PATH_CALL(int, unlink, (const char *path), path, (path))
PATH_CALL(int, remove, (const char *path), path, (path))
PATH_CALL(DIR *, opendir, (const char *path), path, (path))
PATH_CALL(FILE *, fopen, (const char *path, const char *mode), path, (path, mode))
PATH_CALL(FILE *, fopen64, (const char *path, const char *mode), path, (path, mode))

/* A path, and a mode only when the flags say that there is one. */
#define OPEN_CALL(name, parameters, path, flags, ...)                                                        \
	DSM_API int name parameters                                                                          \
	{                                                                                                    \
		mode_t mode = 0;                                                                             \
		va_list list;                                                                                \
		NEXT(name);                                                                                  \
		syscalls__prepare_text(#name, path, NODE_CALLER);                                            \
		va_start(list, flags);                                                                       \
		if (__OPEN_NEEDS_MODE(flags))                                                                \
			mode = va_arg(list, mode_t);                                                         \
		va_end(list);                                                                                \
		return next(__VA_ARGS__, mode);                                                              \
	}

OPEN_CALL(open, (const char *path, int flags, ...), path, flags, path, flags)
OPEN_CALL(open64, (const char *path, int flags, ...), path, flags, path, flags)
OPEN_CALL(openat, (int at, const char *path, int flags, ...), path, flags, at, path, flags)
OPEN_CALL(openat64, (int at, const char *path, int flags, ...), path, flags, at, path, flags)

/* A path, and a structure that the kernel fills in. */
#define STAT_CALL(name, kind)                                                                                \
	DSM_API int name(const char *path, struct kind *to)                                                  \
	{                                                                                                    \
		NEXT(name);                                                                                  \
		syscalls__prepare_text(#name, path, NODE_CALLER);                                            \
		syscalls__prepare(#name, to, sizeof(*to), DSM_WRITE, NODE_CALLER);                           \
		return next(path, to);                                                                       \
	}

STAT_CALL(stat, stat)
STAT_CALL(stat64, stat64)
STAT_CALL(lstat, stat)
STAT_CALL(lstat64, stat64)

#define FSTAT_CALL(name, kind)                                                                               \
	DSM_API int name(int fd, struct kind *to)                                                            \
	{                                                                                                    \
		NEXT(name);                                                                                  \
		syscalls__prepare(#name, to, sizeof(*to), DSM_WRITE, NODE_CALLER);                           \
		return next(fd, to);                                                                         \
	}

FSTAT_CALL(fstat, stat)
FSTAT_CALL(fstat64, stat64)

DSM_API int rename(const char *from, const char *to)
{
	NEXT(rename);
	syscalls__prepare_text("rename", from, NODE_CALLER);
	syscalls__prepare_text("rename", to, NODE_CALLER);
	return next(from, to);
}

DSM_API ssize_t readlink(const char *path, char *to, size_t bytes)
{
	NEXT(readlink);
	syscalls__prepare_text("readlink", path, NODE_CALLER);
	syscalls__prepare("readlink", to, bytes, DSM_WRITE, NODE_CALLER);
	return next(path, to, bytes);
}

DSM_API int poll(struct pollfd *list, nfds_t n, int ms)
{
	NEXT(poll);
	syscalls__prepare("poll", list, n * sizeof(*list), DSM_WRITE, NODE_CALLER);
	return next(list, n, ms);
}

DSM_API ssize_t getrandom(void *to, size_t bytes, unsigned flags)
{
	NEXT(getrandom);
	syscalls__prepare("getrandom", to, bytes, DSM_WRITE, NODE_CALLER);
	return next(to, bytes, flags);
}
