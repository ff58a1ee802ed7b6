#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsmrun and dsmcollect: what is said between them, with a stand-in for dsmcollect that does as told.
. "$(dirname "$0")/dsmrun_lib.sh"
mkdir "$work/bin"
cp "$dsmrun" "$work/bin/dsmrun"
run=$work/bin/dsmrun

# collector LINES...: what the stand-in does after it has noted its arguments
collector() {
	{
		printf '#!/bin/bash\n'
		printf 'echo "$@" >"%s"\n' "$work/args"
		printf 'while [ $# -gt 0 ]; do case $1 in -o) out=$2 ;; --ready-fd) ready=$2 ;; esac; shift; done\n'
		printf 'trap "echo told >>%s; exit 0" TERM\n' "$work/told"
		printf '%s\n' "$@"
	} >"$work/bin/dsmcollect"
	chmod +x "$work/bin/dsmcollect"
	rm -f "$work/args" "$work/told" "$work/t.dsmt"
}
ready='eval "echo ready >&$ready"'

collector "$ready" 'sleep 0.4; echo trace >$out'
expect 0 '' "$run" --monitor="$work/t.dsmt" --source ring -n 2 "$member" pass
same arguments "$(sed -E 's/--run [0-9a-f]{16} /--run ID /; s/-fd [0-9]+ /-fd N /' "$work/args")" \
	"-o $work/t.dsmt --run ID --until-end --ready-fd N --source ring"
same trace "$(cat "$work/t.dsmt")" trace
# The short option with "=", as the long one is written: no file "=t.dsmt" is meant.
rm "$work/t.dsmt"
expect 0 '' "$run" -m="$work/t.dsmt" --source ring -n=2 "$member" pass
same "trace of -m=t.dsmt" "$(cat "$work/t.dsmt")" trace

# Nodes start only when it is ready. (Other tests may run the same program; these carry our mark.)
# shellcheck disable=SC2016
nodes='for e in $(grep -laF PROCOPE_TEST=$PROCOPE_TEST /proc/[0-9]*/environ 2>/dev/null); do readlink ${e%environ}exe; done'
collector "sleep 1; { $nodes; } | grep -cx -- '$(realpath "$member")' >$work/early" "$ready" 'echo trace >$out'
expect 0 '' "$run" --monitor="$work/t.dsmt" -n 2 "$member" pass
same "nodes before ready" "$(cat "$work/early")" 0

# Its status counts when the program's is 0, and only then.
collector "$ready" 'sleep 0.3; exit 9'
expect 9 '' "$run" --monitor="$work/t.dsmt" -n 2 "$member" pass
expect 5 '' "$run" --monitor="$work/t.dsmt" -n 2 "$member" return 1 5
# It cannot start: the program is not run.
collector 'echo "no privileges" >&2; exit 4'
expect 4 'could not start' "$run" --monitor="$work/t.dsmt" -n 2 "$member" talk
same "output of a program not run" "$(cat "$work/out")" ''
# It is stopped, or hangs, while it starts: the program is not run, and --timeout holds.
# shellcheck disable=SC2016
for start in 'kill -STOP $$' 'trap "" TERM; while :; do sleep 1; done'; do
	collector "$start"
	begin=$(date +%s)
	expect 124 'dsmcollect is not ready after 1 s \(--timeout\)' "$run" --timeout 1 --monitor="$work/t.dsmt" -n 2 "$member" talk
	[ $(($(date +%s) - begin)) -lt 20 ] || fail "a collector that does '$start' outlasts --timeout by $(($(date +%s) - begin)) s"
	same "output of a program not run ($start)" "$(cat "$work/out")" ''
	nobody_left "a collector that does '$start'" 'dsmrun|bash'
done
# It dies in the middle: the program goes on.
collector "$ready" 'kill -KILL $$'
expect 137 'dsmcollect has ended early' "$run" --monitor="$work/t.dsmt" -n 2 "$member" nap
# ... and it says so when the program is over by then; its socket does not stay.
: >"$work/socket"
# shellcheck disable=SC2016
collector "eval 'echo ready ring $work/socket >&\$ready'" 'sleep 1; kill -KILL $$'
expect 137 'dsmcollect has ended early \(status 137\)' "$run" --monitor="$work/t.dsmt" -n 2 "$member" pass
[ ! -e "$work/socket" ] || fail "the socket of a killed collector has stayed"
# shellcheck disable=SC2016
collector 'kill -KILL $$'
expect 2 'dsmcollect could not start \(killed by signal 9\)' "$run" --monitor="$work/t.dsmt" -n 2 "$member" talk
collector "$ready" 'sleep 30 & wait'
expect 139 '' "$run" --monitor="$work/t.dsmt" -n 2 "$member" signal 1 11
same "a collector that does not notice" "$(cat "$work/told")" told

# Ctrl-C: the nodes end, then it is told to finish.
collector "$ready" 'sleep 60 & wait'
env --default-signal=INT "$run" --monitor="$work/t.dsmt" -n 2 "$member" hang >"$work/out" 2>"$work/err" &
pid=$!
await 2
kill -INT $pid
wait $pid
same "status after INT" $? 130
same "told after INT" "$(cat "$work/told")" told

# A name of its own.
collector "$ready" 'echo trace >$out'
member_path=$(realpath "$member")
(cd "$work" && timeout 20 "$run" --monitor -n 2 "$member_path" pass) || fail "--monitor without a name"
ls "$work" | grep -qE '^dsmrun_member-[0-9]{8}-[0-9]{6}\.dsmt$' || fail "no trace with the program's name: $(ls "$work")"
for p in $(marked); do kill -KILL "$p" 2>/dev/null; done # the stand-ins' sleeps
finish
