// SPDX-License-Identifier: BSD-2-Clause
/*
 * fabric_member.h - a node as the tests of the fabric need it: the test is node 0, its children are the others. What a
 * stream carries is a function of the stream and the position, so that any lost, doubled or displaced byte shows.
 */
#ifndef TESTS_UNIT_FABRIC_MEMBER_H
#define TESTS_UNIT_FABRIC_MEMBER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dsmcore/transport/fabric.h"
#include "dsmcore/transport/stream.h"

#define NODES_MAX 4
#define KEY	  0x1122334455667788u
#define CHUNK	  20011u /* bytes offered to one send(): no multiple of anything */
#define PATIENCE  20.0	 /* seconds; only a failure takes so long */

extern const struct fabric_api *api;

/* The launcher's part: where the nodes leave their addresses, and agree on steps. */
extern struct desk {
	struct fabric_address of[NODES_MAX];
	int there, step[NODES_MAX];
} * desk;

struct member {
	struct fabric *fabric;
	struct links links;
	unsigned nodes;
	int epoll;
	uint64_t sent[NODES_MAX][2], got[NODES_MAX][2];
	bool writable[NODES_MAX][2], readable[NODES_MAX][2], ended[NODES_MAX][2];
	int error[NODES_MAX][2];
	unsigned naps; /* times it went to sleep */
};

double member__now(void);
/* In a child a failed check ends it; its status fails the test. */
#define CHECK(condition) member__check(condition, #condition, __LINE__)
void member__check(bool ok, const char *what, int line);

/* For cmocka: an empty desk, before any node. */
int desk__fresh(void **state);
void desk__await(const int *value, int least);
void desk__step(unsigned node, int n);

/* What the fabric says; its message is printed. */
int member__open(struct member *n, const char *provider, unsigned node, unsigned nodes, unsigned silence);
int member__connect(struct member *n, uint64_t key, int seconds);
void member__join(struct member *n, const char *provider, unsigned node, unsigned nodes, unsigned silence);
void member__leave(struct member *n);
/* As the transport does: polls, and sleeps when there is nothing. */
void member__turn(struct member *n, int ms);
/* Offers up to `most` bytes. Bytes taken, or a negative errno. */
ssize_t member__offer(struct member *n, unsigned me, unsigned to, unsigned channel, uint64_t most);
/* Reads what is there, at most so many bytes. */
void member__drink(struct member *n, unsigned from, unsigned channel, size_t room);
void member__drink_until(struct member *n, unsigned from, unsigned channel, uint64_t bytes);
/* All nodes send `bytes` to all others on both channels and read as much. */
void member__all_to_all(struct member *n, unsigned me, uint64_t bytes);

pid_t child__start(void (*run)(const char *provider, unsigned node), const char *provider, unsigned node);
void child__expect_end(pid_t pid);

#endif
