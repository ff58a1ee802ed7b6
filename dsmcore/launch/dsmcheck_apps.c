/* SPDX-License-Identifier: BSD-2-Clause */
/* dsmcheck_apps.c - what the example programs and their comparison can do without, and lack then. */
#include "dsmcore/launch/dsmcheck.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PNG_FILE "libpng16.so.16"

/* An app of this build: beside the programs' folder, or among the examples once it is installed. */
static bool find_app(const char *bin, const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/../apps/%s", bin, name);
	if (!access(path, X_OK))
		return true;
	snprintf(path, size, "%s/../lib/procope/examples/%s", bin, name);
	return !access(path, X_OK);
}

static void check_png(struct checks *c, const char *bin)
{
	char path[PATH_MAX + 64];
	void *lib = dlopen(PNG_FILE, RTLD_LAZY | RTLD_LOCAL);
	const char *installed = lib ? "is installed" : "is not installed";

	if (!find_app(bin, "raytracer", path, sizeof(path)))
		checks__add(c, CHECK_OPTIONAL, "libpng", NULL,
			    "only the app raytracer uses it, which is not here; %s %s", PNG_FILE, installed);
	else if (!check_elf__needs(path, "libpng"))
		checks__add(c, CHECK_OPTIONAL, "libpng",
			    "apt-get install libpng-dev, then make again; without, raytracer computes and "
			    "checks its picture, but --output is refused",
			    "raytracer was built without it; %s %s", PNG_FILE, installed);
	else
		checks__add(c, CHECK_OPTIONAL, "libpng",
			    lib ? NULL : "apt-get install libpng16-16; without, raytracer does not start",
			    "raytracer writes its picture with it (--output); %s %s", PNG_FILE, installed);
	if (lib)
		dlclose(lib);
}

/* The twins are never installed: where there are no apps beside the programs' folder, nobody misses them. */
static bool lacks_twins(const char *bin)
{
	char app[PATH_MAX + 64], twin[PATH_MAX + 64];

	snprintf(app, sizeof(app), "%s/../apps/sor", bin);
	snprintf(twin, sizeof(twin), "%s/../apps/sor-mpi", bin);
	return !access(app, X_OK) && access(twin, X_OK);
}

static void check_mpi(struct checks *c, const char *bin)
{
	const char *const argv[] = {"mpirun", "--version", NULL};
	char version[256] = "";
	int rc = check_child__command(argv, "", 20, version, sizeof(version));

	version[strcspn(version, "\n")] = 0;
	if (rc == -ENOENT)
		checks__add(c, CHECK_OPTIONAL, "MPI",
			    "apt-get install openmpi-bin libopenmpi-dev, then make again; without, programs "
			    "are started by dsmrun, and `make compare` has no MPI column",
			    "mpirun is not found in PATH");
	else if (rc)
		checks__add(c, CHECK_OPTIONAL, "MPI",
			    "see what `mpirun --version` says; without it, programs are started by dsmrun, "
			    "and `make compare` has no MPI column",
			    "mpirun does not work (%d)", rc);
	else if (lacks_twins(bin))
		checks__add(c, CHECK_OPTIONAL, "MPI",
			    "apt-get install libopenmpi-dev, then make test-build; without, `make compare` "
			    "has no "
			    "MPI column",
			    "%.100s; the apps' MPI twins (sor-mpi) were not built", version);
	else
		checks__add(c, CHECK_OPTIONAL, "MPI", NULL,
			    "%.100s; the yardstick of `make compare` is run by it", version);
}

void check_apps(struct checks *c, const char *bin)
{
	check_png(c, bin);
	check_mpi(c, bin);
}
