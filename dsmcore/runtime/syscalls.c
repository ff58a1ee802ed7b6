/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syscalls.c - the common calls that hand memory to the kernel, wrapped so that DSM memory works.
 *
 * The kernel cannot take our faults: an address whose page is not mapped gives EFAULT. Inside a transaction
 * the pages are brought here first; outside, DSM memory is an error as everywhere. Calls that libc makes
 * itself do not come through here: so fread() and fwrite(), which hand large buffers to the kernel directly,
 * are wrapped as well. syscalls_files.c has those that take paths and structures. For what is not: dsm_touch().
 */
#include "dsmcore/runtime/syscalls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/safepoint.h"
#include "dsmcore/runtime/strict.h"
#include "dsmcore/runtime/tx.h"

void syscalls__prepare(const char *name, const void *memory, size_t bytes, enum dsm_touch_mode mode,
		       const void *pc)
{
	/* The runtime's own calls come through here, too: cheap tests first. */
	if (!node.started || !bytes)
		return;
	bool shared = region__offset(node.region, memory) >= 0;

	if ((!shared && !node.options.strict) || gettid() != node.mutator)
		return;
	if (mode == DSM_WRITE)
		strict__system_write(memory, bytes, pc);
	if (!shared)
		return;
	if (tx.depth)
		strict__system_call(name, pc);
	if (tx__touch(memory, bytes, mode == DSM_WRITE, !safepoint__here(pc), pc) == -EPERM)
		node__fatal(pc, "%s() of DSM memory outside a transaction: copy it with dsm_peek() first",
			    name);
}

void syscalls__prepare_text(const char *name, const char *text, const void *pc)
{
	int64_t at;

	if (!node.started || gettid() != node.mutator)
		return;
	while ((at = region__offset(node.region, text)) >= 0) {
		size_t bytes =
			DSM_PAGE_SIZE - (size_t)at % DSM_PAGE_SIZE; /* one page more, if it has no end here */

		syscalls__prepare(name, text, bytes, DSM_READ, pc);
		if (memchr(text, 0, bytes))
			return;
		text += bytes;
	}
}

static void prepare_vector(const char *name, const struct iovec *v, int n, enum dsm_touch_mode mode,
			   const void *pc)
{
	for (int i = 0; i < n; i++)
		syscalls__prepare(name, v[i].iov_base, v[i].iov_len, mode, pc);
}

DSM_API ssize_t read(int fd, void *buffer, size_t bytes)
{
	NEXT(read);
	syscalls__prepare("read", buffer, bytes, DSM_WRITE, NODE_CALLER);
	return next(fd, buffer, bytes);
}

DSM_API ssize_t write(int fd, const void *buffer, size_t bytes)
{
	NEXT(write);
	syscalls__prepare("write", buffer, bytes, DSM_READ, NODE_CALLER);
	return next(fd, buffer, bytes);
}

DSM_API ssize_t pread(int fd, void *buffer, size_t bytes, off_t at)
{
	NEXT(pread);
	syscalls__prepare("pread", buffer, bytes, DSM_WRITE, NODE_CALLER);
	return next(fd, buffer, bytes, at);
}

DSM_API ssize_t pwrite(int fd, const void *buffer, size_t bytes, off_t at)
{
	NEXT(pwrite);
	syscalls__prepare("pwrite", buffer, bytes, DSM_READ, NODE_CALLER);
	return next(fd, buffer, bytes, at);
}

DSM_API ssize_t readv(int fd, const struct iovec *v, int n)
{
	NEXT(readv);
	prepare_vector("readv", v, n, DSM_WRITE, NODE_CALLER);
	return next(fd, v, n);
}

DSM_API ssize_t writev(int fd, const struct iovec *v, int n)
{
	NEXT(writev);
	prepare_vector("writev", v, n, DSM_READ, NODE_CALLER);
	return next(fd, v, n);
}

DSM_API ssize_t send(int fd, const void *buffer, size_t bytes, int flags)
{
	NEXT(send);
	syscalls__prepare("send", buffer, bytes, DSM_READ, NODE_CALLER);
	return next(fd, buffer, bytes, flags);
}

DSM_API ssize_t recv(int fd, void *buffer, size_t bytes, int flags)
{
	NEXT(recv);
	syscalls__prepare("recv", buffer, bytes, DSM_WRITE, NODE_CALLER);
	return next(fd, buffer, bytes, flags);
}

DSM_API ssize_t sendto(int fd, const void *buffer, size_t bytes, int flags, const struct sockaddr *to,
		       socklen_t to_bytes)
{
	NEXT(sendto);
	syscalls__prepare("sendto", buffer, bytes, DSM_READ, NODE_CALLER);
	return next(fd, buffer, bytes, flags, to, to_bytes);
}

DSM_API ssize_t recvfrom(int fd, void *buffer, size_t bytes, int flags, struct sockaddr *from,
			 socklen_t *from_bytes)
{
	NEXT(recvfrom);
	syscalls__prepare("recvfrom", buffer, bytes, DSM_WRITE, NODE_CALLER);
	return next(fd, buffer, bytes, flags, from, from_bytes);
}

/* A size that overflows is the C library's to refuse. */
static size_t product(size_t size, size_t count)
{
	size_t bytes;

	return __builtin_mul_overflow(size, count, &bytes) ? 0 : bytes;
}

DSM_API size_t fread(void *buffer, size_t size, size_t count, FILE *file)
{
	NEXT(fread);
	syscalls__prepare("fread", buffer, product(size, count), DSM_WRITE, NODE_CALLER);
	return next(buffer, size, count, file);
}

DSM_API size_t fwrite(const void *buffer, size_t size, size_t count, FILE *file)
{
	NEXT(fwrite);
	syscalls__prepare("fwrite", buffer, product(size, count), DSM_READ, NODE_CALLER);
	return next(buffer, size, count, file);
}
