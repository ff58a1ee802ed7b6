// SPDX-License-Identifier: BSD-2-Clause
#include "tests/collector/fake_options.h"

#include <getopt.h>
#include <stdlib.h>

struct fake_options opt = {
	.nodes = 1, .records = 1000, .batch = 100, .run_id = 0x1234, .ring_bytes = 1 << 20, .claim = -1};

/* Every option is one field of `opt`. */
enum kind { FLAG, UNSIGNED, SIGNED, REAL, TEXT, BYTES, RUN_ID };

static const struct {
	const char *name;
	enum kind kind;
	void *to;
} fields[] = {
	{"node", UNSIGNED, &opt.node},
	{"nodes", UNSIGNED, &opt.nodes},
	{"records", UNSIGNED, &opt.records},
	{"pause-us", UNSIGNED, &opt.pause_us},
	{"batch", UNSIGNED, &opt.batch},
	{"run", RUN_ID, &opt.run_id},
	{"ring", BYTES, &opt.ring_bytes},
	{"wait", REAL, &opt.wait_s},
	{"linger", REAL, &opt.linger_s},
	{"log", TEXT, &opt.log},
	{"mark", TEXT, &opt.mark},
	{"then", TEXT, &opt.then},
	{"claim", SIGNED, &opt.claim},
	{"crash", FLAG, &opt.crash},
	{"crash-told", FLAG, &opt.crash_told},
	{"shrink", FLAG, &opt.shrink},
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static void set_field(void *to, enum kind kind, char *value)
{
	switch (kind) {
	case FLAG:
		*(bool *)to = true;
		break;
	case UNSIGNED:
		*(unsigned *)to = (unsigned)atoi(value);
		break;
	case SIGNED:
		*(int *)to = atoi(value);
		break;
	case REAL:
		*(double *)to = atof(value);
		break;
	case TEXT:
		*(const char **)to = value;
		break;
	case BYTES:
		*(uint64_t *)to = strtoull(value, NULL, 0);
		break;
	case RUN_ID:
		*(uint64_t *)to = strtoull(value, NULL, 16);
		break;
	}
}

int options__parse(int argc, char **argv)
{
	struct option options[FIELDS + 1] = {0};
	int which;

	for (size_t i = 0; i < FIELDS; i++)
		options[i] = (struct option){fields[i].name,
					     fields[i].kind == FLAG ? no_argument : required_argument, NULL,
					     (int)i};
	while ((which = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (which == '?')
			return -1;
		set_field(fields[which].to, fields[which].kind, optarg);
	}
	return 0;
}
