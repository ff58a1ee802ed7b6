/* SPDX-License-Identifier: BSD-2-Clause */
/* names.h - things as a reader of a report calls them. */
#ifndef ANALYZER_NAMES_H
#define ANALYZER_NAMES_H

#include "tally.h"

/* The frame of an allocation's or transaction's chain that is the program's own and best tells where: the
 * innermost with a known line, else the innermost. "world.c:88 (build)"; "?" when nothing is known. */
void names__site(struct symbols *s, const struct model *m, uint32_t site, struct source *out);
void names__place(const struct source *src, char *out, size_t size);
/* "walk.c:141 (advance)" of an instruction; without debug information "world+0x1234". */
void names__code(struct symbols *s, const struct model *m, struct code code, bool return_address, char *out,
		 size_t size);
/* The same of an access in the transaction or interval that begins at `site` (0: not known). A library whose source is not
 * at hand says nothing to the reader, so then it is "memmove, after walk.c:140 (advance)". */
void names__access(struct symbols *s, const struct model *m, struct code code, uint32_t site, char *out,
		   size_t size);
/* The source line's text, blanks trimmed, "" when the file cannot be read. */
void names__line_text(const struct source *src, char *out, size_t size);
/* "1.31 s", "12.4 ms", "830 us" */
void names__duration(double ns, char *out, size_t size);
/* "12,340" */
void names__count(double n, char *out, size_t size);
/* "rows 1000 to 1030", "element 3", "elements 0 to 4, 7 to 9 and 12 more" */
void names__elements(const struct model *m, uint32_t object, const struct byteset *elements, char *out,
		     size_t size);
/* "the lock of table", "the lock of heads element 3 +8", "the lock of an object", "the lock of the block". */
void names__lock(const struct model *m, const struct lock_sum *l, char *out, size_t size);
#define NAMES_NO_OBJECT "(no recorded object)"
#define NAMES_ROOTS	"(table of roots)"
/* The object's name, one of these two, or "(the runtime's read tracking)". */
void names__object(const struct tally *t, const struct row *r, char *out, size_t size);

/* "tx", "sc", "rc"; "" for none of these. */
const char *names__consistency(unsigned consistency);

/* What reports call the parties: transactions that win and abort, or intervals that have a page in use and wait. */
struct report_words {
	const char *unit;		  /* "transaction" */
	const char *conflict, *conflicts; /* "abort" */
	const char *won, *lost;		  /* "won,", "aborted," */
	const char *parties;		  /* "one transaction won, the other aborted" */
};
/* `mixed`: transactions and intervals ran; `kept`: transactions that are not undone have met others. */
const struct report_words *names__words(unsigned consistency, bool mixed, bool kept);

#endif
