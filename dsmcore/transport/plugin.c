// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/transport/plugin.h"

#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dsmcore/transport/signals_held.h"

/* The folder of this code: libdsm.so's, or that of the program which contains it. */
static bool own_folder(char *folder, size_t size)
{
	struct link_map *map = NULL;
	Dl_info info;
	ssize_t n;

	if (!dladdr1((void *)plugin__load, &info, (void **)&map, RTLD_DL_LINKMAP) || !map)
		return false;
	if (*map->l_name) {
		if ((size_t)snprintf(folder, size, "%s", map->l_name) >= size)
			return false;
	} else {
		n = readlink("/proc/self/exe", folder, size - 1);
		if (n <= 0)
			return false;
		folder[n] = 0;
	}
	if (!strrchr(folder, '/'))
		return false;
	*strrchr(folder, '/') = 0;
	return true;
}

static void *load(const char *file, char *why, size_t why_size)
{
	static const char *const places[] = {"%s/%s", "%s/../lib/%s", "%s/../../lib/%s"};
	char folder[PATH_MAX], path[PATH_MAX + 256];
	void *library = NULL;
	bool known = own_folder(folder, sizeof(folder));

	for (size_t i = 0; !library && known && i < sizeof(places) / sizeof(*places); i++) {
		snprintf(path, sizeof(path), places[i], folder, file);
		if (access(path, F_OK))
			continue;
		library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (!library) { /* it is there and lacks something: that is what is wrong */
			snprintf(why, why_size, "%s", dlerror());
			return NULL;
		}
	}
	if (!library)
		library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		snprintf(why, why_size, "%s", dlerror());
	return library;
}

void *plugin__load(const char *file, char *why, size_t why_size)
{
	struct signals_held held;
	void *library;

	signals__hold(&held);
	library = load(file, why, why_size);
	signals__release(&held);
	return library;
}
