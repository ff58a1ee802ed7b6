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
for m in $modes; do
	for n in 1 2 4; do
		if ! timeout 60 "$run" -n $n --stats "$TMPDIR/stats.json" "$program" "$m" "${rounds:-400}"; then
			echo "undo $m with $n nodes failed"
			exit 1
		fi
		# The test means nothing unless attempts were undone.
		if [ $n = 4 ]; then
			aborts=$(jq '[.nodes[].counters.aborts] | add' "$TMPDIR/stats.json")
			echo "  $m: $aborts aborts on 4 nodes"
			[ "$aborts" -gt 0 ] || { echo "no attempt was ever aborted: nothing tested"; exit 1; }
		fi
	done
done
