// SPDX-License-Identifier: BSD-2-Clause
#include "apps/raytracer/scene.h"

#include <stdlib.h>
#include <string.h>

#include "apps/common/lines.h"

#define FARTHEST 1e6 /* coordinates and radii; rays see no farther */

struct reader {
	struct app_lines in;
	struct scene *scene;
	struct surface surface; /* of the spheres that follow */
	unsigned from_line, up_line;
	bool from, at, up, angle, surfaced;
	int space; /* spheres that fit into scene->sphere */
};

static int expected(const struct reader *r, const char *form)
{
	return app_lines__bad(&r->in, r->in.number, "expected `%s`, not \"%.60s\"", form, r->in.line);
}

/* Is each of n numbers in [least, most]? */
static int check_range(const struct reader *r, const double *v, int n, double least, double most,
		       const char *what)
{
	for (int i = 0; i < n; i++)
		if (v[i] < least || v[i] > most)
			return app_lines__bad(&r->in, r->in.number, "%s is %g; it must be from %g to %g",
					      what, v[i], least, most);
	return 0;
}

/* One of the three points of the view, each of which is given once. */
static int read_point(struct reader *r, const char *word, struct vec *out, bool *given)
{
	char form[32];
	double v[3];

	snprintf(form, sizeof(form), "%s X Y Z", word);
	if (app_lines__numbers(&r->in, word, v, 3))
		return expected(r, form);
	if (*given)
		return app_lines__bad(&r->in, r->in.number, "a second `%s`", word);
	*given = true;
	*out = (struct vec){v[0], v[1], v[2]};
	return check_range(r, v, 3, -FARTHEST, FARTHEST, "a coordinate");
}

static int read_angle(struct reader *r)
{
	if (app_lines__numbers(&r->in, "angle", &r->scene->angle, 1))
		return expected(r, "angle DEGREES");
	if (r->angle)
		return app_lines__bad(&r->in, r->in.number, "a second `angle`");
	r->angle = true;
	return check_range(r, &r->scene->angle, 1, 0.001, 89.999, "the angle");
}

static int read_light(struct reader *r)
{
	struct scene *s = r->scene;
	double v[4];

	if (app_lines__numbers(&r->in, "light", v, 4))
		return expected(r, "light X Y Z BRIGHTNESS");
	if (s->nlights == SCENE_LIGHTS)
		return app_lines__bad(&r->in, r->in.number, "more than %d lines `light`", SCENE_LIGHTS);
	s->light[s->nlights++] = (struct light){{v[0], v[1], v[2]}, v[3]};
	int rc = check_range(r, v, 3, -FARTHEST, FARTHEST, "a coordinate");
	return rc ? rc : check_range(r, &v[3], 1, 0, 1000, "the brightness");
}

static int read_surface(struct reader *r)
{
	double v[5];

	if (app_lines__numbers(&r->in, "surface", v, 5))
		return expected(r, "surface DIFFUSE SPECULAR TRANSMIT SHINE INDEX");
	r->surface = (struct surface){v[0], v[1], v[2], v[3], v[4]};
	r->surfaced = true;
	int rc = check_range(r, v, 3, 0, 1000, "a share of the light");
	rc = rc ? rc : check_range(r, &v[3], 1, 0, 1e6, "the shine");
	return rc ? rc : check_range(r, &v[4], 1, 0.01, 100, "the refractive index");
}

static int make_room(struct reader *r)
{
	struct scene *s = r->scene;

	if (s->nspheres == SCENE_SPHERES)
		return app_lines__bad(&r->in, r->in.number, "more than %d lines `sphere`", SCENE_SPHERES);
	if (s->nspheres < r->space)
		return 0;
	int space = r->space ? 2 * r->space : 64;
	struct sphere *more = realloc(s->sphere, (size_t)space * sizeof(*more));
	if (!more)
		return app_lines__bad(&r->in, r->in.number, "no memory for %d spheres", space);
	s->sphere = more;
	r->space = space;
	return 0;
}

static int read_sphere(struct reader *r)
{
	struct scene *s = r->scene;
	double v[7];

	if (app_lines__numbers(&r->in, "sphere", v, 7))
		return expected(r, "sphere X Y Z RADIUS RED GREEN BLUE");
	if (!r->surfaced)
		return app_lines__bad(&r->in, r->in.number, "`surface` must come before `sphere`");
	int rc = check_range(r, v, 3, -FARTHEST, FARTHEST, "a coordinate");
	rc = rc ? rc : check_range(r, &v[3], 1, 1e-3, FARTHEST, "the radius");
	rc = rc ? rc : check_range(r, &v[4], 3, 0, 1, "a colour");
	rc = rc ? rc : make_room(r);
	if (!rc)
		s->sphere[s->nspheres++] = (struct sphere){.centre = {v[0], v[1], v[2]},
							   .colour = {v[4], v[5], v[6]},
							   .radius = v[3],
							   .surface = r->surface};
	return rc;
}

static int read_name(struct reader *r)
{
	const char *name = r->in.line + strlen("name");

	while (*name == ' ')
		name++;
	if (strlen(name) >= sizeof(r->scene->name))
		return app_lines__bad(&r->in, r->in.number, "a name has at most %zu characters",
				      sizeof(r->scene->name) - 1);
	strcpy(r->scene->name, name);
	return 0;
}

static int read_statement(struct reader *r)
{
	struct scene *s = r->scene;

	if (app_lines__is(&r->in, "name"))
		return read_name(r);
	if (app_lines__is(&r->in, "from")) {
		r->from_line = r->in.number;
		return read_point(r, "from", &s->from, &r->from);
	}
	if (app_lines__is(&r->in, "at"))
		return read_point(r, "at", &s->at, &r->at);
	if (app_lines__is(&r->in, "up")) {
		r->up_line = r->in.number;
		return read_point(r, "up", &s->up, &r->up);
	}
	if (app_lines__is(&r->in, "angle"))
		return read_angle(r);
	if (app_lines__is(&r->in, "light"))
		return read_light(r);
	if (app_lines__is(&r->in, "surface"))
		return read_surface(r);
	if (app_lines__is(&r->in, "sphere"))
		return read_sphere(r);
	return app_lines__bad(&r->in, r->in.number, "not a statement of a scene: \"%.60s\"", r->in.line);
}

/* What only the whole file tells. */
static int check_whole(const struct reader *r)
{
	const struct scene *s = r->scene;
	const char *missing = !r->from ? "from" : !r->at ? "at" : !r->up ? "up" : !r->angle ? "angle" : NULL;
	struct vec look = vec__sub(s->at, s->from);

	missing = missing ? missing : !s->nlights ? "light" : !s->nspheres ? "sphere" : NULL;
	if (missing)
		return app_lines__bad(&r->in, r->in.number, "the scene has no `%s`", missing);
	if (vec__length(look) < 1e-6)
		return app_lines__bad(&r->in, r->from_line,
				      "`from` and `at` are one point: there is no direction "
				      "to look in");
	if (vec__length(vec__cross(vec__unit(look), vec__unit(s->up))) < 1e-6)
		return app_lines__bad(&r->in, r->up_line,
				      "`up` is the direction from `from` to `at`, or zero: the "
				      "picture has no upper edge");
	return 0;
}

static int read_statements(struct reader *r)
{
	int rc = 0;

	if (!app_lines__next_statement(&r->in) || strcmp(r->in.line, "raytracer 1") != 0)
		return app_lines__bad(&r->in, r->in.number ? r->in.number : 1,
				      "a scene of the ray tracer begins with the line `raytracer 1`");
	while (!rc) {
		if (!app_lines__next_statement(&r->in))
			return app_lines__bad(&r->in, r->in.number,
					      "the file ends without the line `end`: it is cut short");
		if (!strcmp(r->in.line, "end"))
			return check_whole(r);
		rc = read_statement(r);
	}
	return rc;
}

int scene__read(const struct app *app, const char *path, struct scene *out)
{
	struct reader r = {.scene = out};

	memset(out, 0, sizeof(*out));
	int rc = app_lines__open(&r.in, app, path, "scene", "--scene");
	if (rc)
		return rc;
	rc = read_statements(&r);
	if (rc) {
		free(out->sphere);
		out->sphere = NULL;
	}
	app_lines__close(&r.in);
	return rc;
}
