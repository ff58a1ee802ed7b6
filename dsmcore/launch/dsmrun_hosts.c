// SPDX-License-Identifier: BSD-2-Clause
/* dsmrun_hosts.c - dsmrun's side of a run on several hosts. */
#include "dsmcore/launch/dsmrun_hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dsm_events.h"
#include "dsmcore/launch/beside.h"
#include "dsmcore/launch/dsmrun_start.h"
#include "dsmcore/launch/dsmrun_traces.h"

#define RSH_WORDS 32
#define FINISH_MS 3000 /* for an agent to leave once its nodes have ended */

/* ---- starting agents ---- */

/* In single quotes, for the remote shell. */
static int quote(const char *text, char *out, size_t room)
{
	size_t n = 0;

	for (const char *c = text; *c || n == 0; c++) {
		if (n + 8 > room)
			return -ENAMETOOLONG;
		if (c == text)
			out[n++] = '\'';
		if (*c == '\'') {
			memcpy(out + n, "'\\''", 4);
			n += 4;
		} else if (*c) {
			out[n++] = *c;
		}
	}
	out[n++] = '\'';
	out[n] = 0;
	return 0;
}

/* The same program on the other host, as the remote shell wants to hear it. */
static int agent_command(char *command, size_t room)
{
	char self[PATH_MAX];
	int rc = beside__self(self, sizeof(self));

	if (rc)
		return rc;
	rc = quote(self, command, room - sizeof(" --agent"));
	if (!rc)
		strcat(command, " --agent");
	return rc;
}

__attribute__((noreturn)) static void become_rsh(const struct run *run, const struct host *h, char *command,
						 int in, int out, pid_t parent)
{
	char words[1024], *argv[RSH_WORDS + 3], *save = NULL;
	int n = 0;

	if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(EXIT_BAD);
	spawn__child(parent, SIGTERM, STDERR_FILENO + 1);
	snprintf(words, sizeof(words), "%s", run->rsh);
	for (char *w = strtok_r(words, " ", &save); w && n < RSH_WORDS; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	argv[n++] = (char *)h->name;
	argv[n++] = command;
	argv[n] = NULL;
	execvp(argv[0], argv);
	run__say("cannot run '%s': %s; name another remote shell with --rsh", argv[0], strerror(errno));
	_exit(127);
}

static int start_agent(const struct run *run, struct host *h)
{
	int to[2] = {-1, -1}, from[2] = {-1, -1}, rc;
	char command[PATH_MAX + 64];
	pid_t parent = getpid();

	rc = agent_command(command, sizeof(command));
	if (!rc && (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC)))
		rc = -errno;
	/* What poll() has announced may be read before its turn comes (reap_all()); our end only. */
	if (!rc && fcntl(from[0], F_SETFL, O_NONBLOCK))
		rc = -errno;
	if (!rc && (h->agent = fork()) < 0) {
		rc = -errno;
		h->agent = 0;
	}
	if (!rc && h->agent == 0)
		become_rsh(run, h, command, to[0], from[1], parent);
	h->to = to[1];
	h->from = from[0];
	if (to[0] >= 0)
		close(to[0]);
	if (from[1] >= 0)
		close(from[1]);
	return rc;
}

static size_t append(char *to, size_t at, const char *text)
{
	size_t n = strlen(text) + 1;

	if (to)
		memcpy(to + at, text, n);
	return at + n;
}

static enum trace_source source_of(const struct run *run)
{
	if (!run->trace)
		return TRACE_NONE;
	return !strcmp(run->source, "bpf")    ? TRACE_BPF
	       : !strcmp(run->source, "ring") ? TRACE_RING
					      : TRACE_AUTO;
}

/* Called twice: for the size, and to fill in. */
static size_t strings(const struct run *run, const struct host *h, const char *folder, char *to)
{
	size_t n = append(to, append(to, append(to, 0, h->name), folder), run->program);

	for (char **a = run->argv; *a; a++)
		n = append(to, n, *a);
	for (unsigned i = 0; i < run->nvariables; i++)
		n = append(to, n, run->variables[i]);
	return n;
}

static int brief(const struct run *run, struct host *h)
{
	struct frame_start start = {
		.version = PROTO_VERSION,
		.bytes = sizeof(start),
		.first = h->first,
		.count = h->count,
		.variables = run->nvariables,
		.verbose = run->verbose,
		.bind = (uint8_t)run->bind,
		.stats = run->stats != NULL,
		.source = (uint8_t)source_of(run),
		.options = run->options,
	};
	char folder[PATH_MAX], *text;
	size_t size;
	int rc;

	while (run->argv[start.arguments])
		start.arguments++;
	if (!getcwd(folder, sizeof(folder)))
		return -errno;
	hosts__listen(run, h, start.options.listen);
	size = strings(run, h, folder, NULL);
	text = malloc(size);
	if (!text)
		return -ENOMEM;
	strings(run, h, folder, text);
	rc = frame__send(h->to, FRAME_START, FRAME_NO_NODE, &start, sizeof(start), text, size);
	free(text);
	return rc;
}

int hosts__start(struct run *run)
{
	for (unsigned i = 0; i < run->nhosts; i++) {
		struct host *h = &run->hosts[i];
		int rc = h->here ? 0 : start_agent(run, h);

		if (rc) {
			run__say("cannot start an agent for host '%s': %s", h->name, strerror(-rc));
			return rc;
		}
	}
	for (unsigned i = 0; i < run->nhosts; i++) {
		struct host *h = &run->hosts[i];
		int rc = h->here ? 0 : brief(run, h);

		if (rc && rc != -EPIPE) { /* then its end explains it better */
			run__say("cannot tell host '%s' what to run: %s", h->name, strerror(-rc));
			return rc;
		}
		for (unsigned n = h->first; !h->here && n < h->first + h->count; n++) {
			run->procs[n].running = run->procs[n].started = true;
			run->alive++;
		}
	}
	return 0;
}

/* ---- to the nodes ---- */

int hosts__send(struct run *run, struct proc *p, enum proto_type type, const void *body, size_t bytes)
{
	uint32_t t = type;

	(void)run;
	if (!p->host)
		return p->control < 0 ? -EPIPE : proto__send(p->control, type, body, bytes, NULL, 0);
	return frame__send(p->host->to, FRAME_PACKET, p->node, &t, sizeof(t), body, bytes);
}

void hosts__tell(struct run *run, enum frame_kind kind, const void *body, size_t bytes)
{
	for (unsigned i = 0; i < run->nhosts; i++)
		if (run->hosts[i].to >= 0)
			frame__send(run->hosts[i].to, kind, FRAME_NO_NODE, body, bytes, NULL, 0);
}

/* ---- from the agents ---- */

static void take_packet(struct run *run, struct proc *p, const uint8_t *payload, size_t n)
{
	struct proto_packet m = {.version = PROTO_VERSION};

	if (n < sizeof(m.type))
		return;
	memcpy(&m.type, payload, sizeof(m.type));
	if ((ssize_t)(n - sizeof(m.type)) != proto__body_bytes(m.type))
		return;
	memcpy(&m.options, payload + sizeof(m.type),
	       n - sizeof(m.type)); /* the union begins with any member */
	if (proto__sane(&m))
		loop__packet(run, p, &m);
}

static void take_stats(struct proc *p, const uint8_t *payload, size_t n)
{
	if (n != sizeof(struct dsm_shm) || p->counters)
		return;
	p->counters = malloc(n);
	if (p->counters)
		memcpy(p->counters, payload, n);
}

static void take(struct run *run, struct host *h, const struct frame_head *head, const uint8_t *payload)
{
	struct proc *p = NULL;
	struct frame_ended e;

	if (head->node >= h->first && head->node < h->first + h->count)
		p = &run->procs[head->node];
	if (head->kind == FRAME_FAILED) {
		char why[1024];

		snprintf(why, sizeof(why), "%.*s", (int)head->bytes, (const char *)payload);
		loop__host_lost(run, h, why);
	} else if (head->kind == FRAME_TRACE || head->kind == FRAME_TRACED) {
		traces__take(run, h, head, payload);
	} else if (!p) {
		return;
	} else if (head->kind == FRAME_PACKET) {
		take_packet(run, p, payload, head->bytes);
	} else if (head->kind == FRAME_REPORT) {
		char line[4096];

		snprintf(line, sizeof(line), "%.*s", (int)head->bytes, (const char *)payload);
		loop__report(p, line);
	} else if (head->kind == FRAME_OUT || head->kind == FRAME_ERR) {
		output__pass(run, p, head->kind == FRAME_ERR, (const char *)payload, head->bytes);
	} else if (head->kind == FRAME_ALIEN) {
		loop__alien(run, p);
	} else if (head->kind == FRAME_STATS) {
		take_stats(p, payload, head->bytes);
	} else if (head->kind == FRAME_ENDED && head->bytes == sizeof(e)) {
		memcpy(&e, payload, sizeof(e));
		loop__ended(run, p, e.code, e.status);
	}
}

static void close_ends(struct host *h)
{
	if (h->to >= 0)
		close(h->to);
	if (h->from >= 0)
		close(h->from);
	h->to = h->from = -1;
}

/* The remote shell has ended, or talks nonsense. */
static void lose(struct run *run, struct host *h, int rc)
{
	bool greeted = h->in.greeted;
	char why[512];
	int status = 0;
	pid_t pid;

	close_ends(h);
	pid = h->agent ? waitpid(h->agent, &status, WNOHANG) : 0;
	if (h->agent && !pid) {
		poll(NULL, 0, 100);
		pid = waitpid(h->agent, &status, WNOHANG);
	}
	if (pid > 0)
		h->agent = 0;
	snprintf(why, sizeof(why), greeted ? "its agent has ended" : "no agent could be started with '%s'%s",
		 run->rsh, rc == -EPROTO ? ": what it prints is not from an agent" : "");
	if (pid > 0)
		snprintf(why + strlen(why), sizeof(why) - strlen(why), " (%s %d)%s%s%s%s%s",
			 WIFEXITED(status) ? "status" : "signal",
			 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
			 greeted ? "" : "; does '", greeted ? "" : run->rsh, greeted ? "" : " ",
			 greeted ? "" : h->name,
			 greeted ? "" : " true' work, and is dsmrun at the same place there?");
	loop__host_lost(run, h, why);
}

void hosts__read(struct run *run, struct host *h)
{
	struct frame_head head;
	const uint8_t *payload;
	int end, rc = 0;

	if (h->from < 0)
		return;
	end = frame__read(&h->in, h->from);
	if (end == -EAGAIN)
		return;
	while (!rc && frame__next(&h->in, &head, &payload, &rc))
		take(run, h, &head, payload);
	if (end || rc)
		lose(run, h, rc ? rc : end);
}

static bool read_some(struct run *run, int ms)
{
	struct pollfd p[OPTIONS_NODES_MAX];
	unsigned n = 0, open = 0;

	for (; n < run->nhosts; n++) {
		p[n] = (struct pollfd){.fd = run->hosts[n].from, .events = POLLIN};
		open += run->hosts[n].from >= 0;
	}
	if (!open || poll(p, n, ms) <= 0)
		return false;
	for (unsigned i = 0; i < n; i++)
		if (p[i].revents)
			hosts__read(run, &run->hosts[i]);
	return true;
}

void hosts__settle(struct run *run, int ms)
{
	int64_t until = run__now() + ms * 1000000ll, left;

	while ((left = until - run__now()) > 0 && read_some(run, (int)(left / 1000000 + 1)))
		;
}

void hosts__finish(struct run *run)
{
	for (unsigned i = 0; i < run->nhosts; i++) {
		if (run->hosts[i].to >= 0)
			close(run->hosts[i].to); /* tells the agent to leave */
		run->hosts[i].to = -1;
	}
	hosts__settle(run, FINISH_MS);
	for (unsigned i = 0; i < run->nhosts; i++) {
		struct host *h = &run->hosts[i];

		close_ends(h);
		frame__free(&h->in);
		if (!h->agent)
			continue;
		for (int ms = 0; ms < 1000 && waitpid(h->agent, NULL, WNOHANG) == 0; ms += 10)
			poll(NULL, 0, 10);
		if (kill(-h->agent, SIGKILL) == 0) /* its group may outlive it */
			waitpid(h->agent, NULL, WNOHANG);
		h->agent = 0;
	}
}
