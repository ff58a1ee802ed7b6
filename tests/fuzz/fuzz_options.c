// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_options.c - any text as the value of an option, of a DSM_* variable or of --interface. The first byte says
 * which. What is accepted is within its bounds; what is refused has a reason and changes nothing that it should not.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dsmcore/launch/address.h"
#include "dsmcore/launch/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void check_options(const struct run_options *o)
{
	check(options__sane(o));
	check(o->heap_bytes >= 1 << 20 && o->heap_bytes <= 1ull << 40 && o->heap_bytes % 4096 == 0);
	check(o->ring_bytes >= 8 << 10 && o->ring_bytes <= 1 << 30 && !(o->ring_bytes & (o->ring_bytes - 1)));
	check(o->microscope_permille <= 1000 && o->silence_s <= 86400);
	check(!*o->fabric || !strcmp(o->transport, "fabric"));
	check((!*o->plan || *o->plan == '/') && (!*o->history || *o->history == '/') &&
	      (!*o->key_file || *o->key_file == '/'));
}

static void as_option(struct run_options *o, unsigned which, const char *text)
{
	static int (*const set[])(struct run_options * o, const char *text, char *why, size_t why_size) = {
		options__heap,	    options__ring,     options__microscope,
		options__plan,	    options__history,  options__fabric,
		options__transport, options__key_file, options__consistency,
	};
	char why[64] = ""; /* small, so that long reasons are cut */
	int rc = set[which % 9](o, text, why, sizeof(why));

	check(rc <= 0 && (rc == 0 || *why) && memchr(why, 0, sizeof(why)));
	check_options(o);
}

static void as_variable(unsigned which, const char *text)
{
	static const char *const names[] = {
		"DSM_HEAP",   "DSM_RING_SIZE", "DSM_STRICT",  "DSM_MICROSCOPE", "DSM_TRANSPORT",  "DSM_RUN",
		"DSM_FABRIC", "DSM_UPDATES",   "DSM_SILENCE", "DSM_KEY_FILE",	"DSM_CONSISTENCY"};
	const char *name = names[which % (sizeof(names) / sizeof(*names))];
	struct run_options o;
	char why[512] = "";

	check(setenv(name, text, 1) == 0);
	if (options__from_env(&o, why, sizeof(why)) == 0)
		check_options(&o);
	else
		check(strstr(why, name) != NULL); /* which one it was */
	check(unsetenv(name) == 0);
}

static void as_number(const char *text)
{
	uint64_t v = 7, small = 7;

	if (options__number(text, 0, UINT64_MAX, &v))
		check(v == 7);
	if (options__number(text, 3, 9, &small) == 0)
		check(small >= 3 && small <= 9 && small == v);
	if (options__size(text, &v) == 0)
		check(*text >= '0' && *text <= '9');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run_options o;
	char why[128] = "", *text;

	if (size < 1 || options__from_env(&o, why, sizeof(why)))
		return 0;
	text = malloc(size); /* exactly as long: a read past the end is seen */
	check(text != NULL);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	as_number(text);
	if (data[0] & 1)
		as_option(&o, data[0] >> 1, text);
	else
		as_variable(data[0] >> 2, text);
	if (data[0] & 2 && address__check(text, why, sizeof(why)))
		check(*why);
	free(text);
	return 0;
}
