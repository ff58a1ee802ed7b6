/* SPDX-License-Identifier: BSD-2-Clause */
/* fabric_address.h - where a node's fabric endpoint is found: bytes, opaque to those who carry them. */
#ifndef DSM_TRANSPORT_FABRIC_ADDRESS_H
#define DSM_TRANSPORT_FABRIC_ADDRESS_H

#include <stdint.h>

#define FABRIC_ADDRESS_MAX 316u
#define FABRIC_NAME_MAX	   32u /* of a provider, with its end */

struct fabric_address {
	uint32_t bytes; /* 0: none */
	uint8_t data[FABRIC_ADDRESS_MAX];
};

#endif
