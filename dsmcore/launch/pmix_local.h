/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmix_local.h - how the helpers of one host connect their nodes over Unix sockets, as dsmrun would.
 *
 * A helper makes the socket pairs to the higher nodes of its host and passes the other ends to their helpers,
 * over an abstract Unix socket whose name is random and known through PMIx. Both sides look at the user who
 * is at the other end. Single-threaded.
 */
#ifndef DSM_LAUNCH_PMIX_LOCAL_H
#define DSM_LAUNCH_PMIX_LOCAL_H

#define PMIX_LOCAL_NAME 48

/* A listening socket; its name, a string, goes to name[PMIX_LOCAL_NAME]. Errors: negative errno. */
int pmix_local__listen(char *name);
/* Makes the connections of node `self` to `peer`, gives one end to our node over `line`, the other to the
 * helper that listens as `name`. Errors: negative errno; -EACCES when another user is there. */
int pmix_local__connect(const char *name, unsigned self, unsigned peer, int line);
/* Takes what one lower node's helper brings, and gives it to our node. Errors: negative errno, -ETIMEDOUT. */
int pmix_local__accept(int listener, unsigned self, int seconds, int line);

#endif
