/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * floor.h - what the kernel, the wire and the memory cost without a DSM: the floors that dsmbench divides by.
 *
 * No code of dsmcore is here or behind it. That is why floor.c makes its system calls directly: libdsm.so
 * wraps send() and recv(). Times are nanoseconds of CLOCK_MONOTONIC.
 *
 *   wire      a stream socket, 64 bytes there and 4 KiB (or several pages) back, the asking side spinning
 *   trap      an access that userfaultfd turns into SIGBUS, resolved in the handler (with a fetch over the
 * wire, if it has one) exchange  all nodes tell one another "I am here": log2(n) rounds of 64 bytes compare
 * what finds the changes of a written page: store, compare with the twin, copy the change; and a copy of 1
 * KiB of stack, for undoing
 */
#ifndef DSM_BENCH_FLOOR_H
#define DSM_BENCH_FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLOOR_PAGE    4096u
#define FLOOR_REQUEST 64u
#define FLOOR_PAGES   1024u /* most of one answer */

uint64_t floor__now(void);

/* The index-th core that this thread may use (round and round); pinning, and what it was before. A thread
 * whose cores were chosen by somebody else keeps within them. Errors: negative errno. */
int floor__core(unsigned index);
int floor__pin(int core);
void floor__unpin(void);

/* ---- wire ---- */

/* Where a node listens; bytes of a struct sockaddr. The cookie keeps strangers out. */
struct floor_address {
	uint64_t cookie;
	uint32_t bytes;
	int32_t core; /* where the node's side of the floors runs */
	uint8_t raw[48];
};

/* Returns a listening socket and fills in *at. Errors: negative errno. */
int floor_wire__listen(bool tcp, struct floor_address *at);
/* Returns a connected socket. The other side learns `node`. Errors: negative errno. */
int floor_wire__connect(const struct floor_address *to, unsigned node);
/* Returns the next connection that knows the cookie, and who it is from; waits at most 10 s. Errors: negative
 * errno, -ETIMEDOUT. */
int floor_wire__accept(int listener, const struct floor_address *own, unsigned *node);

/* Asks for a page and waits for it; spinning or blocked. Errors: negative errno. */
int floor_wire__fetch(int fd, void *page, bool spin);
/* The same for up to FLOOR_PAGES pages, which come in one answer. */
int floor_wire__bulk(int fd, void *pages, unsigned count, bool spin);

/* ---- who answers: a thread beside the mutator, on the given core, outranking it where that is allowed ----
 */

struct floor_server;
int floor_server__start(struct floor_server **out, int fd, int core);
/* May it spin for the next request (its core is idle: the owner waits), or must it block (the owner
 * computes)? It spins only within a block of requests, which floor_wire__park() ends. Any thread. */
void floor_server__spin(struct floor_server *server, bool may);
int floor_wire__park(int fd);
/* The client must have closed its end. */
void floor_server__stop(struct floor_server *server);

/* ---- trap ---- */

struct floor_trap;
/* Errors: negative errno (no userfaultfd, ...). */
int floor_trap__open(struct floor_trap **out);
void floor_trap__close(struct floor_trap *trap);
/* Between these two the process's SIGBUS handler is the trap's. Errors: -ENOSYS. */
int floor_trap__enter(struct floor_trap *trap);
void floor_trap__leave(struct floor_trap *trap);
/* One access to a closed page: ns until it has its value. fd: the page comes over this wire; -1: it is there.
 * 0: the wire failed. */
uint64_t floor_trap__access(struct floor_trap *trap, int fd, bool spin);

/* ---- exchange, compare ---- */

/* fds[node]: a wire to each other node. Returns when all nodes are in the same call. Errors: negative errno.
 */
int floor_wire__exchange(const int *fds, unsigned node, unsigned nodes, bool yield);

struct floor_compare;
int floor_compare__open(struct floor_compare **out, unsigned pages);
void floor_compare__once(struct floor_compare *c);
void floor_compare__close(struct floor_compare *c);

#endif
