/* SPDX-License-Identifier: BSD-2-Clause */
#include "names.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "collector/shown.h"

void names__site(struct symbols *s, const struct model *m, uint32_t site, struct source *out)
{
	struct site chain = *model__site_at(m, site);
	struct source src;

	memset(out, 0, sizeof(*out));
	for (uint32_t i = 0; i < chain.nframes; i++) {
		if (!symbols__source(s, chain.frame[i], true, &src))
			continue;
		if (!out->line && (src.line || !out->function[0]))
			*out = src;
		if (out->line)
			return;
	}
}

void names__place(const struct source *src, char *out, size_t size)
{
	char raw[sizeof(src->file) + sizeof(src->function) + 32];

	if (src->line)
		snprintf(raw, sizeof(raw), "%s:%u%s%s%s", basename(src->file), src->line,
			 src->function[0] ? " (" : "", src->function, src->function[0] ? ")" : "");
	else
		snprintf(raw, sizeof(raw), "%s", src->function[0] ? src->function : "?");
	shown__copy(out, size, raw);
}

void names__code(struct symbols *s, const struct model *m, struct code code, bool return_address, char *out,
		 size_t size)
{
	struct source src;
	char file[256];

	if (!code.image) {
		snprintf(out, size, "(line not seen)");
		return;
	}
	if (symbols__source(s, code, return_address, &src)) {
		names__place(&src, out, size);
		return;
	}
	shown__copy(file, sizeof(file), basename(model__image_at(m, code.image)->path));
	snprintf(out, size, "%s+0x%x", file, code.offset);
}

static bool in_library(struct symbols *s, const struct model *m, struct code code, uint32_t site)
{
	const struct site *chain = model__site_at(m, site);
	struct source src;
	char line[8] = "";

	if (!code.image || !site || !chain->nframes || chain->frame[0].image == code.image)
		return false;
	if (symbols__source(s, code, false, &src))
		names__line_text(&src, line, sizeof(line));
	return !line[0];
}

void names__access(struct symbols *s, const struct model *m, struct code code, uint32_t site, char *out,
		   size_t size)
{
	char what[128], where[192];
	struct source src, at = {0};

	if (in_library(s, m, code, site))
		names__site(s, m, site, &at);
	if (!at.line) {
		names__code(s, m, code, false, out, size);
		return;
	}
	names__place(&at, where, sizeof(where));
	if (symbols__source(s, code, false, &src) && src.function[0])
		shown__copy(what, sizeof(what), src.function);
	else
		shown__copy(what, sizeof(what), basename(model__image_at(m, code.image)->path));
	snprintf(out, size, "%s, after %s", what, where);
}

void names__line_text(const struct source *src, char *out, size_t size)
{
	char line[512];
	struct stat st;
	unsigned n = 0;
	FILE *f;
	size_t len;
	const char *at = line;

	out[0] = 0;
	/* A path from a trace's program may be anything: only plain files are opened. */
	if (!src->line || stat(src->file, &st) || !S_ISREG(st.st_mode))
		return;
	f = fopen(src->file, "re");
	if (!f)
		return;
	while (n < src->line && fgets(line, sizeof(line), f))
		n += strchr(line, '\n') || feof(f);
	fclose(f);
	if (n != src->line)
		return;
	while (*at == ' ' || *at == '\t')
		at++;
	len = strlen(at);
	while (len && (unsigned char)at[len - 1] <= ' ')
		line[at - line + (ptrdiff_t)--len] = 0;
	for (char *c = line; *c; c++)
		if (*c == '\t')
			*c = ' ';
	shown__copy(out, size, at);
	len = strlen(out);
	if (len < strlen(at) && len > 3)
		memcpy(out + len - 3, "...", 4);
}

void names__duration(double ns, char *out, size_t size)
{
	double a = fabs(ns);

	if (a >= 1e9)
		snprintf(out, size, "%.2f s", ns / 1e9);
	else if (a >= 1e6)
		snprintf(out, size, "%.1f ms", ns / 1e6);
	else
		snprintf(out, size, "%.0f us", a < 500 ? 0 : ns / 1e3); /* never "-0 us" */
}

void names__count(double n, char *out, size_t size)
{
	char digits[40];
	size_t len, k = 0;

	snprintf(digits, sizeof(digits), "%.0f", fabs(n));
	len = strlen(digits);
	if (n < 0 && k + 1 < size)
		out[k++] = '-';
	for (size_t i = 0; i < len && k + 2 < size; i++) {
		out[k++] = digits[i];
		if ((len - i - 1) % 3 == 0 && i + 1 < len)
			out[k++] = ',';
	}
	out[k] = 0;
}

void names__object(const struct tally *t, const struct row *r, char *out, size_t size)
{
	if (r->group != GROUP_NONE)
		model__group_name(t->model, r->group, out, size);
	else if (r->key.verdict == VERDICT_UNTOUCHED)
		snprintf(out, size, "%s",
			 t->model->intervals ? "(copies that were kept)" : "(the runtime's read tracking)");
	else
		snprintf(out, size, "%s", r->key.roots ? NAMES_ROOTS : NAMES_NO_OBJECT);
}

void names__elements(const struct model *m, uint32_t object, const struct byteset *elements, char *out,
		     size_t size)
{
	const char *element = model__element(m, object);
	struct text t = {0};
	bool one = elements->n == 1 && elements->at[0].to - elements->at[0].from == 1;

	text__add(&t, "%s%s", element, one ? "" : "s");
	for (size_t i = 0; i < elements->n && i < 3; i++) {
		const struct span *s = &elements->at[i];

		text__add(&t, "%s%u", i ? ", " : " ", s->from);
		if (s->to - s->from > 1)
			text__add(&t, " to %u", s->to - 1);
	}
	if (elements->n > 3)
		text__add(&t, " and %zu more", elements->n - 3);
	if (!elements->n)
		text__add(&t, " not known");
	snprintf(out, size, "%s", t.at);
	text__free(&t);
}

void names__lock(const struct model *m, const struct lock_sum *l, char *out, size_t size)
{
	char name[128] = "an object", element[32] = "", byte[24] = "";

	if (l->locks > 1) { /* all of one kind of object, see waits.c */
		model__group_name(m, m->objects.at[l->object].group, name, sizeof(name));
		snprintf(out, size, "the locks of %s (%u of them)", name, l->locks);
		return;
	}
	if (l->object != PLACE_NONE)
		model__object_name(m, l->object, name, sizeof(name));
	if (l->object != PLACE_NONE && m->objects.at[l->object].count > 1)
		snprintf(element, sizeof(element), " element %u", l->element);
	if (l->byte)
		snprintf(byte, sizeof(byte), " +%u", l->byte);
	if (l->of_object)
		snprintf(out, size, "the lock of %s%s%s", name, element, byte);
	else
		snprintf(out, size, "the lock of the block");
}

const char *names__consistency(unsigned consistency)
{
	static const char *const name[] = {"", "tx", "sc", "rc"};

	return consistency <= DSM_EV_RC ? name[consistency] : "";
}

const struct report_words *names__words(unsigned consistency, bool mixed, bool kept)
{
	static const struct report_words transactions = {
		"transaction", "abort",	   "aborts",
		"won,",	       "aborted,", "one transaction won, the other aborted"};
	static const struct report_words sequential = {
		"interval", "conflict", "conflicts",
		"had it,",  "waited,",	"one had the page in use, the other wanted it and waited"};
	/* Under rc nobody waits for a page in use: its changes are told to all who use it. */
	static const struct report_words release = {
		"interval", "conflict", "conflicts",
		"had it,",  "flushed,", "one had the page in use, the other's changes were flushed to it"};

	static const struct report_words going_on = {
		"transaction", "conflict",
		"conflicts",   "won,",
		"lost,",       "one committed first, the other aborted, or put its changes on top"};
	static const struct report_words either = {
		"block",   "conflict", "conflicts",
		"had it,", "lost,",    "one won or had the page in use, the other aborted or waited"};

	return consistency == DSM_EV_SC	  ? &sequential
	       : consistency == DSM_EV_RC ? &release
	       : mixed			  ? &either
	       : kept			  ? &going_on
					  : &transactions;
}
