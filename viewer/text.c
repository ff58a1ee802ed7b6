/* SPDX-License-Identifier: BSD-2-Clause */
#include "viewer/text.h"

#include <math.h>
#include <stdio.h>

/* Three significant digits and a unit, never wider than five columns. */
static char *scaled(char *dst, size_t size, double v, double step, const char *const *unit, int units)
{
	int u = 0;

	while (u < units - 1 && fabs(v) >= step * (step == 1000 ? 0.9995 : 1.0)) {
		v /= step;
		u++;
	}
	if (u == 0 && v == floor(v))
		snprintf(dst, size, "%.0f%s", v, unit[u]);
	else
		snprintf(dst, size, "%.*f%s", fabs(v) < 9.995 ? 2 : fabs(v) < 99.95 ? 1 : 0, v, unit[u]);
	return dst;
}

char *text__count(char *dst, size_t size, double v)
{
	static const char *const unit[] = {"", "k", "M", "G", "T", "P", "E"};

	if (isnan(v))
		snprintf(dst, size, "-");
	else if (fabs(v) < 9999.5 && fabs(v) >= 999.5)
		snprintf(dst, size, "%.0f", v);
	else
		scaled(dst, size, v, 1000, unit, 7);
	return dst;
}

char *text__bytes(char *dst, size_t size, double v)
{
	static const char *const unit[] = {"B", "K", "M", "G", "T", "P", "E"};

	if (isnan(v))
		snprintf(dst, size, "-");
	else
		scaled(dst, size, v, 1024, unit, 7);
	return dst;
}

char *text__nanos(char *dst, size_t size, double ns)
{
	static const char *const unit[] = {"ns", "us", "ms", "s"};

	if (isnan(ns))
		snprintf(dst, size, "-");
	else if (ns >= 600e9)
		snprintf(dst, size, "%.0fm%02d", floor(ns / 60e9), (int)fmod(ns / 1e9, 60));
	else
		scaled(dst, size, ns, 1000, unit, 4);
	return dst;
}

char *text__share(char *dst, size_t size, double share)
{
	if (isnan(share))
		snprintf(dst, size, "-");
	else
		snprintf(dst, size, "%.1f%%", share * 100);
	return dst;
}

char *text__ratio(char *dst, size_t size, double ratio)
{
	if (isnan(ratio))
		snprintf(dst, size, "-");
	else
		snprintf(dst, size, "%.*f", ratio < 10 ? 3 : ratio < 100 ? 2 : 0, ratio);
	return dst;
}

char *text__elapsed(char *dst, size_t size, double seconds)
{
	long s = isnan(seconds) || seconds < 0 || seconds > 1e12 ? 0 : (long)seconds;

	if (s >= 3600)
		snprintf(dst, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(dst, size, "%ld:%02ld", s / 60, s % 60);
	return dst;
}
