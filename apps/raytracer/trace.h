/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - what the ray tracer computes, for all its programs.
 *
 * Java Grande's ray tracer: for each pixel one ray from the eye; where it meets a sphere, light that comes
 * from each light source without a sphere between (diffuse, and a highlight around the mirrored direction), plus
 * what the mirrored and the transmitted ray see, up to seven levels deep or until a ray counts for less than a
 * thousandth. The published sums come out to the digit.
 */
#ifndef APPS_RAYTRACER_TRACE_H
#define APPS_RAYTRACER_TRACE_H

#include <stdint.h>

#include "apps/raytracer/scene.h"

/* Computes row y of a picture of size x size pixels: 0x00RRGGBB each. */
void trace__row(const struct scene *s, long size, long y, uint32_t *pixels);

/* Java Grande's checksum of so many pixels: the sum of all red, green and blue values (0 ... 255). */
uint64_t trace__checksum(const uint32_t *pixels, long count);

#endif
