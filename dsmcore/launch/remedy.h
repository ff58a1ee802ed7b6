/* SPDX-License-Identifier: BSD-2-Clause */
/* remedy.h - what can be done about output that cannot be written. */
#ifndef DSM_LAUNCH_REMEDY_H
#define DSM_LAUNCH_REMEDY_H

#include <errno.h>

/* What follows strerror(err) in a message, err an errno of either sign: "" or "; DO THIS". */
static inline const char *remedy__write(int err)
{
	switch (err < 0 ? -err : err) {
	case EFBIG:
		return "; raise the limit of file size (ulimit -f)";
	case ENOSPC:
	case EDQUOT:
		return "; make room there, or write elsewhere";
	default:
		return "";
	}
}

#endif
