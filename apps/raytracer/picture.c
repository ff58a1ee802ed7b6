// SPDX-License-Identifier: BSD-2-Clause
#include "apps/raytracer/picture.h"

#ifdef WITH_LIBPNG

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int picture__open(const struct app *app, const char *path, FILE **out)
{
	*out = fopen(path, "wbe");
	if (!*out)
		return app__bad(app, "cannot write the picture %s: %s (--output FILE names another)", path,
				strerror(errno));
	return 0;
}

static void set_bytes(png_bytep row, const uint32_t *pixels, long size)
{
	for (long x = 0; x < size; x++) {
		row[3 * x] = (png_byte)(pixels[x] >> 16);
		row[3 * x + 1] = (png_byte)(pixels[x] >> 8);
		row[3 * x + 2] = (png_byte)pixels[x];
	}
}

/* libpng reports errors by longjmp(); nothing that is changed after setjmp() is used after it. */
static int encode(FILE *file, const uint32_t *pixels, long size)
{
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png ? png_create_info_struct(png) : NULL;
	png_bytep row = malloc(3 * (size_t)size);
	volatile int rc = -ENOMEM;

	if (!info || !row)
		goto out;
	rc = -EIO;
	if (setjmp(png_jmpbuf(png)))
		goto out;
	png_init_io(png, file);
	png_set_IHDR(png, info, (png_uint_32)size, (png_uint_32)size, 8, PNG_COLOR_TYPE_RGB,
		     PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	png_write_info(png, info);
	for (long y = 0; y < size; y++) {
		set_bytes(row, pixels + y * size, size);
		png_write_row(png, row);
	}
	png_write_end(png, info);
	rc = 0;
out:
	free(row);
	png_destroy_write_struct(&png, &info);
	return rc;
}

int picture__write(const struct app *app, const char *path, FILE *file, const uint32_t *pixels, long size)
{
	struct stat st;
	int rc = encode(file, pixels, size);
	int failed = ferror(file);

	if (fclose(file) || failed)
		rc = rc ? rc : -EIO;
	if (!rc)
		return 0;
	rc = errno ? errno : -rc;
	if (!stat(path, &st) && S_ISREG(st.st_mode)) /* half a picture is none */
		unlink(path);
	return app__bad(app, "cannot write the picture %s: %s", path, strerror(rc));
}

#else

int picture__open(const struct app *app, const char *path, FILE **out)
{
	(void)path;
	*out = NULL;
	return app__bad(app, "--output: built without libpng (install libpng-dev and make again)");
}

int picture__write(const struct app *app, const char *path, FILE *file, const uint32_t *pixels, long size)
{
	(void)file, (void)pixels, (void)size;
	return picture__open(app, path, &file);
}

#endif
