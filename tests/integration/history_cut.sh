#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The history of a run in which a node was killed: dsmverify says that it is not complete, checks what is there, and finds
# what contradicts it.
. "$(dirname "$0")/../lib.sh"
verify=$bin/dsmverify
h=$work/history
timeout -k 5 60 "$bin/dsmrun" -n 3 --history "$h" "$apps/world" --seconds 40 >"$work/run" 2>&1 </dev/null &
await 3 world
sleep 2
kill -KILL "$(marked world | tail -n 1)"
wait $!
same "status of the run" $? 137

run "$verify" --json "$h"
same "status of a cut history" "$rc" 2
says 'not complete (0 files missing, 3 cut: a node died)' || fail "cut: $(cat "$work/err")"
json '[.good, .complete, .cut, .errors] | tostring' '[true,false,3,0]' || fail "cut: $(cat "$work/out")"
json '.committed > 300 and .reads > 20 * .orphans' true || fail "hardly anything was checked: $(cat "$work/out")"
expect 0 'reads are of versions whose writer is not in it' "$verify" --partial "$h"
has 'good: one order explains everything that is there' || fail "in words: $(cat "$work/out")"

# Without one node's file its versions have no writers; they still fit together.
mkdir "$work/less"
cp "$h/node-0.dsmh" "$h/node-2.dsmh" "$work/less"
expect 0 '1 files missing' "$verify" --partial "$work/less"
"$verify" --json --partial "$work/less" 2>/dev/null >"$work/out"
json '.orphans > 0' true || fail "nobody has read what the missing node wrote: $(cat "$work/out")"

# The same records twice, the second time as another node's: each version has two writers.
cp "$h/node-0.dsmh" "$work/less/node-1.dsmh"
printf '\1' | dd of="$work/less/node-1.dsmh" bs=1 seek=28 conv=notrunc status=none
run "$verify" --partial "$work/less"
same "status of a wrong history" "$rc" 1
has 'lost update' || fail "two writers: $(head -c 500 "$work/out")"
finish
