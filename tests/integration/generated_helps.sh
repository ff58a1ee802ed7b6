#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The chain on programs that nobody has seen: planted false sharing is named, true sharing is not called
# false, and the plan helps. More seeds: GENERATED_SEEDS="1 2 3 ..." tests/integration/generated_helps.sh
. "$(dirname "$0")/generated_lib.sh"
needs_real_speed
seconds=${GENERATED_SECONDS:-3}

# chain SEED: generate, build, run, report, run with the plan, compare
chain() {
	local seed=$1 dir=$work/$1 nodes
	generate "$seed" || return 1
	nodes=$(jq .nodes "$dir/truth.json")
	timeout 60 "$bin/dsmrun" -n "$nodes" --monitor="$dir/before.dsmt" "$dir/planted" "$seconds" || return 1
	timeout 60 "$bin/dsmreport" --out-dir "$dir" "$dir/before.dsmt" >"$dir/out" || return 1
	timeout 60 "$bin/dsmrun" -n "$nodes" --plan="$dir/plan.json" --monitor="$dir/after.dsmt" "$dir/planted" "$seconds" || return 1
	timeout 60 "$bin/dsmreport" --compare "$dir/before.dsmt" "$dir/after.dsmt" --predicted "$dir/report.json" \
		--out-dir "$dir" >"$dir/compare" || return 1
	timeout 60 "$bin/dsmreport" --format json "$dir/after.dsmt" >"$dir/after.json" || return 1
}

judge() {
	local dir=$work/$1 wrong before after
	wrong=$(wrong_verdicts "$dir/report.json" "$dir/truth.json" false)
	[ -z "$wrong" ] || fail "seed $1: $wrong"
	# What was planted is gone, and less time is wasted. (Aborts as a whole need not fall: nodes that no longer stop one
	# another over false sharing meet more often on what they truly share, which no plan can cure.)
	before=$(planted "$dir/report.json" "$dir/truth.json" false) after=$(planted "$dir/after.json" "$dir/truth.json" false)
	[ "$before" -gt 0 ] && [ $((after * 100)) -le "$before" ] ||
		fail "seed $1: of $before conflicts on what was planted $after are left with the plan"
	jq -e '.after.wasted_share < .before.wasted_share' "$dir/proof.json" >/dev/null ||
		fail "seed $1: the plan does not help: $(jq -c '{before, after}' "$dir/proof.json")"
	echo "seed $1: conflicts on what was planted $before -> $after"
}

default="1 2 3"
[ -z "${PROCOPE_QUICK:-}" ] || default=3
for seed in ${GENERATED_SEEDS:-$default}; do
	if chain "$seed"; then
		judge "$seed"
		echo "seed $seed: $(jq -r '"aborts per commit \(.before.aborts_per_commit) -> \(.after.aborts_per_commit), work/s \(.before.work_per_s) -> \(.after.work_per_s)"' "$work/$seed/proof.json")"
	else
		fail "seed $seed: a step of the chain failed"
	fi
done
finish
