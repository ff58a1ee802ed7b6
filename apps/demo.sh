#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The main job on one screen: run, find the false sharing, apply the plan, prove the gain.
# Called by `make demo`. All files go to $BUILD/demo. Exit code: 0 the plan helped as it must; 1 a step
# failed or the proof falls short; 2 bad usage; 130 interrupted.
#   BUILD (build)  NODES (4)  SECONDS_EACH (6)
set -u
build=${BUILD:-build}
nodes=${NODES:-4}
seconds=${SECONDS_EACH:-6}
bin=$build/bin
out=$build/demo
[ $# = 0 ] || { echo "demo: takes no argument (NODES=4 SECONDS_EACH=6 make demo)" >&2; exit 2; }

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\033[1m' plain=$'\033[0m'
fi
child='' writing=''

# A step's program runs in the background so that a signal reaches this script at once; it is told to end,
# waited for, and what it left half-written is removed.
interrupted() {
	trap '' INT TERM HUP
	[ -z "$child" ] || { kill -TERM "$child" 2>/dev/null; wait "$child" 2>/dev/null; }
	for file in $writing; do
		rm -f "$out/$file"
	done
	echo "demo: interrupted" >&2
	exit 130
}
trap interrupted INT TERM HUP

heading() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
fail() {
	echo "demo: $1" >&2
	exit 1
}
# step FILES-IT-WRITES command...: prints the command and runs it.
step() {
	writing=$1
	shift
	printf '  $ %s\n' "$*"
	"$@" &
	child=$!
	wait "$child"
	local status=$?
	child=
	[ "$status" = 0 ] || fail "\`$1\` ended with status $status"
	writing=
}

# The machine's ticks of all processors: used by anybody, in all, and used by what this script has waited for.
ticks() {
	local cpu own
	read -r -a cpu </proc/stat && read -r -a own <"/proc/$$/stat" || return
	busy=$((cpu[1] + cpu[2] + cpu[3] + cpu[6] + cpu[7] + cpu[8]))
	all=$((busy + cpu[4] + cpu[5]))
	ours=$((own[15] + own[16]))
}
# The share of the processors, in percent, that others had since the last call of ticks: $others.
others_since() {
	local b=$busy a=$all o=$ours
	others=0
	ticks && [ "$all" -gt "$a" ] || return
	others=$((100 * (busy - b - (ours - o)) / (all - a)))
	[ "$others" -ge 0 ] || others=0
}

for program in bin/dsmrun bin/dsmreport apps/world; do
	[ -x "$build/$program" ] || fail "$build/$program is missing: run make first"
done
mkdir -p "$out" || exit 1
rm -f "$out"/{before,after}.dsmt "$out"/report.{txt,json,dot,svg} "$out"/{plan,proof}.json
began=$(date +%s)

heading "1. $nodes nodes walk through one scene, watched from outside"
busy=0 all=0 ours=0
ticks
step "before.dsmt" "$bin/dsmrun" -n "$nodes" --monitor="$out/before.dsmt" "$build/apps/world" --seconds "$seconds"

others_since
others_before=$others

heading "2. What made transactions abort, and what to change"
step "report.txt report.json report.dot report.svg plan.json" \
	"$bin/dsmreport" --out-dir "$out" "$out/before.dsmt"
echo
sed -n '1,45p' "$out/report.txt"
lines=$(wc -l <"$out/report.txt")
[ "$lines" -le 45 ] || echo "  ... $((lines - 45)) more lines in $out/report.txt; picture: $out/report.svg"

heading "3. The same program again, its data laid out by the plan"
ticks
step "after.dsmt" "$bin/dsmrun" -n "$nodes" --plan="$out/plan.json" --monitor="$out/after.dsmt" \
	"$build/apps/world" --seconds "$seconds"

others_since

heading "4. Before, predicted, after"
step "proof.json" "$bin/dsmreport" --compare "$out/before.dsmt" "$out/after.dsmt" \
	--predicted "$out/report.json" --out-dir "$out"

heading "5. Did it help?"
short=0
# check TEXT CONDITION: the condition is over proof.json
check() {
	if jq -e "$2" "$out/proof.json" >/dev/null 2>&1; then
		echo "  yes  $1"
	else
		echo "  NO   $1"
		short=1
	fi
}
check "aborts per commit are at most a fifth of what they were" \
	'.after.aborts_per_commit <= .before.aborts_per_commit / 5'
check "a smaller share of the time is wasted" '.after.wasted_share < .before.wasted_share'
check "more work is done per second" '.after.work_per_s > .before.work_per_s'
echo "  ($(($(date +%s) - began)) s; everything is in $out)"
if [ "$others" -ge 10 ] || [ "$others_before" -ge 10 ]; then
	echo "  (other programs had $others_before % of the processors in the first run, $others % in the second: this is no fair comparison)"
	[ "$short" = 0 ] || fail "the proof falls short, but the machine was busy: try again when it has nothing else to do"
fi
[ "$short" = 0 ] || fail "the proof falls short: $out/proof.json"
