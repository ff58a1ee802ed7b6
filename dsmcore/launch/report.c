// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/launch/report.h"

#include <stdio.h>

#include "dsmcore/launch/where.h"

void report__format(const struct proto_report *r, char *line, size_t size)
{
	const int text = (int)sizeof(r->text), path = (int)sizeof(r->path); /* they may lack their end */
	struct where w;
	int rc;

	if (!*r->path) {
		snprintf(line, size, "%.*s", text, r->text);
	} else {
		char file[sizeof(r->path) + 1];

		snprintf(file, sizeof(file), "%.*s", path, r->path);
		rc = where__find(file, r->offset, &w);
		if (rc == 0 && *w.function)
			snprintf(line, size, "%.*s at %s:%d (%s)", text, r->text, w.file, w.line, w.function);
		else if (rc == 0)
			snprintf(line, size, "%.*s at %s:%d", text, r->text, w.file, w.line);
		else
			snprintf(line, size, "%.*s at %s+0x%llx%s%s%s (compile it with -g to see the line)",
				 text, r->text, file, (unsigned long long)r->offset, *w.function ? " (" : "",
				 w.function, *w.function ? ")" : "");
	}
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
}

void report__print(unsigned node, const struct proto_report *r)
{
	char line[REPORT_LINE];

	report__format(r, line, sizeof(line));
	fprintf(stderr, "dsm: node %u: %s\n", node, line);
}
