// SPDX-License-Identifier: BSD-2-Clause
/* dsmcheck_fabric.c - libfabric: loads our plugin and asks which providers would carry a run here. */
#include "dsmcore/launch/dsmcheck.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "dsmcore/transport/fabric.h"

/* In a child: a provider's library may hang or crash when it looks for its hardware. */
static int list_providers(void *arg, char *why, size_t size)
{
	const struct fabric_api *api = fabric__load(why, size);
	char providers[256], version[16];

	(void)arg;
	if (!api)
		return -ENOENT;
	api->list(providers, sizeof(providers), version);
	snprintf(why, size, "libfabric %s: %s", version, *providers ? providers : "no provider");
	return *providers ? 0 : -ENODATA;
}

void check_fabric(struct checks *c, const char *bin)
{
	char path[4200], why[256];
	int rc;

	snprintf(path, sizeof(path), "%s/../lib/" FABRIC_PLUGIN, bin);
	if (access(path, F_OK)) {
		checks__add(c, CHECK_OPTIONAL, "libfabric", NULL,
			    "not in this build, so no dsmrun --fabric (libfabric-dev, then build again)");
		return;
	}
	rc = check_child__run(list_providers, NULL, 30, why, sizeof(why));
	checks__add(c, CHECK_OPTIONAL, "libfabric",
		    rc == 0	     ? NULL
		    : rc == -ENODATA ? "load the driver of the network card, or use another transport"
				     : "apt-get install libfabric1, or do without dsmrun --fabric",
		    "%s%s", why, rc ? "" : " (for dsmrun --fabric)");
}
