#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What real runs read and wrote, attempt by attempt, has one order that explains it: world, sor, tsp and hashmap, over both
# transports, with and without a collector, and on several numbers of nodes. (That the checker finds what it
# must find is shown in tests/sim, on histories of wrong protocols.)
. "$(dirname "$0")/../lib.sh"

# run LEAST-COMMITS dsmrun-options... -- program...
run() {
	local least=$1 launch=() what
	shift
	while [ "$1" != -- ]; do
		launch+=("$1")
		shift
	done
	shift
	what="${launch[*]} $(basename "$1")"
	rm -rf "$work/history"
	mkdir "$work/history"
	timeout 120 "$bin/dsmrun" "${launch[@]}" --history "$work/history" "$@" >"$work/out" 2>&1 ||
		fail "$what: status $?: $(head -c 300 "$work/out")"
	timeout 120 "$bin/dsmverify" --json "$work/history" >"$work/verify" 2>&1 ||
		fail "$what: dsmverify: status $?: $(head -c 1000 "$work/verify")"
	jq -e --argjson least "$least" '.committed >= $least' "$work/verify" >/dev/null ||
		fail "$what: fewer than $least commits in $(cat "$work/verify")"
}

run 6000 -n 4 -- "$apps/world" --steps 1500
run 6000 -n 4 --transport=tcp -- "$apps/world" --steps 1500
run 6000 -n 4 --microscope 300 --monitor="$work/t.dsmt" -- "$apps/world" --steps 1500
run 3500 -n 7 -- "$apps/world" --steps 500 --avatars 3
run 300 -n 3 -- "$apps/sor" --size 200 --iterations 60
run 900 -n 3 -- "$apps/tsp" --size 10
run 1200 -n 3 --transport=tcp -- "$apps/hashmap" --size 600
run 50 -n 3 -- "$apps/hashmap" --size 120000 --layout tuned
finish
