/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scene.h - a scene of the ray tracer: spheres, lights and a view, and the file that describes them.
 *
 * The format is text, one statement a line, `#` at a line's start begins a comment. Numbers are decimal.
 *
 *	raytracer 1             first: format and its version
 *	name spheres            at most 31 characters
 *	from X Y Z              where the eye is
 *	at X Y Z                what it looks at
 *	up X Y Z                which way is up
 *	angle DEGREES           from the middle of the picture to its edge, more than 0 and less than 90
 *	light X Y Z BRIGHTNESS  a point that shines; at most 16
 *	surface DIFFUSE SPECULAR TRANSMIT SHINE INDEX
 *	                        of the spheres that follow: how much they scatter, mirror and let through (0 or more
 *	                        each), the exponent of their highlights (0: none), their refractive index
 *	sphere X Y Z RADIUS RED GREEN BLUE
 *	                        colours from 0 to 1; 1 ... 4096 spheres
 *	end                     last
 */
#ifndef APPS_RAYTRACER_SCENE_H
#define APPS_RAYTRACER_SCENE_H

#include "apps/common/app.h"
#include "apps/raytracer/vec.h"

#define SCENE_LIGHTS  16
#define SCENE_SPHERES 4096

struct surface {
	double diffuse, specular, transmit, shine, index;
};

struct sphere {
	struct vec centre, colour;
	double radius;
	struct surface surface;
};

struct light {
	struct vec at;
	double brightness;
};

struct scene {
	char name[32];
	struct vec from, at, up;
	double angle; /* degrees */
	int nlights, nspheres;
	struct light light[SCENE_LIGHTS];
	struct sphere *sphere;
};

/* Reads a scene; out->sphere (malloc'ed) is the caller's to free. Returns 0, or APP_USAGE after a message that names
 * file, line and remedy. */
int scene__read(const struct app *app, const char *path, struct scene *out);

#endif
