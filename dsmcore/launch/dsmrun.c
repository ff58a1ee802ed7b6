// SPDX-License-Identifier: BSD-2-Clause
/* dsmrun.c - runs a program as a cluster of nodes on this machine: options and the order of things. */
#include "dsmcore/launch/dsmrun.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/launch/dsmrun_hosts.h"
#include "dsmcore/launch/dsmrun_traces.h"
#include "dsmcore/launch/plain.h"
#include "dsmcore/launch/remedy.h"
#include "short_option.h"
#include "version.h"

static const char usage[] =
	"Usage: dsmrun [options] PROGRAM [ARGUMENTS...]\n"
	"\n"
	"Runs PROGRAM as a cluster of nodes that share memory (dsm.h), here or on several hosts.\n"
	"\n"
	"  -n, --nodes N          nodes, 1 to 256 (default: this machine's cores)\n"
	"      --heap SIZE        shared memory in all, e.g. 512M (default 1G)\n"
	"      --consistency M    of shared memory: tx (transactions, default), sc (sequential) or\n"
	"                         rc (release consistency); under sc and rc blocks are critical sections\n"
	"      --plan FILE        apply a layout plan of dsmreport\n"
	"      --transport KIND   shm (default: memory shared on this host), unix, tcp or tls (the\n"
	"                         same: TCP, encrypted), insecure-tcp (not encrypted) or fabric\n"
	"      --fabric PROVIDER  over libfabric, not encrypted: tcp, verbs, efa ... (fi_info -l)\n"
	"      --key-file FILE    the run's key for tcp (default: a random one in each run)\n"
	"      --bind WHAT        core: node i stays on this machine's i-th core, none: anywhere,\n"
	"                         auto (default): core, unless there are more nodes than cores\n"
	"      --hosts LIST       nodes of each host, e.g. alpha:2,[fd00::2]:2; through ssh\n"
	"      --hostfile FILE    the same, a line NAME [slots=N] [address=WHERE] each\n"
	"      --interface WHAT   between hosts: a name, an address, a network (fd00::/64)\n"
	"      --rsh COMMAND      in place of ssh\n"
	"  -x, --env NAME[=VALUE] set this variable on the other hosts too\n"
	"      --timeout SECONDS  end the run after that time, exit status 124\n"
	"      --strict           name what an abort would not undo\n"
	"      --no-updates       copies are always invalidated, never brought up to date instead\n"
	"      --no-migration     the home of a page stays where it is, whoever writes the page\n"
	"      --no-independent   DSM_TX_FOR_INDEPENDENT is an ordinary DSM_TX_FOR, to check its promise\n"
	"      --prefix           put the node's number before each line of output\n"
	"\n"
	"  -m, --monitor[=FILE]   record a trace, one of all hosts (default PROGRAM-DATE-TIME.dsmt)\n"
	"      --source KIND      of the trace: auto (default), bpf or ring\n"
	"      --ring-size SIZE   a node's event ring, a power of two (default 8M)\n"
	"      --microscope N     thousandths of the run time for looking at single accesses,\n"
	"                         0 = off (default 20)\n"
	"      --stats FILE       write all counters as JSON at the end\n"
	"      --history FOLDER   write what every transaction read and wrote, for checking\n"
	"\n"
	"  -v, --verbose          say what happens\n"
	"  -h, --help             this text\n"
	"  -V, --version\n"
	"\n"
	"Variables DSM_HEAP, DSM_CONSISTENCY, DSM_RING_SIZE, DSM_STRICT, DSM_MICROSCOPE, DSM_PLAN, "
	"DSM_HISTORY,\n"
	"DSM_TRANSPORT, DSM_FABRIC, DSM_KEY_FILE, DSM_INTERFACE and DSM_RSH set the same; options win.\n"
	"DSM_UPDATES=0 is --no-updates, DSM_MIGRATION=0 --no-migration, DSM_INDEPENDENT=0\n"
	"--no-independent. DSM_RUN names the run (hexadecimal digits). DSM_SILENCE: seconds until a\n"
	"silent host is taken for dead.\n"
	"\n"
	"Exit status: 0 when every node returned 0, else the first other status; 2 for bad usage, bad\n"
	"input, misuse of the DSM or output that cannot be written; 124 after --timeout; 128 + signal\n"
	"when a node was killed or dsmrun interrupted.\n";

int64_t run__now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

const char *run__name = "dsmrun";

void run__say(const char *format, ...)
{
	char text[8192];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	plain__print(run__name, text);
}

/* ---- options ---- */

enum {
	OPT_HEAP = 256,
	OPT_CONSISTENCY,
	OPT_PLAN,
	OPT_TRANSPORT,
	OPT_FABRIC,
	OPT_KEY_FILE,
	OPT_BIND,
	OPT_TIMEOUT,
	OPT_STRICT,
	OPT_NO_UPDATES,
	OPT_NO_MIGRATION,
	OPT_NO_INDEPENDENT,
	OPT_PREFIX,
	OPT_SOURCE,
	OPT_RING,
	OPT_MICROSCOPE,
	OPT_STATS,
	OPT_HISTORY,
	OPT_HOSTS,
	OPT_HOSTFILE,
	OPT_INTERFACE,
	OPT_RSH,
	OPT_AGENT
};

static const struct option options[] = {
	{"nodes", required_argument, NULL, 'n'},
	{"heap", required_argument, NULL, OPT_HEAP},
	{"consistency", required_argument, NULL, OPT_CONSISTENCY},
	{"plan", required_argument, NULL, OPT_PLAN},
	{"transport", required_argument, NULL, OPT_TRANSPORT},
	{"fabric", required_argument, NULL, OPT_FABRIC},
	{"bind", required_argument, NULL, OPT_BIND},
	{"key-file", required_argument, NULL, OPT_KEY_FILE},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"strict", no_argument, NULL, OPT_STRICT},
	{"no-updates", no_argument, NULL, OPT_NO_UPDATES},
	{"no-migration", no_argument, NULL, OPT_NO_MIGRATION},
	{"no-independent", no_argument, NULL, OPT_NO_INDEPENDENT},
	{"prefix", no_argument, NULL, OPT_PREFIX},
	{"monitor", optional_argument, NULL, 'm'},
	{"source", required_argument, NULL, OPT_SOURCE},
	{"ring-size", required_argument, NULL, OPT_RING},
	{"microscope", required_argument, NULL, OPT_MICROSCOPE},
	{"stats", required_argument, NULL, OPT_STATS},
	{"history", required_argument, NULL, OPT_HISTORY},
	{"hosts", required_argument, NULL, OPT_HOSTS},
	{"hostfile", required_argument, NULL, OPT_HOSTFILE},
	{"interface", required_argument, NULL, OPT_INTERFACE},
	{"rsh", required_argument, NULL, OPT_RSH},
	{"env", required_argument, NULL, 'x'},
	{"agent", no_argument, NULL, OPT_AGENT},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

static unsigned cores(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);

	return n < 1 ? 1 : (unsigned)n > OPTIONS_NODES_MAX ? OPTIONS_NODES_MAX : (unsigned)n;
}

static int set_bind(struct run *run, const char *text, char *why, size_t size)
{
	static const char *const names[] = {"auto", "core", "none"};

	for (int i = 0; i < 3; i++)
		if (!strcmp(text, names[i])) {
			run->bind = (enum bind)i;
			return 0;
		}
	snprintf(why, size, "binding '%s': give auto, core or none", text);
	return -EINVAL;
}

static int set_nodes(struct run *run, const char *text, char *why, size_t size)
{
	uint64_t v;

	if (options__number(text, 1, OPTIONS_NODES_MAX, &v)) {
		snprintf(why, size, "number of nodes '%s': give 1 to %u", text, OPTIONS_NODES_MAX);
		return -EINVAL;
	}
	run->options.nodes = (uint16_t)v;
	return 0;
}

static int set_timeout(struct run *run, const char *text, char *why, size_t size)
{
	uint64_t v;

	if (options__number(text, 1, 31536000, &v)) {
		snprintf(why, size, "timeout '%s': give whole seconds, at least 1", text);
		return -EINVAL;
	}
	run->timeout_s = (unsigned)v;
	return 0;
}

static int set_source(struct run *run, const char *text, char *why, size_t size)
{
	if (strcmp(text, "auto") != 0 && strcmp(text, "bpf") != 0 && strcmp(text, "ring") != 0) {
		snprintf(why, size, "source '%s': give auto, bpf or ring", text);
		return -EINVAL;
	}
	run->source = text;
	return 0;
}

/* An empty variable means none; an empty option is a slip, most often of a shell variable that is not set. NULL: of
 * this option it means something, or is refused for what it is. */
static const char *must_name(int opt)
{
	switch (opt) {
	case OPT_PLAN:
		return "plan";
	case OPT_HISTORY:
		return "history";
	case OPT_KEY_FILE:
		return "key-file";
	case OPT_FABRIC:
		return "fabric";
	default:
		return NULL;
	}
}

static int refuse_empty(const char *option, char *why, size_t size)
{
	snprintf(why, size, "--%s: its value is empty; name one, or leave the option out", option);
	return -EINVAL;
}

static int set_option(struct run *run, int opt, char *why, size_t size)
{
	struct run_options *o = &run->options;

	if (must_name(opt) && !*optarg)
		return refuse_empty(must_name(opt), why, size);
	switch (opt) {
	case 'n':
		return set_nodes(run, optarg, why, size);
	case OPT_HEAP:
		return options__heap(o, optarg, why, size);
	case OPT_CONSISTENCY:
		return options__consistency(o, optarg, why, size);
	case OPT_PLAN:
		return options__plan(o, optarg, why, size);
	case OPT_TRANSPORT:
		return options__transport(o, optarg, why, size);
	case OPT_FABRIC:
		return options__fabric(o, optarg, why, size);
	case OPT_BIND:
		return set_bind(run, optarg, why, size);
	case OPT_KEY_FILE:
		return options__key_file(o, optarg, why, size);
	case OPT_TIMEOUT:
		return set_timeout(run, optarg, why, size);
	case OPT_STRICT:
		o->strict = true;
		return 0;
	case OPT_NO_UPDATES:
		o->no_updates = true;
		return 0;
	case OPT_NO_MIGRATION:
		o->no_migration = true;
		return 0;
	case OPT_NO_INDEPENDENT:
		o->no_independent = true;
		return 0;
	case OPT_PREFIX:
		run->prefix = true;
		return 0;
	case 'm':
		if (optarg && !*optarg)
			return refuse_empty("monitor", why, size);
		run->trace = optarg ? optarg : "";
		return 0;
	case OPT_SOURCE:
		return set_source(run, optarg, why, size);
	case OPT_RING:
		return options__ring(o, optarg, why, size);
	case OPT_MICROSCOPE:
		return options__microscope(o, optarg, why, size);
	case OPT_STATS:
		run->stats = optarg;
		return 0;
	case OPT_HISTORY:
		return options__history(o, optarg, why, size);
	case OPT_HOSTS:
		return hosts__add(run, optarg, why, size);
	case OPT_HOSTFILE:
		return hosts__add_file(run, optarg, why, size);
	case OPT_INTERFACE:
		if (address__check(optarg, why, size))
			return -EINVAL;
		strcpy(run->interface, optarg);
		return 0;
	case OPT_RSH:
		run->rsh = optarg;
		return 0;
	case 'x':
		return hosts__add_variable(run, optarg, why, size);
	case OPT_AGENT:
		run->agent = true;
		return 0;
	case 'v':
		run->verbose = true;
		return 0;
	}
	*why = 0; /* getopt has said it */
	return -EINVAL;
}

/* Which nodes run where. */
static int place(struct run *run, char *why, size_t size)
{
	const char *interface = getenv("DSM_INTERFACE"), *rsh = getenv("DSM_RSH");
	char self[32];
	int rc = 0;

	if (*run->interface && !run->hosts) {
		snprintf(why, size,
			 "interface '%s' is for connections between hosts: name those with --hosts or "
			 "--hostfile, "
			 "or leave --interface out",
			 run->interface);
		return -EINVAL;
	}
	if (!*run->interface && interface && *interface) {
		if (address__check(interface, why, size))
			return -EINVAL;
		strcpy(run->interface, interface);
	}
	if (!run->rsh)
		run->rsh = rsh && *rsh ? rsh : "ssh";
	if (!run->rsh[strspn(run->rsh, " ")]) {
		snprintf(why, size, "--rsh: which command? Default is ssh");
		return -EINVAL;
	}
	if (!run->hosts) {
		snprintf(self, sizeof(self), "localhost:%u",
			 run->options.nodes ? run->options.nodes : cores());
		rc = hosts__add(run, self, why, size);
	}
	return rc ? rc : hosts__place(run, run->options.nodes, why, size);
}

/* Fills in the run; returns an exit status, or -1 to go on. */
static int parse(struct run *run, int argc, char **argv)
{
	char why[PATH_MAX + 512];
	int opt;

	if (options__from_env(&run->options, why, sizeof(why))) {
		run__say("%s", why);
		return EXIT_BAD;
	}
	run->options.nodes = 0; /* not said */
	while ((opt = getopt_long(argc, argv, "+n:m::x:vhV", options, NULL)) != -1) {
		short_option__value(argv);
		if (opt == 'h' || opt == 'V') {
			fputs(opt == 'h' ? usage : VERSION_LINE("dsmrun", "") "\n", stdout);
			if (fflush(stdout) == 0)
				return 0;
			run__say("standard output: %s%s", strerror(errno), remedy__write(errno));
			return EXIT_BAD;
		}
		if (set_option(run, opt, why, sizeof(why))) {
			if (*why)
				run__say("%s", why);
			fputs("Try 'dsmrun --help'.\n", stderr);
			return EXIT_BAD;
		}
	}
	if (run->agent) /* on another host: all else comes from the dsmrun that started us */
		return agent__run();
	if (place(run, why, sizeof(why))) {
		run__say("%s", why);
		return EXIT_BAD;
	}
	if (optind == argc) {
		run__say("which program? Give it after the options, e.g. dsmrun -n 4 ./app");
		return EXIT_BAD;
	}
	run->argv = argv + optind;
	return -1;
}

/* ---- set-up ---- */

/* A node holds two sockets for each other node. */
static int raise_limit(const struct run *run)
{
	struct rlimit l;
	rlim_t least = 4ul * run->options.nodes + 32, need = least + 224;

	if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur >= need)
		return 0;
	l.rlim_cur = l.rlim_max < need ? l.rlim_max : need;
	setrlimit(RLIMIT_NOFILE, &l);
	if (l.rlim_cur >= least)
		return 0;
	run__say("%u nodes need %lu open files, and the limit is %lu: raise it (ulimit -Hn) or start fewer "
		 "nodes",
		 run->options.nodes, (unsigned long)least, (unsigned long)l.rlim_cur);
	return -EMFILE;
}

static int open_signals(struct run *run)
{
	static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		struct sigaction now;

		/* nohup and the like ignore some on purpose */
		if (sigaction(wanted[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(&set, wanted[i]);
	}
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	run->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->signals < 0 ? -errno : 0;
}

static int open_run(struct run *run)
{
	int life[2];

	run->procs = run->options.nodes ? calloc(run->options.nodes, sizeof(*run->procs)) : NULL;
	if (!run->procs)
		return -ENOMEM;
	for (unsigned n = 0; n < run->options.nodes; n++)
		run->procs[n] =
			(struct proc){.node = n, .control = -1, .shm = -1, .out = {{.fd = -1}, {.fd = -1}}};
	for (unsigned i = 0; i < run->nhosts; i++)
		for (unsigned n = 0; !run->hosts[i].here && n < run->hosts[i].count; n++)
			run->procs[run->hosts[i].first + n].host = &run->hosts[i];
	if (options__draw_run_id(&run->options))
		return -EIO;
	if (pipe2(life, O_CLOEXEC)) /* the writing end stays open until we die */
		return -errno;
	run->lifeline = life[0];
	return open_signals(run);
}

int run__open(struct run *run)
{
	int rc = raise_limit(run);

	if (rc)
		return rc;
	rc = open_run(run);
	if (rc)
		run__say("cannot start: %s", strerror(-rc));
	return rc;
}

/* A closed standard stream would be taken by the next file we open. */
static void open_standard(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* From the monitor's start to the end of all nodes. */
static int run_nodes(struct run *run)
{
	int rc = run__open(run);

	if (rc)
		return EXIT_BAD;
	if (run->verbose)
		run__say("run %016llx: %u nodes of '%s' over %s%s%s", (unsigned long long)run->options.run_id,
			 run->options.nodes, run->program, run->options.transport,
			 *run->options.fabric ? " " : "",
			 strcmp(run->options.transport, "tcp") ? run->options.fabric : ", encrypted");
	run->local_trace = run->trace;
	if (run->trace && traces__spread(run) && traces__open(run))
		return EXIT_BAD;
	rc = monitor__start(run);
	if (rc) {
		traces__drop(run);
		return rc;
	}
	if (run->trace && traces__spread(run))
		traces__show(run);
	rc = loop__run(run);
	monitor__finish(run, run->failed);
	if (run->trace && traces__spread(run))
		run->collector_status = traces__merge(run);
	if (run->stats && stats__write(run) && rc == 0)
		rc = EXIT_BAD;
	return rc ? rc : run->collector_status;
}

int main(int argc, char **argv)
{
	struct run run = {.source = "auto", .lifeline = -1, .signals = -1, .spool = -1};
	int rc;

	open_standard();
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error to report */
	rc = parse(&run, argc, argv);
	if (rc < 0)
		rc = check__run(&run) ? EXIT_BAD : run_nodes(&run);
	for (unsigned i = 0; run.procs && i < run.options.nodes; i++)
		free(run.procs[i].counters);
	free(run.procs);
	hosts__free(&run);
	return rc;
}
