// SPDX-License-Identifier: BSD-2-Clause
/* tls_load.c - loads the library that does TLS. */
#include "dsmcore/transport/tls.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>

#include "dsmcore/transport/plugin.h"

int tls__load(const struct tls_ops **out, char *why, size_t size)
{
	char error[512] = "the one found is of another build";
	void *library = plugin__load("libdsm-tls.so", error, sizeof(error));
	const struct tls_ops *ops = library ? dlsym(library, "dsm_tls_ops") : NULL;

	if (ops && ops->interface == TLS_INTERFACE) {
		*out = ops;
		return 0;
	}
	snprintf(why, size,
		 "TCP connections are encrypted, and libdsm-tls.so does that (%s): install libssl-dev and "
		 "build "
		 "again; or, where nobody else can reach the network, give the transport insecure-tcp",
		 error);
	return -ENOSYS;
}
