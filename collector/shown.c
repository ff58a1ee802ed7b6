/* SPDX-License-Identifier: BSD-2-Clause */
#include "collector/shown.h"

#include <string.h>

size_t shown__decode(const char *s, uint32_t *out)
{
	const unsigned char *u = (const unsigned char *)s;
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n = u[0] < 0x80		   ? 1
		   : (u[0] & 0xe0) == 0xc0 ? 2
		   : (u[0] & 0xf0) == 0xe0 ? 3
		   : (u[0] & 0xf8) == 0xf0 ? 4
					   : 0;
	uint32_t c;

	if (!u[0] || !n)
		return 0;
	c = n == 1 ? u[0] : u[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (n > 1 && (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)))
		return 0;
	*out = c;
	return n;
}

static int harmful(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200e && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

void shown__copy(char *dst, size_t size, const char *src)
{
	size_t at = 0;

	if (!size)
		return;
	while (src && *src) {
		uint32_t c;
		size_t n = shown__decode(src, &c);
		int bad = !n || harmful(c);

		if (at + (bad ? 1 : n) >= size)
			break;
		if (bad)
			dst[at++] = '?';
		else
			memcpy(dst + at, src, n), at += n;
		src += n ? n : 1;
	}
	dst[at] = 0;
}
