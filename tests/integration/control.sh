#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsm_retry(), dsm_irrevocable(), DSM_TX_READ and dsm_touch() of many pages, between real nodes.
set -u
BUILD=${BUILD:-build}
run=$BUILD/bin/dsmrun program=$BUILD/tests/integration/control
quick=$((${PROCOPE_QUICK:+1} + 0))

fail() {
	echo "$1"
	exit 1
}
# check MODE NODES ROUNDS [ARGUMENT...]
check() {
	local mode=$1 nodes=$2 rounds=$3
	shift 3
	timeout 120 "$run" -n "$nodes" --stats "$TMPDIR/stats.json" "$program" "$mode" "$rounds" "$@" ||
		fail "control $mode with $nodes nodes failed"
	echo "  $mode, $nodes nodes: ok"
}
# counter NAME: over all nodes
counter() {
	jq "[.nodes[].counters.$1] | add" "$TMPDIR/stats.json"
}

for n in 2 4; do
	check queue $n $((quick ? 300 : 2000))
	[ "$(counter retries)" -gt 0 ] || fail "queue: nobody waited, nothing was tested"
	rm -f "$TMPDIR/lines"
	rounds=$((quick ? 60 : 250))
	check output $n $rounds "$TMPDIR/lines"
	[ "$(wc -l <"$TMPDIR/lines")" = $((n * rounds)) ] || fail "output: not one line for each transaction"
	awk '{ if ($1 != NR) exit 1 }' "$TMPDIR/lines" || fail "output: the lines are not in the order of the transactions"
	[ "$(counter irrevocable)" = $((n * rounds)) ] || fail "output: the counter of irrevocable attempts is wrong"
	[ "$(counter aborts)" -gt 0 ] || fail "output: no attempt was ever aborted, nothing was tested"
	echo "    $(counter aborts) aborts, $(counter aborts_irrevocable) of them lost to an irrevocable one"
	check relay $n $((quick ? 40 : 200))
	check readers $n $((quick ? 100 : 600))
	check bulk $n $((quick ? 3 : 6))
	[ "$(counter bulk_pages)" -gt 3000 ] || fail "bulk: dsm_touch() did not ask for pages together"
	[ "$(counter prefetch_used)" -gt 1000 ] || fail "bulk: no page was prefetched"
done
check sleeper 2 1
check sleeper 3 1
case $BUILD in
*asan* | *tsan*) ;; # there the program's signals are not wrapped
*)
	check interrupted 2 1
	check files 2 1
	;;
esac
