/* SPDX-License-Identifier: BSD-2-Clause */
/* report_make_trace FILE ABORTS PROGRAM: a small trace with that many false conflicts, for shell tests. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/analyzer/feed.h"

int main(int argc, char **argv)
{
	struct byteset a = {0}, b = {0};
	struct feed f;
	int err;

	if (argc != 4) {
		fprintf(stderr, "usage: report_make_trace FILE ABORTS PROGRAM\n");
		return 2;
	}
	feed__start(&f, 2, 1);
	f.program = argv[3];
	feed__nodes(&f);
	feed__type(&f, 0, 1, "struct unknown", 16, 0);
	feed__object(&f, 0, 0x1000, 64, 16, 1, 0, 0);
	feed__root(&f, 0, 0x1000, "table");
	byteset__add(&a, 0, 8);
	byteset__add(&b, 64, 72);
	for (long i = 0; i < atol(argv[2]); i++) {
		struct feed_iv winner = {0, 10 + (uint64_t)i, 0, 0}, loser = {1, 10 + (uint64_t)i, 0, 0};
		struct feed_meeting m = {1, 3, 1, 1};

		feed__writes(&f, winner, 1, &a, true);
		feed__writes(&f, loser, 1, &b, false);
		feed__accesses(&f, loser, 1, &b, &b, true, (struct dsm_ev_ip){0, 0});
		feed__abort(&f, loser, winner, DSM_EV_CAUSE_CONFLICT, 500000, &m, 1, true);
		feed__commit(&f, winner, false);
	}
	feed__commit(&f, (struct feed_iv){0, 1000000, 0, 0}, false);
	err = feed__write(&f, argv[1], NULL, 0);
	byteset__free(&a);
	byteset__free(&b);
	feed__free(&f);
	return err ? 1 : 0;
}
