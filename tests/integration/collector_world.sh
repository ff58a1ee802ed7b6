#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The real runtime, collected late: the application has run for a while, and still every object, type and
# call site has its name; the page statistics add up to the records; the live socket names the pages.
. "$(dirname "$0")/collector_lib.sh"
RUNNER=$BUILD/bin/dsmrun

late() { # SOURCE
	"$RUNNER" -v -n 4 "$BUILD/apps/world" --seconds 5 >"$WORK/out" 2>&1 &
	runner=$!
	children="$children $runner"
	sleep 2
	run=$(sed -n 's/^dsmrun: run \([0-9a-f]*\):.*/\1/p' "$WORK/out")
	start_collector --source "$1" --probe-file "$BUILD/lib/libdsm.so" --run "$run" -o "$WORK/t.dsmt"
	"$CLIENT" "$socket" 4 >"$WORK/live"
	wait "$collector"
	check "$1: ends with the run" [ $? = 0 ]
	wait "$runner"
	check "$1: the run was not harmed" [ $? = 0 ]
	"$DUMP" "$WORK/t.dsmt" >"$WORK/t.txt"
	check "$1: four nodes" [ "$(awk '$2 == "node"' "$WORK/t.txt" | wc -l)" = 4 ]
	for type in module site type object root; do
		check "$1: $type records" [ "$(awk -v t=$type '$2 == t' "$WORK/t.txt" | wc -l)" -ge 4 ]
	done
	check "$1: nothing lost" [ "$(summary "$WORK/t.txt" .lost_total)" = 0 ]
	"$BUILD/bin/dsmreport" --format json "$WORK/t.dsmt" >"$WORK/out" 2>"$WORK/err"
	check "$1: what was wasted before is told apart from losses" \
		[ "$(jq -c '[.ledger.lost_ns == 0, .ledger.before_ns > 0]' "$WORK/out")" = '[true,true]' ]
	check "$1: aborts of pages = abort records" [ "$(awk '$1 == "P" { sum += $10 } END { print sum + 0 }' "$WORK/t.txt")" = \
		"$(grep -c '^[0-9]* abort ' "$WORK/t.txt")" ]
	check "$1: there were aborts" grep -q '^[0-9]* abort ' "$WORK/t.txt"
	check "$1: all ended, none crashed" [ "$(summary "$WORK/t.txt" '[.nodes[] | .ended, .crashed] | unique | tostring')" = '[false,true]' ] &&
		[ "$(summary "$WORK/t.txt" '[.nodes[] | .crashed] | any')" = false ]
	check "$1: live: the hottest page has an object" sh -c "tail -1 '$WORK/live' | jq -e '.pages[0].object != null' >/dev/null"
	check "$1: live: four nodes, work done" sh -c "tail -1 '$WORK/live' | jq -e '(.nodes | length) == 4 and .total.work_per_s > 0' >/dev/null"
}

late ring
if [ "$(id -u)" = 0 ] && [ -r /sys/kernel/btf/vmlinux ]; then
	late bpf
else
	echo "part skipped: bpf needs root and BTF"
fi
finish
