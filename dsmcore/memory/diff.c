/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/memory/diff.h"

#include <errno.h>
#include <immintrin.h>
#include <string.h>

#define BLOCK 64u

/* Tests of the plain ways want no other. */
#ifdef DIFF_PLAIN
#define SUPPORTS(feature) false
#else
#define SUPPORTS(feature) __builtin_cpu_supports(feature)
#endif

/* Joining runs across a few equal bytes costs less than a second header on the wire. */
#define WIRE_GAP 4u

bool diff__any(const uint8_t *page, const uint8_t *twin)
{
	return memcmp(page, twin, DIFF_PAGE) != 0;
}

/* A commit compares each page that stays writable, changed or not, so this is the cost of a transaction that
 * nobody else sees. */
__attribute__((target("avx2"))) static uint64_t blocks_avx2(const uint8_t *page, const uint8_t *twin)
{
	uint64_t blocks = 0;

#pragma GCC unroll 8
	for (unsigned i = 0; i < DIFF_PAGE / BLOCK; i++) {
		const __m256i *p = (const void *)(page + i * BLOCK), *t = (const void *)(twin + i * BLOCK);
		__m256i low = _mm256_xor_si256(_mm256_loadu_si256(p), _mm256_loadu_si256(t));
		__m256i high = _mm256_xor_si256(_mm256_loadu_si256(p + 1), _mm256_loadu_si256(t + 1));
		__m256i any = _mm256_or_si256(low, high);

		blocks |= (uint64_t)!_mm256_testz_si256(any, any) << i;
	}
	return blocks;
}

static uint64_t blocks_plain(const uint8_t *page, const uint8_t *twin)
{
	uint64_t blocks = 0;

	for (unsigned i = 0; i < DIFF_PAGE / BLOCK; i++)
		blocks |= (uint64_t)(memcmp(page + i * BLOCK, twin + i * BLOCK, BLOCK) != 0) << i;
	return blocks;
}

uint64_t diff__blocks(const uint8_t *page, const uint8_t *twin)
{
	return SUPPORTS("avx2") ? blocks_avx2(page, twin) : blocks_plain(page, twin);
}

void diff__copy_blocks(uint8_t *to, const uint8_t *from, uint64_t blocks)
{
	for (; blocks; blocks &= blocks - 1) {
		unsigned at = (unsigned)__builtin_ctzll(blocks) * BLOCK;

		memcpy(to + at, from + at, BLOCK);
	}
}

/* ---- the bytes that differ ---- */

__attribute__((target("avx2"))) static void mask_avx2(const uint8_t *page, const uint8_t *twin,
						      uint64_t *mask)
{
	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++) {
		const __m256i *p = (const void *)(page + i * 64), *t = (const void *)(twin + i * 64);
		__m256i low = _mm256_cmpeq_epi8(_mm256_loadu_si256(p), _mm256_loadu_si256(t));
		__m256i high = _mm256_cmpeq_epi8(_mm256_loadu_si256(p + 1), _mm256_loadu_si256(t + 1));

		mask[i] = ~((uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32 |
			    (uint32_t)_mm256_movemask_epi8(low));
	}
}

static void mask_plain(const uint8_t *page, const uint8_t *twin, uint64_t *mask)
{
	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++) {
		mask[i] = 0;
		if (!memcmp(page + i * 64, twin + i * 64, 64))
			continue;
		for (unsigned b = 0; b < 64; b++)
			mask[i] |= (uint64_t)(page[i * 64 + b] != twin[i * 64 + b]) << b;
	}
}

void diff__mask(const uint8_t *page, const uint8_t *twin, uint64_t mask[DIFF_MASK_WORDS])
{
	if (SUPPORTS("avx2"))
		mask_avx2(page, twin, mask);
	else
		mask_plain(page, twin, mask);
}

/* The next row of set bits from *at on, within a word: true, and where it begins and how long it is. */
static bool next_bits(const uint64_t *mask, unsigned *at, unsigned *length)
{
	for (unsigned word = *at / 64; word < DIFF_MASK_WORDS; word++, *at = word * 64) {
		uint64_t rest = mask[word] >> *at % 64;

		if (!rest)
			continue;
		*at += (unsigned)__builtin_ctzll(rest);
		rest = ~(mask[word] >> *at % 64);
		*length = rest ? (unsigned)__builtin_ctzll(rest) : 64;
		return true;
	}
	return false;
}

size_t diff__mask_runs(const uint64_t mask[DIFF_MASK_WORDS], unsigned gap, struct dsm_ev_run *runs)
{
	size_t n = 0;

	for (unsigned at = 0, length; next_bits(mask, &at, &length); at += length) {
		struct dsm_ev_run *last = n ? &runs[n - 1] : NULL;

		if (last && at - (last->offset + last->length) <= gap)
			last->length = (uint16_t)(at + length - last->offset);
		else
			runs[n++] = (struct dsm_ev_run){(uint16_t)at, (uint16_t)length};
	}
	return n;
}

size_t diff__runs(const uint8_t *page, const uint8_t *twin, unsigned gap, struct dsm_ev_run *runs)
{
	uint64_t mask[DIFF_MASK_WORDS];

	diff__mask(page, twin, mask);
	return diff__mask_runs(mask, gap, runs);
}

size_t diff__encode(const uint8_t *page, const uint8_t *twin, uint8_t *out)
{
	struct dsm_ev_run runs[DIFF_RUNS_MAX];
	size_t n = diff__runs(page, twin, WIRE_GAP, runs), used = 0;

	for (size_t i = 0; i < n; i++) {
		if (used + sizeof(runs[i]) + runs[i].length >= DIFF_PAGE)
			return 0;
		memcpy(out + used, &runs[i], sizeof(runs[i]));
		used += sizeof(runs[i]);
		memcpy(out + used, page + runs[i].offset, runs[i].length);
		used += runs[i].length;
	}
	return used;
}

/* Next run of an encoded diff; false at its end. */
static bool next_run(const uint8_t *diff, size_t bytes, size_t *at, struct dsm_ev_run *run)
{
	if (bytes - *at < sizeof(*run))
		return false;
	memcpy(run, diff + *at, sizeof(*run));
	*at += sizeof(*run);
	return true;
}

int diff__apply(uint8_t *page, const uint8_t *diff, size_t bytes)
{
	struct dsm_ev_run run;
	size_t at = 0;

	while (next_run(diff, bytes, &at, &run)) {
		if (run.length > bytes - at || run.offset + run.length > DIFF_PAGE)
			return -EBADMSG;
		at += run.length;
	}
	if (at != bytes)
		return -EBADMSG;
	for (at = 0; next_run(diff, bytes, &at, &run); at += run.length)
		memcpy(page + run.offset, diff + at, run.length);
	return 0;
}

/* ---- exact to the byte ---- */

/* Every second byte of a page of doubles that converge differs, so there are some 500 runs of a few bytes: 3 us run by run,
 * 0.1 us with AVX-512, which writes under a mask no byte that is not set. */
static bool has_compress(void)
{
	return SUPPORTS("avx512vbmi2") && SUPPORTS("avx512bw");
}

/* The lowest n bits, n <= 64. */
static uint64_t low_bits(unsigned n)
{
	return n ? ~0ull >> (64 - n) : 0;
}

__attribute__((target("avx512bw,avx512vbmi2"))) static size_t gather_avx512(const uint64_t *mask,
									    const uint8_t *page, uint8_t *out)
{
	size_t used = 0;

	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++) {
		unsigned n = (unsigned)__builtin_popcountll(mask[i]);
		__m512i bytes = _mm512_maskz_compress_epi8(mask[i], _mm512_loadu_si512(page + i * 64));

		_mm512_mask_storeu_epi8(out + used, low_bits(n), bytes);
		used += n;
	}
	return used;
}

__attribute__((target("avx512bw,avx512vbmi2"))) static void
scatter_avx512(const uint64_t *mask, const uint8_t *bytes, uint8_t *page)
{
	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++) {
		unsigned n = (unsigned)__builtin_popcountll(mask[i]);
		__m512i packed = _mm512_maskz_loadu_epi8(low_bits(n), bytes);

		_mm512_mask_storeu_epi8(page + i * 64, mask[i], _mm512_maskz_expand_epi8(mask[i], packed));
		bytes += n;
	}
}

static size_t gather_plain(const uint64_t *mask, const uint8_t *page, uint8_t *out)
{
	size_t used = 0;

	for (unsigned at = 0, n; next_bits(mask, &at, &n); at += n, used += n)
		memcpy(out + used, page + at, n);
	return used;
}

static void scatter_plain(const uint64_t *mask, const uint8_t *bytes, uint8_t *page)
{
	for (unsigned at = 0, n; next_bits(mask, &at, &n); at += n, bytes += n)
		memcpy(page + at, bytes, n);
}

/* The bytes of the set bits, one after the other. Returns how many. */
static size_t gather(const uint64_t *mask, const uint8_t *page, uint8_t *out)
{
	return has_compress() ? gather_avx512(mask, page, out) : gather_plain(mask, page, out);
}

/* Puts them back, and writes no other byte. */
static void scatter(const uint64_t *mask, const uint8_t *bytes, uint8_t *page)
{
	if (has_compress())
		scatter_avx512(mask, bytes, page);
	else
		scatter_plain(mask, bytes, page);
}

/* As runs {u16 offset, u16 length, bytes}; rows of bits that meet at a word's end are one run. */
static size_t gather_runs(const uint64_t *mask, const uint8_t *page, uint8_t *out)
{
	struct dsm_ev_run run = {0};
	size_t used = 0, head = 0;

	for (unsigned at = 0, n; next_bits(mask, &at, &n); at += n) {
		if (!run.length || run.offset + run.length != at) {
			run = (struct dsm_ev_run){(uint16_t)at, 0};
			head = used;
			used += sizeof(run);
		}
		memcpy(out + used, page + at, n);
		used += n;
		run.length = (uint16_t)(run.length + n);
		memcpy(out + head, &run, sizeof(run));
	}
	return used;
}

size_t diff__encode_exact(const uint8_t *page, const uint8_t *twin, uint8_t *out, bool *as_mask)
{
	uint64_t mask[DIFF_MASK_WORDS], before = 0;
	size_t runs = 0, bytes = 0;

	diff__mask(page, twin, mask);
	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++) {
		bytes += (size_t)__builtin_popcountll(mask[i]);
		runs += (size_t)__builtin_popcountll(mask[i] & ~(mask[i] << 1 | before));
		before = mask[i] >> 63;
	}
	*as_mask = runs * sizeof(struct dsm_ev_run) > sizeof(mask);
	if (!*as_mask)
		return bytes ? gather_runs(mask, page, out) : 0;
	memcpy(out, mask, sizeof(mask)); /* little-endian: bit i % 8 of byte i / 8 */
	return sizeof(mask) + gather(mask, page, out + sizeof(mask));
}

bool diff__mask_sane(const uint8_t *diff, size_t bytes)
{
	uint64_t mask[DIFF_MASK_WORDS];
	size_t set = 0;

	if (bytes < sizeof(mask))
		return false;
	memcpy(mask, diff, sizeof(mask));
	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++)
		set += (size_t)__builtin_popcountll(mask[i]);
	return set && bytes == sizeof(mask) + set;
}

int diff__apply_mask(uint8_t *page, const uint8_t *diff, size_t bytes)
{
	uint64_t mask[DIFF_MASK_WORDS];

	if (!diff__mask_sane(diff, bytes))
		return -EBADMSG;
	memcpy(mask, diff, sizeof(mask));
	scatter(mask, diff + sizeof(mask), page);
	return 0;
}
