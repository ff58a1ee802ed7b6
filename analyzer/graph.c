/* SPDX-License-Identifier: BSD-2-Clause */
#include "graph.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS	  10
#define MEMORY	  ((rlim_t)1 << 30)
#define MOST_SVG  ((size_t)64 << 20)
#define NOT_FOUND 127

static void run_child(const char *program, int in, int out)
{
	struct rlimit memory = {MEMORY, MEMORY}, cpu = {SECONDS, SECONDS + 1};
	int null = open("/dev/null", O_WRONLY);

	setrlimit(RLIMIT_AS, &memory);
	setrlimit(RLIMIT_CPU, &cpu);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	if (null >= 0)
		dup2(null, STDERR_FILENO);
	execlp(program, program, "-Tsvg", (char *)NULL);
	_exit(NOT_FOUND);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Feeds and drains at once, so that neither side waits for the other for ever. */
static int talk(int *to, int out, const struct text *dot, struct text *svg)
{
	double end = now() + SECONDS;
	size_t sent = 0;
	int in = *to;

	svg->n = 0;
	for (;;) {
		struct pollfd p[2] = {{out, POLLIN, 0}, {in, POLLOUT, 0}};
		int left = (int)((end - now()) * 1000);
		char buffer[65536];

		if (left <= 0 || svg->n > MOST_SVG)
			return -ETIMEDOUT;
		if (poll(p, in >= 0 ? 2 : 1, left) < 0 && errno != EINTR)
			return -errno;
		if (in >= 0 && p[1].revents) {
			ssize_t n = write(in, dot->at + sent, dot->n - sent);

			if (n > 0)
				sent += (size_t)n;
			if (sent == dot->n || (n < 0 && errno != EAGAIN && errno != EINTR)) {
				close(in);
				*to = in = -1;
			}
		}
		if (p[0].revents) {
			ssize_t n = read(out, buffer, sizeof(buffer));

			if (n > 0)
				text__add(svg, "%.*s", (int)n, buffer);
			else if (n == 0 || (errno != EAGAIN && errno != EINTR))
				break;
		}
	}
	return 0;
}

static int run(const char *program, const struct text *dot, struct text *svg)
{
	int to[2], from[2], status = 0, err;
	pid_t child;

	if (pipe2(to, O_CLOEXEC))
		return -errno;
	if (pipe2(from, O_CLOEXEC)) {
		close(to[0]);
		close(to[1]);
		return -errno;
	}
	child = fork();
	if (!child)
		run_child(program, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	fcntl(to[1], F_SETFL, O_NONBLOCK);
	err = child < 0 ? -EAGAIN : talk(&to[1], from[0], dot, svg);
	close(from[0]);
	if (to[1] >= 0)
		close(to[1]);
	if (child < 0)
		return err;
	if (err)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (err)
		return err;
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND)
		return -ENOENT;
	return WIFEXITED(status) && !WEXITSTATUS(status) && svg->n ? 0 : -EIO;
}

int graph__svg(const struct text *dot, struct text *svg)
{
	void (*was)(int) = signal(SIGPIPE, SIG_IGN);
	int err = run("dot", dot, svg);

	if (err) {
		int second = run("sfdp", dot, svg);

		err = second && err != -ENOENT ? err : second;
	}
	signal(SIGPIPE, was);
	return err;
}
