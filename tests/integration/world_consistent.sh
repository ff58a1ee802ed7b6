#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The world's books agree on any number of nodes, and with a fixed number of steps every run ends with the
# same positions to the bit, whatever the nodes' timing, the transport or the plan.
. "$(dirname "$0")/../lib.sh"

# run WHAT dsmrun-options... -- world-options...: leaves the result in $work/out
run() {
	local what=$1 launch=()
	shift
	while [ "$1" != -- ]; do
		launch+=("$1")
		shift
	done
	shift
	timeout 60 "$bin/dsmrun" "${launch[@]}" "$apps/world" --json "$@" >"$work/out" 2>"$work/err" ||
		fail "$what: status $?: $(head -c 300 "$work/err")"
	jq -e '.consistent and .steps > 0 and .goals >= 0' "$work/out" >/dev/null || fail "$what: $(cat "$work/out")"
}

for nodes in 1 2 4 7; do
	run "$nodes nodes" -n "$nodes" -- --seconds 1
	same "nodes" "$(jq .nodes "$work/out")" "$nodes"
done
run "one avatar each" -n 3 -- --seconds 0.5 --avatars 1
run "many avatars" -n 3 -- --seconds 1 --avatars 200

# The plan names no object of this program's by build-id and offset: it must change nothing but be read.
cat >"$work/plan.json" <<'END'
{"schema":"procope.plan/1","program":"world","rules":[]}
END
steps=(--steps 1500 --seed 5)
run "steps" -n 4 -- "${steps[@]}"
same "steps of 4 nodes" "$(jq .steps "$work/out")" 6000
want=$(jq -r .positions "$work/out")
for again in 1 2; do
	run "steps, again $again" -n 4 -- "${steps[@]}"
	same "positions" "$(jq -r .positions "$work/out")" "$want"
done
run "steps over TCP" -n 4 --transport=tcp -- "${steps[@]}"
same "positions over TCP" "$(jq -r .positions "$work/out")" "$want"
run "steps with a plan" -n 4 --plan="$work/plan.json" -- "${steps[@]}"
same "positions with a plan" "$(jq -r .positions "$work/out")" "$want"
run "another seed" -n 4 -- --steps 1500 --seed 6
[ "$(jq -r .positions "$work/out")" != "$want" ] || fail "another seed gives the same positions"
finish
