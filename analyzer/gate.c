/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dsmgate - did this change make the program abort more (under sc and rc: meet and wait more), waste more, or work
 * less? Compares runs of a baseline with runs of a candidate and answers pass, regression or inconclusive;
 * docs/gate.md.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/outfile.h"
#include "analyzer/gate_report.h"
#include "collector/number.h"
#include "dsmcore/launch/remedy.h"
#include "short_option.h"
#include "version.h"

static const char usage_text[] =
	"Usage: dsmgate --baseline TRACE... --candidate TRACE... [options]\n"
	"Compares runs of a program before and after a change. Each trace is one run (traces of several\n"
	"hosts with the same run id are one run together); 3 of each side are the least, 10 are good.\n\n"
	"  -b, --baseline TRACE...   runs of the program as it was\n"
	"  -c, --candidate TRACE...  runs with the change\n"
	"  -m, --metric NAME         tx: aborts_per_commit (default), wasted_share, commits_per_s;\n"
	"                            sc and rc: conflicts_per_interval (default),\n"
	"                            conflicts_per_work, lost_share;\n"
	"                            all of them: work_per_s\n"
	"      --margin PERCENT      how much worse is tolerated (default 5)\n"
	"      --alpha A             chance of a wrong verdict, each kind (default 0.05)\n"
	"      --floor F             added to each value, so that differences far below F do not count\n"
	"                            (default 0.001, for work_per_s and commits_per_s 0)\n"
	"  -f, --format text|json    what to print (default text; schema " GATE_SCHEMA ")\n"
	"      --json                the same as --format json\n"
	"  -o, --output FILE         where to (default standard output)\n"
	"  -h, --help                this text\n"
	"      --version             version\n\n"
	"Exit code: 0 pass, 1 regression, 3 inconclusive (more runs needed), 2 bad usage or bad input.\n";

struct options {
	int metric;		     /* enum gate_metric; -1: that of the traces' model */
	double margin, alpha, floor; /* floor NAN: the metric's */
	bool json;
	const char *output;
	const char **path[2];
	size_t paths[2];
};

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "dsmgate: %s%s%s (dsmgate --help lists the options)\n", what, value ? ": " : "",
		value ? value : "");
	return 2;
}

enum { OPT_MARGIN = 256, OPT_ALPHA, OPT_FLOOR, OPT_JSON, OPT_VERSION };

static void add_path(struct options *o, int side, const char *path)
{
	o->path[side][o->paths[side]++] = path; /* as long as argv, see main() */
}

static int set_figure(struct options *o, int option, const char *arg)
{
	if (option == OPT_MARGIN) {
		if (number__real(arg, 0, 1000, &o->margin))
			return usage_error("--margin needs percent between 0 and 1000, not", arg);
		o->margin /= 100;
	} else if (option == OPT_ALPHA) {
		if (number__real(arg, 1e-6, 0.4, &o->alpha))
			return usage_error("--alpha needs a probability between 0.000001 and 0.4, not", arg);
	} else if (number__real(arg, 0, 1e9, &o->floor)) {
		return usage_error("--floor needs a number of at least 0, not", arg);
	}
	return -1;
}

/* Each returns -1 to go on, or the exit code. */
static int set_option(struct options *o, int c, char **argv, int *side)
{
	switch (c) {
	case 'b':
	case 'c':
		*side = c == 'c';
		add_path(o, *side, optarg);
		return -1;
	case 1: /* no option: one more trace of the side before it */
		if (*side < 0)
			return usage_error("say --baseline or --candidate before the trace", optarg);
		add_path(o, *side, optarg);
		return -1;
	case 'm':
		o->metric = gate_metric__find(optarg);
		return o->metric < 0
			       ? usage_error("--metric knows aborts_per_commit, wasted_share, "
					     "work_per_s, commits_per_s, "
					     "conflicts_per_interval, conflicts_per_work and lost_share, not",
					     optarg)
			       : -1;
	case 'f':
		if (strcmp(optarg, "text") != 0 && strcmp(optarg, "json") != 0)
			return usage_error("--format knows text and json, not", optarg);
		o->json = !strcmp(optarg, "json");
		return -1;
	case OPT_JSON:
		o->json = true;
		return -1;
	case 'o':
		o->output = optarg;
		return -1;
	case OPT_MARGIN:
	case OPT_ALPHA:
	case OPT_FLOOR:
		return set_figure(o, c, optarg);
	case 'h':
		fputs(usage_text, stdout);
		return 0;
	case OPT_VERSION:
		puts(VERSION_LINE("dsmgate", "; schema " GATE_SCHEMA));
		return 0;
	case ':':
		return usage_error("option needs a value", argv[optind - 1]);
	default:
		return usage_error("unknown option", argv[optind - 1]);
	}
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option options[] = {
		{"baseline", required_argument, NULL, 'b'},
		{"candidate", required_argument, NULL, 'c'},
		{"metric", required_argument, NULL, 'm'},
		{"margin", required_argument, NULL, OPT_MARGIN},
		{"alpha", required_argument, NULL, OPT_ALPHA},
		{"floor", required_argument, NULL, OPT_FLOOR},
		{"format", required_argument, NULL, 'f'},
		{"json", no_argument, NULL, OPT_JSON},
		{"output", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, OPT_VERSION},
		{NULL, 0, NULL, 0},
	};
	int c, rc, side = -1;

	opterr = 0;
	/* "-": traces come in their place between the options, as values of the one before */
	while ((c = getopt_long(argc, argv, "-:b:c:m:f:o:h", options, NULL)) != -1) {
		short_option__value(argv);
		rc = set_option(o, c, argv, &side);
		if (rc >= 0)
			return rc;
	}
	for (; optind < argc; optind++) /* after "--" */
		if (side < 0)
			return usage_error("say --baseline or --candidate before the trace", argv[optind]);
		else
			add_path(o, side, argv[optind]);
	if (!o->paths[0])
		return usage_error("no --baseline traces", NULL);
	if (!o->paths[1])
		return usage_error("no --candidate traces", NULL);
	return -1;
}

/* ---- what makes runs hard to compare ---- */

static void warn(struct gate_report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void warn(struct gate_report *r, const char *fmt, ...)
{
	char(*more)[256] = reallocarray(r->warning, r->warnings + 1, sizeof(*more));
	va_list ap;

	if (!more)
		return;
	r->warning = more;
	va_start(ap, fmt);
	vsnprintf(more[r->warnings++], sizeof(*more), fmt, ap);
	va_end(ap);
}

static int refuse(const struct gate_run *a, const struct gate_run *b)
{
	if (strcmp(a->program, b->program) != 0) {
		fprintf(stderr,
			"dsmgate: %s is of program %s, %s of %s: only runs of one program can be compared\n",
			a->path, a->program, b->path, b->program);
		return 2;
	}
	if (a->nodes != b->nodes) {
		fprintf(stderr,
			"dsmgate: %s has %u nodes, %s has %u: give runs with the same number of nodes\n",
			a->path, a->nodes, b->path, b->nodes);
		return 2;
	}
	return -1;
}

static const struct gate_run *of_another_model(const struct gate_report *r)
{
	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < r->side[side].n; i++)
			if (r->side[side].run[i].consistency != r->side[0].run[0].consistency)
				return &r->side[side].run[i];
	return NULL;
}

/* What an interval is depends on the model, and nothing aborts where nothing is undone: only work can be held against
 * work in any case. */
static int choose_metric(struct gate_report *r, const struct options *o)
{
	const struct gate_run *first = &r->side[0].run[0], *other = of_another_model(r);
	const char *model = gate_model__name(first->consistency);
	bool intervals = gate_model__intervals(first->consistency);
	const struct gate_metric_info *m;

	r->metric = o->metric < 0 ? gate_model__metric(first->consistency) : (enum gate_metric)o->metric;
	m = gate_metric__info(r->metric);
	r->rule = (struct gate_rule){.margin = o->margin,
				     .alpha = o->alpha,
				     .floor = isnan(o->floor) ? m->floor : o->floor,
				     .higher_is_better = m->higher_is_better};
	if (m->of == GATE_ANY_MODEL)
		return -1;
	if (other) {
		fprintf(stderr,
			"dsmgate: %s ran under %s, %s under %s: %s can be compared within one consistency "
			"model "
			"only; give runs of one, or compare their work with --metric work_per_s\n",
			first->path, model, other->path, gate_model__name(other->consistency), m->name);
		return 2;
	}
	if (intervals == (m->of == GATE_INTERVALS))
		return -1;
	fprintf(stderr, "dsmgate: %s ran under %s, where %s: use --metric %s or work_per_s instead of %s\n",
		first->path, model,
		intervals ? "blocks are critical sections, which neither commit nor abort"
			  : "transactions abort, and nothing is done in intervals",
		intervals ? "conflicts_per_interval, conflicts_per_work, lost_share"
			  : "aborts_per_commit, wasted_share",
		m->name);
	return 2;
}

/* Runs that are no comparison at all end the program; odd ones are named. */
static int compare_runs(struct gate_report *r)
{
	const struct gate_run *first = &r->side[0].run[0];
	size_t lossy = 0, cut = 0, damaged = 0, hosts = 0, open = 0;

	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < r->side[side].n; i++) {
			const struct gate_run *run = &r->side[side].run[i];
			int rc = refuse(first, run);

			if (rc >= 0)
				return rc;
			lossy += run->lost > 0;
			cut += run->cut;
			damaged += run->damaged;
			open += run->ending.open > 0;
			hosts += strcmp(run->host, first->host) != 0;
		}
	}
	if (lossy)
		warn(r, "%zu runs lost records; counters do not, so the values hold", lossy);
	if (cut)
		warn(r, "%zu traces are cut or were never closed; their values end at the last whole chunk",
		     cut);
	if (open)
		warn(r, "%zu traces end before their runs did; their values are of the part recorded", open);
	if (damaged)
		warn(r, "%zu traces are damaged; their values rest on the chunks that are whole", damaged);
	if (hosts)
		warn(r, "not all runs are of host %s: machines differ more than most changes", first->host);
	if (of_another_model(r))
		warn(r, "runs of different consistency models are compared");
	return -1;
}

static int same_run_on_both_sides(const struct gate_report *r)
{
	for (size_t i = 0; i < r->side[0].n; i++)
		for (size_t j = 0; j < r->side[1].n; j++)
			if (r->side[0].run[i].run_id &&
			    r->side[0].run[i].run_id == r->side[1].run[j].run_id) {
				fprintf(stderr,
					"dsmgate: %s and %s are of the same run, on both sides of the "
					"comparison\n",
					r->side[0].run[i].path, r->side[1].run[j].path);
				return 2;
			}
	return -1;
}

static double mean_microscope(const struct gate_runs *runs)
{
	double sum = 0;

	for (size_t i = 0; i < runs->n; i++)
		sum += gate_run__microscope(&runs->run[i]);
	return sum / (double)runs->n;
}

static void span(const struct gate_runs *runs, uint64_t *first, uint64_t *last)
{
	*first = UINT64_MAX;
	*last = 0;
	for (size_t i = 0; i < runs->n; i++) {
		uint64_t t = runs->run[i].start_realtime_ns;

		*first = t < *first ? t : *first;
		*last = t > *last ? t : *last;
	}
}

static void look_at_conditions(struct gate_report *r)
{
	double m[2] = {mean_microscope(&r->side[0]), mean_microscope(&r->side[1])};
	uint64_t first[2], last[2];

	if (fabs(m[0] - m[1]) > 0.01)
		warn(r,
		     "the microscope took %.1f %% of the baseline's time and %.1f %% of the candidate's; it "
		     "slows what it looks at, so compare runs recorded with dsmrun --microscope 0",
		     100 * m[0], 100 * m[1]);
	span(&r->side[0], &first[0], &last[0]);
	span(&r->side[1], &first[1], &last[1]);
	if (r->side[0].n > 1 && r->side[1].n > 1 && (last[0] < first[1] || last[1] < first[0]))
		warn(r, "all runs of one side were made before those of the other: a drift of the machine "
			"would look like a "
			"change; take turns");
}

/* ---- */

static int read_side(struct gate_report *r, const struct options *o, int side)
{
	char why[512];

	for (size_t i = 0; i < o->paths[side]; i++) {
		if (gate_runs__read(&r->side[side], o->path[side][i], why, sizeof(why))) {
			fprintf(stderr, "dsmgate: %s\n", why);
			return 2;
		}
	}
	return r->side[side].n ? -1 : usage_error("no traces of one side", NULL);
}

static int take_values(struct gate_report *r, int side)
{
	const struct gate_runs *runs = &r->side[side];
	char why[512];

	r->value[side] = calloc(runs->n, sizeof(double));
	if (!r->value[side]) {
		fprintf(stderr, "dsmgate: out of memory\n");
		return 2;
	}
	for (size_t i = 0; i < runs->n; i++) {
		if (gate_run__value(&runs->run[i], r->metric, &r->value[side][i], why, sizeof(why))) {
			fprintf(stderr, "dsmgate: %s\n", why);
			return 2;
		}
	}
	return -1;
}

static int judge(struct gate_report *r)
{
	int rc;

	for (int side = 0; side < 2; side++) {
		rc = take_values(r, side);
		if (rc >= 0)
			return rc;
	}
	look_at_conditions(r);
	rc = gate__judge(r->value[0], r->side[0].n, r->value[1], r->side[1].n, &r->rule, &r->result);
	if (!rc)
		return -1;
	fprintf(stderr, rc == -EDOM ? "dsmgate: a run's value is 0 and --floor is 0, so there is no ratio; "
				      "use --floor 0.001\n"
				    : "dsmgate: --margin, --alpha or --floor is out of range\n");
	return 2;
}

/* The report as a whole, so that a good file is never replaced by half of one. */
static int put(const struct options *o, const struct gate_report *r)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *f = open_memstream(&text, &bytes);
	int rc = f ? 0 : -errno;

	if (!rc)
		rc = o->json ? gate_report__json(r, f) : gate_report__text(r, f);
	if (f && fclose(f) && !rc)
		rc = -errno;
	if (rc)
		fprintf(stderr, "dsmgate: no report: %s\n", strerror(-rc));
	else
		rc = outfile__write(o->output ? o->output : "-", text, bytes);
	free(text);
	return rc;
}

static int run(const struct options *o, struct gate_report *r)
{
	int rc = read_side(r, o, 0);

	if (rc < 0)
		rc = read_side(r, o, 1);
	if (rc < 0)
		rc = same_run_on_both_sides(r);
	if (rc < 0)
		rc = compare_runs(r);
	if (rc < 0)
		rc = choose_metric(r, o);
	if (rc < 0)
		rc = judge(r);
	if (rc >= 0)
		return rc;
	return put(o, r) ? 2 : (int)r->result.verdict;
}

int main(int argc, char **argv)
{
	struct options o = {.metric = -1, .margin = 0.05, .alpha = 0.05, .floor = NAN};
	struct gate_report r = {0};
	int rc;

	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error to report */
	o.path[0] = calloc((size_t)argc + 1, sizeof(char *));
	o.path[1] = calloc((size_t)argc + 1, sizeof(char *));
	if (o.path[0] && o.path[1]) {
		rc = parse(argc, argv, &o);
	} else {
		fprintf(stderr, "dsmgate: out of memory\n");
		rc = 2;
	}
	if (rc < 0)
		rc = run(&o, &r);
	if (fflush(stdout) && rc != 1) {
		fprintf(stderr, "dsmgate: standard output: cannot write: %s%s\n", strerror(errno),
			remedy__write(errno));
		rc = 2;
	}
	for (int side = 0; side < 2; side++) {
		gate_runs__free(&r.side[side]);
		free(r.value[side]);
		free(o.path[side]);
	}
	free(r.warning);
	return rc;
}
