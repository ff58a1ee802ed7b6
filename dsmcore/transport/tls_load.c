// SPDX-License-Identifier: BSD-2-Clause
/* tls_load.c - loads the library that does TLS. */
#include "dsmcore/transport/tls.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The folder of this code: libdsm.so's, or that of the program which contains it. */
static bool own_folder(char *folder, size_t size)
{
	struct link_map *map = NULL;
	Dl_info info;
	ssize_t n;

	if (!dladdr1((void *)tls__load, &info, (void **)&map, RTLD_DL_LINKMAP) || !map)
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

/* Beside us; as installed and as built (bin, lib); where the system looks. */
static void *find(void)
{
	static const char *const places[] = {"%s/libdsm-tls.so", "%s/../lib/libdsm-tls.so"};
	char folder[PATH_MAX], path[PATH_MAX + 32];
	void *library = NULL;
	bool known = own_folder(folder, sizeof(folder));

	for (size_t i = 0; !library && known && i < sizeof(places) / sizeof(*places); i++) {
		snprintf(path, sizeof(path), places[i], folder);
		if (access(path, F_OK) == 0)
			library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	}
	return library ? library : dlopen("libdsm-tls.so", RTLD_NOW | RTLD_LOCAL);
}

int tls__load(const struct tls_ops **out, char *why, size_t size)
{
	void *library = find();
	const struct tls_ops *ops = library ? dlsym(library, "dsm_tls_ops") : NULL;
	const char *error = ops ? NULL : dlerror();

	if (ops && ops->interface == TLS_INTERFACE) {
		*out = ops;
		return 0;
	}
	snprintf(why, size,
		 "TCP connections are encrypted, and libdsm-tls.so does that (%s): install libssl-dev and "
		 "build "
		 "again; or, where nobody else can reach the network, give the transport insecure-tcp",
		 ops	 ? "the one found is of another build"
		 : error ? error
			 : "not found");
	return -ENOSYS;
}
