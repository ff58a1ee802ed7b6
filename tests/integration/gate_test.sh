#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsmgate on traces written by the real writer: verdicts, exit codes, JSON, refusals, output files.
. "$(dirname "$0")/../lib.sh"
program=$(realpath "$bin/dsmgate")
make_trace=$(realpath "$build/tests/integration/gate_make_trace")
cd "$work" || exit 1
limit=20 id=0

gate() { run "$program" "$@"; }
make() { # name, keys: each trace is a run of its own, started at its number, unless the keys say otherwise
	local name=$1
	shift
	id=$((id + 1))
	"$make_trace" "$name.dsmt" run=$id start=$id "$@" || exit 1
}

# taking turns, as the documentation asks
n=0
for x in 990 1010 1000 1020 980; do
	n=$((n + 1))
	make "a$n" aborts=$x wasted=$((x * 100000)) work=$((5000 + (x - 1000) / 2))
	make "same$n" aborts=$((2000 - x)) wasted=$(((2000 - x) * 100000)) work=$((5000 - (x - 1000) / 2))
	make "worse$n" aborts=$((x + 300)) wasted=$(((x + 500) * 100000)) work=$((4000 + (x - 1000) / 2))
	make "better$n" aborts=$((x / 5)) wasted=$((x * 20000)) work=$((8000 + (x - 1000) / 2))
	make "near$n" aborts=$((x + 50))
done
A=(a1.dsmt a2.dsmt a3.dsmt a4.dsmt a5.dsmt)

gate --baseline "${A[@]}" --candidate same?.dsmt
check "same program: exit code" code 0
check "same program: pass" has "pass: aborts_per_commit of world, 4 nodes"
check "no warning" lacks "warning"
gate -b=a1.dsmt a[2-5].dsmt -c=same1.dsmt same[2-5].dsmt -f=json -o=short.json
check "short options with =: exit code" code 0
check "short options with =: what they name" jq -e '.schema' short.json
gate --baseline "${A[@]}" --candidate worse?.dsmt
check "worse: exit code" code 1
check "worse: regression" has "regression: aborts_per_commit"
check "ratio and interval" has "candidate/baseline 1.297, 90 % interval"
check "limit" has "limit 1.05 (margin 5 %"
gate --baseline "${A[@]}" --candidate better?.dsmt
check "better passes" code 0
gate --baseline "${A[@]}" --candidate near?.dsmt
check "at the limit: inconclusive" code 3
check "at the limit: says what to do" has "inconclusive"
gate --baseline "${A[@]}" --candidate near?.dsmt --margin 10
check "a wider margin passes" code 0
for m in wasted_share work_per_s; do
	gate --baseline "${A[@]}" --candidate worse?.dsmt --metric $m
	check "$m, worse" code 1
	gate --baseline "${A[@]}" --candidate same?.dsmt --metric $m
	check "$m, same" code 0
	gate --baseline "${A[@]}" --candidate better?.dsmt --metric $m
	check "$m, better" code 0
done
gate --metric commits_per_s -b "${A[@]}" -c worse?.dsmt
check "commits_per_s" code 0

gate --baseline a1.dsmt a2.dsmt --candidate worse1.dsmt worse2.dsmt worse3.dsmt
check "too few runs: inconclusive" code 3
check "too few runs: reason" has "at least 3 of each"
gate -b a1.dsmt -b a2.dsmt -b a3.dsmt -c worse1.dsmt -c worse2.dsmt -c worse3.dsmt
check "options may be repeated" code 1

gate --format json --baseline "${A[@]}" --candidate worse?.dsmt
check "JSON: exit code" code 1
check "JSON: schema" json .schema procope.gate/1
check "JSON: verdict" json .verdict regression
check "JSON: exit code inside" json .exit_code 1
check "JSON: runs" json '.candidate.runs | length' 5
check "JSON: value" json '.baseline.runs[0].value * 1000 | round' 99
check "JSON: interval in order" json '.ratio.low < .ratio.estimate and .ratio.estimate < .ratio.high' true
check "JSON: interval above limit" json '.ratio.low > .limit' true
check "JSON: no advice needed" json .runs_wanted null
gate --json --baseline a1.dsmt --candidate a2.dsmt
check "JSON, too few: no ratio" json .ratio null
check "JSON, too few: reason" json '.reason | test("at least 3")' true

# one run from several hosts is one run; half of it is none; twice the same is not two
for i in 1 2 3; do
	make "h$i-x" run=90$i first=0 last=1 host=x
	make "h$i-y" run=90$i first=2 last=3 host=y
done
gate --format json --baseline h?-x.dsmt h?-y.dsmt --candidate same1.dsmt same2.dsmt same3.dsmt
check "hosts together" code 0
check "hosts: three runs" json .baseline.n 3
check "hosts: two traces each" json '.baseline.runs[0].traces' 2
check "hosts: warned" json '.warnings | join(" ") | test("machines differ")' true
gate --baseline h?-x.dsmt --candidate same1.dsmt same2.dsmt same3.dsmt
check "half a run" code 2
check "half a run: remedy" says "give the traces of all its hosts together"
cp a1.dsmt copy.dsmt
gate --baseline a1.dsmt copy.dsmt a2.dsmt --candidate same1.dsmt same2.dsmt same3.dsmt
check "a run twice" code 2
check "a run twice: says so" says "same run"
gate --baseline a1.dsmt a2.dsmt a3.dsmt --candidate copy.dsmt same2.dsmt same3.dsmt
check "a run on both sides" code 2
check "a run on both sides: says so" says "both sides"

# what cannot be compared
make other program=sor
make small nodes=3
gate -b "${A[@]}" -c other.dsmt same1.dsmt same2.dsmt
check "another program" code 2
check "another program: named" says "other.dsmt of sor"
gate -b "${A[@]}" -c same1.dsmt same2.dsmt small.dsmt
check "another number of nodes" code 2
check "another number of nodes: named" says "small.dsmt has 3"
make crash status=-11
gate -b "${A[@]}" -c same1.dsmt same2.dsmt crash.dsmt
check "a crashed run" code 2
check "a crashed run: named" says "crash.dsmt: node 0 ended with signal 11"
make idle commits=0 aborts=0 work=0
gate -b "${A[@]}" -c same1.dsmt same2.dsmt idle.dsmt
check "nothing committed" says "nothing was committed"
gate -b "${A[@]}" -c same1.dsmt same2.dsmt idle.dsmt --metric work_per_s
check "no work" says "reported no work"
make bare nocounters=1
gate -b "${A[@]}" -c same1.dsmt same2.dsmt bare.dsmt
check "no counters" code 2
check "no counters: named" says "bare.dsmt has no counters"
for z in 1 2 3; do
	make "zero$z" aborts=0
done
gate -b zero?.dsmt -c same1.dsmt same2.dsmt same3.dsmt
check "no aborts before, many after" code 1
gate -b zero?.dsmt -c same1.dsmt same2.dsmt same3.dsmt --floor 0
check "no ratio with 0" code 2
check "no ratio with 0: remedy" says "--floor"

# what can, with a word of caution
make loss lost=77
make micro1 micro=5e7
make micro2 micro=5e7
make micro3 micro=5e7
gate -b "${A[@]}" -c same1.dsmt same2.dsmt loss.dsmt
check "losses do not matter" code 0
check "but are told" has "1 runs lost records"
gate -b "${A[@]}" -c micro?.dsmt
check "the microscope is told" has "microscope took 0.0 % of the baseline's time and 4.5 %"
check "and what to do" has "dsmrun --microscope 0"
check "not interleaved is told" has "take turns"
make sc model=2 intervals=4000 meets=400
gate -b "${A[@]}" -c same1.dsmt same2.dsmt sc.dsmt
check "another consistency model" code 2
check "another consistency model: named" says "a1.dsmt ran under tx, sc.dsmt under sc"
check "another consistency model: remedy" says "--metric work_per_s"
gate -b "${A[@]}" -c same1.dsmt same2.dsmt sc.dsmt --metric work_per_s
check "work can be held against work under any model" code 0
check "but models are told" has "different consistency models"
for i in 1 2 3; do
	make "late$i" late=1
done
gate -b late?.dsmt -c same1.dsmt same2.dsmt same3.dsmt --metric work_per_s --format json
check "late collectors: rates between their samples" json '.baseline.geomean | round' 4000
make cut cut=8
gate -b "${A[@]}" -c same1.dsmt same2.dsmt cut.dsmt
check "a cut trace" has "1 traces are cut"
make killed crashed=2
gate -b "${A[@]}" -c same1.dsmt same2.dsmt killed.dsmt
check "a run with a killed node" code 2
check "a run with a killed node: named" says "killed.dsmt: node 2 died"
make unclosed nosummary=1
gate -b "${A[@]}" -c same1.dsmt same2.dsmt unclosed.dsmt
check "a trace that nobody closed" has "1 traces are cut or were never closed"
make broken open=1
gate -b "${A[@]}" -c same1.dsmt same2.dsmt broken.dsmt
check "a recording that ended early" has "1 traces end before their runs did"

# sc and rc: intervals that meet and wait. Of 5 s a node waits 1 s for copies (0.2 s of them twice counted, in attempts
# of the runtime's own that aborted), 0.25 s for locks, 0.15 s for flushes, and loses 0.3 s with those attempts.
n=0
for x in 990 1010 1000 1020 980; do
	n=$((n + 1))
	for m in 2 3; do
		common=(model=$m intervals=10000 wasted=3e8 refetched=2e8 locked=20e7 flushed=15e7 changed=5e7 work=5000)
		make "m$m-$n" meets=$x fetched=$((x * 1000000)) "${common[@]}"
		make "m$m-same$n" meets=$((2000 - x)) fetched=$(((2000 - x) * 1000000)) "${common[@]}"
		make "m$m-worse$n" meets=$((x + 300)) fetched=$(((x + 300) * 1000000)) "${common[@]}"
	done
done
for m in 2 3; do
	model=$([ $m = 2 ] && echo sc || echo rc)
	gate -b m$m-[1-5].dsmt -c m$m-same?.dsmt
	check "$model, same program: exit code" code 0
	check "$model: its own metric without a word" has "pass: conflicts_per_interval of world, 4 nodes, $model"
	gate -b m$m-[1-5].dsmt -c m$m-worse?.dsmt --format json
	check "$model, worse: exit code" code 1
	check "$model, JSON: metric and model" json '"\(.metric) \(.consistency)"' "conflicts_per_interval $model"
	check "$model, JSON: value" json '.baseline.runs[2].value' 0.1
	check "$model, JSON: floor" json .floor 0.001
	gate -b m$m-[1-5].dsmt -c m$m-same?.dsmt --metric lost_share --format json
	check "$model: lost share, same" code 0
	check "$model: lost share: value" json '.baseline.runs[2].value' 0.3
	gate -b m$m-[1-5].dsmt -c m$m-worse?.dsmt --metric lost_share
	check "$model: lost share, worse" code 1
	gate -b m$m-[1-5].dsmt -c m$m-worse?.dsmt --metric conflicts_per_work --format json
	check "$model: conflicts per work, worse" code 1
	check "$model: conflicts per work: value" json '.baseline.runs[2].value' 0.2
	for bad in aborts_per_commit wasted_share commits_per_s; do
		gate -b m$m-[1-5].dsmt -c m$m-same?.dsmt --metric $bad
		check "$model: no $bad" code 2
		check "$model: no $bad: remedy" says "use --metric conflicts_per_interval, conflicts_per_work, lost_share or work_per_s"
	done
done
gate -b m2-[1-5].dsmt -c m3-[1-5].dsmt
check "sc against rc" code 2
gate -b m2-[1-5].dsmt -c m3-[1-5].dsmt --metric lost_share
check "sc against rc by lost share" code 2
gate -b m2-[1-5].dsmt -c m3-[1-5].dsmt --metric work_per_s --format json
check "sc against rc by work" code 0
check "sc against rc by work: no one model" json .consistency null
gate -b "${A[@]}" -c same?.dsmt --metric lost_share
check "tx has no lost share" code 2
check "tx has no lost share: remedy" says "use --metric aborts_per_commit, wasted_share"
make idle-sc model=2 intervals=0 meets=0
gate -b m2-[1-5].dsmt -c idle-sc.dsmt
check "no interval" says "no interval in which anything was shared"
for i in 1 2 3; do
	make "late-sc$i" model=2 late=1 intervals=10000 meets=1000 fetched=1e9
done
gate -b late-sc?.dsmt -c m2-same?.dsmt --metric lost_share --format json
check "late collectors: lost share between their samples" json '.baseline.geomean * 1000 | round' 220

# files
echo "no trace" >junk.dsmt
gate -b "${A[@]}" -c junk.dsmt
check "not a trace" code 2
check "not a trace: named" says "junk.dsmt is not a trace"
gate -b "${A[@]}" -c none.dsmt
check "missing file" code 2
check "missing file: named" says "none.dsmt: No such file"
gate -b "${A[@]}" -c worse?.dsmt --format json -o result.json
check "-o: exit code" code 1
check "-o: nothing on standard output" test ! -s out
check "-o: whole file" test "$(jq -r .verdict result.json)" = regression
gate -b "${A[@]}" -c worse?.dsmt -o missing/result.txt
check "-o into no folder" code 2
check "-o into no folder: named" says "missing/result.txt"
gate -b "${A[@]}" -c same?.dsmt -o /dev/full
check "disk full" code 2
check "disk full: said" says "No space left"
check "nothing left behind" test "$(ls | grep -c 'result\.')" = 1
gate -b "${A[@]}" -c same?.dsmt -o result.json
check "-o replaces" grep -q "^pass" result.json

for bad in "" "-b a1.dsmt" "-c a1.dsmt" "a1.dsmt -b a2.dsmt" "-b a1.dsmt -c a2.dsmt --metric speed" \
	"-b a1.dsmt -c a2.dsmt --margin -1" "-b a1.dsmt -c a2.dsmt --margin x" "-b a1.dsmt -c a2.dsmt --alpha 0.5" \
	"-b a1.dsmt -c a2.dsmt --format xml" "-b a1.dsmt -c a2.dsmt --what" "-b a1.dsmt -c"; do
	gate $bad
	check "usage: $bad" code 2
	check "usage: $bad: says what" test -s err
done
gate --help
check "--help" has "Usage: dsmgate"
gate --version
check "--version" has procope.gate/1
finish
