// SPDX-License-Identifier: BSD-2-Clause
#include "apps/raytracer/trace.h"

#define LEVELS 6    /* the deepest level that a ray may have; the eye's is 0 */
#define LEAST  1e-3 /* of a ray's weight */
#define NEAR   1e-6 /* a ray does not see what it starts from */

/* Java Grande's. With more digits a few rays go by another way, and the sum of 150^2 pixels is 1,046 more. */
#define PI 3.14159265

struct ray {
	struct vec from, direction;
};

struct hit {
	const struct sphere *sphere;
	double distance;
	bool from_outside;
};

/* Distance along the ray, or a negative number. */
static double meet(const struct sphere *s, const struct ray *r, bool *from_outside)
{
	struct vec to = vec__sub(s->centre, r->from);
	double along = vec__dot(to, r->direction), apart = vec__dot(to, to), square = s->radius * s->radius;
	double root = along * along - apart + square;

	if (root < 0)
		return -1;
	root = sqrt(root);
	*from_outside = apart > square + NEAR;
	double t = along - root < NEAR ? along + root : along - root;
	return t < NEAR ? -1 : t;
}

static bool nearest(const struct scene *s, const struct ray *r, struct hit *hit)
{
	bool from_outside = false;

	hit->sphere = NULL;
	for (int i = 0; i < s->nspheres; i++) {
		double t = meet(&s->sphere[i], r, &from_outside);
		if (t >= 0 && (!hit->sphere || t < hit->distance))
			*hit = (struct hit){&s->sphere[i], t, from_outside};
	}
	return hit->sphere;
}

static bool in_shadow(const struct scene *s, const struct ray *r, double distance)
{
	bool from_outside;

	for (int i = 0; i < s->nspheres; i++) {
		double t = meet(&s->sphere[i], r, &from_outside);
		if (t >= 0 && t < distance)
			return true;
	}
	return false;
}

static struct vec mirrored(struct vec in, struct vec normal)
{
	struct vec r = vec__add(vec__scale(1 / fabs(vec__dot(in, normal)), in), vec__scale(2, normal));

	return vec__unit(r);
}

/* false: all light is mirrored inside. */
static bool refracted(double eta, struct vec in, struct vec normal, struct vec *out)
{
	double c = -vec__dot(in, normal), rest = 1 - eta * eta * (1 - c * c);

	if (rest < 0)
		return false;
	*out = vec__unit(vec__add(vec__scale(eta, in), vec__scale(eta * c - sqrt(rest), normal)));
	return true;
}

/* What one light gives to a point. */
static struct vec lit(const struct scene *s, const struct light *light, const struct sphere *on,
		      struct vec point, struct vec normal, struct vec mirror)
{
	struct vec colour = {0, 0, 0}, to = vec__sub(light->at, point);
	const struct surface *surface = &on->surface;

	if (vec__dot(normal, to) < 0)
		return colour;
	struct ray r = {point, vec__unit(to)};
	if (in_shadow(s, &r, vec__length(to)))
		return colour;
	colour = vec__scale(vec__dot(normal, r.direction) * surface->diffuse * light->brightness, on->colour);
	if (surface->shine > NEAR) {
		double shine = vec__dot(mirror, r.direction);
		if (shine > NEAR) {
			shine = pow(shine, surface->shine) * light->brightness;
			colour = vec__add(colour, (struct vec){shine, shine, shine});
		}
	}
	return colour;
}

/* Java Grande's program keeps the start of its rays in one place for all levels. So a transmitted ray starts where
 * light fell last, which is where the mirrored ray before it ended with all that came of it, if that met anything.
 * Optics would let it start at the point itself; but the published sums are those of this rule. `start` is that place. */
static struct vec trace(const struct scene *s, const struct ray *r, int level, double weight,
			struct vec *start)
{
	struct vec colour = {0, 0, 0};
	struct hit hit;

	if (level > LEVELS || !nearest(s, r, &hit))
		return colour;
	const struct surface *surface = &hit.sphere->surface;
	struct vec point = vec__add(r->from, vec__scale(hit.distance, r->direction));
	struct vec normal = vec__unit(vec__sub(point, hit.sphere->centre));
	if (vec__dot(r->direction, normal) >= 0)
		normal = vec__scale(-1, normal);
	struct vec mirror = mirrored(r->direction, normal);
	for (int i = 0; i < s->nlights; i++)
		colour = vec__add(colour, lit(s, &s->light[i], hit.sphere, point, normal, mirror));

	*start = point;
	struct ray next = {point, mirror};
	if (surface->specular * weight > LEAST)
		colour = vec__add(colour,
				  vec__scale(surface->specular,
					     trace(s, &next, level + 1, surface->specular * weight, start)));
	double eta = hit.from_outside ? 1 / surface->index : surface->index;
	next.from = *start;
	if (surface->transmit * weight > LEAST && refracted(eta, r->direction, normal, &next.direction))
		colour = vec__add(colour,
				  vec__scale(surface->transmit,
					     trace(s, &next, level + 1, surface->transmit * weight, start)));
	return colour;
}

static uint32_t level_of(double colour)
{
	int level = colour >= 1 ? 255 : (int)(colour * 255);

	return (uint32_t)level;
}

void trace__row(const struct scene *s, long size, long y, uint32_t *pixels)
{
	struct vec view = vec__unit(vec__sub(s->at, s->from));
	struct vec up = vec__unit(vec__sub(s->up, vec__scale(vec__dot(s->up, view), view)));
	struct vec left = vec__unit(vec__cross(s->up, view));
	double half = tan(s->angle * PI / 180);

	up = vec__scale(-half, up); /* first, as Java Grande does: last bits decide which way some rays go */
	left = vec__scale(half, left);
	struct vec down = vec__scale(2.0 * (double)y / (double)size - 1, up);
	for (long x = 0; x < size; x++) {
		struct vec across = vec__scale(2.0 * (double)x / (double)size - 1, left);
		struct ray r = {s->from, vec__unit(vec__add(vec__add(across, down), view))};
		struct vec start, c = trace(s, &r, 0, 1, &start);
		pixels[x] = level_of(c.x) << 16 | level_of(c.y) << 8 | level_of(c.z);
	}
}

uint64_t trace__checksum(const uint32_t *pixels, long count)
{
	uint64_t sum = 0;

	for (long i = 0; i < count; i++)
		sum += (pixels[i] >> 16 & 255) + (pixels[i] >> 8 & 255) + (pixels[i] & 255);
	return sum;
}
