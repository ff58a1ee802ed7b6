#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What collector_bpf.sh asks of nodes whose probes tell one record each, of nodes that tell them in batches.
FAKE=fake_node_batched
SOURCE=bpf ROOM="--ring-size 128M" SMALL_RING="--ring-size 4K" SMALL_NODE_RING=
. "$(dirname "$0")/collector_sources.sh"

# ---- a node that is killed between two batches owes nothing (once the collector has found its memory) ----
for try in 1 2 3 4 5; do
	rm -f "$WORK"/node-*.log
	start_collector --source bpf $ROOM -o "$WORK/t.dsmt"
	start_node 0 --records $((97 * try)) --batch $((10 * try)) --pause-us 20000 --wait 10 --crash
	wait_collector
	compare_all "killed after $((97 * try)) records"
done

# ---- a node that is killed when a batch has been told and not cleared yet: nothing counts twice ----
for try in 1 2 3; do
	rm -f "$WORK"/node-*.log
	start_collector --source bpf $ROOM -o "$WORK/t.dsmt"
	start_node 0 --records $((3 + 97 * try)) --batch 1 --pause-us 1000 --wait 10 --crash-told
	wait_collector
	compare_all "killed in the probe after $((97 * try)) records"
done
rm -f "$WORK"/node-*.log
start_collector --source bpf $SMALL_RING -o "$WORK/t.dsmt"
start_node 0 --records 3000 --batch 100 --pause-us 20000 --wait 10 --crash-told
until [ "$(cat "$WORK/node-0.log" 2>/dev/null | wc -l)" -gt 300 ]; do kill -0 "$last_node" || break; sleep 0.01; done
kill -STOP "$collector" # from now on there is soon no room
wait "$last_node"
kill -CONT "$collector"
wait_collector
check "killed in the probe, small ring: something is lost" grep -q '^lost' "$WORK/t.txt"
same_sums "killed in the probe, small ring"

# ---- a node that dies before anybody has its memory: that something may be missing is said ----
rm -f "$WORK"/node-*.log
start_collector --source bpf $ROOM -o "$WORK/t.dsmt"
kill -STOP "$collector"
start_node 0 --records 7 --wait 10 --crash
wait "$last_node"
kill -CONT "$collector"
wait_collector
check "died unseen: it is one loss" [ "$(summary "$WORK/t.txt" .lost_total)" = 1 ]
check "died unseen: who" [ "$(summary "$WORK/t.txt" '[.nodes[].crashed] | tostring')" = '[true]' ]

# ---- a node that executes a node of another run, in the same process ----
rm -f "$WORK"/node-*.log
start_collector --source bpf $ROOM -o "$WORK/t.dsmt"
start_node 0 --records 203 --batch 10 --pause-us 3000 --wait 10 --linger 0.3 --then dead
wait_collector
logged_activity $(logs) >"$WORK/a"
dumped_activity "$WORK/t.txt" >"$WORK/b"
check "executed another node: every record of the first arrives, and none of the other" same_lines "$WORK/a" "$WORK/b"
check "executed another node: nothing lost" [ "$(summary "$WORK/t.txt" .lost_total)" = 0 ]

# ---- without a trace ----
no_trace
rm -f "$WORK"/node-*.log
start_collector --source bpf --json >"$WORK/summary.json"
rm -f "$WORK/live"
"$CLIENT" "$socket" >"$WORK/live" &
client=$!
listening
start_node 0 --records 137 --wait 10 --batch 1 --crash-told
wait "$collector"
wait "$client"
for at in "fetches 4" "transfers 6" "aborts 10"; do
	set -- $at
	check "no trace, killed in the probe: $1 are counted once" [ "$(tail -1 "$WORK/live" | jq "[.pages[].$1] | add")" = \
		"$(awk -v at="$2" '$1 == "P" && $3 != "0" { sum += $at } END { print sum }' "$WORK/node-0.log")" ]
done
finish
