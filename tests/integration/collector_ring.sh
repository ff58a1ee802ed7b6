#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The ring source, attached to nodes that log what they emit.
SOURCE=ring ROOM= SMALL_RING= SMALL_NODE_RING="--ring 8192"
. "$(dirname "$0")/collector_sources.sh"

# ---- a node that takes its memory away ----
rm -f "$WORK"/node-*.log
start_collector --source ring -o "$WORK/t.dsmt"
start_node 0 --records 1000 --wait 10 --linger 0.3 --shrink
wait "$collector"
check "memory taken away: exit 0" [ $? = 0 ]
"$DUMP" "$WORK/t.dsmt" >"$WORK/t.txt"
check "memory taken away: what came before is there" grep -q ' commit ' "$WORK/t.txt"

# ---- without privileges ----
if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$COLLECT"; then
	chmod 711 "$WORK"
	mkdir -m 777 "$WORK/open"
	sh -c "XDG_RUNTIME_DIR=$WORK/open exec setpriv --reuid 65534 --regid 65534 --clear-groups \
		$COLLECT --probe-file $NODE --run $RUN -o $WORK/open/t.dsmt" 2>"$WORK/err" &
	collector=$!
	children="$children $collector"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$NODE" --run "$RUN" --records 1000 --wait 10
	wait "$collector"
	check "no privileges: exit 0" [ $? = 0 ]
	check "no privileges: one line says why" [ "$(grep -c 'using the ring source: BPF is refused' "$WORK/err")" = 1 ]
	"$DUMP" "$WORK/open/t.dsmt" >"$WORK/t.txt"
	check "no privileges: records arrive" [ "$(grep -c ' commit ' "$WORK/t.txt")" = 100 ]
	check "no privileges: the trace says why" sh -c "sed -n 's/^info //p' '$WORK/t.txt' | jq -e '.why_ring | contains(\"BPF is refused\")' >/dev/null"
else
	echo "part skipped: needs root and a build that others may run"
fi
finish
