#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Aborts with delicate state live: in printf, malloc, a qsort callback, with alloca and vector registers, ...
set -u
BUILD=${BUILD:-build}
run=$BUILD/bin/dsmrun program=$BUILD/tests/integration/undo
# Sanitizers bring a malloc of their own, so there the log of allocations is off and aborted ones leak.
case $BUILD in *asan*) export ASAN_OPTIONS=detect_leaks=0 ;; esac
modes="locals print allocate sort vectors compute leave cancel defer loop alarms halves blocked large copy"
case $BUILD in # there the program's signals are not wrapped
*asan*) modes=${modes% alarms*} ;;
*tsan*) modes=${modes/ alarms/} modes=${modes/ blocked/} ;;
esac
rounds=${PROCOPE_QUICK:+150}
# undo MODE NODES
undo() {
	timeout 60 "$run" -n "$2" --stats "$TMPDIR/stats.json" "$program" "$1" "${rounds:-400}" || {
		echo "undo $1 with $2 nodes failed"
		exit 1
	}
}
for m in $modes; do
	for n in 1 2; do
		undo "$m" $n
	done
	# The test means nothing unless attempts were undone. On a busy machine the nodes may run one after the other.
	for try in 1 2 3 4 5 6; do
		undo "$m" 4
		aborts=$(jq '[.nodes[].counters.aborts] | add' "$TMPDIR/stats.json")
		echo "  $m: $aborts aborts on 4 nodes"
		[ "$aborts" = 0 ] || break
	done
	[ "$aborts" -gt 0 ] || { echo "no attempt was ever aborted in $try runs: nothing tested"; exit 1; }
done
# With --strict a handler writes to the program's data at moments when that is closed, or about to be.
case $modes in *alarms*)
	timeout 60 "$run" -n 4 --strict "$program" alarms "${rounds:-400}" 2>"$TMPDIR/err" || {
		echo "undo alarms with --strict failed"
		grep -v strict: "$TMPDIR/err"
		exit 1
	}
	;;
esac
