// SPDX-License-Identifier: BSD-2-Clause
/*
 * live_client.c - prints what a live socket sends: `live_client SOCKET [LINES]`, all lines without LINES.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	long lines = argc > 2 ? atol(argv[2]) : -1;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), c;
	FILE *f;

	if (argc < 2)
		return 2;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", argv[1]);
	if (fd < 0 || connect(fd, (void *)&a, sizeof(a)) < 0) {
		perror(argv[1]);
		return 1;
	}
	f = fdopen(fd, "r");
	while (f && lines && (c = getc(f)) != EOF) {
		putchar(c);
		lines -= c == '\n';
	}
	return 0;
}
