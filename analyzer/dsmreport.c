/* SPDX-License-Identifier: BSD-2-Clause */
/* dsmreport.c - the command line of the analyzer. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/number.h"
#include "dsmcore/launch/remedy.h"
#include "graph.h"
#include "outfile.h"
#include "proof.h"
#include "report.h"
#include "short_option.h"
#include "version.h"

enum { EXIT_OUTPUT = 1, EXIT_INPUT = 2 };

static const char usage_text[] =
	"Usage: dsmreport [OPTION]... TRACE...\n"
	"       dsmreport --compare [OPTION]... BEFORE AFTER\n"
	"Says what made the transactions of a run abort - which bytes, of which object and field, written "
	"by\n"
	"which line on which node -, what to change, and how much that will give.\n\n"
	"      --format FORMAT  text (default), json, dot or svg\n"
	"      --json           the same as --format json\n"
	"  -o, --output FILE    write there instead of standard output\n"
	"      --out-dir DIR    write report.txt, report.json, report.dot, report.svg and plan.json into "
	"DIR\n"
	"                       (with --compare: proof.json)\n"
	"      --plan FILE      write the plan for `dsmrun --plan`; no report then, unless --format asks for "
	"it\n"
	"      --top N          show the N costliest of each kind (default 10)\n"
	"      --debug-dir DIR  look there first for programs and their debug information\n"
	"      --compare        BEFORE and AFTER are traces of the same program: show what changed\n"
	"      --predicted FILE with --compare: the report (JSON) with the prediction; default: predict from "
	"BEFORE\n"
	"  -h, --help           this text\n"
	"      --version        version\n\n"
	"TRACE comes from `dsmrun --monitor=TRACE` or dsmcollect; - is standard input. Several traces of one "
	"run\n"
	"(one a host) are merged, several runs of one program are added up.\n"
	"Exit code: 0 the report was made; 1 it could not be written; 2 bad usage or input.\n";

enum format { FORMAT_NONE, FORMAT_TEXT, FORMAT_JSON, FORMAT_DOT, FORMAT_SVG };

struct options {
	enum format format;
	const char *output, *out_dir, *plan, *debug_dir, *predicted;
	bool compare;
	unsigned top;
};

enum {
	OPT_FORMAT = 256,
	OPT_OUT_DIR,
	OPT_PLAN,
	OPT_TOP,
	OPT_DEBUG_DIR,
	OPT_COMPARE,
	OPT_PREDICTED,
	OPT_JSON,
	OPT_VERSION
};

static const struct option option_table[] = {
	{"format", required_argument, NULL, OPT_FORMAT},
	{"json", no_argument, NULL, OPT_JSON},
	{"output", required_argument, NULL, 'o'},
	{"out-dir", required_argument, NULL, OPT_OUT_DIR},
	{"plan", required_argument, NULL, OPT_PLAN},
	{"top", required_argument, NULL, OPT_TOP},
	{"debug-dir", required_argument, NULL, OPT_DEBUG_DIR},
	{"compare", no_argument, NULL, OPT_COMPARE},
	{"predicted", required_argument, NULL, OPT_PREDICTED},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{0},
};

static int bad(const char *format, const char *what)
{
	fprintf(stderr, "dsmreport: ");
	fprintf(stderr, format, what);
	fprintf(stderr, "; see dsmreport --help\n");
	return EXIT_INPUT;
}

static int set_format(struct options *o, const char *name)
{
	static const char *const names[] = {"", "text", "json", "dot", "svg"};

	for (int f = FORMAT_TEXT; f <= FORMAT_SVG; f++) {
		if (!strcmp(name, names[f])) {
			o->format = (enum format)f;
			return 0;
		}
	}
	return bad("--format: \"%s\" is not one of text, json, dot, svg", name);
}

static int set_top(struct options *o, const char *text)
{
	long n;

	if (number__whole(text, 1, 10000, &n))
		return bad("--top: \"%s\" is not a number from 1 to 10000", text);
	o->top = (unsigned)n;
	return 0;
}

/* Each of these two returns -1 to go on, or the exit code. */
static int set_name(const char **name, const char *option)
{
	if (!optarg[0])
		return bad("option \"%s\" needs a value", option);
	*name = optarg;
	return -1;
}

static int take(struct options *o, int code, char **argv)
{
	struct stat st;

	switch (code) {
	case OPT_FORMAT:
		return set_format(o, optarg) ? EXIT_INPUT : -1;
	case OPT_JSON:
		o->format = FORMAT_JSON;
		return -1;
	case OPT_TOP:
		return set_top(o, optarg) ? EXIT_INPUT : -1;
	case 'o':
		return set_name(&o->output, "--output");
	case OPT_OUT_DIR:
		return set_name(&o->out_dir, "--out-dir");
	case OPT_PLAN:
		return set_name(&o->plan, "--plan");
	case OPT_DEBUG_DIR:
		if (stat(optarg, &st) || !S_ISDIR(st.st_mode))
			return bad("--debug-dir: \"%s\" is not a folder", optarg);
		o->debug_dir = optarg;
		return -1;
	case OPT_COMPARE:
		o->compare = true;
		return -1;
	case OPT_PREDICTED:
		return set_name(&o->predicted, "--predicted");
	case 'h':
		fputs(usage_text, stdout);
		return 0;
	case OPT_VERSION:
		printf(VERSION_LINE("dsmreport", "; trace format %d") "\n", TRACE_VERSION);
		return 0;
	case ':':
		return bad("option \"%s\" needs a value", argv[optind - 1]);
	default:
		return bad("unknown option \"%s\"", argv[optind - 1]);
	}
}

static int parse(struct options *o, int argc, char **argv)
{
	int code, result, count;

	*o = (struct options){.top = 10};
	opterr = 0;
	while ((code = getopt_long(argc, argv, ":o:h", option_table, NULL)) != -1) {
		short_option__value(argv);
		result = take(o, code, argv);
		if (result >= 0)
			return result;
	}
	count = argc - optind;
	if (o->compare && count != 2)
		return bad("--compare takes two traces, BEFORE and AFTER%s", "");
	if (!o->compare && o->predicted)
		return bad("--predicted goes with --compare%s", "");
	if (o->compare && (o->format == FORMAT_DOT || o->format == FORMAT_SVG || o->plan))
		return bad("--compare writes text or json%s", "");
	if (!count)
		return bad("which trace? None is named%s", "");
	return -1;
}

static bool on_a_terminal(const struct options *o)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	return !o->output && isatty(STDOUT_FILENO) && !(no && no[0]) && term && strcmp(term, "dumb") != 0;
}

static int write_text(const char *path, struct text *t)
{
	int err = outfile__write(path, t->at ? t->at : "", t->n);

	text__free(t);
	return err;
}

/* ---- reports ---- */

static int write_svg(struct report *r, const struct report_options *ro, const char *path)
{
	struct text dot = {0}, svg = {0};
	int err;

	report__dot(r, ro, &dot);
	err = graph__svg(&dot, &svg);
	text__free(&dot);
	if (!err)
		return write_text(path, &svg);
	text__free(&svg);
	fprintf(stderr, "dsmreport: no picture: %s\n",
		err == -ENOENT
			? "neither dot nor sfdp is installed (package graphviz); the .dot form needs neither"
			: "dot and sfdp both failed or took more than 10 s; the .dot form shows the same");
	return err;
}

static int write_format(struct report *r, const struct report_options *ro, enum format f, const char *path)
{
	struct text t = {0};

	if (f == FORMAT_SVG)
		return write_svg(r, ro, path);
	if (f == FORMAT_JSON)
		report__json(r, ro, &t);
	else if (f == FORMAT_DOT)
		report__dot(r, ro, &t);
	else
		report__text(r, ro, &t);
	return write_text(path, &t);
}

static int write_plan(struct report *r, const char *path)
{
	struct text t = {0};

	report__plan(r, &t);
	return write_text(path, &t);
}

static void say_plan(const struct report *r, const char *path)
{
	unsigned rules = 0;

	for (size_t i = 0; i < r->advice.all.n; i++)
		rules += r->advice.all.at[i].rule != 0;
	if (rules)
		printf("%s: a plan of %u rule%s for dsmrun --plan=%s; without --plan the report says why\n",
		       path, rules, rules == 1 ? "" : "s", path);
	else
		printf("%s: a plan without any rule (0 rules): no layout change is advised; without --plan "
		       "the "
		       "report says why\n",
		       path);
}

static int write_folder(struct report *r, const struct report_options *ro, const char *dir)
{
	static const struct {
		const char *name;
		enum format format;
	} files[] = {{"report.txt", FORMAT_TEXT},
		     {"report.json", FORMAT_JSON},
		     {"report.dot", FORMAT_DOT},
		     {"report.svg", FORMAT_SVG},
		     {"plan.json", FORMAT_NONE}};
	struct report_options without_color = *ro;
	int err = outfile__folder(dir);

	without_color.color = false;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && !err; i++) {
		char *path = mem__format("%s/%s", dir, files[i].name);

		err = files[i].format == FORMAT_NONE ? write_plan(r, path)
						     : write_format(r, &without_color, files[i].format, path);
		if (err && files[i].format == FORMAT_SVG) {
			unlink(path); /* one of an earlier run would show something else */
			err = 0;      /* said already; the .dot stands for it */
		}
		mem__free(path);
	}
	return err;
}

static int report(const struct options *o, const char *const *traces, size_t n)
{
	struct report_options ro = {.traces = traces,
				    .ntraces = n,
				    .debug_dir = o->debug_dir,
				    .top = o->top,
				    .color = on_a_terminal(o)};
	struct report r;
	int err;

	if (report__make(&r, &ro))
		return EXIT_INPUT;
	err = o->out_dir ? write_folder(&r, &ro, o->out_dir) : 0;
	if (!err && o->plan)
		err = write_plan(&r, o->plan);
	if (!err && (o->format != FORMAT_NONE || o->output || (!o->out_dir && !o->plan)))
		err = write_format(&r, &ro, o->format, o->output ? o->output : "-");
	else if (!err && o->out_dir)
		printf("report.txt, report.json, report.dot, report.svg and plan.json are in %s\n",
		       o->out_dir);
	else if (!err && o->plan && strcmp(o->plan, "-") != 0)
		say_plan(&r, o->plan);
	report__free(&r);
	return err && err != -EPIPE ? EXIT_OUTPUT : 0;
}

static int compare(const struct options *o, const char *const *traces)
{
	struct text json = {0}, text = {0};
	struct proof p;
	int err = 0;

	if (proof__make(&p, traces[0], traces[1], o->predicted, o->debug_dir))
		return EXIT_INPUT;
	proof__json(&p, &json);
	proof__text(&p, &text);
	if (o->out_dir) {
		char *path = mem__format("%s/proof.json", o->out_dir);

		err = outfile__folder(o->out_dir);
		err = err ? err : outfile__write(path, json.at, json.n);
		mem__free(path);
	}
	if (!err)
		err = o->format == FORMAT_JSON ? outfile__write(o->output ? o->output : "-", json.at, json.n)
					       : outfile__write(o->output ? o->output : "-", text.at, text.n);
	text__free(&json);
	text__free(&text);
	return err && err != -EPIPE ? EXIT_OUTPUT : 0;
}

int main(int argc, char **argv)
{
	const char *const *files;
	struct options o;
	int status;

	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error to report */
	status = parse(&o, argc, argv);
	files = (const char *const *)argv + optind;
	if (status < 0)
		status = o.compare ? compare(&o, files) : report(&o, files, (size_t)(argc - optind));
	if (fflush(stdout) && !status) {
		fprintf(stderr, "dsmreport: standard output: cannot write: %s%s\n", strerror(errno),
			remedy__write(errno));
		status = EXIT_OUTPUT;
	}
	return status;
}
