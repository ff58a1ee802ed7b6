# SPDX-License-Identifier: BSD-2-Clause
# Recorded runs and what their reports say, for the tests of reports on real runs. Source it.
# shellcheck shell=bash disable=SC2154
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

# record NAME [OPTION...] PROGRAM...: a run of two nodes and its report. What the run says is in $work/NAME.out and NAME.err, its
# counters in NAME.stats, its trace in NAME.dsmt; the report, with its plan, is in the folder NAME.
record() {
	local name=$1
	shift
	timeout 60 "$bin/dsmrun" -n 2 --monitor="$work/$name.dsmt" --stats "$work/$name.stats" "$@" >"$work/$name.out" 2>"$work/$name.err" ||
		fatal "$name: status $?: $(tail -q -n 5 "$work/$name.out" "$work/$name.err")"
	timeout 60 "$bin/dsmreport" --out-dir "$work/$name" "$work/$name.dsmt" >/dev/null 2>&1 || fatal "$name: no report"
}
# holds NAME TEXT CONDITION: in the report of that run; if not, what $shown finds there is told
shown=.advice
holds() { jq -e "$3" "$work/$1/report.json" >/dev/null 2>&1 || fail "$1: $2: $(jq -c "$shown" "$work/$1/report.json")"; }
# counter NAME COUNTER: of all nodes of that run
counter() { jq "[.nodes[].counters.$2] | add" "$work/$1.stats"; }
