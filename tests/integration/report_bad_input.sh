#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsmreport on bad input: each ends with its documented status and a message that names the thing; files that
# were there stay as they were.
set -u
build=${BUILD:-build}
report=$build/bin/dsmreport
work=$(mktemp -d "${TMPDIR:-/tmp}/report-bad-XXXXXX")
trap 'rm -rf "$work"' EXIT
checks=0 failures=0

# expect STATUS PATTERN ARGUMENT...: exit status, and a line on standard error that matches
expect() {
	local status=$1 pattern=$2
	shift 2
	checks=$((checks + 1))
	timeout 60 "$report" "$@" >"$work/out" 2>"$work/err"
	local got=$?
	if [ "$got" != "$status" ] || { [ -n "$pattern" ] && ! grep -q -- "$pattern" "$work/err"; }; then
		echo "dsmreport $*: status $got instead of $status, or no message \"$pattern\":"
		sed 's/^/    /' "$work/err"
		failures=$((failures + 1))
	fi
}

good=$work/good.dsmt
"$build/tests/analyzer/report_make_trace" "$good" 40 planted || { echo "report_make_trace failed"; exit 1; }
"$build/tests/analyzer/report_make_trace" "$work/other.dsmt" 40 otherprogram || exit 1
"$build/tests/analyzer/report_make_trace" "$work/quiet.dsmt" 0 planted || exit 1

expect 0 "" "$good"
expect 0 "" --help
expect 0 "" --version
expect 0 "" --format json "$good"
python3 -c 'import json,sys; json.load(open(sys.argv[1]))' "$work/out" 2>/dev/null || jq -e . "$work/out" >/dev/null ||
	{ echo "--format json wrote no JSON"; failures=$((failures + 1)); }
expect 2 "which trace"
expect 2 "unknown option" --frobnicate "$good"
expect 2 "needs a value" "$good" --top
expect 2 "not a number" --top many "$good"
expect 2 "not a number" --top 0 "$good"
expect 2 "not one of text" --format pdf "$good"
expect 2 "not a folder" --debug-dir /nonexistent "$good"
expect 2 "No such file" "$work/absent.dsmt"
expect 2 "two traces" --compare "$good"
expect 2 "goes with --compare" --predicted "$good" "$good"
expect 2 "one program\|one of" "$good" "$work/other.dsmt"
expect 2 "compared\|one of" --compare "$good" "$work/other.dsmt"
cp "$good" "$work/copy.dsmt"
expect 2 "both hold node 0" "$good" "$work/copy.dsmt"
expect 0 "" --plan "$work/plan.json" "$work/quiet.dsmt"
grep -q "0 rules" "$work/out" || { echo "a plan without rules: no word of it"; failures=$((failures + 1)); }
"$build/tests/analyzer/report_make_trace" "$work/few.dsmt" 3 planted || exit 1
expect 0 "" "$work/few.dsmt"
grep -q "could be judged: shares" "$work/out" || { echo "few conflicts: no word of it"; failures=$((failures + 1)); }
grep -q "less than 1 s" "$work/out" || { echo "a short run: no word of it"; failures=$((failures + 1)); }
expect 0 "" --compare "$good" "$good"
grep -q "The plan made no difference" "$work/out" || { echo "--compare without a sentence"; failures=$((failures + 1)); }
expect 0 "" "$work/quiet.dsmt"
grep -q "Nothing to report" "$work/out" || { echo "a run without aborts: no word of it"; failures=$((failures + 1)); }

: >"$work/empty.dsmt"
expect 2 "" "$work/empty.dsmt"
echo "this is no trace at all, only some words" >"$work/words.dsmt"
expect 2 "not a trace" "$work/words.dsmt"
expect 2 "" "$work"
if [ "$(id -u)" != 0 ]; then
	cp "$good" "$work/secret.dsmt" && chmod 0 "$work/secret.dsmt"
	expect 2 "Permission denied" "$work/secret.dsmt"
fi

# Cut anywhere the rest is reported or refused, with a message either way; damage likewise.
size=$(stat -c %s "$good")
for part in 10 30 50 70 90 99; do
	head -c $((size * part / 100)) "$good" >"$work/cut.dsmt"
	checks=$((checks + 1))
	timeout 60 "$report" "$work/cut.dsmt" >"$work/out" 2>"$work/err"
	status=$?
	if [ $status != 0 ] && [ $status != 2 ] || [ ! -s "$work/err" ]; then
		echo "cut at $part %: status $status, message: $(cat "$work/err")"
		failures=$((failures + 1))
	fi
	cp "$good" "$work/bad.dsmt"
	printf '\377\377\377\377' | dd of="$work/bad.dsmt" bs=1 seek=$((size * part / 100)) conv=notrunc 2>/dev/null
	checks=$((checks + 1))
	timeout 60 "$report" "$work/bad.dsmt" >"$work/out" 2>"$work/err"
	status=$?
	if [ $status != 0 ] && [ $status != 2 ]; then
		echo "damaged at $part %: status $status: $(cat "$work/err")"
		failures=$((failures + 1))
	fi
done

# Output that cannot be written: status 1, and what was there stays.
expect 1 "cannot write" -o /nonexistent/report.txt "$good"
expect 1 "cannot write" --plan /nonexistent/plan.json "$good"
expect 1 "cannot write" --out-dir "$good" "$good"
expect 1 "cannot write" -o /dev/full "$good"
mkdir "$work/full" && echo precious >"$work/report.txt"
expect 1 "" -o "$work" "$good"
[ "$(cat "$work/report.txt")" = precious ] || { echo "a good file was replaced"; failures=$((failures + 1)); }
checks=$((checks + 1))
(ulimit -f 1; trap '' XFSZ; exec "$report" --format json -o "$work/report.txt" "$good") >/dev/null 2>"$work/err"
status=$?
if [ "$status" != 1 ] || [ "$(cat "$work/report.txt")" != precious ]; then
	echo "file size limit: status $status, file: $(head -c 60 "$work/report.txt")"
	failures=$((failures + 1))
fi
[ -z "$(find "$work" -name 'report.txt.*')" ] || { echo "temporary files are left behind"; failures=$((failures + 1)); }

# Without graph programs the .dot is still written, and it is said.
mkdir "$work/nopath"
checks=$((checks + 1))
PATH=$work/nopath "$(command -v "$report")" --out-dir "$work/o" "$good" >"$work/out" 2>"$work/err"
status=$?
if [ "$status" != 0 ] || [ ! -s "$work/o/report.dot" ] || [ -e "$work/o/report.svg" ] ||
	! grep -q "neither dot nor sfdp" "$work/err"; then
	echo "without dot: status $status: $(cat "$work/err")"
	failures=$((failures + 1))
fi
expect 0 "" --format svg -o "$work/x.svg" "$good"
grep -q "<svg" "$work/x.svg" || { echo "no picture in x.svg"; failures=$((failures + 1)); }
expect 0 "" --compare --out-dir "$work/o" "$good" "$good"
[ -s "$work/o/proof.json" ] || { echo "no proof.json"; failures=$((failures + 1)); }
echo '{"schema":"procope.report/1","plan":3}' >"$work/no.json"
expect 2 "not a report" --compare --predicted "$work/no.json" "$good" "$good"
expect 2 "cannot read the report" --compare --predicted /nonexistent "$good" "$good"

echo "$checks checks, $failures failures"
[ "$failures" = 0 ]
