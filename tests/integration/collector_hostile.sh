#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Nodes that tell nonsense in batches: the collector goes on, believes what is sound and whose it is, counts nothing twice, and says
# that something is lost where it cannot read what was told.
FAKE=hostile_node
. "$(dirname "$0")/collector_lib.sh"
needs_bpf

# All nodes are told of in one row of lines, so that none is forgotten:
# WHAT, barriers in the trace (one is the first batch's), lost, and whether a stranger's record was seen.
told() {
	cat <<-END
		size_0 2 1 false
		size_odd 2 1 false
		size_rest 2 1 false
		size_max 2 1 false
		few_entries 2 1 false
		many_entries 2 1 false
		too_many_entries 1 1 false
		no_entries 1 1 false
		huge 1 1 false
		tiny 1 1 false
		unmapped 1 1 false
		half_mapped 1 2 false
		strangers_record 3 0 true
		many_types 1 0 false
		rest_sound 3 0 false
		rest_huge 1 1 false
		rest_nonsense 2 1 false
		rest_longer 2 1 false
		rest_shrunk 1 1 false
		rest_strangers 2 0 true
		rest_backwards 1 0 false
		flicker - - false
	END
}
same "every hostile node is tried" "$(told | cut -d' ' -f1)" "$("$NODE")"

told | while read -r what barriers lost strangers; do
	start_collector --source bpf --ring-size 1M -o "$WORK/t.dsmt"
	"$NODE" "$what" "$RUN" 0 2>/dev/null &
	children="$children $!"
	wait "$collector"
	echo "$what $? $barriers $lost $strangers"
	"$DUMP" "$WORK/t.dsmt" >"$WORK/$what.txt"
done >"$WORK/all" 2>"$WORK/collect.errs"

while read -r what rc barriers lost strangers; do
	check "$what: the collector ends well" [ "$rc" = 0 ]
	check "$what: the trace is whole" grep -q '^end$' "$WORK/$what.txt"
	check "$what: the node is seen as crashed" [ "$(summary "$WORK/$what.txt" '.nodes[0].crashed')" = true ]
	check "$what: strangers" [ "$(summary "$WORK/$what.txt" '.strangers > 0')" = "$strangers" ]
	[ "$what" != flicker ] || continue # one or the other: what it had to say, or a loss
	check "$what: what is sound arrives once" [ "$(grep -c '^0 barrier' "$WORK/$what.txt")" = "$barriers" ]
	check "$what: the rest is lost" [ "$(summary "$WORK/$what.txt" .lost_total)" = "$lost" ]
done <"$WORK/all"
check "all were tried" [ "$(wc -l <"$WORK/all")" = "$(told | wc -l)" ]
finish
