/* SPDX-License-Identifier: BSD-2-Clause */
/* loop.h - dsmtop's two ways to run: on the terminal, and as text or JSON for scripts. */
#ifndef PROCOPE_VIEWER_LOOP_H
#define PROCOPE_VIEWER_LOOP_H

#include "viewer/model.h"
#include "viewer/source.h"

struct loop_options {
	const char *path; /* of the socket, for messages */
	bool batch, json, utf8;
	const char *trace; /* shown instead of a live run, or NULL */
	double speed;	   /* of the replay; 0 = no waiting */
	long count;	   /* screens; 0 = no limit */
	double delay;	   /* seconds between screens; 0 = each sample */
	size_t pages;	   /* of batch mode */
	enum page_key sort;
	bool sorted;	/* `sort` was asked for */
	char note[200]; /* to be shown, may be empty */
};

/* Each runs to its end and returns the exit code: 0, 1 when the collector went away, 2 when the socket
 * speaks something else or there is no terminal. Messages have been printed. */
int loop__screen(struct source *source, const struct loop_options *o);
int loop__batch(struct source *source, const struct loop_options *o);

#endif
