#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Independent loops are never undone. What two of them share falsely is named all the same, by object and lines; what breaks the promise is
# named by both its lines once the loops run as ordinary ones.
. "$(dirname "$0")/report_lib.sh"

shown='.ledger, [.objects[] | {object, classes: (.classes | map_values(.conflicts))}], .verdicts[:3]'

# The rows at the border of the two nodes' halves lie on one page.
false_sharing() {
	record sor "$apps/sor" --size 600 --iterations 300 --layout natural
	same "aborts" "$(counter sor aborts)" 0
	[ "$(counter sor rebased)" -gt 0 ] && [ "$(counter sor rebase_ns)" -gt 0 ] && [ "$(counter sor meets)" -gt 100 ] ||
		fail "nobody met anybody: $(jq -c '[.nodes[].counters | {rebased, rebase_ns, meets}]' "$work/sor.stats")"
	holds sor "aborts in the report" '.totals.counters.aborts == 0 and (.ledger.aborts_by_cause | add) == 0'
	holds sor "the ledger balances" '.ledger | (.attributed_ns + .unknown_ns + .untouched_ns + .other_ns + .rebases_ns + .lost_ns
		+ .remainder_ns - .measured_ns | fabs) < 1000 and (.remainder_ns | fabs) < 0.02 * .measured_ns'
	holds sor "the matrix is named, and nothing else" '[.verdicts[] | select(.class != "untouched") | .object] | length > 0 and all(. == "matrix")'
	holds sor "both sides are told, with lines of SOR" '[.verdicts[] | select(.object == "matrix" and .class == "false")] | length > 0 and
		any(.sides | length == 2 and all((.file | tostring | endswith("grid.c")) and .line > 0) and (map(.node) | sort) == [0, 1])'
	holds sor "no true sharing, which the program has ruled out" '[.objects[] | .classes.true.conflicts] | add == 0'
	holds sor "false sharing" '[.objects[] | select(.object == "matrix") | .classes.false.conflicts] | add > 10'
	grep -q "matrix .* conflicts, " "$work/sor/report.txt" || fail "the text names no matrix: $(head -n 12 "$work/sor/report.txt")"
	grep -q "rows\{0,1\} \(299\|300\)" "$work/sor/report.txt" || fail "the text names no row of the border"
	! grep -q "no transaction aborted" "$work/sor/report.txt" || fail "nothing is reported"
	timeout 60 "$bin/dsmtop" --trace "$work/sor.dsmt" --json >"$work/top" 2>&1
	jq -se '(map(.pages[]?.aborts) | add // 0) == 0 and (map(.total.aborts_per_s // 0) | add) == 0' "$work/top" >/dev/null ||
		fail "dsmtop counts aborts: $(tail -n 1 "$work/top" | cut -c1-400)"
}
again 3 false_sharing
record sor2 "$apps/sor" --size 600 --iterations 300 --layout natural
timeout 60 "$bin/dsmgate" --format json --baseline "$work/sor.dsmt" --candidate "$work/sor2.dsmt" >"$work/gate" 2>&1
jq -e '.metric == "aborts_per_commit" and .candidate.geomean == 0' "$work/gate" >/dev/null || fail "dsmgate counts aborts: $(cat "$work/gate")"

# A loop that reads what another node writes: not to be seen from its result perhaps, but by the tools.
program=$build/tests/integration/promise
change=$(grep -n 'the change' "$(dirname "$0")/promise.c" | cut -d: -f1)
read=$(grep -n 'what the promise forbids' "$(dirname "$0")/promise.c" | cut -d: -f1)
broken_promise() {
	record promise --no-independent "$program"
	[ "$(counter promise aborts)" -gt 0 ] || fail "no conflict"
	same "rebased pages of ordinary loops" "$(counter promise rebased)" 0
	holds promise "true sharing of the numbers" '[.verdicts[] | select(.object == "numbers" and .class == "true")] | length > 0'
	holds promise "named by the line that writes and the one that reads" "[.verdicts[] | select(.object == \"numbers\" and .class == \"true\")]
		| any((.sides | map(.line) | sort) == [$change, $read] and (.sides | all(.file | endswith(\"promise.c\"))))"
}
again 3 broken_promise
finish
