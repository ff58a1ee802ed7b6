#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# However a run ends, it ends everywhere, with the documented status and a message that says why.
. "$(dirname "$0")/dsmrun_lib.sh"

# What one node does, the others waiting for ever.
expect 7 'node 2 ended with status 7' "$dsmrun" -n 4 "$member" exit 2 7
expect 2 'node 1 left the run in the middle' "$dsmrun" -n 3 "$member" exit 1 0
expect 5 '' "$dsmrun" -n 3 "$member" return 2 5
expect 139 'node 1 .*killed by signal 11 \(Segmentation fault\)' "$dsmrun" -n 3 "$member" signal 1 11
expect 134 'node 0 .*killed by signal 6' "$dsmrun" -n 3 --transport tcp "$member" signal 0 6
expect 137 'node 2 .*killed by signal 9' "$dsmrun" -n 3 "$member" signal 2 9
expect 2 'speaks another version' "$dsmrun" -n 2 "$member" garbage 1
nobody_left "after nodes that failed"

# A report names file, line and function of its place; without debug information the place itself.
line=$(grep -n 'the line that must be named' tests/integration/dsmrun_member.c | cut -d: -f1)
expect 2 "node 1: a mistake at tests/integration/dsmrun_member.c:$line \(report\)" "$dsmrun" -n 2 "$member" report 1
cp "$member" "$work/stripped"
strip "$work/stripped"
expect 2 'node 1: a mistake at .*/stripped\+0x[0-9a-f]+ \(compile it with -g' "$dsmrun" -n 2 "$work/stripped" report 1

# Programs that are no nodes.
expect 2 "'true' ended \(exit status 0\) before it joined" "$dsmrun" -n 2 true
expect 2 "'false' ended \(exit status 1\) before it joined" "$dsmrun" -n 2 false
expect 2 'have not joined within 10 s' "$dsmrun" -n 2 "$member" no-hello
nobody_left "after programs that are no nodes"

# Time is up.
expect 124 'has not ended after 1 s' "$dsmrun" -n 3 --timeout 1 "$member" hang
expect 124 'has not ended after 1 s' "$dsmrun" -n 3 --timeout 1 "$member" deaf
nobody_left "after a timeout"
# Nodes that make no call say where they are, too.
expect 124 'has not ended after 1 s' "$dsmrun" -n 3 --timeout 1 "$app" compute
tells "computing" 0 'waits at its barrier 2' meets
tells "computing" 2 computes computes
expect 124 'has not ended after 1 s' "$dsmrun" -n 2 --timeout 1 "$app" sleep 50
tells "asleep" 0 'computes or waits in a library, which was called' sleeps
tells "asleep" 1 'computes or waits in a library, which was called' sleeps
nobody_left "after nodes that made no call" 'launch_app|dsmrun'

# All programs have returned, but a node does not end.
expect 137 'node 1 \(process [0-9]+\) has not ended 10 s after its program' "$dsmrun" -n 3 "$member" linger 1
same "messages about one node that lingers" "$(wc -l <"$work/err")" 1
nobody_left "after nodes that did not end"

# What a node leaves running is ended with it.
expect 0 '' "$dsmrun" -n 2 "$member" child
nobody_left "after children of nodes"

# Signals to dsmrun. Background jobs of a script ignore INT, hence env.
for sig in INT:130 TERM:143 HUP:129; do
	modes=hang
	[ "${sig%:*}" = INT ] && modes='hang deaf'
	for mode in $modes; do
		env --default-signal=INT,HUP "$dsmrun" -n 3 "$member" $mode >"$work/out" 2>"$work/err" &
		pid=$!
		await 3
		kill "-${sig%:*}" $pid
		wait $pid
		same "status after ${sig%:*} ($mode)" $? "${sig#*:}"
		nobody_left "after ${sig%:*} ($mode)"
	done
done
# A second one does not wait for the two seconds.
env --default-signal=INT "$dsmrun" -n 3 "$member" deaf >"$work/out" 2>"$work/err" &
pid=$!
await 3
begin=$(date +%s%N)
kill -INT $pid
sleep 0.3
kill -INT $pid
wait $pid
same "status after two INT" $? 130
took=$((($(date +%s%N) - begin) / 1000000))
[ $took -lt 1800 ] || fail "two INT took $took ms"

# dsmrun itself is killed: nodes die with it, whatever they do.
for transport in unix tcp; do
	for mode in hang deaf; do
		"$dsmrun" -n 3 --transport $transport "$member" $mode >"$work/out" 2>"$work/err" &
		pid=$!
		await 3
		kill -KILL $pid
		wait $pid 2>/dev/null
		nobody_left "after KILL of dsmrun ($transport, $mode)"
	done
done
# ... also behind a script.
printf '#!/bin/sh\n"%s" deaf\nexit 1\n' "$(realpath "$member")" >"$work/script"
chmod +x "$work/script"
"$dsmrun" -n 2 "$work/script" >"$work/out" 2>"$work/err" &
pid=$!
await 2
kill -KILL $pid
wait $pid 2>/dev/null
nobody_left "after KILL of dsmrun (behind a script)"

# Ctrl-Z stops everybody, fg goes on.
env --default-signal=TSTP "$dsmrun" -n 2 "$member" spin >"$work/out" 2>"$work/err" &
pid=$!
await 2
states() { for p in $(marked); do sed 's/.*) //; s/ .*//' "/proc/$p/stat"; done | sort | tr -d '\n'; }
kill -TSTP $pid
sleep 0.5
same "states after TSTP" "$(states)" TTT
kill -CONT $pid
sleep 0.5
after=$(states)
same "stopped after CONT" "${after//[!T]/}" ''
kill -TERM $pid
wait $pid
same "status after TERM" $? 143
finish
