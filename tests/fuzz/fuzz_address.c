// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_address.c - any text as an address, and as what --interface says. Whatever is taken for an address is the
 * same one again when its own text is read; what check() refuses finds nothing, and everything refused has a reason.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dsmcore/launch/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), written[ADDRESS_TEXT], why[2 * ADDRESS_SPEC + 256] = "";
	struct address a, again;

	check(text != NULL);
	memcpy(text, data, size);
	text[size] = 0;
	if (address__parse(text, &a)) {
		check(a.family == 4 || a.family == 6);
		check(address__parse(address__text(&a, written), &again) && !memcmp(&a, &again, sizeof(a)));
		check(a.scope || address__sane(&a));
	} else {
		check(!a.family);
	}
	if (address__check(text, why, sizeof(why))) {
		check(*why && address__find(text, &a, why, sizeof(why)) == -EINVAL && !a.family);
	} else {
		int rc = address__find(text, &a, why, sizeof(why));

		check(rc ? *why && !a.family : a.family == 4 || a.family == 6);
	}
	free(text);
	return 0;
}
