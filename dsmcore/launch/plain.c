/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/launch/plain.h"

#include <stdio.h>
#include <string.h>

/* How many bytes at `c` are a control character: one of ASCII, or U+0080 to U+009F in UTF-8, which some
 * terminals obey as well. */
static size_t control_bytes(const unsigned char *c)
{
	if (*c < ' ' || *c == 0x7f)
		return 1;
	return *c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0 ? 2 : 0;
}

static int show(char *to, const unsigned char *c, size_t bytes)
{
	if (*c == '\n' || *c == '\t')
		return sprintf(to, "\\%c", *c == '\n' ? 'n' : 't');
	return bytes == 1 ? sprintf(to, "\\x%02x", *c) : sprintf(to, "\\x%02x\\x%02x", *c, c[1]);
}

void plain__copy(char *to, size_t room, const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	char shown[16];

	while (*c) {
		size_t bytes = control_bytes(c), n = bytes ? (size_t)show(shown, c, bytes) : 1;

		if (n >= room)
			break;
		memcpy(to, bytes ? (const void *)shown : c, n);
		to += n;
		room -= n;
		c += bytes ? bytes : 1;
	}
	*to = 0;
}

void plain__print(const char *who, const char *text)
{
	char line[8192];

	plain__copy(line, sizeof(line), text);
	fprintf(stderr, "%s: %s\n", who, line);
}
