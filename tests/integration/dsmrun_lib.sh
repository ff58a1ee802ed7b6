# SPDX-License-Identifier: BSD-2-Clause
# What the tests of launchers share, beside what all tests share. Source it.
# shellcheck shell=bash disable=SC2154,SC2034
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
dsmrun=$bin/dsmrun
member=$build/tests/integration/dsmrun_member
app=$build/tests/integration/launch_app
misuse=$build/tests/integration/misuse

# tells WHAT NODE TEXT MARK: the node has said that, and named the marked line of launch_app.c
tells() {
	local line
	line=$(grep -nE "/\* $4 \*/" tests/integration/launch_app.c | cut -d: -f1)
	grep -qE "^dsm: node $2: $3 at .*launch_app\.c:$line \((main|compute)\)" "$work/err" ||
		fail "$1: nothing like 'node $2: $3 at launch_app.c:$line' in: $(head -c 900 "$work/err")"
}
# sums_up WHAT NODES command...: launch_app sum under a launcher prints each node's right sum
sums_up() {
	local what=$1 nodes=$2
	shift 2
	expect 0 '' "$@" "$app" sum
	same "$what" "$(grep -c "of $nodes: $((50 * 16 * nodes * (nodes + 1) / 2))\$" "$work/out")" "$nodes"
}
# same_sor WHAT command...: SOR under a launcher gives the checksum of the sequential program
same_sor() {
	local what=$1 want
	shift
	want=$("$apps/sor" --sequential --size 333 --iterations 10 --json | jq -r '.checksum + .cells')
	expect 0 '' "$@" "$apps/sor" --size 333 --iterations 10 --json
	same "$what" "$(jq -r '.checksum + .cells' "$work/out")" "$want"
}
# consistent_world command...: the example program ends well under a launcher
consistent_world() {
	expect 0 '' "$@" "$apps/world" --seconds 2
	grep -q '^world: consistent' "$work/out" || fail "world: $(cat "$work/out" "$work/err")"
}
