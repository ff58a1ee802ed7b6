/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/memory/diff.h"

#include <errno.h>
#include <immintrin.h>
#include <string.h>

#define BLOCK 64u

/* Tests of the ways that this processor would not go say what it has. */
#ifndef SUPPORTS
#define SUPPORTS(feature) __builtin_cpu_supports(feature)
#endif

/* What is a BODY below is compiled three times: for vectors of eight words, whose bits can be counted and whose bytes be
 * packed by a mask (Ice Lake, Zen 4), for vectors of four, and for any x86-64. */
#define AVX512 __attribute__((target("avx512bw,avx512vbmi2,avx512vpopcntdq,popcnt"))) static
#define AVX2   __attribute__((target("avx2,popcnt"))) static
#define BODY   static inline __attribute__((always_inline))

static bool has_avx512(void)
{
	return SUPPORTS("avx512bw") && SUPPORTS("avx512vbmi2") && SUPPORTS("avx512vpopcntdq") &&
	       SUPPORTS("popcnt");
}

static bool has_avx2(void)
{
	return SUPPORTS("avx2") && SUPPORTS("popcnt");
}

/* Joining runs across a few equal bytes costs less than a second header on the wire. */
#define WIRE_GAP 4u

bool diff__any(const uint8_t *page, const uint8_t *twin)
{
	return memcmp(page, twin, DIFF_PAGE) != 0;
}

/* A commit compares each page that stays writable, changed or not, so this is the cost of a transaction that
 * nobody else sees. */
AVX2 uint64_t blocks_avx2(const uint8_t *page, const uint8_t *twin)
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
	return has_avx2() ? blocks_avx2(page, twin) : blocks_plain(page, twin);
}

void diff__copy_blocks(uint8_t *to, const uint8_t *from, uint64_t blocks)
{
	for (; blocks; blocks &= blocks - 1) {
		unsigned at = (unsigned)__builtin_ctzll(blocks) * BLOCK;

		memcpy(to + at, from + at, BLOCK);
	}
}

/* ---- the bytes that differ ---- */

AVX512 void mask_avx512(const uint8_t *page, const uint8_t *twin, uint64_t *mask)
{
	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++)
		mask[i] = _mm512_cmpneq_epi8_mask(_mm512_loadu_si512(page + i * 64),
						  _mm512_loadu_si512(twin + i * 64));
}

AVX2 void mask_avx2(const uint8_t *page, const uint8_t *twin, uint64_t *mask)
{
	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++) {
		const __m256i *p = (const void *)(page + i * 64), *t = (const void *)(twin + i * 64);
		__m256i low = _mm256_cmpeq_epi8(_mm256_loadu_si256(p), _mm256_loadu_si256(t));
		__m256i high = _mm256_cmpeq_epi8(_mm256_loadu_si256(p + 1), _mm256_loadu_si256(t + 1));

		mask[i] = ~((uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32 |
			    (uint32_t)_mm256_movemask_epi8(low));
	}
}

BODY uint64_t mask_of_16(const uint8_t *page, const uint8_t *twin)
{
	__m128i p = _mm_loadu_si128((const void *)page), t = _mm_loadu_si128((const void *)twin);

	return (uint16_t)~_mm_movemask_epi8(_mm_cmpeq_epi8(p, t));
}

static void mask_plain(const uint8_t *page, const uint8_t *twin, uint64_t *mask)
{
	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++, page += 64, twin += 64)
		mask[i] = mask_of_16(page, twin) | mask_of_16(page + 16, twin + 16) << 16 |
			  mask_of_16(page + 32, twin + 32) << 32 | mask_of_16(page + 48, twin + 48) << 48;
}

void diff__mask(const uint8_t *page, const uint8_t *twin, uint64_t mask[DIFF_MASK_WORDS])
{
	if (has_avx512())
		mask_avx512(page, twin, mask);
	else if (has_avx2())
		mask_avx2(page, twin, mask);
	else
		mask_plain(page, twin, mask);
}

/* ---- their runs ---- */

/* A page of doubles that converge has some 500 little runs, and most of its gaps are little, too. So runs are joined in the
 * mask, and counted there, and it is known what they take before one of them is looked at. */

/* Each row of set bits, up to `here` from the word below it, longer by WIRE_GAP at its upper end. */
_Static_assert(WIRE_GAP == 4, "what the shifts add up to");

BODY uint64_t grow(uint64_t below, uint64_t here)
{
	uint64_t up = here | here << 1, over = below >> 60;

	over |= over >> 1;
	return up | up << 2 | here << 4 | over | over >> 2;
}

/* Each row shorter by as many at its upper end, which may lie in the word above. */
BODY uint64_t shrink(uint64_t here, uint64_t above)
{
	uint64_t clear = ~here, down = clear | clear >> 1, over = ~above;

	over |= over << 1;
	return ~(down | down >> 2 | clear >> 4 | (over | over << 2) << 60);
}

/* Here a mask lies between two words that are 0, so that each of its words has neighbours. */
#define PADDED_WORDS (1 + DIFF_MASK_WORDS + 1)

/* Sets the bits of gaps of at most WIRE_GAP: rows that have grown together stay together when they shrink. */
BODY void join_body(uint64_t *mask)
{
	uint64_t grown[DIFF_MASK_WORDS + 1];

	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++)
		grown[i] = grow(mask[(int)i - 1], mask[i]);
	grown[DIFF_MASK_WORDS] = grow(mask[DIFF_MASK_WORDS - 1], 0);
	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++)
		mask[i] = shrink(grown[i], grown[i + 1]);
}

/* The borders of a mask's runs: a bit is set where one begins, and where one has ended, by turns. The last one may end with
 * the page, where there is no bit. */
struct borders {
	uint64_t word[DIFF_MASK_WORDS];
	size_t runs, bytes;
};

BODY void count_body(const uint64_t *restrict mask, struct borders *restrict b)
{
	size_t bytes = 0, borders = 0;

	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++)
		b->word[i] = mask[i] ^ (mask[i] << 1 | mask[(int)i - 1] >> 63);
	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++) {
		bytes += (size_t)__builtin_popcountll(mask[i]);
		borders += (size_t)__builtin_popcountll(b->word[i]);
	}
	b->bytes = bytes;
	b->runs = (borders + 1) / 2;
}

BODY void find_body(uint64_t *mask, bool join, struct borders *b)
{
	count_body(mask, b);
	if (join && b->runs > 1) {
		join_body(mask);
		count_body(mask, b);
	}
}

AVX512 void find_avx512(uint64_t *mask, bool join, struct borders *b)
{
	find_body(mask, join, b);
}

AVX2 void find_avx2(uint64_t *mask, bool join, struct borders *b)
{
	find_body(mask, join, b);
}

static void find_plain(uint64_t *mask, bool join, struct borders *b)
{
	find_body(mask, join, b);
}

/* There is a word before and after the mask. Where runs are to be joined, it becomes the joined one. */
static void find_borders(uint64_t *mask, bool join, struct borders *b)
{
	mask[-1] = mask[DIFF_MASK_WORDS] = 0;
	if (has_avx512())
		find_avx512(mask, join, b);
	else if (has_avx2())
		find_avx2(mask, join, b);
	else
		find_plain(mask, join, b);
}

/* Their places, ascending, and the page's end. As many are written at once as a word may have, of which the next ones write
 * over what is too much. */
#define PLACES_MAX (DIFF_PAGE + 64)

AVX512 void places_avx512(const struct borders *b, uint16_t *place)
{
	const __m512i bit = _mm512_set_epi64(0x3f3e3d3c3b3a3938, 0x3736353433323130, 0x2f2e2d2c2b2a2928,
					     0x2726252423222120, 0x1f1e1d1c1b1a1918, 0x1716151413121110,
					     0x0f0e0d0c0b0a0908, 0x0706050403020100);

	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++) {
		__m512i set = _mm512_maskz_compress_epi8(b->word[i], bit);
		__m512i word = _mm512_set1_epi16((short)(i * 64));
		__m512i low = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(set));
		__m512i high = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(set, 1));

		_mm512_storeu_si512(place, _mm512_add_epi16(low, word));
		_mm512_storeu_si512(place + 32, _mm512_add_epi16(high, word));
		place += (unsigned)__builtin_popcountll(b->word[i]);
	}
	*place = DIFF_PAGE;
}

static void places_plain(const struct borders *b, uint16_t *place)
{
	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++)
		for (uint64_t rest = b->word[i]; rest; rest &= rest - 1)
			*place++ = (uint16_t)(i * 64 + (unsigned)__builtin_ctzll(rest));
	*place = DIFF_PAGE;
}

/* Run i begins at place[2 i] and has ended at place[2 i + 1]. */
static void find_places(const struct borders *b, uint16_t place[PLACES_MAX])
{
	if (b->runs > DIFF_MASK_WORDS && has_avx512()) /* if there are few, most words have none */
		places_avx512(b, place);
	else
		places_plain(b, place);
}

BODY struct dsm_ev_run run_at(const uint16_t *place)
{
	return (struct dsm_ev_run){place[0], (uint16_t)(place[1] - place[0])};
}

size_t diff__mask_runs(const uint64_t mask[DIFF_MASK_WORDS], struct dsm_ev_run *runs)
{
	uint64_t padded[PADDED_WORDS];
	uint16_t place[PLACES_MAX];
	struct borders b;

	memcpy(padded + 1, mask, DIFF_MASK_WORDS * sizeof(*mask));
	find_borders(padded + 1, false, &b);
	find_places(&b, place);
	for (size_t i = 0; i < b.runs; i++)
		runs[i] = run_at(place + 2 * i);
	return b.runs;
}

/* Most runs are short: so much is copied at once where there is room for it, and the next run writes over what is too
 * much. */
#define CHUNK 32u

/* The bytes of the runs, each after its {u16 offset, u16 length} if `heads`. `out` has room for a page, or more if that
 * is needed. Returns how many it has got. */
static size_t put(const struct borders *b, const uint8_t *page, bool heads, uint8_t *out)
{
	uint16_t place[PLACES_MAX];
	size_t used = 0;

	find_places(b, place);
	for (size_t i = 0; i < b->runs; i++) {
		struct dsm_ev_run run = run_at(place + 2 * i);

		if (heads) {
			memcpy(out + used, &run, sizeof(run));
			used += sizeof(run);
		}
		if (run.length <= CHUNK && run.offset <= DIFF_PAGE - CHUNK && used <= DIFF_PAGE - CHUNK)
			memcpy(out + used, page + run.offset, CHUNK);
		else
			memcpy(out + used, page + run.offset, run.length);
		used += run.length;
	}
	return used;
}

size_t diff__encode(const uint8_t *page, const uint8_t *twin, uint8_t *out)
{
	uint64_t padded[PADDED_WORDS];
	struct borders b;

	diff__mask(page, twin, padded + 1);
	find_borders(padded + 1, true, &b);
	return b.runs * sizeof(struct dsm_ev_run) + b.bytes < DIFF_PAGE ? put(&b, page, true, out) : 0;
}

/* Writes no byte beyond. Mostly there are a few, and the call of memcpy() takes longer than to copy them. */
static inline void copy_short(uint8_t *to, const uint8_t *from, size_t n)
{
	if (n > 16 || n == 0) {
		memcpy(to, from, n);
	} else if (n >= 8) {
		memcpy(to, from, 8);
		memcpy(to + n - 8, from + n - 8, 8);
	} else if (n >= 4) {
		memcpy(to, from, 4);
		memcpy(to + n - 4, from + n - 4, 4);
	} else {
		to[0] = from[0];
		to[n / 2] = from[n / 2];
		to[n - 1] = from[n - 1];
	}
}

/* Where a run lies comes out of the one before, so they are looked for once. */
int diff__apply(uint8_t *page, const uint8_t *diff, size_t bytes)
{
	const uint8_t *found[DIFF_RUNS_MAX];
	struct dsm_ev_run run;
	size_t n = 0;

	for (size_t at = 0; at < bytes; at += sizeof(run) + run.length) {
		if (bytes - at < sizeof(run) || n == DIFF_RUNS_MAX)
			return -EBADMSG;
		memcpy(&run, diff + at, sizeof(run));
		if (run.length > bytes - at - sizeof(run) || run.offset + run.length > DIFF_PAGE)
			return -EBADMSG;
		found[n++] = diff + at;
	}
	for (size_t i = 0; i < n; i++) {
		memcpy(&run, found[i], sizeof(run));
		copy_short(page + run.offset, found[i] + sizeof(run), run.length);
	}
	return 0;
}

/* ---- on top of another version ---- */

size_t diff__both(const uint8_t *page, const uint8_t *other, const uint8_t *twin)
{
	uint64_t mine[DIFF_MASK_WORDS], theirs[DIFF_MASK_WORDS];

	diff__mask(page, twin, mine);
	diff__mask(other, twin, theirs);
	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++)
		if (mine[i] & theirs[i])
			return i * 64 + (unsigned)__builtin_ctzll(mine[i] & theirs[i]);
	return DIFF_PAGE;
}

void diff__rebase(uint8_t *page, const uint8_t *twin, const uint8_t *other)
{
	for (unsigned i = 0; i < DIFF_PAGE; i += 16) {
		__m128i mine = _mm_loadu_si128((const void *)(page + i));
		__m128i theirs = _mm_loadu_si128((const void *)(other + i));
		__m128i same = _mm_cmpeq_epi8(mine, _mm_loadu_si128((const void *)(twin + i)));

		mine = _mm_or_si128(_mm_and_si128(same, theirs), _mm_andnot_si128(same, mine));
		_mm_storeu_si128((void *)(page + i), mine);
	}
}

/* ---- exact to the byte ---- */

/* The lowest n bits, n <= 64. */
static uint64_t low_bits(unsigned n)
{
	return n ? ~0ull >> (64 - n) : 0;
}

/* The bytes of the set bits, one after the other. Returns how many. */
AVX512 size_t gather_avx512(const uint64_t *mask, const uint8_t *page, uint8_t *out)
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

/* Puts them back. What is stored under a mask writes no other byte. */
AVX512 void scatter_avx512(const uint64_t *mask, const uint8_t *bytes, uint8_t *page)
{
	for (unsigned i = 0; i < DIFF_MASK_WORDS; i++) {
		unsigned n = (unsigned)__builtin_popcountll(mask[i]);
		__m512i packed = _mm512_maskz_loadu_epi8(low_bits(n), bytes);

		_mm512_mask_storeu_epi8(page + i * 64, mask[i], _mm512_maskz_expand_epi8(mask[i], packed));
		bytes += n;
	}
}

static void scatter_plain(const struct borders *b, const uint8_t *bytes, uint8_t *page)
{
	uint16_t place[PLACES_MAX];

	find_places(b, place);
	for (size_t i = 0; i < b->runs; i++) {
		struct dsm_ev_run run = run_at(place + 2 * i);

		copy_short(page + run.offset, bytes, run.length);
		bytes += run.length;
	}
}

size_t diff__encode_exact(const uint8_t *page, const uint8_t *twin, uint8_t *out, bool *as_mask)
{
	uint64_t padded[PADDED_WORDS], *mask = padded + 1;
	const size_t bytes = DIFF_MASK_WORDS * sizeof(*mask);
	struct borders b;

	diff__mask(page, twin, mask);
	find_borders(mask, false, &b);
	*as_mask = b.runs * sizeof(struct dsm_ev_run) > bytes;
	if (!*as_mask)
		return put(&b, page, true, out);
	memcpy(out, mask, bytes); /* little-endian: bit i % 8 of byte i / 8 */
	return bytes +
	       (has_avx512() ? gather_avx512(mask, page, out + bytes) : put(&b, page, false, out + bytes));
}

/* Splits a mask diff. False: these are not as many bytes as the mask has bits. */
static bool split(const uint8_t *diff, size_t bytes, uint64_t *mask, struct borders *b)
{
	if (bytes < DIFF_MASK_BYTES)
		return false;
	memcpy(mask, diff, DIFF_MASK_BYTES);
	find_borders(mask, false, b);
	return b->bytes && bytes == DIFF_MASK_BYTES + b->bytes;
}

bool diff__mask_sane(const uint8_t *diff, size_t bytes)
{
	uint64_t padded[PADDED_WORDS];
	struct borders b;

	return split(diff, bytes, padded + 1, &b);
}

int diff__apply_mask(uint8_t *page, const uint8_t *diff, size_t bytes)
{
	uint64_t padded[PADDED_WORDS];
	struct borders b;

	if (!split(diff, bytes, padded + 1, &b))
		return -EBADMSG;
	if (has_avx512())
		scatter_avx512(padded + 1, diff + DIFF_MASK_BYTES, page);
	else
		scatter_plain(&b, diff + DIFF_MASK_BYTES, page);
	return 0;
}
