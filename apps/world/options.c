// SPDX-License-Identifier: BSD-2-Clause
#include "apps/world/options.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "version.h"

static const char usage_text[] =
	"Usage: dsmrun -n NODES world [OPTION]...\n"
	"Virtual presence: avatars of all nodes walk through one scene. Each step of an avatar is one\n"
	"transaction. At the end node 0 checks that nothing was lost or seen half.\n\n"
	"      --seconds S     how long (default 5, or no limit with --steps)\n"
	"      --steps N       each node ends after N steps; the end positions are then the same in every "
	"run\n"
	"      --avatars N     avatars of each node (default 10)\n"
	"      --scene FILE    the scene (default plaza.scene, which comes with the program)\n"
	"      --seed N        starts other walks (default 1)\n"
	"      --show[=N]      draw the scene live in the terminal, as node N sees it (default 0); q leaves "
	"the "
	"view\n"
	"      --sequential    run world-sequential: one process, the same steps, no DSM linked\n"
	"      --groups N      with that: the avatars of N nodes (default 1); they end where those do\n"
	"      --json          print the result as one JSON object (schema procope.world/1)\n"
	"  -h, --help          this text\n"
	"      --version       version\n\n"
	"Exit code: 0 the world is consistent; 1 it is not, or the result could not be written; 2 bad usage "
	"or a\n"
	"bad scene.\n";

enum {
	OPT_SECONDS = 256,
	OPT_STEPS,
	OPT_AVATARS,
	OPT_SCENE,
	OPT_SEED,
	OPT_SHOW,
	OPT_SEQUENTIAL,
	OPT_GROUPS,
	OPT_JSON,
	OPT_VERSION
};

static const struct option option_table[] = {
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"steps", required_argument, NULL, OPT_STEPS},
	{"avatars", required_argument, NULL, OPT_AVATARS},
	{"scene", required_argument, NULL, OPT_SCENE},
	{"seed", required_argument, NULL, OPT_SEED},
	{"show", optional_argument, NULL, OPT_SHOW},
	{"sequential", no_argument, NULL, OPT_SEQUENTIAL},
	{"groups", required_argument, NULL, OPT_GROUPS},
	{"json", no_argument, NULL, OPT_JSON},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{0},
};

static int end_with(int *status, int value)
{
	*status = value;
	return -1;
}

static int set_scene(struct options *o, const struct app *app, const char *path)
{
	if ((size_t)snprintf(o->scene, sizeof(o->scene), "%s", path) >= sizeof(o->scene))
		return app__bad(app, "--scene: the path has more than %zu bytes", sizeof(o->scene) - 1);
	return 0;
}

/* --show, --show=N or --show N: world takes no arguments, so a number after it can only be meant so. */
static int set_show(struct options *o, const struct app *app, int argc, char **argv)
{
	const char *text = optarg;
	long node = 0;
	int bad = 0;

	if (!text && optind < argc && argv[optind][0] >= '0' && argv[optind][0] <= '9')
		text = argv[optind++];
	if (text)
		bad = app__integer(app, "--show", text, 0, 255, &node);
	o->show = (int)node;
	return bad;
}

/* One option with its value; 0, or an exit status after a message. */
static int take(struct options *o, const struct app *app, int code, int argc, char **argv)
{
	long seed;
	int bad;

	switch (code) {
	case OPT_SECONDS:
		return app__seconds(app, "--seconds", optarg, 1e6, &o->seconds);
	case OPT_STEPS:
		return app__integer(app, "--steps", optarg, 1, LONG_MAX, &o->steps);
	case OPT_AVATARS:
		return app__integer(app, "--avatars", optarg, 1, 10000, &o->avatars);
	case OPT_SCENE:
		return set_scene(o, app, optarg);
	case OPT_SEED:
		bad = app__integer(app, "--seed", optarg, 0, LONG_MAX, &seed);
		if (!bad)
			o->seed = (uint64_t)seed;
		return bad;
	case OPT_SHOW:
		return set_show(o, app, argc, argv);
	case OPT_SEQUENTIAL:
		o->sequential = true;
		return 0;
	case OPT_GROUPS:
		return app__integer(app, "--groups", optarg, 1, 256, &o->groups);
	case OPT_JSON:
		o->json = true;
		return 0;
	default:
		return app__bad_option(app, code, argv);
	}
}

int options__read(struct options *o, const struct app *app, int argc, char **argv, int *status)
{
	int code, bad;

	*o = (struct options){.avatars = 10, .seed = 1, .groups = 1, .show = -1};
	opterr = 0;
	while ((code = getopt_long(argc, argv, ":h", option_table, NULL)) != -1) {
		if (code == 'h' || code == OPT_VERSION) {
			if (app->speaks)
				fputs(code == 'h' ? usage_text : VERSION_LINE("world", "") "\n", stdout);
			return end_with(status, 0);
		}
		bad = take(o, app, code, argc, argv);
		if (bad)
			return end_with(status, bad);
	}
	if (optind < argc)
		return end_with(status, app__bad(app, "takes no argument: \"%s\"", argv[optind]));
	if (!o->seconds && !o->steps)
		o->seconds = 5;
	if (!o->scene[0] && app__own_file(o->scene, sizeof(o->scene), "scenes/plaza.scene"))
		return end_with(status, app__bad(app, "cannot find scenes/plaza.scene beside this program: "
						      "name a scene with --scene FILE"));
	return 0;
}
