// SPDX-License-Identifier: BSD-2-Clause
/* Hosts and variables that there is no memory for: said, nothing half. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dsmcore/launch/dsmrun_hosts.h"

static int calls_until_none = -1; /* of those below; -1: there is memory */

static bool none(void)
{
	return calls_until_none >= 0 && calls_until_none-- == 0;
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__wrap_strdup(const char *text)
{
	return none() ? NULL : __real_strdup(text);
}

void *__real_realloc(void *at, size_t bytes);
void *__wrap_realloc(void *at, size_t bytes);
void *__wrap_realloc(void *at, size_t bytes)
{
	return none() ? NULL : __real_realloc(at, bytes);
}

/* Of the names of this machine nothing is asked here. */
void names__look_up(struct host *h)
{
	h->here = false;
}

void names__warn(const struct run *run)
{
	(void)run;
}

void names__listen(const struct run *run, const struct host *h, char spec[ADDRESS_SPEC])
{
	(void)run, (void)h, (void)spec;
}

bool options__over_tcp(const struct run_options *o)
{
	(void)o;
	return false;
}

int options__number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
	*out = strtoull(text, NULL, 10);
	return *out < least || *out > most ? -EINVAL : 0;
}

static void no_memory(void **state)
{
	int good = 0;

	(void)state;
	for (int calls = 0; calls < 6; calls++) {
		struct run run = {0};
		char why[256] = "unset";
		int rc;

		calls_until_none = calls;
		rc = hosts__add(&run, "alpha:2,beta", why, sizeof(why));
		calls_until_none = -1;
		if (rc) {
			assert_int_equal(rc, -ENOMEM);
			assert_non_null(strstr(why, "hosts"));
			assert_non_null(strstr(why, strerror(ENOMEM)));
		} else {
			assert_int_equal(run.nhosts, 2);
			good++;
		}
		hosts__free(&run);
	}
	assert_int_equal(good, 3); /* one copy and two hosts want memory */
}

static void no_memory_for_variables(void **state)
{
	struct run run = {0};
	char why[256] = "unset";

	(void)state;
	calls_until_none = 0;
	assert_int_equal(hosts__add_variable(&run, "A=b", why, sizeof(why)), -ENOMEM);
	calls_until_none = -1;
	assert_non_null(strstr(why, strerror(ENOMEM)));
	assert_int_equal(run.nvariables, 0);
	hosts__free(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_memory),
		cmocka_unit_test(no_memory_for_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
