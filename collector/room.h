/* SPDX-License-Identifier: BSD-2-Clause */
/* room.h - lists that grow. */
#ifndef PROCOPE_COLLECTOR_ROOM_H
#define PROCOPE_COLLECTOR_ROOM_H

#include <stddef.h>

/* Makes room for n items of `size` bytes in *items, which has room for *room; in doublings, so that adding one by one is
 * cheap. Errors: -ENOMEM, all is as before. */
int room__for(void **items, size_t *room, size_t n, size_t size);

#endif
