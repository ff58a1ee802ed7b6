/* SPDX-License-Identifier: BSD-2-Clause */
/* outfile.h - results as whole files: written beside their place and renamed, so no half stands for a good
 * one. */
#ifndef ANALYZER_OUTFILE_H
#define ANALYZER_OUTFILE_H

#include <stddef.h>

/* Writes `bytes` to `path` ("-": standard output). 0, or a negative errno after a message that names the file
 * and the reason; what stood at `path` is then untouched. */
int outfile__write(const char *path, const void *data, size_t bytes);
/* Makes the folder if it is not there (its parent must be). Like outfile__write() in errors. */
int outfile__folder(const char *path);
/* Reads a whole regular file of at most `most` bytes, NUL-terminated, to be freed with mem__free(). Negative
 * errno without a message. */
int outfile__read(const char *path, size_t most, char **out, size_t *bytes);

#endif
