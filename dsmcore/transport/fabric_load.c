// SPDX-License-Identifier: BSD-2-Clause
/* fabric_load.c - loads the library that calls libfabric. */
#include "dsmcore/transport/fabric.h"

#include <dlfcn.h>
#include <stdio.h>

#include "dsmcore/transport/plugin.h"

const struct fabric_api *fabric__load(char *why, size_t size)
{
	char error[512] = "the one found is of another build";
	void *library = plugin__load(FABRIC_PLUGIN, error, sizeof(error));
	const struct fabric_api *api = library ? dlsym(library, FABRIC_SYMBOL) : NULL;

	if (api && api->version == FABRIC_VERSION)
		return api;
	snprintf(why, size,
		 "a fabric needs " FABRIC_PLUGIN
		 " (%s): install libfabric-dev and build again, or choose another "
		 "transport",
		 error);
	return NULL;
}
