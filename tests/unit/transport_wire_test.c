// SPDX-License-Identifier: BSD-2-Clause
/* The wire format: what goes in comes out, and nothing else comes in. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dsmcore/transport/wire.h"

static uint64_t seed = 88172645463325252ull;

static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

#define ENTRIES 9

static uint8_t page[TRANSPORT_PAGE];
static uint8_t diffs[ENTRIES][3 * TRANSPORT_PAGE];

struct sample {
	struct core_msg msg;
	struct core_entry entries[ENTRIES];
	struct wire_blob blobs[ENTRIES];
	size_t head, total;
};

static uint32_t fill_diff(uint8_t *diff)
{
	uint32_t at = 0;
	uint16_t offset = 0;

	for (;;) {
		uint16_t length = (uint16_t)(1 + draw(40));

		offset = (uint16_t)(offset + draw(300));
		if (offset + length > TRANSPORT_PAGE)
			return at;
		memcpy(diff + at, &offset, 2);
		memcpy(diff + at + 2, &length, 2);
		for (unsigned i = 0; i < length; i++)
			diff[at + 4 + i] = (uint8_t)draw(256);
		at += 4u + length;
		offset = (uint16_t)(offset + length);
	}
}

static struct core_party a_party(void)
{
	return (struct core_party){draw(1ull << 60), draw(1ull << 60), (uint32_t)draw(1u << 31),
				   (uint32_t)draw(99), (uint16_t)draw(256)};
}

static void make(struct sample *s, bool with_blobs)
{
	*s = (struct sample){.msg = {.type = CORE_MSG_PUBLISH,
				     .channel = CORE_CHANNEL_MAIN,
				     .from = 3,
				     .to = 1,
				     .generation = 7,
				     .clock = draw(1ull << 62),
				     .number = draw(1ull << 62),
				     .tx = a_party(),
				     .other = a_party(),
				     .npages = 6,
				     .nwset = ENTRIES - 6}};
	s->msg.entries = s->entries;
	for (unsigned i = 0; i < sizeof(page); i++)
		page[i] = (uint8_t)draw(256);
	for (unsigned i = 0; i < ENTRIES; i++) {
		struct core_entry *e = &s->entries[i];

		*e = (struct core_entry){
			i * 3, (uint16_t)draw(8), CORE_DATA_NONE, draw(1ull << 60), draw(1ull << 60), 0};
		if (!with_blobs || i >= 6 || i == 0)
			continue;
		e->data = i % 2 ? CORE_DATA_CHANGES : CORE_DATA_COMMITTED;
		if (i % 2)
			s->blobs[i] =
				(struct wire_blob){WIRE_DIFF, i == 3 ? 0 : fill_diff(diffs[i]), diffs[i]};
		else
			s->blobs[i] = (struct wire_blob){WIRE_PAGE, TRANSPORT_PAGE, page};
	}
	assert_int_equal(wire__measure(&s->msg, with_blobs ? s->blobs : NULL, &s->head, &s->total), 0);
}

static uint8_t *encode(struct sample *s, bool with_blobs)
{
	uint8_t *out = malloc(s->total);

	assert_non_null(out);
	wire__put(&s->msg, with_blobs ? s->blobs : NULL, s->total, out);
	return out;
}

static void same_party(const struct core_party *a, const struct core_party *b)
{
	assert_true(a->number == b->number && a->birth == b->birth && a->attempt == b->attempt &&
		    a->site == b->site && a->node == b->node);
}

static void check_same(const struct sample *s, const struct wire_frame *f)
{
	const struct core_msg *a = &s->msg, *b = &f->msg;

	assert_int_equal(f->header.kind, WIRE_KIND_CORE);
	assert_true(a->type == b->type && a->channel == b->channel && a->from == b->from && a->to == b->to);
	assert_true(a->generation == b->generation && a->clock == b->clock && a->number == b->number);
	assert_true(a->npages == b->npages && a->nwset == b->nwset);
	same_party(&a->tx, &b->tx);
	same_party(&a->other, &b->other);
	for (unsigned i = 0; i < ENTRIES; i++) {
		const struct core_entry *x = &a->entries[i], *y = &b->entries[i];

		assert_true(x->page == y->page && x->flags == y->flags && x->data == y->data);
		assert_true(x->version == y->version && x->stamp == y->stamp);
		assert_int_equal(s->blobs[i].kind, f->blobs[i].kind);
		assert_int_equal(s->blobs[i].bytes, f->blobs[i].bytes);
		if (s->blobs[i].bytes)
			assert_memory_equal(s->blobs[i].data, f->blobs[i].data, s->blobs[i].bytes);
	}
}

static void test_round_trip(void **state)
{
	struct wire_frame f = {0};

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct sample s;
		uint8_t *bytes;

		make(&s, i & 1);
		bytes = encode(&s, i & 1);
		assert_int_equal(wire__decode(bytes, s.total, &f), 0);
		check_same(&s, &f);
		assert_int_equal(s.total % 8, 0);
		free(bytes);
	}
	wire__free(&f);
}

/* Each truncation sits at the end of an allocation of its own, so that a sanitizer or the allocator
 * notices a read past it. */
static void test_truncations(void **state)
{
	struct wire_frame f = {0};
	struct sample s;
	uint8_t *bytes;

	(void)state;
	make(&s, true);
	bytes = encode(&s, true);
	for (size_t n = 0; n < s.total; n++) {
		uint8_t *cut = malloc(n ? n : 1);
		uint32_t claimed = (uint32_t)n;

		memcpy(cut, bytes, n);
		assert_int_equal(wire__decode(cut, n, &f), -EPROTO);
		if (n >= 8) { /* and with a length that admits it */
			memcpy(cut + 4, &claimed, 4);
			assert_int_equal(wire__decode(cut, n, &f), -EPROTO);
		}
		free(cut);
	}
	free(bytes);
	wire__free(&f);
}

/* Any one byte changed: either refused, or a message that encodes to exactly these bytes. */
static void test_canonical(void **state)
{
	struct wire_frame f = {0};
	struct sample s;
	uint8_t *bytes, *again;
	size_t head, total, accepted = 0;

	(void)state;
	make(&s, true);
	bytes = encode(&s, true);
	again = malloc(s.total);
	for (size_t i = 0; i < 40000; i++) {
		size_t at = i < s.total ? i : draw(s.head);
		uint8_t was = bytes[at];

		bytes[at] ^= (uint8_t)(1 + draw(255));
		if (wire__decode(bytes, s.total, &f) == 0) {
			assert_int_equal(f.header.kind, WIRE_KIND_CORE);
			assert_int_equal(wire__measure(&f.msg, f.blobs, &head, &total), 0);
			assert_int_equal(total, s.total);
			wire__put(&f.msg, f.blobs, total, again);
			assert_memory_equal(again, bytes, total);
			accepted++;
		}
		bytes[at] = was;
	}
	assert_true(accepted > 100);
	free(again);
	free(bytes);
	wire__free(&f);
}

static void test_garbage(void **state)
{
	struct wire_frame f = {0};
	uint32_t magic = WIRE_MAGIC;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		size_t n = WIRE_HEADER + draw(300);
		uint8_t *p = malloc(n);
		uint32_t size = (uint32_t)n;

		for (size_t k = 0; k < n; k++)
			p[k] = draw(3) ? 0 : (uint8_t)draw(256);
		if (i & 1) { /* past the first gates */
			memcpy(p, &magic, 4);
			memcpy(p + 4, &size, 4);
			p[8] = (uint8_t)(1 + draw(2));
			p[9] = 0;
			p[10] = (uint8_t)(1 + draw(15));
			p[11] = 0;
			memset(p + 20, 0, 4);
		}
		wire__decode(p, n, &f);
		free(p);
	}
	wire__free(&f);
}

static void test_counts(void **state)
{
	static const uint32_t bad[] = {1, 0x7fffffff, 0x80000000, 0xffffffff};
	struct wire_frame f = {0};
	struct sample s;
	uint8_t *bytes;
	struct wire_header h;
	uint32_t huge = WIRE_LIMIT + 8;

	(void)state;
	make(&s, false);
	bytes = encode(&s, false);
	for (unsigned i = 0; i < 16; i++) {
		uint32_t a = bad[i / 4], b = bad[i % 4];

		memcpy(bytes + 24, &a, 4);
		memcpy(bytes + 28, &b, 4);
		assert_int_equal(wire__decode(bytes, s.total, &f), -EPROTO);
	}
	memcpy(bytes + 4, &huge, 4);
	assert_int_equal(wire__header(bytes, &h), -EMSGSIZE);
	free(bytes);
	wire__free(&f);
}

static void test_sender_limits(void **state)
{
	size_t n = WIRE_LIMIT / TRANSPORT_PAGE, head, total;
	struct core_entry *e = calloc(n, sizeof(*e));
	struct wire_blob *b = calloc(n, sizeof(*b));
	struct core_msg m = {.type = CORE_MSG_PUBLISH, .npages = (uint32_t)n, .entries = e};

	(void)state;
	for (size_t i = 0; i < n; i++) {
		e[i].data = CORE_DATA_COMMITTED;
		b[i] = (struct wire_blob){WIRE_PAGE, TRANSPORT_PAGE, page};
	}
	assert_int_equal(wire__measure(&m, b, &head, &total), -EMSGSIZE);
	m.npages = 16000;
	assert_int_equal(wire__measure(&m, b, &head, &total), 0);
	m.npages = 0xffffffff;
	assert_int_equal(wire__measure(&m, b, &head, &total), -EMSGSIZE);
	m.npages = 1;
	assert_int_equal(wire__measure(&m, NULL, &head, &total), -EINVAL); /* data promised, none given */
	b[0].bytes = 4095;
	assert_int_equal(wire__measure(&m, b, &head, &total), -EINVAL);
	m.type = 0;
	assert_int_equal(wire__measure(&m, b, &head, &total), -EINVAL);
	free(e);
	free(b);
}

static bool sane(const char *text, size_t n)
{
	return wire__diff_sane((const uint8_t *)text, n);
}

static void test_diffs(void **state)
{
	uint8_t last[] = {0xff, 0x0f, 1, 0, 'x'}, past[] = {0xff, 0x0f, 2, 0, 'x', 'y'};

	(void)state;
	assert_true(sane("", 0));
	assert_true(sane("\0\0\1\0a", 5));
	assert_true(sane("\0\0\1\0a\1\0\1\0b", 10)); /* runs may touch */
	assert_false(sane("\0\0\0\0", 4));	     /* empty run */
	assert_false(sane("\0\0\2\0a\1\0\1\0b", 10));
	assert_false(sane("\4\0\1\0a\0\0\1\0b", 10)); /* descends */
	assert_false(sane("\0\0\2\0a\1\0\1\0", 5));
	for (size_t n = 1; n < 5; n++)
		assert_false(sane("\0\0\1\0a", n));
	assert_true(wire__diff_sane(last, sizeof(last)));
	assert_false(wire__diff_sane(past, sizeof(past)));
	for (int i = 0; i < 100; i++)
		assert_true(wire__diff_sane(diffs[0], fill_diff(diffs[0])));
}

static void test_notes(void **state)
{
	uint8_t *p = calloc(1, WIRE_HEADER + WIRE_NOTE_MAX + 8);
	struct wire_header h = {.type = 900, .from = 1, .to = 2, .generation = 3, .payload = 13};
	struct wire_frame f = {0};
	size_t n;
	uint32_t over = WIRE_NOTE_MAX + 1;

	(void)state;
	n = wire__put_note(&h, p);
	memcpy(p + WIRE_HEADER, "hello, world.", 13);
	assert_int_equal(n, WIRE_HEADER + 16);
	assert_int_equal(wire__decode(p, n, &f), 0);
	assert_int_equal(f.header.payload, 13);
	assert_int_equal(f.header.type, 900);
	assert_memory_equal(f.note, "hello, world.", 13);
	p[WIRE_HEADER + 13] = 1; /* padding must be zero */
	assert_int_equal(wire__decode(p, n, &f), -EPROTO);
	p[WIRE_HEADER + 13] = 0;
	p[9] = CORE_CHANNEL_FETCH;
	assert_int_equal(wire__decode(p, n, &f), -EPROTO);
	p[9] = 0;
	memcpy(p + 20, &over, 4);
	assert_int_equal(wire__decode(p, n, &f), -EPROTO);
	h.payload = WIRE_NOTE_MAX;
	n = wire__put_note(&h, p);
	assert_int_equal(wire__decode(p, n, &f), 0);
	free(p);
	wire__free(&f);
}

/* One entry of a message of this type with this blob. */
static int measured(unsigned type, const struct wire_blob *blob)
{
	struct core_entry entry = {.page = 3, .data = CORE_DATA_CHANGES};
	struct core_msg msg = {.type = (uint8_t)type, .from = 0, .to = 1, .npages = 1, .entries = &entry};
	struct wire_frame f = {0};
	uint8_t out[8192];
	size_t head, total;
	int rc = wire__measure(&msg, blob, &head, &total);

	if (rc)
		return rc;
	assert_true(total <= sizeof(out));
	wire__put(&msg, blob, total, out);
	assert_int_equal(wire__decode(out, total, &f), 0);
	assert_int_equal(f.blobs[0].kind, blob->kind);
	assert_memory_equal(f.blobs[0].data, blob->data, blob->bytes);
	if (blob->kind == WIRE_MASK) { /* one bit more than bytes */
		out[head] ^= 2;
		assert_int_equal(wire__decode(out, total, &f), -EPROTO);
	}
	wire__free(&f);
	return 0;
}

/* What changes a page that others change, too, is exact: no whole page, no more than a mask and all bytes. */
static void test_exact_changes(void **state)
{
	uint8_t mask[TRANSPORT_PAGE / 8 + 3] = {1, [100] = 0x81, [TRANSPORT_PAGE / 8] = 7, 8, 9};
	uint8_t run[4 + 2] = {16, 0, 2, 0, 5, 6};
	struct wire_blob blob = {WIRE_MASK, sizeof(mask), mask}, diff = {WIRE_DIFF, sizeof(run), run},
			 whole = {WIRE_PAGE, TRANSPORT_PAGE, page};

	(void)state;
	assert_int_equal(measured(CORE_MSG_FLUSH, &blob), 0);
	assert_int_equal(measured(CORE_MSG_SPREAD, &diff), 0);
	assert_int_equal(measured(CORE_MSG_SPREAD, &whole), -EINVAL);
	assert_int_equal(measured(CORE_MSG_PUBLISH, &blob), -EINVAL);
	assert_int_equal(measured(CORE_MSG_PUBLISH, &whole), 0);
	blob.bytes--;
	assert_int_equal(measured(CORE_MSG_FLUSH, &blob), -EINVAL);
	blob.bytes = TRANSPORT_PAGE / 8;
	memset(mask, 0, sizeof(mask));
	assert_int_equal(measured(CORE_MSG_FLUSH, &blob), -EINVAL); /* no bytes at all */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_canonical),     cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_counts),	      cmocka_unit_test(test_sender_limits),
		cmocka_unit_test(test_diffs),	      cmocka_unit_test(test_notes),
		cmocka_unit_test(test_exact_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
