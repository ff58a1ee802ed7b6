# SPDX-License-Identifier: BSD-2-Clause
# What either source must do, with nodes that log what they emit: sourced by collector_bpf.sh and
# collector_ring.sh, which set $SOURCE, $ROOM and $SMALL_RING (the collector's) and $SMALL_NODE_RING. With $ROOM a ring holds all
# that the nodes of a case emit, so that nothing is lost however late the collector runs.
. "$(dirname "$0")/collector_lib.sh"
[ "$SOURCE" = ring ] || needs_bpf

wait_collector() {
	wait "$collector"
	collect_rc=$?
	"$DUMP" "$WORK/t.dsmt" >"$WORK/t.txt"
}

logs() { ls "$WORK"/node-*.log; }

compare_all() { # NAME
	logged_activity $(logs) >"$WORK/a"
	dumped_activity "$WORK/t.txt" >"$WORK/b"
	check "$1: every record arrives, unchanged" same_lines "$WORK/a" "$WORK/b"
	logged_names $(logs) >"$WORK/a"
	dumped_names "$WORK/t.txt" >"$WORK/b"
	check "$1: every name once" same_lines "$WORK/a" "$WORK/b"
	logged_pages $(logs) >"$WORK/a"
	dumped_pages "$WORK/t.txt" >"$WORK/b"
	check "$1: page statistics are exact" same_lines "$WORK/a" "$WORK/b"
	check "$1: nothing lost" [ "$(grep -c '^lost' "$WORK/t.txt")" = 0 ]
}

# What has arrived and what was lost are together all that was emitted, of each type.
same_sums() { # NAME
	local type emitted arrived lost
	for type in commit abort fault writes accesses barrier; do
		emitted=$(cat $(logs) | awk -v t=$type '$1 == "E" && $2 == t' | wc -l)
		arrived=$(awk -v t=$type '$1 ~ /^[0-9]+$/ && $2 == t' "$WORK/t.txt" | wc -l)
		lost=$(awk -v t=$type '$1 == "lost" && $2 == t { print $3 }' "$WORK/t.txt")
		check "$1: $type: $arrived arrived + ${lost:-0} lost = $emitted" [ $((arrived + ${lost:-0})) = "$emitted" ]
	done
}

# ---- without a trace: names travel and pages are counted; records that nobody reads stay with the node ----
no_trace() {
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
}

# ---- three nodes, started after the collector ----
start_collector --source "$SOURCE" $ROOM -o "$WORK/t.dsmt"
check "attached as $SOURCE" [ "$source" = "$SOURCE" ]
for n in 0 1 2; do
	start_node $n --nodes 3 --records 20000 --wait 10 --pause-us 200 --ring 33554432 --linger 0.5
done
wait_collector
check "ends with the run" [ "$collect_rc" = 0 ]
check "summary: the run ended" [ "$(summary "$WORK/t.txt" .ended)" = run ]
compare_all "three nodes"
check "counters of all nodes" [ "$(awk '$1 == "C" { sum += $4 } END { print sum }' "$WORK/t.txt")" = 6000 ]
check "file ends properly" grep -q '^end$' "$WORK/t.txt"
check "socket is gone" [ ! -e "$socket" ]
check "info names source and command" sh -c "sed -n 's/^info //p' '$WORK/t.txt' |
	jq -e '.source == \"$SOURCE\" and .schema == \"procope.info/1\" and (.command | contains(\"fake_node\"))' >/dev/null"

# ---- late: the nodes have run for a while ----
rm -f "$WORK"/node-*.log
for n in 0 1; do
	start_node $n --nodes 2 --records 60000 --batch 100 --pause-us 5000 --ring 33554432
done
sleep 1
start_collector --source "$SOURCE" $ROOM -o "$WORK/t.dsmt"
wait_collector
logged_names $(logs) >"$WORK/a"
dumped_names "$WORK/t.txt" >"$WORK/b"
check "late: every name once" same_lines "$WORK/a" "$WORK/b"
for log in $(logs); do
	last=$(awk '$1 == "R" { last = $3 } END { print last + 0 }' "$log")
	n=${log##*-}
	logged_activity "$log" | awk -v last="$last" '$3 > last' | sort >"$WORK/a"
	dumped_activity "$WORK/t.txt" | awk -v last="$last" -v n="${n%.log}" '$1 == n && $3 > last' | sort >"$WORK/b"
	check "late: every record after the rundown (node ${n%.log})" same_lines "$WORK/a" "$WORK/b"
done

# ---- a ring that is too small ----
rm -f "$WORK"/node-*.log
start_collector --source "$SOURCE" $SMALL_RING -o "$WORK/t.dsmt"
for n in 0 1; do
	start_node $n --nodes 2 --records 100000 --wait 10 --batch 1000 $SMALL_NODE_RING --linger 0.2
done
wait_collector
check "small ring: something is lost" grep -q '^lost' "$WORK/t.txt"
same_sums "small ring"
check "small ring: the summary says the same" \
	[ "$(summary "$WORK/t.txt" .lost_total)" = "$(awk '$1 == "lost" { sum += $3 } END { print sum + 0 }' "$WORK/t.txt")" ]

# ---- only one of two runs ----
rm -f "$WORK"/node-*.log
start_collector --source "$SOURCE" $ROOM --run $RUN -o "$WORK/t.dsmt"
start_node 7 --nodes 1 --run dead --records 5000 --wait 10 --linger 1
other=$last_node
start_node 0 --nodes 1 --run $RUN --records 5000 --wait 10 --ring 33554432
wait_collector
rm "$WORK/node-7.log"
compare_all "--run"
check "--run: the id is told" [ "$(summary "$WORK/t.txt" .run_id)" = "0$RUN" ]
kill -9 "$other" 2>/dev/null

# ---- a node that calls its records another node's ----
rm -f "$WORK"/node-*.log
start_collector --source "$SOURCE" $ROOM -o "$WORK/t.dsmt"
start_node 1 --nodes 2 --claim 0 --records 100000000 --pause-us 2000 --ring 33554432
forger=$last_node
start_node 0 --nodes 2 --records 3000 --wait 10 --ring 33554432
seen() { "$CLIENT" "$socket" 1 | jq -e "[.nodes[].node] == [0, 1] and .nodes[0].ended" >/dev/null; }
until seen || ! kill -0 "$collector" 2>/dev/null; do sleep 0.1; done
kill -9 "$forger"
wait_collector
rm "$WORK/node-1.log"
compare_all "forged node"
check "forged node: they are counted" [ "$(summary "$WORK/t.txt" '.strangers > 0')" = true ]

# ---- another user's node ----
if [ "$(id -u)" = 0 ]; then
	# It has the same run and node, and it does not end.
	rm -f "$WORK"/node-*.log
	chmod 711 "$WORK"
	chmod 755 "$NODE"
	as_other() { exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
	mkdir -m 777 "$WORK/other"
	as_other "$NODE" --run "$RUN" --node 0 --records 100000000 --pause-us 2000 --mark "$WORK/other/mark" &
	intruder=$!
	children="$children $intruder"
	until [ -e "$WORK/other/mark" ]; do kill -0 $intruder 2>/dev/null || break; sleep 0.01; done
	start_collector --source "$SOURCE" $ROOM -o "$WORK/t.dsmt"
	start_node 0 --records 3000 --wait 10 --ring 33554432
	wait_collector
	check "another user's node: it was there" kill -0 $intruder
	compare_all "another user's node"
	check "another user's node: one node" [ "$(summary "$WORK/t.txt" '.nodes | length')" = 1 ]
	kill -9 $intruder
	wait $intruder 2>/dev/null
	# --user watches it, and nobody else.
	rm -f "$WORK"/node-*.log
	start_node 0 --records 100000000 --pause-us 2000
	own=$last_node
	: >"$WORK/node-1.log"
	chown 65534 "$WORK/node-1.log"
	start_collector --source "$SOURCE" $ROOM --user 65534 -o "$WORK/t.dsmt"
	as_other "$NODE" --run "$RUN" --node 1 --records 3000 --wait 10 --ring 33554432 --log "$WORK/node-1.log" &
	children="$children $!"
	wait_collector
	kill -9 "$own"
	wait "$own" 2>/dev/null
	rm "$WORK/node-0.log"
	compare_all "--user"
	chmod 700 "$WORK"
else
	echo "part skipped: another user's node needs root"
fi

# ---- a node that dies ----
rm -f "$WORK"/node-*.log
start_collector --source "$SOURCE" $ROOM -o "$WORK/t.dsmt"
start_node 0 --nodes 2 --records 3000 --batch 300 --pause-us 30000 --wait 10 --ring 33554432 --crash # lives for as long as its memory is looked for
start_node 1 --nodes 2 --records 3000 --wait 10 --ring 33554432
wait_collector
check "crash: exit 0" [ "$collect_rc" = 0 ]
compare_all "crash"
check "crash: who" [ "$(summary "$WORK/t.txt" '[.nodes[].crashed] | tostring')" = '[true,false]' ]
check "crash: is told" grep -q "node 0 .* ended without saying so" "$WORK/collect.err"

# ---- --all ----
rm -f "$WORK"/node-*.log
start_collector --source "$SOURCE" $ROOM --all -o "$WORK/t.dsmt"
start_node 0 --records 5000 --wait 10 --ring 33554432
wait_collector
awk '$1 == "E" { print 0, $2, $3, $4 }' "$WORK/node-0.log" | sort >"$WORK/a"
dumped_activity "$WORK/t.txt" >"$WORK/b"
check "--all: every type" same_lines "$WORK/a" "$WORK/b"

# ---- ended from outside: all that happened before is there ----
ended_from_outside() { # NAME, what ends it..., with the collector's pid behind
	local before last
	rm -f "$WORK"/node-*.log
	start_node 0 --records 350 --batch 1 --pause-us 3000 --wait 10 --ring 33554432
	sleep 0.7
	before=$(sed 's/ .*//; s/\.//; s/$/0000000/' /proc/uptime) # ns
	"${@:2}" "$collector"
	wait_collector
	wait "$last_node"
	last=$(awk -v t="$before" '$1 == "E" && $5 < t && $2 !~ /^(begin|transfer|invalidate|update)$/ { n = $3 } END { print n }' "$WORK/node-0.log")
	check "$1: the trace goes up to there ($last)" grep -q "^0 [a-z]* $last " "$WORK/t.txt"
}
start_collector --source "$SOURCE" $ROOM -o "$WORK/t.dsmt"
ended_from_outside SIGINT kill -INT
start_collector --source "$SOURCE" $ROOM -o "$WORK/t.dsmt"
ended_from_outside SIGTERM kill -TERM

# ---- live, interrupted, killed ----
rm -f "$WORK"/node-*.log
start_collector --source "$SOURCE" $ROOM -o "$WORK/u.dsmt"
start_node 0 --records 100000000 --batch 100 --pause-us 2000 --wait 10
runner=$last_node
"$CLIENT" "$socket" 4 >"$WORK/live"
check "live: lines are JSON with rates and a named page" sh -c "tail -1 '$WORK/live' | jq -e '
	.schema == \"procope.live/1\" and .source == \"$SOURCE\" and .program == \"fake\" and .ended == false and
	.total.commits_per_s > 0 and .nodes[0].counters.commits > 0 and
	([.pages[] | select(.object == \"struct avatar[64]\" and .root == \"avatars\")] | length) > 0' >/dev/null"
rm -f "$WORK/live"
"$CLIENT" "$socket" >"$WORK/live" &
client=$!
listening
kill -INT "$collector"
wait "$collector"
check "SIGINT: exit 0" [ $? = 0 ]
wait "$client"
check "SIGINT: clients are told the end" [ "$(tail -1 "$WORK/live" | jq .ended)" = true ]
"$DUMP" "$WORK/u.dsmt" >"$WORK/u.txt"
check "SIGINT: the trace is whole" grep -q '^end$' "$WORK/u.txt"
check "SIGINT: it says so" [ "$(summary "$WORK/u.txt" .ended)" = signal ]
check "SIGINT: nothing left" [ -z "$(find "$WORK" -name '*.partial' -o -name '*.sock')" ]
start_collector --source "$SOURCE" $ROOM -o "$WORK/v.dsmt"
left=$socket
sleep 1.3
kill -9 "$collector"
wait "$collector" 2>/dev/null
check "SIGKILL: the partial trace can be read" sh -c "'$DUMP' '$WORK/v.dsmt.partial' >'$WORK/v.txt' && grep -q '^cut$' '$WORK/v.txt' &&
	grep -q ' commit ' '$WORK/v.txt'"
check "SIGKILL: a socket is left" [ -e "$left" ]
start_collector --source "$SOURCE" $ROOM -o "$WORK/w.dsmt" --seconds 1.5
check "the next one removes it" [ ! -e "$left" ]
wait "$collector"
"$DUMP" "$WORK/w.dsmt" >"$WORK/w.txt"
check "and collects" grep -q ' commit ' "$WORK/w.txt"
check "--seconds: it says so" [ "$(summary "$WORK/w.txt" .ended)" = time ]
kill -9 "$runner"
