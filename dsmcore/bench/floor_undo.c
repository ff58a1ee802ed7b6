/* SPDX-License-Identifier: BSD-2-Clause */
/* floor_undo.c - a loop on plain memory: bare, with twins, with rights. */
#include "dsmcore/bench/floor_undo.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dsmcore/bench/floor.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define PIECE	   ((size_t)2 << 20)
#define ROW_BYTES  ((size_t)UNDO_PAGES * FLOOR_PAGE)
#define ROWS_SMALL 128l /* 256 pages of twins are what the second cache holds */
#define ROWS_PIECE ((long)(PIECE / ROW_BYTES))
#define ARRAY	   ((size_t)UNDO_ROWS * ROW_BYTES)

struct floor_undo {
	enum undo_way way;
	uint8_t *room;		/* both views lie in it, at multiples of 2 MiB */
	uint8_t *view, *frames; /* two arrays each */
	uint8_t *twins;
	long together; /* rows */
	bool second;   /* the sweep writes the second array */
};

static size_t room_bytes(void)
{
	return 2 * 2 * ARRAY + PIECE;
}

/* NULL: no memory. */
static uint8_t *map_view(uint8_t *at, int fd)
{
	void *view = mmap(at, 2 * ARRAY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);

	return view == MAP_FAILED ? NULL : view;
}

static int collapse(uint8_t *at)
{
	for (size_t i = 0; i < 2 * ARRAY; i += PIECE)
		if (madvise(at + i, PIECE, MADV_COLLAPSE))
			return -ENOTSUP;
	return 0;
}

static void fill(double *cells)
{
	for (long i = 0; i < 2 * UNDO_ROWS * UNDO_ROW; i++)
		cells[i] = (double)(i * 31 % 1000) * 1e-9;
}

static int map(struct floor_undo *u)
{
	int fd = memfd_create("dsmbench-undo", MFD_CLOEXEC);
	uint8_t *first;

	u->room = mmap(NULL, room_bytes(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fd >= 0 && u->room != MAP_FAILED && !ftruncate(fd, (off_t)(2 * ARRAY))) {
		first = u->room + (PIECE - (uintptr_t)u->room % PIECE) % PIECE;
		u->frames = map_view(first, fd);
		u->view = map_view(first + 2 * ARRAY, fd);
	}
	if (fd >= 0)
		close(fd);
	return u->frames && u->view ? 0 : -ENOMEM;
}

/* As the DSM has its memory: in pieces where that works, the view in small pages but for UNDO_PIECES. */
static int arrange(struct floor_undo *u)
{
	int rc;

	if (u->way != UNDO_PIECES)
		madvise(u->view, 2 * ARRAY, MADV_NOHUGEPAGE);
	fill((void *)u->frames);
	rc = collapse(u->frames);
	if (u->way == UNDO_PIECES && !rc)
		rc = collapse(u->view);
	else
		rc = 0;
	for (size_t i = 0; i < 2 * ARRAY;
	     i += FLOOR_PAGE) /* none of its pages is touched for the first time later */
		*(volatile uint8_t *)(u->view + i) = u->view[i];
	if (!rc && u->way >= UNDO_RIGHTS && mprotect(u->view, 2 * ARRAY, PROT_READ))
		rc = -errno;
	return rc;
}

int floor_undo__open(struct floor_undo **out, enum undo_way way)
{
	struct floor_undo *u = calloc(1, sizeof(*u));
	int rc;

	if (!u)
		return -ENOMEM;
	u->way = way;
	u->room = MAP_FAILED;
	u->together = way == UNDO_PIECES ? ROWS_PIECE : ROWS_SMALL;
	u->twins = malloc(PIECE);
	rc = u->twins ? map(u) : -ENOMEM;
	if (u->twins)
		memset(u->twins, 1, PIECE);
	if (!rc)
		rc = arrange(u);
	if (rc)
		floor_undo__close(u);
	else
		*out = u;
	return rc;
}

void floor_undo__close(struct floor_undo *u)
{
	if (!u)
		return;
	if (u->room != MAP_FAILED)
		munmap(u->room, room_bytes());
	free(u->twins);
	free(u);
}

__attribute__((noinline, aligned(64))) void floor_undo__row(double *restrict at, const double *up,
							    const double *same, const double *down)
{
	for (long j = 1; j < UNDO_ROW - 1; j++)
		at[j] = 0.3125 * (up[j] + down[j] + same[j] + same[j + 1]) - 0.25 * at[j];
}

static void copy_page(uint8_t *to, const uint8_t *from)
{
	size_t n = FLOOR_PAGE;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
}

static void copy_twins(struct floor_undo *u, size_t at, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += FLOOR_PAGE)
		copy_page(u->twins + i, u->frames + at + i);
}

static double *row_of(const struct floor_undo *u, bool second, long row)
{
	return (void *)(u->view + (second ? ARRAY : 0) + (size_t)row * ROW_BYTES);
}

static void relax(struct floor_undo *u, long row, long end)
{
	for (; row < end; row++)
		if (row > 0 && row < UNDO_ROWS - 1)
			floor_undo__row(row_of(u, u->second, row), row_of(u, !u->second, row - 1),
					row_of(u, !u->second, row), row_of(u, !u->second, row + 1));
}

int floor_undo__sweep(struct floor_undo *u)
{
	for (long row = 0; row < UNDO_ROWS; row += u->together) {
		size_t at = (size_t)((uint8_t *)row_of(u, u->second, row) - u->view);
		size_t bytes = (size_t)u->together * ROW_BYTES;

		if (u->way >= UNDO_TWINS)
			copy_twins(u, at, bytes);
		if (u->way >= UNDO_RIGHTS && mprotect(u->view + at, bytes, PROT_READ | PROT_WRITE))
			return -errno;
		relax(u, row, row + u->together);
		if (u->way >= UNDO_RIGHTS && mprotect(u->view + at, bytes, PROT_READ))
			return -errno;
	}
	u->second = !u->second;
	return 0;
}
