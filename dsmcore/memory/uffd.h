/* SPDX-License-Identifier: BSD-2-Clause */
/* uffd.h - why a machine has no userfaultfd, and what can be done: nodes and dsmcheck say the same. */
#ifndef DSM_MEMORY_UFFD_H
#define DSM_MEMORY_UFFD_H

#include <errno.h>

/* For the errno (of either sign) of the system call. */
static inline const char *uffd__remedy(int err)
{
	switch (err < 0 ? -err : err) {
	case ENOSYS:
		return "the kernel was built without CONFIG_USERFAULTFD, or a sandbox hides it: use a "
		       "distribution's kernel, "
		       "Linux 6.4 or later, and allow the system call in the sandbox's profile";
	case EPERM:
	case EACCES:
		return "a sandbox refuses it: in a container allow the system call userfaultfd in the "
		       "seccomp profile "
		       "(docker: --security-opt seccomp=PROFILE)";
	case EINVAL:
		return "the kernel is older than Linux 5.11: use 6.4 or later";
	case EMFILE:
	case ENFILE:
		return "raise the limit of open files (ulimit -n)";
	default:
		return "use Linux 6.4 or later";
	}
}

#endif
