/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shm_find.h - the shared memory of a node (dsm_events.h), found among its process's open files.
 *
 * A process is held by a descriptor of its folder in /proc, not by its number, which may become another
 * process's between two looks; and a file is looked at through one descriptor from its name to its opening.
 */
#ifndef DSM_LAUNCH_SHM_FIND_H
#define DSM_LAUNCH_SHM_FIND_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct shm_find_process {
	uid_t real, effective;
	pid_t inner; /* its own idea of its number, another one inside a container */
};

/* A descriptor for the functions below, to be closed. Errors: negative errno, -ENOENT when there is none. */
int shm_find__process(pid_t pid);
/* Who it is, as long as it lives. Errors: -ESRCH and the like. */
int shm_find__identify(int process, struct shm_find_process *who);
/* Calls `visit` for each file of the process that is a memfd named DSM_SHM_NAME, until it returns true. `fd`
 * is an O_PATH descriptor of that file, closed afterwards. Errors: -EACCES when we may not look. */
int shm_find__each(int process, bool (*visit)(void *ctx, int fd, const struct stat *st), void *ctx);
/* Opens the very file. `flags` as of open(). Errors: negative errno. */
int shm_find__open(int fd, int flags);

#endif
