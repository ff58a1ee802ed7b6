#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# make predict: what the report predicts of a change of layout, beside what the change gives.
#
# Each pattern of sharing.c is recorded and reported; the plan is applied, or where the advice is a change of the source, the
# program with that change is run; and runs without and with the change take turns, all of them recorded, too. One row each:
# the predicted factor of work a second as a range (low, best, high), and the measured one (median, least, most).
set -u
here=$(dirname "$0")
build=${BUILD:-build}
bin=$build/bin
sharing=$build/tests/bench/sharing
out=$build/predict
patterns='slots lone fields rows token producer readmostly counter lockdata migratory phases mixed'
models='tx sc rc' nodes=2 runs=3 seconds=1.5 tries=4

usage() {
	cat <<END
Usage: tests/bench/predict.sh [OPTION]...     or     make predict [QUICK=1] [PREDICT="OPTION..."]
Compares what dsmreport predicts with what its advice gives, on patterns of sharing whose truth is known.

      --patterns LIST   of: ${patterns// /,} (default: all)
      --models LIST     of: tx,sc,rc (default: all)
      --nodes N         nodes of each run, 2 to 8 (default: 2)
      --runs N          runs without and with the change, of which the median counts (default: 3)
      --seconds N       of each run (default: 1.5)
      --tries N         that a run is repeated while others use more than a fifth of the machine (default: 4)
      --out FOLDER      for predict.txt, predict.json, rows.jsonl (default: BUILD/predict)
  -h, --help            this text

Exit code: 0; 1 a run failed (its row is missing); 2 bad usage.
END
}
bad() {
	echo "predict: $*; see --help" >&2
	exit 2
}
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help) usage && exit 0 ;;
	--patterns | --models | --nodes | --runs | --seconds | --tries | --out) [ $# -gt 1 ] || bad "$1 needs a value" ;;
	*) bad "unknown option $1" ;;
	esac
	case $1 in
	--patterns) patterns=${2//,/ } ;;
	--models) models=${2//,/ } ;;
	--nodes) nodes=$2 ;;
	--runs) runs=$2 ;;
	--seconds) seconds=$2 ;;
	--tries) tries=$2 ;;
	--out) out=$2 ;;
	esac
	shift 2
done
[[ $nodes =~ ^[2-8]$ ]] || bad "--nodes $nodes is not within 2 and 8"
[[ $runs =~ ^[1-9][0-9]*$ ]] || bad "--runs $runs is not a number of 1 or more"
[[ $tries =~ ^[1-9][0-9]*$ ]] || bad "--tries $tries is not a number of 1 or more"
[[ $seconds =~ ^[0-9]+(\.[0-9]+)?$ ]] || bad "--seconds $seconds is no number"

# truth PATTERN: what is planted
truth() {
	case $1 in
	counter) echo true ;;
	producer | lockdata | mixed | migratory) echo both ;;
	*) echo false ;;
	esac
}
# busy: ms that all processors together have computed, for whomever
busy() { awk -v hz="$(getconf CLK_TCK)" '$1 == "cpu" { printf "%d\n", ($2 + $3 + $4 + $7 + $8 + $9) * 1000 / hz }' /proc/stat; }
# attempt NAME MODEL PATTERN OPTION... [-- apart]: the run's counters in $out/NAME.stats, what others computed meanwhile in
# $others (a part of all processors)
attempt() {
	local name=$1 model=$2 pattern=$3 options=() program=() since from
	shift 3
	while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1") && shift; done
	[ $# = 0 ] || program=(apart)
	since=$(busy) from=$(date +%s%3N)
	{
		time timeout 60 "$bin/dsmrun" -n "$nodes" --consistency "$model" --stats "$out/$name.stats" "${options[@]}" \
			"$sharing" "$pattern" "$seconds" "${program[@]}" >"$out/$name.out" 2>&1
	} 2>"$out/time" || {
		echo "predict: $pattern, $model: $name: $(tail -n 3 "$out/$name.out")" >&2
		return 1
	}
	others=$(awk -v busy=$(($(busy) - since)) -v ms=$(($(date +%s%3N) - from)) -v cores="$(nproc)" \
		'{ x = (busy - ($1 + $2) * 1000) / (ms * cores); print x < 0 ? 0 : x }' "$out/time")
}
# run ...: an attempt, again where others took more than a fifth of the machine: then the next time is as good as this one
run() {
	for _ in $(seq "$tries"); do
		attempt "$@" || return 1
		awk -v x="$others" 'BEGIN { exit !(x < 0.2) }' && break
	done
	awk -v x="$others" -v y="$disturbed" 'BEGIN { exit !(x > y) }' && disturbed=$others
	return 0
}
figures() { # NAME...: work a second, aborts and transfers a unit of work of each run, as a list
	local name
	for name in "$@"; do
		jq -c --argjson s "$seconds" '[.nodes[].counters] | {work: ((map(.work) | add) / $s), aborts: (map(.aborts) | add),
			transfers: (map(.pages_in) | add)}' "$out/$name.stats"
	done | jq -sc .
}
# one PATTERN MODEL: a row in rows.jsonl
one() {
	local pattern=$1 model=$2 how=none before=() after=() i changed=() disturbed=0
	run traced "$model" "$pattern" --monitor="$out/trace.dsmt" || return 1
	timeout 60 "$bin/dsmreport" --out-dir "$out/report" "$out/trace.dsmt" >/dev/null || {
		echo "predict: $pattern, $model: no report: status $?" >&2
		return 1
	}
	if jq -e '.rules | length > 0' "$out/report/plan.json" >/dev/null; then
		how=plan changed=(--plan="$out/report/plan.json")
	elif jq -e '.advice | length > 0 and (.[0].kind == "split-struct")' "$out/report/report.json" >/dev/null; then
		how=source changed=(-- apart)
	fi
	for ((i = 0; i < runs && ${#changed[@]}; i++)); do
		run "before$i" "$model" "$pattern" --monitor="$out/other.dsmt" || return 1
		run "after$i" "$model" "$pattern" --monitor="$out/other.dsmt" "${changed[@]}" || return 1
		before+=("before$i") after+=("after$i")
	done
	jq -c --arg pattern "$pattern" --arg model "$model" --arg how "$how" --arg truth "$(truth "$pattern")" --argjson nodes "$nodes" --argjson others "$disturbed" \
		--argjson before "$(figures "${before[@]}")" --argjson after "$(figures "${after[@]}")" -f "$here/predict_row.jq" \
		"$out/report/report.json" >>"$out/rows.jsonl"
	tail -n 1 "$out/rows.jsonl" | jq -rf "$here/predict_line.jq" | tee -a "$out/predict.txt"
}

mkdir -p "$out" || exit 1
: >"$out/rows.jsonl"
failed=0
TIMEFORMAT='%U %S' # of dsmrun and all that it starts
"$bin/dsmrun" --version >/dev/null || bad "build first: make"
printf '%-11s %-3s %-6s %-28s %-8s %-22s %-20s %s\n' pattern run truth 'first advice' how 'predicted low-best-high' 'measured (least-most)' 'in the range' |
	tee "$out/predict.txt"
for pattern in $patterns; do
	for model in $models; do
		one "$pattern" "$model" || failed=1
	done
done
jq -s '{schema: "procope.predict/1", rows: .}' "$out/rows.jsonl" >"$out/predict.json"
jq -r '[.rows[] | select(.measured)] | "\(map(select(.inside)) | length) of \(length) measured gains lie in the predicted range"' "$out/predict.json" |
	tee -a "$out/predict.txt"
rm -f "$out"/{before,after}*.{stats,out} "$out"/traced.{stats,out} "$out"/{trace,other}.dsmt "$out/time"
exit $failed
