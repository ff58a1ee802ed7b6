#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A partition that is shifted against its homes (sor --misalign): the report names the matrix, the rows and the lines.
# Where homes stay, its first advice is to align the partition; where they move to the writer, next to nothing is left to gain.
. "$(dirname "$0")/report_lib.sh"
sor=$build/apps/sor

# misaligned NAME OPTION...
misaligned() { record "$@" "$sor" --size 600 --iterations 600 --layout tuned --misalign 31; }

homes_stay() {
	misaligned stay --no-migration
	holds stay "the first advice is to align the partition" '.advice[0].kind == "relocate/align"'
	holds stay "which names the matrix" '.advice[0].object | test("^(red|black)[.]0$")'
	holds stay "and its rows, of those that are misplaced" '.advice[0] | .element == "row" and .home == 0 and .writer == 1 and
		(.elements | length > 0 and all(.[0] >= 300 and .[1] <= 330))'
	holds stay "who waited for them is named with a line of SOR" '[.waits.copies[] | select(.node == 1 and .home == 0
		and (.object | tostring | test("^(red|black)[.]0$")))] | length > 0 and all((.file | endswith("grid.c")) and .line > 0)'
	grep -q 'Align the partition: rows 3[0-9][0-9]' "$work/stay/report.txt" || fail "stay: the text does not name the rows"
	holds stay "no plan rule, since it is a change of the source" '.advice[0].plan_rule == null'
}
again 3 homes_stay

homes_stay_under() { # MODEL
	local model=$1
	misaligned "stay-$model" --no-migration --consistency "$model"
	holds "stay-$model" "the first advice is to align the partition" '.advice[0] | .kind == "relocate/align" and
		(.object | test("^(red|black)[.]0$"))'
}
again 3 homes_stay_under sc
# Under rc what is at home elsewhere is waited for at each barrier: that is predicted to go, and where all is aligned it does.
predicted_as_aligned() {
	homes_stay_under rc
	timeout 60 "$bin/dsmrun" -n 2 --consistency rc --no-migration --stats "$work/aligned.stats" "$sor" --size 600 --iterations 600 \
		--layout tuned >"$work/aligned.out" 2>&1 || fatal "aligned: status $?"
	aligned=$(counter aligned flush_ns)
	jq -e --argjson aligned "$aligned" '.totals as $t | ([.advice[] | select(.kind == "relocate/align") | .predicted.ns_per_s] | add)
		* $t.seconds > 0.5 * ($t.counters.flush_ns - $aligned)' "$work/stay-rc/report.json" >/dev/null ||
		fail "stay-rc: too little predicted: $aligned ns of flushes when aligned, $(jq -c '[.totals.counters.flush_ns, .totals.seconds,
		(.advice[] | .predicted.ns_per_s)]' "$work/stay-rc/report.json")"
}
again 3 predicted_as_aligned

# (A fetch may take long on a busy machine: the run is long enough for that to count little.)
homes_move() {
	misaligned move
	holds move "little is left to gain where homes move" '[.advice[] | select(.kind == "relocate/align")
		| .predicted.ns_per_s] | (add // 0) < 0.02 * 2e9'
}
again 3 homes_move
finish
