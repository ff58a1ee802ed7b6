/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake_live - serves the live socket (procope.live/1) with a run that can be foretold, so that tests of
 * dsmtop need no cluster. The figures follow from the sample's number alone.
 *
 *   fake_live PATH [nodes N] [samples N] [interval MS] [lost N] [program NAME] [object NAME]
 *             [model NAME] [junk] [future] [die] [foreign]
 * junk: a malformed line before each sample. future: a later schema. die: closes without an end.
 * foreign: only lines that are no JSON. Prints "ready" once it listens.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "dsm_events.h"

#define CLIENTS 16

struct plan {
	int nodes, samples, interval;
	unsigned long lost;
	const char *program, *object; /* as JSON string contents: the test escapes them */
	const char *model;	      /* NULL: not said, as by older collectors */
	int junk, future, die, foreign;
};

static void put_counters(FILE *f, int node, int k)
{
	const char *comma = "";
	struct dsm_counters c = {0};

	c.begins = (unsigned long)(1100 * k + node);
	c.commits = (unsigned long)(1000 * k);
	c.aborts = (unsigned long)(100 * k);
	c.committed_ns = (unsigned long)k * 250000000ul; /* half of each 500 ms */
	c.wasted_ns = (unsigned long)k * 125000000ul;	 /* a quarter */
	c.barrier_ns = (unsigned long)k * 50000000ul;
	c.fetch_ns = (unsigned long)k * 75000000ul; /* 15 %, and a twentieth each */
	c.lock_ns = (unsigned long)k * 25000000ul;
	c.flush_ns = (unsigned long)k * 25000000ul;
	fputc('{', f);
#define X(name, meaning)                                                                                     \
	fprintf(f, "%s\"" #name "\":%llu", comma, (unsigned long long)c.name);                               \
	comma = ",";
	DSM_COUNTERS(X)
#undef X
	fputc('}', f);
}

static void put_rates(FILE *f, int k, double scale)
{
	if (!k) {
		fputs("\"commits_per_s\":null,\"aborts_per_s\":null,\"work_per_s\":null,\"fetches_per_s\":"
		      "null,"
		      "\"bytes_in_per_s\":null,\"intervals_per_s\":null,\"conflicts_per_s\":null,"
		      "\"transfers_per_s\":null,\"lock_waits_per_s\":null,\"flushes_per_s\":null",
		      f);
		return;
	}
	fprintf(f,
		"\"commits_per_s\":%.1f,\"aborts_per_s\":%.1f,\"work_per_s\":%.1f,\"fetches_per_s\":%.1f,"
		"\"bytes_in_per_s\":%.1f",
		2000 * scale, (200 + 20 * (k % 10)) * scale, 512 * scale, 300 * scale, 1048576 * scale);
	fprintf(f,
		",\"intervals_per_s\":%.1f,\"conflicts_per_s\":%.1f,\"transfers_per_s\":%.1f,"
		"\"lock_waits_per_s\":%.1f,\"flushes_per_s\":%.1f",
		700 * scale, 350 * scale, 120 * scale, 40 * scale, 30 * scale);
}

/* clang-format off: JSON is easier to read unbroken */
static void put_page(FILE *f, const struct plan *p, int k, int i)
{
	int offset = 4096 * (i + 1);

	fprintf(f, "%s{\"page\":%d,\"log2\":12,", i ? "," : "", offset);
	if (i % 8 == 7)
		fputs("\"object\":null,\"type\":null,\"root\":null,\"object_offset\":null,\"objects\":0,", f);
	else if (!i)
		fprintf(f,
			"\"object\":\"%s\",\"type\":\"struct "
			"avatar\",\"root\":\"avatars\",\"object_offset\":%d,\"objects\":1,",
			p->object, offset);
	else
		fprintf(f,
			"\"object\":\"struct part%02d[8]\",\"type\":\"struct part%02d\",\"root\":null,"
			"\"object_offset\":%d,\"objects\":%d,",
			i, i, offset - i * 64, 1 + i % 3);
	fprintf(f,
		"\"nodes\":[0,1,2,3],\"fetches\":%d,\"fetches_per_s\":%d,\"transfers\":%d,\"invalidations\":%"
		"d,"
		"\"updates\":0,\"aborts\":%d,\"aborts_per_s\":%d,\"wasted_ns\":%d,\"fetch_ns\":%d}",
		10 * (k + 1) + i, 5 + i, 9 * (k + 1), 8 * (k + 1), (40 - i) * (k + 1), 40 - i,
		2000000 * (40 - i), 1000000 * (i + 1));
}

static void put_sample(FILE *f, const struct plan *p, int k, int ended)
{
	fprintf(f, "{\"schema\":\"procope.live/%d\",\"time_ns\":%llu,\"elapsed_s\":%.1f,\"source\":\"ring\",",
		p->future ? 2 : 1, 1000000000ull + (unsigned long long)k * 500000000ull, k * 0.5);
	if (p->model)
		fprintf(f, "\"consistency\":\"%s\",", p->model);
	fprintf(f, "\"program\":\"%s\",\"run_id\":\"00000000deadbeef\",\"ended\":%s,\"nodes\":[", p->program,
		ended ? "true" : "false");
	for (int n = 0; n < p->nodes; n++) {
		fprintf(f, "%s{\"node\":%d,\"pid\":%d,\"host\":\"testhost\",\"ended\":%s,\"counters\":",
			n ? "," : "", n, 4000 + n, ended ? "true" : "false");
		put_counters(f, n, k);
		fputs(",\"rates\":{", f);
		put_rates(f, k, 1);
		fputs("}}", f);
	}
	fputs("],\"total\":{", f);
	put_rates(f, k, p->nodes);
	fprintf(f,
		",\"aborts_per_commit\":%s,\"wasted_share\":%s,\"conflicts_per_interval\":%s,\"lost_share\":%"
		"s},"
		"\"pages\":[",
		k ? "0.125" : "null", k ? "0.333" : "null", k ? "0.5" : "null", k ? "0.25" : "null");
	for (int i = 0; i < 40; i++)
		put_page(f, p, k, i);
	fprintf(f, "],\"lost\":{%s", p->lost ? "\"abort\":" : "");
	if (p->lost)
		fprintf(f, "%lu", p->lost);
	fprintf(f, "},\"lost_total\":%lu,\"events\":%d}\n", p->lost, 1000 * k);
}
/* clang-format on */

/* 0, or -1 when the client has gone. */
static int serve(int fd, const struct plan *p, int k, int ended)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	int rc;

	if (p->junk)
		fputs("{\"schema\":\"procope.live/1\",\"nodes\":[{]}\nnot json at all\n\n", f);
	if (p->foreign)
		fputs("HTTP/1.1 400 Bad Request\n", f);
	else
		put_sample(f, p, k, ended);
	fclose(f);
	rc = send(fd, text, n, MSG_NOSIGNAL) == (ssize_t)n ? 0 : -1;
	free(text);
	return rc;
}

static int parse(int argc, char **argv, struct plan *p)
{
	for (int i = 2; i < argc; i++) {
		const char *a = argv[i], *v = i + 1 < argc ? argv[i + 1] : NULL;

		if (!strcmp(a, "junk"))
			p->junk = 1;
		else if (!strcmp(a, "future"))
			p->future = 1;
		else if (!strcmp(a, "die"))
			p->die = 1;
		else if (!strcmp(a, "foreign"))
			p->foreign = 1;
		else if (v && !strcmp(a, "nodes"))
			p->nodes = atoi(argv[++i]);
		else if (v && !strcmp(a, "samples"))
			p->samples = atoi(argv[++i]);
		else if (v && !strcmp(a, "interval"))
			p->interval = atoi(argv[++i]);
		else if (v && !strcmp(a, "lost"))
			p->lost = strtoul(argv[++i], NULL, 10);
		else if (v && !strcmp(a, "program"))
			p->program = argv[++i];
		else if (v && !strcmp(a, "model"))
			p->model = argv[++i];
		else if (v && !strcmp(a, "object"))
			p->object = argv[++i];
		else
			return -1;
	}
	return argc > 1 ? 0 : -1;
}

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	struct plan p = {.nodes = 4,
			 .samples = 1000000,
			 .interval = 100,
			 .program = "world",
			 .object = "struct avatar[64]"};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int client[CLIENTS], n = 0, fd, k = 0;
	long next;

	if (parse(argc, argv, &p) || strlen(argv[1]) >= sizeof(addr.sun_path)) {
		fprintf(stderr, "usage: fake_live PATH [options], see the comment in its source\n");
		return 2;
	}
	strcpy(addr.sun_path, argv[1]);
	unlink(addr.sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 8)) {
		perror(argv[1]);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	next = now_ms() + p.interval;
	while (k < p.samples) {
		struct pollfd w = {fd, POLLIN, 0};
		long left = next - now_ms();

		if (poll(&w, 1, left > 0 ? (int)left : 0) > 0 && n < CLIENTS) {
			client[n] = accept(fd, NULL, NULL);
			if (client[n] >= 0 && !serve(client[n], &p, k, 0))
				n++;
		}
		if (now_ms() < next)
			continue;
		next += p.interval;
		k++;
		for (int i = 0; i < n; i++) {
			int last = k == p.samples;

			if ((last && p.die) || !serve(client[i], &p, k, last))
				continue;
			close(client[i]);
			client[i--] = client[--n];
		}
	}
	unlink(addr.sun_path);
	return 0;
}
