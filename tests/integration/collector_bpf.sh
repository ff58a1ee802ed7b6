#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The BPF source for real: attached to nodes that log what they emit.
SOURCE=bpf ROOM="--ring-size 128M" SMALL_RING="--ring-size 4K" SMALL_NODE_RING=
. "$(dirname "$0")/collector_sources.sh"

# ---- two collectors at once: the second one's probes make no semaphore rise ----
rm -f "$WORK"/node-*.log
start_node 0 --records 100000000 --batch 100 --pause-us 2000
runner=$last_node
start_collector --source bpf -o "$WORK/one.dsmt" --seconds 2
first=$collector
start_collector --source bpf -o "$WORK/two.dsmt" --seconds 2
wait "$first" "$collector"
for name in one two; do
	"$DUMP" "$WORK/$name.dsmt" >"$WORK/$name.txt"
	check "two collectors: $name has the names" [ "$(dumped_names "$WORK/$name.txt" | wc -l)" = 9 ]
done
kill -9 "$runner"

no_trace
check "no probes: exit 2" sh -c "'$COLLECT' --source bpf --probe-file /bin/true --no-live 2>'$WORK/err'; [ \$? = 2 ]"
check "no probes: says what to do" grep -q "no probe of the provider dsm.*--probe-file" "$WORK/err"
check "no file: exit 2" sh -c "'$COLLECT' --source bpf --probe-file /nonexistent --no-live 2>'$WORK/err'; [ \$? = 2 ]"
check "auto: ring, and why" sh -c "'$COLLECT' --probe-file /nonexistent --no-live --run $RUN --seconds 0.1 2>&1 |
	grep -q 'using the ring source: /nonexistent: No such file'"
finish
