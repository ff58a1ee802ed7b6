/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/memory/written.h"

#include <string.h>

static size_t count_runs(const uint64_t *mask)
{
	uint64_t before = 0;
	size_t n = 0;

	for (unsigned i = 0; i < DIFF_MASK_WORDS; before = mask[i++] >> 63)
		n += (size_t)__builtin_popcountll(mask[i] & ~(mask[i] << 1 | before));
	return n;
}

/* Bit j: byte j of `eight` is not 0. */
static uint64_t bytes_set(uint64_t eight)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7fu;
	uint64_t ones = ((((eight & low) + low) | eight) >> 7) & 0x0101010101010101u;

	return ones * 0x0102040810204080u >> 56;
}

/* Returns the number of masks. */
static size_t put_masks(const uint64_t *mask, struct dsm_ev_masks *m)
{
	const uint8_t *byte = (const uint8_t *)mask;
	size_t n = 0;

	memset(m->words, 0, sizeof(m->words));
	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++)
		m->words[i / 8] |= bytes_set(mask[i]) << i % 8 * 8;
	for (unsigned i = 0; i < sizeof(m->words) / sizeof(m->words[0]); i++)
		for (uint64_t left = m->words[i]; left; left &= left - 1)
			m->mask[n++] = byte[i * 64 + (unsigned)__builtin_ctzll(left)];
	return n;
}

size_t written__describe(struct dsm_ev_writes *record, const uint8_t *page, const uint8_t *before,
			 size_t *runs)
{
	struct dsm_ev_masks *masks = (void *)((char *)record + DSM_EV_MASKS_AT(0));
	struct dsm_ev_run run[DIFF_RUNS_MAX];
	uint64_t mask[DIFF_MASK_WORDS];
	size_t n, nmasks;

	diff__mask(page, before, mask);
	*runs = n = count_runs(mask);
	nmasks = put_masks(mask, masks);
	if (n * sizeof(*run) > sizeof(*masks) + nmasks) {
		record->nruns = 0;
		record->nmasks = (uint16_t)nmasks;
		memset(masks->mask + nmasks, 0, -nmasks % 8); /* the padding */
		return DSM_EV_MASKS_AT(0) + sizeof(*masks) + (nmasks + 7) / 8 * 8;
	}
	record->nruns = (uint16_t)n;
	record->nmasks = 0;
	diff__mask_runs(mask, run);
	memcpy(record->run, run, n * sizeof(*run));
	memset(record->run + n, 0, n % 2 * sizeof(*run));
	return DSM_EV_MASKS_AT(n);
}
