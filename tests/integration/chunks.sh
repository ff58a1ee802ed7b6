#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Loops whose number of iterations was badly chosen by hand: the report writes a better one into the plan, the runtime obeys
# it, and the gain is there. Plans by hand: a rule goes before the program's own number; a bad one is refused.
. "$(dirname "$0")/report_lib.sh"
chunks=$build/tests/integration/chunks

# run_chunks NAME MODE OPTION...
run_chunks() { record "$1" "${@:3}" "$chunks" "$2" 1.5; }

# A rule made by hand wins over the program's own number, and a wrong one is refused.
run_chunks fine fine
jq '(.rules[] | select(.loop)) |= (.loop.chunk = 500)' "$work/fine/plan.json" >"$work/hand.json"
run_chunks hand fine --plan="$work/hand.json"
[ "$(counter hand commits)" -lt $(($(counter hand work) / 400)) ] || fail "hand: $(counter hand commits) commits for $(counter hand work) iterations"
jq '(.rules[] | select(.loop)) |= (.loop.chunk = 0)' "$work/fine/plan.json" >"$work/bad.json"
timeout 20 "$bin/dsmrun" -n 2 --plan="$work/bad.json" "$chunks" fine 1 >"$work/bad.out" 2>&1
same "status of a bad plan" $? 2
grep -q 'rule P[0-9]*: "chunk" is 0, not within 1 and 1000000000' "$work/bad.out" || fail "bad: $(cat "$work/bad.out")"

needs_real_speed
# prove MODE KIND CONDITION OPTION...: the advice, and a run with the plan
prove() {
	local mode=$1 kind=$2 condition=$3 name=$1
	shift 3
	run_chunks "$name" "$mode" "$@"
	holds "$name" "advice about the loop, in the plan" "[.advice[] | select(.kind == \"$kind\" and .chunk != null)][0]
		| .plan_rule != null and .iterations > 0 and $condition and .predicted.ns_per_s > 0"
	grep -q "of the loop at chunks.c:[0-9]* ($mode)" "$work/$name/report.txt" || fail "$name: no line in the text"
	run_chunks "$name-after" "$mode" --plan="$work/$name/plan.json" "$@"
	timeout 60 "$bin/dsmreport" --compare "$work/$name.dsmt" "$work/$name-after.dsmt" --predicted "$work/$name/report.json" \
		--out-dir "$work/$name" >/dev/null || fail "$name: no comparison"
	jq -r '"  '"$mode"': \(.before.work_per_s) iterations a second, predicted \(.predicted.work_per_s), with the plan \(.after.work_per_s)"' \
		"$work/$name/proof.json"
}
# gains NAME: more than so many times the work, and no less was predicted than a little
gains() {
	jq -e ".after.work_per_s > $2 * .before.work_per_s and .predicted.work_per_s > 1.05 * .before.work_per_s" \
		"$work/$1/proof.json" >/dev/null || fail "$1: $(jq -c '{before, predicted, after}' "$work/$1/proof.json")"
}
# lost NAME: ns that an abort throws away
lost() { jq '[.nodes[].counters] | (map(.wasted_ns) | add) / (map(.aborts) | add | if . == 0 then 1 else . end) | floor' "$work/$1.stats"; }

prove fine coarser-chunks '.chunk > 2 * .iterations'
gains fine 1.5
prove locked coarser-chunks '.chunk > 4 * .iterations' --consistency=sc
gains locked 1.5
# What this gives in work depends on how busy the machine is.
prove coarse commit-every-k '.chunk < .iterations / 2'
[ "$(lost coarse-after)" -lt $(($(lost coarse) / 2)) ] || fail "coarse: an abort loses $(lost coarse-after) ns instead of $(lost coarse)"
finish
