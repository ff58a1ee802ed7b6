// SPDX-License-Identifier: BSD-2-Clause
/*
 * dsmrun_output.c - what the nodes write, passed on; with --prefix line by line, with the node's number in front.
 */
#include "dsmcore/launch/dsmrun.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void put_line(const struct proc *p, int to, const char *line, size_t n)
{
	char head[16];
	int h = snprintf(head, sizeof(head), "[%u] ", p->node);
	FILE *f = to ? stderr : stdout;

	fwrite(head, 1, (size_t)h, f);
	fwrite(line, 1, n, f);
	if (!n || line[n - 1] != '\n')
		fputc('\n', f);
}

/* Takes what was put behind s->have. */
static void put_lines(const struct proc *p, int which, struct stream *s)
{
	char *nl;

	while ((nl = memchr(s->line, '\n', s->have))) {
		size_t len = (size_t)(nl - s->line) + 1;

		put_line(p, which, s->line, len);
		s->have -= len;
		memmove(s->line, nl + 1, s->have);
	}
	if (s->have == sizeof(s->line)) { /* longer lines are folded */
		put_line(p, which, s->line, s->have);
		s->have = 0;
	}
}

/* The nodes cannot notice it: they have written to us. */
static void flush_output(struct run *run, int which)
{
	FILE *f = which ? stderr : stdout;
	int rc = fflush(f) ? errno : EIO;

	if (!ferror(f) || run->unwritten)
		return;
	run->unwritten = true;
	run__say("the nodes' output cannot be written: %s; what is missing is lost", strerror(rc));
}

void output__read(struct run *run, struct proc *p, int which)
{
	struct stream *s = &p->out[which];
	ssize_t n = read(s->fd, s->line + s->have, sizeof(s->line) - s->have);

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		if (s->have)
			put_line(p, which, s->line, s->have);
		close(s->fd);
		s->fd = -1;
	}
	s->have = n <= 0 ? 0 : s->have + (size_t)n;
	put_lines(p, which, s);
	flush_output(run, which);
}

void output__pass(struct run *run, struct proc *p, int which, const char *bytes, size_t n)
{
	struct stream *s = &p->out[which];
	FILE *f = which ? stderr : stdout;

	if (!run->prefix)
		fwrite(bytes, 1, n, f);
	while (run->prefix && n) {
		size_t part = sizeof(s->line) - s->have < n ? sizeof(s->line) - s->have : n;

		memcpy(s->line + s->have, bytes, part);
		s->have += part;
		bytes += part;
		n -= part;
		put_lines(p, which, s);
	}
	flush_output(run, which);
}

void output__drain(struct run *run)
{
	for (unsigned n = 0; n < run->options.nodes; n++)
		for (int s = 0; s < 2; s++)
			while (run->procs[n].out[s].fd >= 0) {
				struct pollfd p = {.fd = run->procs[n].out[s].fd, .events = POLLIN};

				if (poll(&p, 1, 200) <= 0) {
					close(p.fd);
					run->procs[n].out[s].fd = -1;
					break;
				}
				output__read(run, &run->procs[n], s);
			}
}

void output__finish(struct run *run)
{
	for (unsigned n = 0; n < run->options.nodes; n++)
		for (int s = 0; s < 2; s++) {
			struct stream *stream = &run->procs[n].out[s];

			if (!stream->have)
				continue;
			put_line(&run->procs[n], s, stream->line, stream->have);
			stream->have = 0;
			flush_output(run, s);
		}
}
