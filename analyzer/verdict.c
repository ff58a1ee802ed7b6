/* SPDX-License-Identifier: BSD-2-Clause */
#include "verdict.h"

#include <math.h>

const char *verdict__name(enum verdict v)
{
	static const char *const name[VERDICTS] = {"false", "true", "silent", "unknown", "untouched"};

	return name[v];
}

enum verdict verdict__page(const struct meeting_evidence *e)
{
	if (byteset__meets(e->changed, e->touched))
		return VERDICT_TRUE;
	if (e->untouched)
		return VERDICT_UNTOUCHED;
	if (!e->winner_known || !e->loser_known)
		return VERDICT_UNKNOWN;
	if (!e->touched->n)
		return VERDICT_UNTOUCHED;
	return byteset__meets(e->stored, e->touched) ? VERDICT_SILENT : VERDICT_FALSE;
}

enum verdict verdict__conflict(const enum verdict *page, unsigned pages, bool cut)
{
	unsigned count[VERDICTS] = {0};

	for (unsigned i = 0; i < pages; i++)
		count[page[i]]++;
	if (count[VERDICT_TRUE])
		return VERDICT_TRUE;
	if (count[VERDICT_UNKNOWN] || cut || !pages)
		return VERDICT_UNKNOWN;
	if (count[VERDICT_SILENT])
		return VERDICT_SILENT;
	return count[VERDICT_FALSE] ? VERDICT_FALSE : VERDICT_UNTOUCHED;
}

/* E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927). */
void verdict__interval(double hits, double n, double *low, double *high)
{
	const double z = 1.959963985;
	double p, centre, half;

	*low = 0;
	*high = 1;
	if (n <= 0)
		return;
	if (hits <= 0) {
		*high = fmin(1, 3 / n);
		return;
	}
	if (hits >= n) {
		*low = fmax(0, 1 - 3 / n);
		return;
	}
	p = hits / n;
	centre = (p + z * z / (2 * n)) / (1 + z * z / n);
	half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
	*low = fmax(0, centre - half);
	*high = fmin(1, centre + half);
}
