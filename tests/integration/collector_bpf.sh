#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The BPF source for real: attached to nodes that log what they emit.
if [ "$(id -u)" != 0 ]; then
	echo "skipped: BPF needs root"
	exit 77
fi
if [ ! -r /sys/kernel/btf/vmlinux ]; then
	echo "skipped: this kernel has no BTF"
	exit 77
fi
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

# ---- without a trace: names travel and pages are counted; records that nobody reads stay with the node ----
rm -f "$WORK"/node-*.log
start_collector --source bpf --json >"$WORK/summary.json"
rm -f "$WORK/live"
"$CLIENT" "$socket" >"$WORK/live" &
client=$!
listening # on a busy machine the node would else be done before the client has started
start_node 0 --records 3000 --wait 10 --ring 33554432
wait "$collector"
wait "$client"
check "no trace: names arrive" sh -c "jq -e '.records | .node == 1 and .object > 0 and .type > 0 and .end == 1' '$WORK/summary.json' >/dev/null"
check "no trace: records of what happens do not" sh -c "jq -e '.records | keys - [\"node\", \"module\", \"site\", \"type\",
	\"object\", \"free\", \"root\", \"end\"] == []' '$WORK/summary.json' >/dev/null"
check "no trace: nothing is lost" sh -c "jq -e '.lost_total == 0' '$WORK/summary.json' >/dev/null"
for at in "fetches 4" "aborts 10"; do
	set -- $at
	check "no trace: $1 are counted" [ "$(tail -1 "$WORK/live" | jq "[.pages[].$1] | add")" = \
		"$(awk -v at="$2" '$1 == "P" && $3 != "0" { sum += $at } END { print sum }' "$WORK/node-0.log")" ]
done

check "no probes: exit 2" sh -c "'$COLLECT' --source bpf --probe-file /bin/true --no-live 2>'$WORK/err'; [ \$? = 2 ]"
check "no probes: says what to do" grep -q "no probe of the provider dsm.*--probe-file" "$WORK/err"
check "no file: exit 2" sh -c "'$COLLECT' --source bpf --probe-file /nonexistent --no-live 2>'$WORK/err'; [ \$? = 2 ]"
check "auto: ring, and why" sh -c "'$COLLECT' --probe-file /nonexistent --no-live --run $RUN --seconds 0.1 2>&1 |
	grep -q 'using the ring source: /nonexistent: No such file'"
finish
