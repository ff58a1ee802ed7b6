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

# meets COUNTER WHAT MODE NODES ROUNDS [ARGUMENT...]: the same until that was counted, without which nothing is tested. On a busy
# machine the nodes may run one after the other.
meets() {
	local name=$1 what=$2 try
	shift 2
	for try in 1 2 3 4 5 6; do
		rm -f "$TMPDIR/lines"
		check "$@"
		[ "$(counter "$name")" = 0 ] || return
	done
	fail "$1: $what in $try runs, nothing was tested"
}

# promised NODES ROUNDS: sets `again`, how many blocks of all nodes were begun again
promised() {
	(check promised "$@") >"$TMPDIR/promised" || {
		cat "$TMPDIR/promised"
		exit 1
	}
	grep -v again "$TMPDIR/promised"
	again=$(awk '/again/ { sum += $NF } END { print sum + 0 }' "$TMPDIR/promised")
}

for n in 2 4; do
	meets retries "nobody waited" queue $n $((quick ? 300 : 2000))
	rounds=$((quick ? 60 : 250))
	meets aborts "no attempt was ever aborted" output $n $rounds "$TMPDIR/lines"
	[ "$(wc -l <"$TMPDIR/lines")" = $((n * rounds)) ] || fail "output: not one line for each transaction"
	awk '{ if ($1 != NR) exit 1 }' "$TMPDIR/lines" || fail "output: the lines are not in the order of the transactions"
	[ "$(counter irrevocable)" = $((n * rounds)) ] || fail "output: the counter of irrevocable attempts is wrong"
	echo "    $(counter aborts) aborts, $(counter aborts_irrevocable) of them lost to an irrevocable one"
	promised $n $rounds
	[ "$again" = 0 ] || fail "promised: an independent block was undone"
	for try in 1 2 3 4 5 6; do
		DSM_INDEPENDENT=0 promised $n $rounds
		[ "$again" = 0 ] || break
	done
	[ "$again" != 0 ] || fail "promised: no ordinary block was undone in $try runs, nothing was tested"
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
