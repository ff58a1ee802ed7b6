#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsmreport on bad input: each ends with its documented status and a message that names the thing; files that
# were there stay as they were.
. "$(dirname "$0")/../lib.sh"
report=$bin/dsmreport

try() { # STATUS PATTERN ARGUMENT...
	local status=$1 pattern=$2
	shift 2
	checks=$((checks + 1))
	expect "$status" "$pattern" "$report" "$@"
}

good=$work/good.dsmt
"$build/tests/analyzer/report_make_trace" "$good" 40 planted || { echo "report_make_trace failed"; exit 1; }
"$build/tests/analyzer/report_make_trace" "$work/other.dsmt" 40 otherprogram || exit 1
"$build/tests/analyzer/report_make_trace" "$work/quiet.dsmt" 0 planted || exit 1

try 0 "" "$good"
try 0 "" --help
try 0 "" --version
try 0 "" --format json "$good"
jq -e . "$work/out" >/dev/null || fail "--format json wrote no JSON"
cp "$work/out" "$work/long.json"
try 0 "" --json "$good"
cmp -s "$work/out" "$work/long.json" || fail "--json is not --format json"
try 2 "which trace"
try 2 "unknown option" --frobnicate "$good"
try 2 "needs a value" "$good" --top
try 2 "needs a value" -o '' "$good"
try 2 "needs a value" -o= "$good"
try 0 "" "$good" -o="$work/short.txt"
[ -s "$work/short.txt" ] || fail "-o=short.txt is not -o short.txt"
try 2 "needs a value" --plan= "$good"
try 2 "not a number" --top many "$good"
try 2 "not a number" --top 0 "$good"
try 2 "not one of text" --format pdf "$good"
try 2 "not a folder" --debug-dir /nonexistent "$good"
try 2 "No such file" "$work/absent.dsmt"
try 2 "two traces" --compare "$good"
try 2 "goes with --compare" --predicted "$good" "$good"
try 2 "one program|one of" "$good" "$work/other.dsmt"
try 2 "compared|one of" --compare "$good" "$work/other.dsmt"
cp "$good" "$work/copy.dsmt"
try 2 "both hold node 0" "$good" "$work/copy.dsmt"
try 0 "" --plan "$work/plan.json" "$work/quiet.dsmt"
grep -q "0 rules" "$work/out" || fail "a plan without rules: no word of it"
"$build/tests/analyzer/report_make_trace" "$work/few.dsmt" 3 planted || exit 1
try 0 "" "$work/few.dsmt"
grep -q "could be judged: shares" "$work/out" || fail "few conflicts: no word of it"
grep -q "less than 1 s" "$work/out" || fail "a short run: no word of it"
try 0 "" --compare "$good" "$good"
grep -q "The plan made no difference" "$work/out" || fail "--compare without a sentence"
try 0 "" "$work/quiet.dsmt"
grep -q "Nothing to report" "$work/out" || fail "a run without aborts: no word of it"
try 0 "" "$good"
grep -q "Nothing: no change" "$work/out" || fail "a run without advice: no word of it"
! grep -q "How predictions are made" "$work/out" || fail "how predictions are made, where there is none"

# Names hold what their authors like: neither the terminal nor a reader of JSON gets to see it raw.
"$build/tests/analyzer/report_make_trace" "$work/odd.dsmt" 40 $'pr"o\ng\e[31m\xff' || exit 1
for format in text json dot; do
	try 0 "" --format $format "$work/odd.dsmt"
	iconv -f UTF-8 -t UTF-8 "$work/out" >"$work/utf8" 2>&1 || fail "$format: not UTF-8 with a name that is not"
	grep -q 'pr.*o?g?\[31m?' "$work/out" || fail "$format: the odd name is not shown in one piece"
	! grep -q $'\e' "$work/out" || fail "$format: an escape sequence comes through"
done
try 0 "" --format json "$work/odd.dsmt"
jq -e '.run.program == "pr\"o?g?[31m?"' "$work/out" >/dev/null || fail "the odd name in JSON: $(jq -c .run.program "$work/out")"

: >"$work/empty.dsmt"
try 2 "" "$work/empty.dsmt"
echo "this is no trace at all, only some words" >"$work/words.dsmt"
try 2 "not a trace" "$work/words.dsmt"
try 2 "" "$work"
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
		fail "cut at $part %: status $status, message: $(cat "$work/err")"
	fi
	cp "$good" "$work/bad.dsmt"
	printf '\377\377\377\377' | dd of="$work/bad.dsmt" bs=1 seek=$((size * part / 100)) conv=notrunc 2>/dev/null
	checks=$((checks + 1))
	timeout 60 "$report" "$work/bad.dsmt" >"$work/out" 2>"$work/err"
	status=$?
	if [ $status != 0 ] && [ $status != 2 ]; then
		fail "damaged at $part %: status $status: $(cat "$work/err")"
	fi
done

# Output that cannot be written: status 1, and what was there stays.
try 1 "cannot write" -o /nonexistent/report.txt "$good"
try 1 "cannot write" --plan /nonexistent/plan.json "$good"
try 1 "cannot write" --out-dir "$good" "$good"
try 1 "cannot write" -o /dev/full "$good"
mkdir "$work/full" && echo precious >"$work/report.txt"
try 1 "" -o "$work" "$good"
[ "$(cat "$work/report.txt")" = precious ] || fail "a good file was replaced"
checks=$((checks + 1))
(ulimit -f 1; trap '' XFSZ; exec "$report" --format json -o "$work/report.txt" "$good") >/dev/null 2>"$work/err"
status=$?
if [ "$status" != 1 ] || [ "$(cat "$work/report.txt")" != precious ]; then
	fail "file size limit: status $status, file: $(head -c 60 "$work/report.txt")"
fi
[ -z "$(find "$work" -name 'report.txt.*')" ] || fail "temporary files are left behind"

# Without graph programs the .dot is still written, and it is said.
mkdir "$work/nopath"
checks=$((checks + 1))
PATH=$work/nopath "$(command -v "$report")" --out-dir "$work/o" "$good" >"$work/out" 2>"$work/err"
status=$?
if [ "$status" != 0 ] || [ ! -s "$work/o/report.dot" ] || [ -e "$work/o/report.svg" ] ||
	! grep -q "neither dot nor sfdp" "$work/err"; then
	fail "without dot: status $status: $(cat "$work/err")"
fi
try 0 "" --format svg -o "$work/x.svg" "$good"
grep -q "<svg" "$work/x.svg" || fail "no picture in x.svg"
try 0 "" --compare --out-dir "$work/o" "$good" "$good"
[ -s "$work/o/proof.json" ] || fail "no proof.json"
echo '{"schema":"procope.report/1","plan":3}' >"$work/no.json"
try 2 "not a report" --compare --predicted "$work/no.json" "$good" "$good"
try 2 "cannot read the report" --compare --predicted /nonexistent "$good" "$good"
finish
