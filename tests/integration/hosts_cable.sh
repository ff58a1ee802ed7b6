#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Two hosts whose cable is pulled out: plugged in again, the run goes on at once, however long TCP would go on
# waiting; never again, it ends with a message within the time that DSM_SILENCE says, although one host's agent does
# not answer any more.
. "$(dirname "$0")/dsmrun_lib.sh"
. "$(dirname "$0")/hosts_lib.sh"
run=("$dsmrun" --rsh "$work/rsh" --hosts "$alpha:2,$beta:2")

# begin [VARIABLE=VALUE] ARGUMENT...: a run in the background
begin() {
	begun=$SECONDS
	timeout -k 5 90 env "${@:1:1}" "${run[@]}" "$app" "${@:2}" >"$work/out" 2>"$work/err" </dev/null &
	job=$!
}
# Until the nodes are connected with one another: then nobody listens any more
running() {
	local try
	for try in $(seq 100); do
		[ "$(ip netns exec "$beta" ss -Htn state established '( src 10.77.0.2 )' | wc -l)" = 8 ] &&
			[ -z "$(for h in "$alpha" "$beta"; do ip netns exec "$h" ss -Htln; done)" ] && return
		sleep 0.1
	done
	fail "not connected within $((try / 10)) s: $(cat "$work/err")"
}
# ended WHAT STATUS SECONDS: the run has this status, and ended so many seconds after it began, or earlier
ended() {
	local status
	wait "$job"
	status=$?
	took=$((SECONDS - begun))
	same "status of $1" "$status" "$2"
	[ "$took" -le "$3" ] || fail "$1: took $took s, not at most $3 s: $(cat "$work/err")"
}

# A kernel before 6.15 cannot be told to wait less, so there it only has to go on.
soon=0
[ "$(printf '%s\n' 6.15 "$(uname -r)" | sort -V | head -n 1)" = 6.15 ] || soon=60

# Out while the nodes call one another. TCP by itself would call 7, 11 and 19 s after the first time.
lossy 1
begin DSM_SILENCE=30 sum 1
sleep 12
mended
ended "the late start" 0 $((16 + soon))
same "nodes with the right sum" "$(grep -c 'of 4: 160$' "$work/out")" 4

# Out in the middle. TCP by itself would try 12 and 25 s after the first loss.
begin DSM_SILENCE=30 sum 200
running
lossy 1
sleep 14
mended
ended "the run with a gap" 0 $((20 + soon))
[ "$took" -ge 14 ] || fail "the cable was out for nothing: the run took $took s"
same "nodes with the right sum" "$(grep -c 'of 4: 32000$' "$work/out")" 4

# Out for ever, while all are busy, and while three wait for one that says nothing.
for what in 'sum 100000' 'sleep 80'; do
	# shellcheck disable=SC2086
	begin DSM_SILENCE=4 $what
	running
	lossy 1
	ended "$what, cut off" 2 $((20 + soon))
	grep -qE 'node [0-3] is lost: nothing has come from it for 4 s or more \(DSM_SILENCE\); is its host' "$work/err" ||
		fail "$what, cut off: $(cat "$work/err")"
	nobody_left "after $what" "launch_app|dsmrun"
	mended
done

# The same, and the line to the agent is as dead as the cable.
begin DSM_SILENCE=4 sum 100000
running
for p in $(ip netns pids "$beta"); do
	grep -qa -- --agent "/proc/$p/cmdline" && kill -STOP "$p"
done
lossy 1
ended "a run with a host that is gone" 2 $((25 + soon))
grep -q "host '$beta' does not answer: its nodes end when the line of '.*rsh' to it is found to be cut" "$work/err" ||
	fail "a host that is gone: $(cat "$work/err")"
nobody_left "after a host was gone" "launch_app|dsmrun"
finish
