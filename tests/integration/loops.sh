#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Loops that commit within themselves: the result, and how often they commit.
set -u
BUILD=${BUILD:-build}
stats=$TMPDIR/stats.json
how= # options of dsmrun besides

# run NODES MODE: prints commits, aborts and faults on first writes of all nodes
run() {
	timeout 60 "$BUILD/bin/dsmrun" -n "$1" $how --stats "$stats" "$BUILD/tests/integration/loops" "$2" >&2 || return 1
	jq -r '[.nodes[].counters | [.commits, .aborts, .faults_upgrade + .faults_rearm]] | transpose | map(add) | join(" ")' "$stats"
}

check() {
	echo "  $1: $2 commits, $3 aborts, $4 faults"
	[ "$2" -ge "$5" ] && [ "$2" -le "$6" ] || { echo "not $5 to $6 commits"; exit 1; }
}

out=$(run 1 every) || { echo "every failed"; exit 1; }
check every $out 100 110
# 30 rounds over 1600 pages. The 22,400 looks at single numbers are transactions, too.
# What a transport loads (OpenSSL, libfabric) must not take the rights by mapping away: the program looks by itself.
over=("rows" "segv" "rows --transport tcp")
[ ! -e "$BUILD/lib/libdsm-fabric.so" ] || over+=("rows --fabric tcp")
for each in "${over[@]}"; do
	mode=${each%% *} how=${each#"${each%% *}"}
	out=$(run 2 "$mode") || { echo "$each failed"; exit 1; }
	set -- $out
	check "$each" "$1" "$2" "$3" 1 60000
	[ "$3" -le 6000 ] || { echo "nearly each page faults in each round"; exit 1; }
done
how=
for n in 1 2 4; do
	out=$(run $n shared) || { echo "shared with $n nodes failed"; exit 1; }
	check "shared on $n" $out $((200 * n)) $((20400 * n))
done
for n in 1 2; do
	for model in tx sc rc "tx --no-independent"; do
		timeout 60 "$BUILD/bin/dsmrun" -n $n --consistency $model "$BUILD/tests/integration/loops" shapes ||
			{ echo "shapes with $n nodes under $model failed"; exit 1; }
	done
	echo "  shapes on $n: ok"
done
# Near the barrier that has followed so far the mutator receives by itself; if none comes, it must not stay so.
for model in tx sc rc; do
	rm -f "$TMPDIR/got"
	timeout 60 "$BUILD/bin/dsmrun" -n 2 --consistency $model "$BUILD/tests/integration/loops" stray "$TMPDIR/got" ||
		{ echo "stray under $model failed"; exit 1; }
	echo "  stray under $model: ok"
	timeout 60 "$BUILD/bin/dsmrun" -n 2 --consistency $model "$BUILD/tests/integration/loops" doubt ||
		{ echo "doubt under $model failed"; exit 1; }
done
