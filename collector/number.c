/* SPDX-License-Identifier: BSD-2-Clause */
#include "collector/number.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

int number__real(const char *text, double least, double most, double *out)
{
	char *end;

	errno = 0;
	*out = strtod(text, &end);
	return errno || end == text || *end || !isfinite(*out) || *out < least || *out > most ? -EINVAL : 0;
}

int number__whole(const char *text, long least, long most, long *out)
{
	char *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	return errno || end == text || *end || *out < least || *out > most ? -EINVAL : 0;
}
