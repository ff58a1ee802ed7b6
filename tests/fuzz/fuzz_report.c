/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_report.c - any sane records through the whole analyzer and every form of its report.
 *
 * The trace reader hands out only records that trace_record__sane() accepts, so the input is cut into such
 * records; everything else in them is hostile. Paths in MODULE records are cleared: the fuzzer would find
 * files of the machine it runs on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/report.h"
#include "analyzer/ingest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed_record(struct report *r, struct evidence *e, const uint8_t *data, size_t size)
{
	static _Alignas(8) uint8_t record[DSM_EV_MAX];
	struct dsm_ev_hdr *h = (void *)record;

	memset(record, 0, sizeof(record));
	memcpy(record, data, size);
	h->size = (uint16_t)((size + 7) & ~(size_t)7);
	h->node &= 7; /* few nodes, numbers and pages, so that records meet */
	if (!trace_record__sane(h, h->size))
		return;
	if (h->type == DSM_EV_MODULE)
		memset(((struct dsm_ev_module *)h)->path, 0, sizeof(((struct dsm_ev_module *)h)->path));
	model__record(&r->model, 0, h);
	evidence__record(e, 0, h);
}

static void feed_all(struct report *r, struct evidence *e, const uint8_t *data, size_t size)
{
	while (size >= 3) {
		size_t n = data[0] | (size_t)(data[1] & 3) << 8;

		data += 2;
		size -= 2;
		n = n < size ? n : size;
		feed_record(r, e, data, n);
		data += n;
		size -= n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const name = "fuzz";
	struct report_options o = {.traces = &name, .ntraces = 1, .top = 3};
	struct text text = {0};
	struct evidence_sink sink;
	struct evidence *e;
	struct report r;

	if (size < 2)
		return 0;
	report__begin(&r, NULL, &sink);
	e = evidence__new(&r.model, r.layouts, r.symbols, data[0] & 1 ? 2000 : 0, &sink);
	model__run(&r.model, 1, name);
	feed_all(&r, e, data + 1, size - 1);
	evidence__finish(e);
	evidence__free(e);
	report__end(&r);
	report__text(&r, &o, &text);
	report__json(&r, &o, &text);
	report__plan(&r, &text);
	report__dot(&r, &o, &text);
	text__free(&text);
	report__free(&r);
	return 0;
}
