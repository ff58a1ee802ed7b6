/* SPDX-License-Identifier: BSD-2-Clause */
#include "layout.h"

#include <ctype.h>
#include <dwarf.h>
#include <stdio.h>
#include <string.h>

#define MAX_DEPTH  24
#define MAX_FIELDS 50000 /* of one type, in all */

struct layouts {
	const struct model *model;
	struct symbols *symbols;
	struct table known; /* (type, site) -> fields */
	VEC(struct field *) fields;
};

struct layouts *layouts__new(const struct model *m, struct symbols *s)
{
	struct layouts *l = mem__alloc(sizeof(*l));

	l->model = m;
	l->symbols = s;
	return l;
}

static void free_field(struct field *f)
{
	for (uint32_t i = 0; i < f->children; i++)
		free_field(&f->child[i]);
	mem__free(f->child);
	mem__free(f->name);
}

void layouts__free(struct layouts *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->fields.n; i++) {
		if (l->fields.at[i])
			free_field(l->fields.at[i]);
		mem__free(l->fields.at[i]);
	}
	VEC_FREE(&l->fields);
	table__free(&l->known);
	mem__free(l);
}

/* ---- DWARF to a tree ---- */

static bool number(Dwarf_Die *die, unsigned name, uint64_t *out)
{
	Dwarf_Attribute attr;
	Dwarf_Word value;

	if (!dwarf_attr_integrate(die, name, &attr) || dwarf_formudata(&attr, &value))
		return false;
	*out = value;
	return true;
}

/* The type behind a DIE's DW_AT_type with typedefs and qualifiers taken off. */
static bool type_of(Dwarf_Die *die, Dwarf_Die *type)
{
	Dwarf_Attribute attr;
	Dwarf_Die plain;

	if (!dwarf_attr_integrate(die, DW_AT_type, &attr) || !dwarf_formref_die(&attr, type))
		return false;
	if (dwarf_peel_type(type, &plain) == 0)
		*type = plain;
	return true;
}

static uint64_t size_of(Dwarf_Die *type)
{
	Dwarf_Word size;

	return dwarf_aggregate_size(type, &size) == 0 && size <= UINT32_MAX ? size : 0;
}

static void fill(struct field *f, Dwarf_Die *type, int depth, uint32_t *budget);

static void add_member(struct field *f, Dwarf_Die *member, int depth, uint32_t *budget)
{
	const char *name = dwarf_diename(member);
	uint64_t offset = 0, bit, bits, size;
	struct field *child;
	Dwarf_Die type;

	if (!*budget || !type_of(member, &type))
		return;
	size = size_of(&type);
	number(member, DW_AT_data_member_location, &offset);
	if (number(member, DW_AT_data_bit_offset, &bit) && number(member, DW_AT_bit_size, &bits) && size) {
		/* A bit field is read and written as whole bytes of the unit that holds it. */
		offset = bit / 8 / size * size;
		if (offset + size > f->size) {
			offset = bit / 8;
			size = (bit % 8 + bits + 7) / 8;
		}
	}
	if (!size || offset >= f->size || size > f->size - offset)
		return;
	f->child = mem__resize(f->child, (f->children + 1) * sizeof(*f->child));
	child = &f->child[f->children++];
	*child = (struct field){
		.name = name ? mem__string(name) : NULL, .offset = (uint32_t)offset, .size = (uint32_t)size};
	(*budget)--;
	fill(child, &type, depth + 1, budget);
}

static void fill_struct(struct field *f, Dwarf_Die *type, int depth, uint32_t *budget)
{
	Dwarf_Die member;

	if (dwarf_child(type, &member))
		return;
	do {
		int tag = dwarf_tag(&member);

		/* A C++ base class is a member without a name; static members have no place. */
		if (tag == DW_TAG_inheritance ||
		    (tag == DW_TAG_member && !dwarf_hasattr(&member, DW_AT_external)))
			add_member(f, &member, depth, budget);
	} while (dwarf_siblingof(&member, &member) == 0);
}

/* double m[4][5] has two subranges: an array of 4 arrays of 5. */
static void fill_array(struct field *f, Dwarf_Die *array, int depth, uint32_t *budget)
{
	Dwarf_Die element, range;
	uint64_t dims[8], element_size, total;
	unsigned n = 0;

	if (!type_of(array, &element) || dwarf_child(array, &range))
		return;
	do {
		uint64_t count;

		if (dwarf_tag(&range) != DW_TAG_subrange_type || n == 8)
			continue;
		if (!number(&range, DW_AT_count, &count) &&
		    (!number(&range, DW_AT_upper_bound, &count) || ++count == 0))
			return;
		dims[n++] = count;
	} while (dwarf_siblingof(&range, &range) == 0);
	element_size = size_of(&element);
	total = f->size;
	for (unsigned i = 0; i < n && *budget; i++) {
		if (!dims[i] || total / dims[i] < element_size || !element_size)
			return;
		f->count = (uint32_t)dims[i];
		f->stride = (uint32_t)(total / dims[i]);
		total = f->stride;
		f->child = mem__alloc(sizeof(*f->child));
		f->children = 1;
		f->child[0].size = f->stride;
		f = f->child;
		(*budget)--;
	}
	fill(f, &element, depth + 1, budget);
}

static void fill(struct field *f, Dwarf_Die *type, int depth, uint32_t *budget)
{
	if (depth > MAX_DEPTH || !*budget)
		return;
	switch (dwarf_tag(type)) {
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
		fill_struct(f, type, depth, budget);
		break;
	case DW_TAG_array_type:
		fill_array(f, type, depth, budget);
		break;
	default:
		break;
	}
}

/* ---- finding a type by the name written in dsm_new() ---- */

struct wanted {
	char name[96];
	int tag; /* DW_TAG_structure_type, ... or 0: a typedef, base type, class */
	uint32_t size;
	bool rows; /* "double[]": as many of them as fill the size */
};

static const char *skip_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(text, word, n) != 0 || isalnum((unsigned char)text[n]) || text[n] == '_')
		return NULL;
	for (text += n; *text == ' '; text++)
		;
	return text;
}

/* "unsigned long" is "long unsigned int" in DWARF: count the words and spell them the compiler's way. */
static void spell_integer(char *name, size_t size)
{
	unsigned longs = 0, shorts = 0, chars = 0, plus = 0, minus = 0, ints = 0;
	char copy[96], *save = NULL, *word;

	snprintf(copy, sizeof(copy), "%s", name);
	for (word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		longs += !strcmp(word, "long");
		shorts += !strcmp(word, "short");
		chars += !strcmp(word, "char");
		plus += !strcmp(word, "unsigned");
		minus += !strcmp(word, "signed");
		ints += !strcmp(word, "int");
		if (!(longs | shorts | chars | plus | minus | ints) || !strcmp(word, "double"))
			return;
	}
	if (chars)
		snprintf(name, size, "%schar", plus ? "unsigned " : minus ? "signed " : "");
	else if (longs)
		snprintf(name, size, "long %s%sint", longs > 1 ? "long " : "", plus ? "unsigned " : "");
	else if (shorts)
		snprintf(name, size, "short %sint", plus ? "unsigned " : "");
	else if (plus || minus || ints)
		snprintf(name, size, "%sint", plus ? "unsigned " : "");
}

static void parse_name(const char *text, struct wanted *w)
{
	static const struct {
		const char *word;
		int tag;
	} kinds[] = {{"struct", DW_TAG_structure_type},
		     {"union", DW_TAG_union_type},
		     {"class", DW_TAG_class_type},
		     {"enum", DW_TAG_enumeration_type}};
	const char *next;
	size_t n;

	do {
		text += strspn(text, " ");
		next = skip_word(text, "const");
		next = next ? next : skip_word(text, "volatile");
		text = next ? next : text;
	} while (next);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		next = skip_word(text, kinds[i].word);
		if (next) {
			w->tag = kinds[i].tag;
			text = next;
			break;
		}
	}
	snprintf(w->name, sizeof(w->name), "%s", text);
	n = strlen(w->name);
	if (n > 2 && !strcmp(w->name + n - 2, "[]")) {
		w->rows = true;
		w->name[n -= 2] = 0;
	}
	while (n && w->name[n - 1] == ' ')
		w->name[--n] = 0;
	if (!w->tag)
		spell_integer(w->name, sizeof(w->name));
}

static bool matches(Dwarf_Die *die, const struct wanted *w)
{
	const char *name = dwarf_diename(die);
	int tag = dwarf_tag(die);
	bool aggregate = tag == DW_TAG_structure_type || tag == DW_TAG_union_type ||
			 tag == DW_TAG_class_type || tag == DW_TAG_enumeration_type;

	if (!aggregate && tag != DW_TAG_typedef && tag != DW_TAG_base_type)
		return false;
	if (!name || strcmp(name, w->name) != 0 || dwarf_hasattr(die, DW_AT_declaration))
		return false;
	/* Without a keyword C means a typedef or base type, C++ any of them; with one, just that kind. */
	return w->tag ? tag == w->tag || (w->tag == DW_TAG_structure_type && tag == DW_TAG_class_type) : true;
}

static bool find_below(Dwarf_Die *parent, const struct wanted *w, int depth, Dwarf_Die *out)
{
	Dwarf_Die die, type;

	if (dwarf_child(parent, &die))
		return false;
	do {
		int tag = dwarf_tag(&die);

		if (matches(&die, w)) {
			type = die;
			dwarf_peel_type(&die, &type);
			uint64_t bytes = size_of(&type);

			if (bytes && (w->rows ? w->size % bytes == 0 : bytes == w->size)) {
				*out = type;
				return true;
			}
		}
		/* Types may be declared inside namespaces and functions. */
		if ((tag == DW_TAG_namespace || tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block) &&
		    depth < 4 && find_below(&die, w, depth + 1, out))
			return true;
	} while (dwarf_siblingof(&die, &die) == 0);
	return false;
}

static bool find_type(Dwarf *dwarf, const struct wanted *w, Dwarf_Die *out)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;

	while (dwarf_get_units(dwarf, cu, &cu, NULL, NULL, &die, NULL) == 0)
		if (find_below(&die, w, 0, out))
			return true;
	return false;
}

static struct field *build(struct layouts *l, uint32_t type_number, uint32_t site_number)
{
	const struct type *type = model__type_at(l->model, type_number);
	const struct site *site = model__site_at(l->model, site_number);
	uint32_t budget = MAX_FIELDS, image = type->image;
	struct wanted w = {.size = type->size};
	struct field *f;
	Dwarf_Die die, cu;
	bool found = false;
	size_t n = strlen(type->name);

	if (!type->size || !n)
		return NULL;
	if (type->name[n - 1] == '*') { /* a pointer is a scalar whatever it points to */
		f = mem__alloc(sizeof(*f));
		f->size = type->size;
		return f;
	}
	parse_name(type->name, &w);
	for (uint32_t i = 0; i < site->nframes && !found; i++) {
		if (symbols__unit(l->symbols, site->frame[i], &cu))
			found = find_below(&cu, &w, 0, &die);
		image = image ? image : site->frame[i].image;
	}
	if (!found && symbols__dwarf(l->symbols, image))
		found = find_type(symbols__dwarf(l->symbols, image), &w, &die);
	if (!found)
		return NULL;
	f = mem__alloc(sizeof(*f));
	f->size = type->size;
	uint32_t element = (uint32_t)size_of(&die);

	if (w.rows && element) {
		f->stride = element;
		f->count = f->size / element;
		f->children = 1;
		f->child = mem__alloc(sizeof(*f->child));
		f->child->size = f->stride;
	}
	fill(f->child ? f->child : f, &die, 0, &budget);
	return f;
}

const struct field *layouts__of(struct layouts *l, uint32_t type, uint32_t site)
{
	struct {
		uint32_t type, site;
	} key = {type, site};
	uint32_t n = table__intern(&l->known, &key, sizeof(key));

	if (n == l->fields.n) {
		struct field *f = build(l, type, site);

		*VEC_ADD(&l->fields) = f;
	}
	return l->fields.at[n];
}

/* ---- lookups ---- */

/* In a union several members hold a byte: the largest widens most, so it is the careful choice. */
static const struct field *member_at(const struct field *f, uint32_t at)
{
	const struct field *best = NULL;

	for (uint32_t i = 0; i < f->children; i++) {
		const struct field *c = &f->child[i];

		if (at >= c->offset && at - c->offset < c->size && (!best || c->size > best->size))
			best = c;
	}
	return best;
}

bool layout__scalar(const struct field *f, uint32_t at, uint32_t *first, uint32_t *length)
{
	uint32_t base = 0;

	if (at >= f->size)
		return false;
	while (f->children) {
		if (f->count) {
			uint32_t i = at / f->stride;

			if (i >= f->count)
				return false;
			base += i * f->stride;
			at -= i * f->stride;
			f = f->child;
			continue;
		}
		f = member_at(f, at);
		if (!f)
			return false;
		base += f->offset;
		at -= f->offset;
	}
	*first = base;
	*length = f->size;
	return true;
}

void layout__path(const struct field *f, uint32_t at, bool fold, char *out, size_t size)
{
	struct text t = {0};

	text__add(&t, "%s", "");
	if (at >= f->size)
		f = NULL;
	while (f && f->children) {
		if (f->count) {
			uint32_t i = at / f->stride;

			if (fold)
				text__add(&t, "[]");
			else
				text__add(&t, "[%u]", i);
			at -= i * f->stride;
			f = i < f->count ? f->child : NULL;
			continue;
		}
		f = member_at(f, at);
		if (!f)
			break;
		at -= f->offset;
		if (f->name)
			text__add(&t, "%s%s", t.n ? "." : "", f->name);
	}
	snprintf(out, size, "%s%s", t.at, f ? "" : t.n ? ".(padding)" : "(padding)");
	text__free(&t);
}
