// SPDX-License-Identifier: BSD-2-Clause
/*
 * stream_tls_cable.h - two ends of an encrypted connection over socket pairs, with a cable between them that the test
 * can read, alter, repeat and cut.
 */
#ifndef TESTS_UNIT_STREAM_TLS_CABLE_H
#define TESTS_UNIT_STREAM_TLS_CABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dsmcore/transport/stream.h"
#include "dsmcore/transport/tls.h"

extern const struct tls_ops dsm_tls_ops;

static const struct tls_ops *const tls = &dsm_tls_ops;
static const struct tls_identity identity = {.run_id = 77, .generation = 3, .from = 1, .to = 4, .channel = 1};
static const uint8_t right[TLS_KEY] = "the right key of this very run..";

struct cable {
	struct tls *tls[2];
	struct stream *end[2];	  /* 0 calls, 1 answers */
	int fd[2];		  /* the cable's side of each */
	uint8_t seen[2][1 << 20]; /* what went from 0 to 1, and back */
	size_t bytes[2];
};

/* rekey: a fresh key after so many records, 0: the default. */
struct tls *cable__context(const uint8_t *key, uint64_t rekey);
void cable__pair(int fds[2]);
/* Two ends with these keys, of which the first says that it is `id`. */
struct cable *cable__lay(const uint8_t *key0, const uint8_t *key1, const struct tls_identity *id);
void cable__take_up(struct cable *w);
/* What the end `from` has said since the last time: kept, not passed on. */
size_t cable__listen(struct cable *w, int from);
void cable__put(int fd, const void *bytes, size_t n);
/* The same, passed on; false: nothing. */
bool cable__carry(struct cable *w, int from);
/* Until both are done or one has failed. */
void cable__shake(struct cable *w, int rc[2]);
/* With the right keys, hands shaken. */
struct cable *cable__connected(void);
ssize_t cable__say(struct cable *w, int from, const void *bytes, size_t n);
ssize_t cable__hear(struct cable *w, int at, void *bytes, size_t room);

#endif
