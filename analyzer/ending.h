/* SPDX-License-Identifier: BSD-2-Clause */
/* ending.h - how a run ended, as the summary says that closes a trace. */
#ifndef ANALYZER_ENDING_H
#define ANALYZER_ENDING_H

#include <stdbool.h>

struct ending {
	bool crashed;		 /* a node ended without a word */
	int crashed_node;	 /* the first of them */
	bool failed;		 /* a node ended with a status other than 0 */
	int failed_node, status; /* the first; negative: by a signal */
	unsigned open;		 /* nodes that still ran when the recording ended */
	bool broke_off;		 /* the recording ended by a signal or an error */
};

/* What a summary says; whatever it does not say is taken to be well. */
void ending__parse(const char *summary, struct ending *out);

#endif
