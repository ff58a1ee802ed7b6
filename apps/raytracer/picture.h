/* SPDX-License-Identifier: BSD-2-Clause */
/* picture.h - writes a PNG, where libpng was there when this was built. */
#ifndef APPS_RAYTRACER_PICTURE_H
#define APPS_RAYTRACER_PICTURE_H

#include <stdint.h>
#include <stdio.h>

#include "apps/common/app.h"

/* Opens (and empties) the file, before hours of work go into what cannot be written. Returns 0, or APP_USAGE after a
 * message; so it does without libpng. */
int picture__open(const struct app *app, const char *path, FILE **out);

/* Writes size x size pixels, 0x00RRGGBB each, and closes the file. Returns 0, or APP_USAGE after a message. */
int picture__write(const struct app *app, const char *path, FILE *file, const uint32_t *pixels, long size);

#endif
