// SPDX-License-Identifier: BSD-2-Clause
/*
 * dsmcollect.c - the command line of the collector.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "collector/collect.h"
#include "collector/each.h"
#include "collector/follow.h"
#include "collector/merge.h"
#include "collector/number.h"
#include "short_option.h"
#include "version.h"

#define RING_DEFAULT (16u << 20)
#define RING_MIN     4096u
#define RING_MAX     (1u << 30)

static const char usage_text[] =
	"Usage: dsmcollect [OPTION]...\n"
	"       dsmcollect --merge -o FILE TRACE...\n"
	"       dsmcollect --follow TRACE...\n"
	"       mpirun ... dsmcollect --each FILE [OPTION]... PROGRAM [ARGUMENT]...\n"
	"Collects the events of a DSM run on this host: into a trace for dsmreport, and live for dsmtop.\n"
	"\n"
	"  -o, --output FILE     write a trace (\"-\": standard output)\n"
	"      --source SOURCE   bpf: the DSM's probes, as root; ring: its shared memory, as its user;\n"
	"                        auto (default): bpf, and where that is refused ring\n"
	"      --run ID          only the run with this id (16 hex digits); default: the first one seen\n"
	"      --nodes A-B       of that run only nodes A to B: those of this host, as dsmrun knows them\n"
	"      --user NAME|UID   the run of this user; default: of the one who collects\n"
	"      --seconds N       end after N seconds at the latest\n"
	"      --until-end       end with the run (this is the default; not together with --seconds)\n"
	"      --all             record every event, also those that are normally only counted\n"
	"      --ring-size BYTES size of the BPF ring buffer, a power of two (K, M, G; default 16M)\n"
	"      --probe-file FILE the file whose probes are attached (default: ../lib/libdsm.so beside\n"
	"                        this program)\n"
	"      --live PATH       place of the live socket; --no-live: none\n"
	"      --ready-fd N      write \"ready SOURCE SOCKET\" to descriptor N once attached\n"
	"      --json            print the summary as JSON on standard output\n"
	"      --quiet           print no summary\n"
	"      --merge           make one trace of those of one run's hosts, on one clock\n"
	"      --follow          show live what traces say that are still written, one of each host\n"
	"      --each FILE       run PROGRAM as a process of a job of mpirun or srun, and make one trace of "
	"the\n"
	"                        whole job: the first process on each host collects there\n"
	"  -h, --help            this text; --version: the version\n"
	"\n"
	"Ends with the run, at SIGINT or SIGTERM, or after --seconds. Exit codes: 0 done, 1 the trace is "
	"not\n"
	"complete (disk full; --merge: a part is cut or missing), 2 bad usage, nothing to collect with, or "
	"no\n"
	"traces of one run.\n";

enum {
	OPT_SOURCE = 256,
	OPT_RING,
	OPT_ALL,
	OPT_RUN,
	OPT_NODES,
	OPT_MERGE,
	OPT_FOLLOW,
	OPT_EACH,
	OPT_USER,
	OPT_PROBE,
	OPT_NO_LIVE,
	OPT_LIVE,
	OPT_SECONDS,
	OPT_UNTIL_END,
	OPT_READY,
	OPT_QUIET,
	OPT_JSON,
	OPT_VERSION
};

static const struct option long_options[] = {
	{"output", required_argument, NULL, 'o'},
	{"source", required_argument, NULL, OPT_SOURCE},
	{"ring-size", required_argument, NULL, OPT_RING},
	{"all", no_argument, NULL, OPT_ALL},
	{"run", required_argument, NULL, OPT_RUN},
	{"nodes", required_argument, NULL, OPT_NODES},
	{"merge", no_argument, NULL, OPT_MERGE},
	{"follow", no_argument, NULL, OPT_FOLLOW},
	{"each", required_argument, NULL, OPT_EACH},
	{"user", required_argument, NULL, OPT_USER},
	{"probe-file", required_argument, NULL, OPT_PROBE},
	{"no-live", no_argument, NULL, OPT_NO_LIVE},
	{"live", required_argument, NULL, OPT_LIVE},
	{"seconds", required_argument, NULL, OPT_SECONDS},
	{"until-end", no_argument, NULL, OPT_UNTIL_END},
	{"ready-fd", required_argument, NULL, OPT_READY},
	{"quiet", no_argument, NULL, OPT_QUIET},
	{"json", no_argument, NULL, OPT_JSON},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

static int bad(const char *option, const char *value, const char *remedy)
{
	fprintf(stderr, "dsmcollect: %s %s: %s\n", option, value, remedy);
	return 2;
}

static int parse_source(struct collect_options *o, const char *text)
{
	if (strcmp(text, "auto") == 0)
		o->source = COLLECT_AUTO;
	else if (strcmp(text, "bpf") == 0)
		o->source = COLLECT_BPF;
	else if (strcmp(text, "ring") == 0)
		o->source = COLLECT_RING;
	else
		return bad("--source", text, "must be auto, bpf or ring");
	return 0;
}

static int parse_ring(struct collect_options *o, const char *text)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (end != text && *end && strchr("KkMmGg", *end))
		n <<= strchr("Kk", *end) ? 10 : strchr("Mm", *end) ? 20 : 30, end++;
	if (errno || end == text || *end || *text == '-' || n < RING_MIN || n > RING_MAX || (n & (n - 1)))
		return bad("--ring-size", text, "must be a power of two from 4K to 1G");
	if (n < (unsigned long long)sysconf(_SC_PAGESIZE))
		n = (unsigned long long)sysconf(_SC_PAGESIZE);
	o->from.ring_bytes = n;
	return 0;
}

static int parse_run(struct collect_options *o, const char *text)
{
	char *end;

	errno = 0;
	o->run_id = strtoull(text, &end, 16);
	if (errno || end == text || *end || *text == '-' || !o->run_id)
		return bad("--run", text, "must be a run id: up to 16 hex digits, as dsmrun prints it");
	return 0;
}

static int parse_nodes(struct collect_options *o, const char *text)
{
	unsigned long first, last;
	char *end, *second;

	errno = 0;
	first = last = strtoul(text, &end, 10);
	if (*end == '-' && end[1] >= '0' && end[1] <= '9') {
		second = end + 1;
		last = strtoul(second, &end, 10);
	}
	if (errno || end == text || *end || *text < '0' || *text > '9' || last < first || last > UINT16_MAX)
		return bad("--nodes", text, "must be a node's number, or two, as in 4-7");
	o->first = (uint16_t)first;
	o->last = (uint16_t)last;
	return 0;
}

static int parse_user(struct collect_options *o, const char *text)
{
	const struct passwd *entry = getpwnam(text);
	unsigned long long n;
	char *end;

	if (entry) {
		o->from.user = entry->pw_uid;
		return 0;
	}
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *end || *text < '0' || *text > '9' || n >= (uid_t)-1)
		return bad("--user", text, "no user has this name here; give a name or a number");
	o->from.user = (uid_t)n;
	return 0;
}

static int parse_seconds(struct collect_options *o, const char *text)
{
	if (number__real(text, 0, 1e9, &o->seconds) || o->seconds == 0)
		return bad("--seconds", text, "must be a positive number");
	return 0;
}

static int parse_ready(struct collect_options *o, const char *text)
{
	long n;

	if (number__whole(text, 0, 1 << 20, &n) || fcntl((int)n, F_GETFD) < 0)
		return bad("--ready-fd", text, "must be an open file descriptor");
	o->ready_fd = (int)n;
	return 0;
}

/* -1: go on; else the exit code. */
static int parse_output(struct collect_options *o, const char *text)
{
	o->output = text;
	return *text ? 0 : bad("--output", "\"\"", "must name a file");
}

static int parse_each(struct collect_options *o, const char *text)
{
	o->each = true;
	o->output = text;
	return *text && strcmp(text, "-") != 0 ? 0 : bad("--each", *text ? "-" : "\"\"", "must name a file");
}

static int parse_probe(struct collect_options *o, const char *text)
{
	o->from.probe_file = text;
	return 0;
}

static int parse_live(struct collect_options *o, const char *text)
{
	o->live_path = text;
	return 0;
}

static const struct {
	int option;
	int (*parse)(struct collect_options *o, const char *text);
} values[] = {
	{'o', parse_output},	  {OPT_SOURCE, parse_source}, {OPT_RING, parse_ring},
	{OPT_RUN, parse_run},	  {OPT_NODES, parse_nodes},   {OPT_USER, parse_user},
	{OPT_PROBE, parse_probe}, {OPT_LIVE, parse_live},     {OPT_SECONDS, parse_seconds},
	{OPT_READY, parse_ready}, {OPT_EACH, parse_each},
};

/* Those without a value; NULL: it is none of them. */
static bool *flag_of(struct collect_options *o, int option, bool *until_end)
{
	switch (option) {
	case OPT_ALL:
		return &o->from.all;
	case OPT_MERGE:
		return &o->merge;
	case OPT_FOLLOW:
		return &o->follow;
	case OPT_NO_LIVE:
		return &o->no_live;
	case OPT_UNTIL_END:
		return until_end;
	case OPT_QUIET:
		return &o->quiet;
	case OPT_JSON:
		return &o->json;
	default:
		return NULL;
	}
}

static int parse_option(struct collect_options *o, int option, bool *until_end)
{
	bool *flag = flag_of(o, option, until_end);
	int rc;

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		if (values[i].option != option)
			continue;
		rc = values[i].parse(o, optarg);
		return rc ? rc : -1;
	}
	if (flag) {
		*flag = true;
		return -1;
	}
	if (option == 'h')
		fputs(usage_text, stdout);
	else if (option == OPT_VERSION)
		printf(VERSION_LINE("dsmcollect", "; trace format %d") "\n", TRACE_VERSION);
	else
		fputs("Try 'dsmcollect --help'.\n", stderr);
	return option == 'h' || option == OPT_VERSION ? 0 : 2;
}

/* The exit code of --merge; of the options only those of its output mean something. */
static int merge(const struct collect_options *o, int n, char **paths)
{
	struct merge_options options = {.output = o->output, .quiet = o->quiet, .json = o->json};

	if (!o->output)
		return bad("--merge", "", "where to? Name the result with -o");
	if (!n)
		return bad("--merge", "", "of what? Name the traces of one run");
	for (int i = 0; i < n; i++)
		if (!strcmp(paths[i], "-"))
			return bad("--merge", "-", "a part is read twice: give a file");
	return merge__traces(&options, (const char *const *)paths, (size_t)n);
}

static int parse(struct collect_options *o, int argc, char **argv)
{
	bool until_end = false, of_program = false;
	int option, rc;

	/* What is behind a program's name is the program's. */
	for (int i = 1; i < argc; i++)
		of_program |= !strncmp(argv[i], "--each", 6);
	while ((option = getopt_long(argc, argv, of_program ? "+o:h" : "o:h", long_options, NULL)) != -1) {
		short_option__value(argv);
		rc = parse_option(o, option, &until_end);
		if (rc >= 0)
			return rc;
	}
	if (o->merge + o->follow + o->each > 1)
		return bad("--merge, --follow", "--each", "exclude each other");
	if (o->merge)
		return merge(o, argc - optind, argv + optind);
	if (o->follow && (o->no_live || o->output))
		return bad("--follow", o->output ? "--output" : "--no-live", "exclude each other");
	if (o->each && (o->seconds > 0 || o->live_path || o->ready_fd >= 0 || o->run_id))
		return bad("--each", "",
			   "goes with the whole job: not with --seconds, --live, --ready-fd or --run");
	if (o->each)
		return optind < argc ? -1 : bad("--each", o->output, "records what? Name the program");
	if (o->follow)
		return optind < argc ? -1 : bad("--follow", "", "what? Name the traces");
	if (optind < argc)
		return bad("argument", argv[optind], "is not understood; see 'dsmcollect --help'");
	if (until_end && o->seconds > 0)
		return bad("--until-end", "--seconds", "exclude each other");
	if (o->no_live && o->live_path)
		return bad("--no-live", "--live", "exclude each other");
	return -1;
}

/* The library that belongs to this program: ../lib/libdsm.so from where it lies. */
static const char *beside_this_program(char *path, size_t size)
{
	char self[3072];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n < 0 ? 0 : n] = 0;
	slash = strrchr(self, '/');
	if (slash)
		*slash = 0;
	snprintf(path, size, "%s/../lib/libdsm.so", slash ? self : ".");
	return path;
}

/* The signals that end a collection become readable; those of a full disk or a gone client become errors. */
static int signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv)
{
	struct collect_options o = {
		.ready_fd = -1, .last = UINT16_MAX, .from = {.ring_bytes = RING_DEFAULT, .user = geteuid()}};
	char probe_file[4096];
	struct collect c;
	int stop_fd, rc = parse(&o, argc, argv);

	if (!rc && fflush(stdout)) {
		fprintf(stderr, "dsmcollect: standard output: cannot write: %s\n", strerror(errno));
		return 1;
	}
	if (rc >= 0)
		return rc;
	if (!o.from.probe_file)
		o.from.probe_file = beside_this_program(probe_file, sizeof(probe_file));
	o.from.names_only = !o.output && !o.from.all;
	if (o.each)
		return each__run(&o, argv + optind);
	stop_fd = signals();
	if (stop_fd < 0) {
		fprintf(stderr, "dsmcollect: signalfd: %s\n", strerror(errno));
		return 1;
	}
	if (o.follow)
		return follow__traces(&o, (const char *const *)argv + optind, (size_t)(argc - optind),
				      stop_fd);
	rc = collect__open(&c, &o);
	if (rc)
		return rc;
	collect__run(&c, stop_fd);
	return collect__close(&c);
}
