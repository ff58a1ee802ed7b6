/* SPDX-License-Identifier: BSD-2-Clause */
/* Names out of a real program: this one, its types, lines and instructions. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "analyzer/decode.h"
#include "analyzer/layout.h"
#include "analyzer/names.h"
#include "tests/analyzer/feed.h"
#include "tests/analyzer/self.h"

struct point {
	double x, y;
};

typedef struct {
	struct point corner[2];
	union {
		uint64_t whole;
		uint16_t part[4];
	} u;
	unsigned flag : 3, mode : 20;
	char name[7];
	float matrix[2][3];
} box_t;

enum color { RED, GREEN };

/* Keeps the types in the program. */
static volatile box_t kept_box;
static volatile struct point kept_point;
static volatile enum color kept_color;
static volatile unsigned long kept_long;

static unsigned marked_line;
static __attribute__((noinline)) void store_here(volatile double *to)
{
	marked_line = __LINE__ + 1;
	*to += 1.5;
}

struct setup {
	struct model m;
	struct symbols *s;
	struct layouts *l;
	struct self self;
	struct feed f;
};

static void set_up(struct setup *x, const char *path, bool other_build, const char *debug_dir)
{
	uint8_t id[24];

	memset(x, 0, sizeof(*x));
	self__find(&x->self);
	memcpy(id, x->self.build_id, sizeof(id));
	id[0] ^= other_build;
	feed__start(&x->f, 1, 1);
	feed__nodes(&x->f);
	feed__module(&x->f, 0, 1, path ? path : x->self.path, id, x->self.build_id_len);
	feed__type(&x->f, 0, 1, "box_t", sizeof(box_t), 1);
	feed__type(&x->f, 0, 2, "struct point", sizeof(struct point), 1);
	feed__type(&x->f, 0, 3, "unsigned long", sizeof(unsigned long), 1);
	feed__type(&x->f, 0, 4, "enum color", sizeof(enum color), 1);
	feed__type(&x->f, 0, 5, "struct point *", sizeof(void *), 1);
	feed__type(&x->f, 0, 6, "struct point", 999, 1); /* another version of it: not this one */
	feed__type(&x->f, 0, 7, "struct nobody", 8, 1);
	model__init(&x->m);
	model__run(&x->m, 1, "test");
	for (size_t i = 0; i < x->f.records.n; i++)
		model__record(&x->m, 0, x->f.records.at[i]);
	x->s = symbols__new(&x->m, debug_dir);
	x->l = layouts__new(&x->m, x->s);
}

static void tear_down(struct setup *x)
{
	layouts__free(x->l);
	symbols__free(x->s);
	model__free(&x->m);
	feed__free(&x->f);
}

static const struct field *layout(struct setup *x, uint32_t id)
{
	return layouts__of(x->l, model__type(&x->m, 0, 0, id), 0);
}

static void check_path(const struct field *f, uint32_t at, const char *path, const char *folded,
		       uint32_t first, uint32_t length)
{
	char text[128];
	uint32_t a = 0, n = 0;

	layout__path(f, at, false, text, sizeof(text));
	assert_string_equal(text, path);
	layout__path(f, at, true, text, sizeof(text));
	assert_string_equal(text, folded);
	assert_int_equal(layout__scalar(f, at, &a, &n), length != 0);
	if (length) {
		assert_int_equal(a, first);
		assert_int_equal(n, length);
	}
}

static void fields_come_from_the_debug_information(void **state)
{
	struct setup x;
	const struct field *box;

	(void)state;
	kept_box.mode = (unsigned)(kept_point.x + (double)kept_long) + (unsigned)kept_color;
	set_up(&x, NULL, false, NULL);
	box = layout(&x, 1);
	assert_non_null(box);
	check_path(box, 0, "corner[0].x", "corner[].x", 0, 8);
	check_path(box, 29, "corner[1].y", "corner[].y", 24, 8);
	check_path(box, offsetof(box_t, u) + 3, "u.whole", "u.whole", offsetof(box_t, u), 8);
	check_path(box, offsetof(box_t, u) + 8, "flag", "flag", offsetof(box_t, u) + 8, 4);
	check_path(box, offsetof(box_t, name) + 6, "name[6]", "name[]", offsetof(box_t, name) + 6, 1);
	check_path(box, offsetof(box_t, name) + 7, "(padding)", "(padding)", 0, 0);
	check_path(box, offsetof(box_t, matrix) + 16, "matrix[1][1]", "matrix[][]",
		   offsetof(box_t, matrix) + 16, 4);
	check_path(layout(&x, 2), 9, "y", "y", 8, 8);
	check_path(layout(&x, 3), 5, "", "", 0, 8);
	check_path(layout(&x, 4), 1, "", "", 0, 4);
	check_path(layout(&x, 5), 7, "", "", 0, 8);
	assert_null(layout(&x, 6));
	assert_null(layout(&x, 7));
	tear_down(&x);
}

static void addresses_become_lines(void **state)
{
	struct setup x;
	struct source src;
	struct code code = {1, 0};
	char text[200];
	double d = 0;
	bool found = false;

	(void)state;
	store_here(&d);
	set_up(&x, NULL, false, NULL);
	for (uint32_t i = 0; i < 48 && !found; i++) {
		code.offset = self__offset((const char *)(uintptr_t)store_here + i);
		assert_true(symbols__source(x.s, code, false, &src));
		assert_string_equal(src.function, "store_here");
		found = src.line == marked_line;
	}
	assert_true(found);
	names__place(&src, text, sizeof(text));
	assert_non_null(strstr(text, "analyzer_symbols_test.c:"));
	names__line_text(&src, text, sizeof(text));
	assert_true(!text[0] || !strcmp(text, "*to += 1.5;")); /* the source may have moved away */
	code.offset = 1;				       /* no code lies there */
	assert_false(symbols__source(x.s, code, false, &src));
	tear_down(&x);
}

static void operands_are_decoded(void **state)
{
	static const unsigned char store8[] = {0x48, 0x89, 0x07}, load4[] = {0x8b, 0x06};
	static const unsigned char addsd[] = {0xf2, 0x0f, 0x58, 0x07}, lea[] = {0x48, 0x8d, 0x07};
	static const unsigned char inc2[] = {0x66, 0xff, 0x00}, movs[] = {0xa4};

	(void)state;
#ifndef HAVE_ZYDIS
	if (!decode__operand(store8, sizeof(store8), DSM_EV_ACCESS_WRITE)) {
		print_message("Zydis is not built in\n");
		skip();
	}
#endif
	assert_int_equal(decode__operand(store8, sizeof(store8), DSM_EV_ACCESS_WRITE), 8);
	assert_int_equal(decode__operand(store8, sizeof(store8), DSM_EV_ACCESS_READ), 0);
	assert_int_equal(decode__operand(load4, sizeof(load4), DSM_EV_ACCESS_READ), 4);
	assert_int_equal(decode__operand(addsd, sizeof(addsd), DSM_EV_ACCESS_READ), 8);
	assert_int_equal(decode__operand(lea, sizeof(lea), DSM_EV_ACCESS_READ), 0);
	assert_int_equal(decode__operand(inc2, sizeof(inc2), DSM_EV_ACCESS_WRITE), 2);
	assert_int_equal(decode__operand(movs, sizeof(movs), DSM_EV_ACCESS_WRITE), 1);
	assert_int_equal(decode__operand(store8, 1, DSM_EV_ACCESS_WRITE), 0);
}

static const char *only_note(struct setup *x)
{
	const char *const *notes;

	return symbols__notes(x->s, &notes) == 1 ? notes[0] : "";
}

static void another_build_is_not_used(void **state)
{
	struct setup x;

	(void)state;
	set_up(&x, NULL, true, NULL);
	assert_null(layout(&x, 1));
	assert_null(layout(&x, 2)); /* said once */
	assert_non_null(strstr(only_note(&x), "rebuilt since"));
	tear_down(&x);
	set_up(&x, "/nonexistent/program", false, NULL);
	assert_null(layout(&x, 1));
	assert_non_null(strstr(only_note(&x), "--debug-dir"));
	tear_down(&x);
	set_up(&x, "/dev/zero", false, NULL); /* a trace may name anything; only plain files are opened */
	assert_null(layout(&x, 1));
	tear_down(&x);
}

static void a_stripped_program_is_named_with_the_remedy(void **state)
{
	char dir[] = "/tmp/procope-symbols-XXXXXX", command[1024];
	struct setup x;
	struct self self;

	(void)state;
	self__find(&self);
	assert_non_null(mkdtemp(dir));
	snprintf(command, sizeof(command), "objcopy --strip-debug '%s' '%s/prog' 2>/dev/null", self.path,
		 dir);
	if (system(command)) {
		print_message("objcopy is missing (binutils)\n");
		rmdir(dir);
		skip();
	}
	set_up(&x, "/gone/prog", false, dir);
	assert_null(layout(&x, 1));
	assert_non_null(strstr(only_note(&x), "-g"));
	tear_down(&x);
	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	assert_int_equal(system(command), 0);
}

static void the_debug_folder_is_searched(void **state)
{
	struct setup x;
	char dir[256], *slash;

	(void)state;
	self__find(&x.self);
	snprintf(dir, sizeof(dir), "%s", x.self.path);
	slash = strrchr(dir, '/');
	*slash = 0;
	set_up(&x, "/gone/analyzer_symbols_test", false, dir);
	assert_non_null(layout(&x, 1));
	tear_down(&x);
}

static void a_newer_source_is_noticed(void **state)
{
	char name[] = "/tmp/procope-source-XXXXXX";
	struct source src = {.line = 1};
	struct setup x;
	int fd = mkstemp(name);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	set_up(&x, NULL, false, NULL);
	snprintf(src.file, sizeof(src.file), "%s", name);
	assert_true(symbols__outdated(x.s, (struct code){1, 0x1000}, &src));
	assert_false(symbols__outdated(x.s, (struct code){0, 0}, &src));
	assert_int_equal(utimensat(AT_FDCWD, name, (struct timespec[2]){{1, 0}, {1, 0}}, 0), 0);
	assert_false(symbols__outdated(x.s, (struct code){1, 0x1000}, &src));
	unlink(name);
	assert_false(symbols__outdated(x.s, (struct code){1, 0x1000}, &src));
	tear_down(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_come_from_the_debug_information),
		cmocka_unit_test(addresses_become_lines),
		cmocka_unit_test(operands_are_decoded),
		cmocka_unit_test(another_build_is_not_used),
		cmocka_unit_test(a_stripped_program_is_named_with_the_remedy),
		cmocka_unit_test(the_debug_folder_is_searched),
		cmocka_unit_test(a_newer_source_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
