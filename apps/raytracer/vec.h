/* SPDX-License-Identifier: BSD-2-Clause */
/* vec.h - three numbers: a point, a direction or a colour. */
#ifndef APPS_RAYTRACER_VEC_H
#define APPS_RAYTRACER_VEC_H

#include <math.h>

struct vec {
	double x, y, z;
};

static inline struct vec vec__add(struct vec a, struct vec b)
{
	return (struct vec){a.x + b.x, a.y + b.y, a.z + b.z};
}

static inline struct vec vec__sub(struct vec a, struct vec b)
{
	return (struct vec){a.x - b.x, a.y - b.y, a.z - b.z};
}

static inline struct vec vec__scale(double s, struct vec a)
{
	return (struct vec){s * a.x, s * a.y, s * a.z};
}

static inline double vec__dot(struct vec a, struct vec b)
{
	return a.x * b.x + a.y * b.y + a.z * b.z;
}

static inline struct vec vec__cross(struct vec a, struct vec b)
{
	return (struct vec){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

static inline double vec__length(struct vec a)
{
	return sqrt(vec__dot(a, a));
}

/* The direction of a; a zero stays zero. */
static inline struct vec vec__unit(struct vec a)
{
	double length = vec__length(a);

	return length > 0 ? (struct vec){a.x / length, a.y / length, a.z / length} : a;
}

#endif
