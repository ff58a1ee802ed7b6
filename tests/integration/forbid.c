// SPDX-License-Identifier: BSD-2-Clause
/*
 * forbid.c - runs a program that may not make one of the system calls that nodes need, as sandboxes forbid them.
 *
 *	forbid userfaultfd|memfd_create ERRNO|kill COMMAND [ARGUMENTS...]
 *
 * Exit code 77: this kernel filters no system calls.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	unsigned call = !strcmp(argv[1], "memfd_create") ? SYS_memfd_create : SYS_userfaultfd;
	unsigned answer = strcmp(argv[2], "kill")
				  ? SECCOMP_RET_ERRNO | ((unsigned)atoi(argv[2]) & SECCOMP_RET_DATA)
				  : SECCOMP_RET_KILL_PROCESS;
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = sizeof(rules) / sizeof(*rules), .filter = rules};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
		return 77;
	execvp(argv[3], argv + 3);
	perror(argv[3]);
	return 127;
}
