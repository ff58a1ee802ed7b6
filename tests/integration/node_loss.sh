#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A node is killed while the launcher, stopped, cannot end the run. The others find out by themselves: who needs the
# lost node says so, with file and line, and ends; who does not goes on.
set -u
build=${BUILD:-build}
work=$(mktemp -d "${TMPDIR:-/tmp}/node-loss.XXXXXX") || exit 1
launcher=
end() {
	[ -z "$launcher" ] || kill -KILL "$launcher" 2>/dev/null
	rm -rf "$work"
}
trap end EXIT
fail() {
	echo "FAIL: $*" >&2
	sed 's/^/    /' "$work/err" >&2
	exit 1
}
# How many nodes have their service thread: the start is over, they run the program.
serving() {
	local pid
	for pid in "${nodes[@]}"; do
		grep -l dsm-service /proc/"$pid"/task/*/comm
	done 2>/dev/null | wc -l
}
running() { # the nodes that are not zombies
	local pid
	for pid in "${nodes[@]}"; do
		case $(sed 's/.*) //; s/ .*//' "/proc/$pid/stat" 2>/dev/null) in
		Z | X | '') ;;
		*) echo "$pid" ;;
		esac
	done
}
# start MODE TRANSPORT: four nodes; node 2 is killed
start() {
	rm -f "$work"/*
	"$build/bin/dsmrun" --transport "$2" -n 4 "$build/tests/integration/loss" "$1" "$work" >"$work/out" 2>"$work/err" &
	launcher=$!
	for _ in $(seq 200); do
		mapfile -t nodes < <(pgrep -P $launcher)
		[ "$(serving)" = 4 ] && break
		sleep 0.1
	done
	[ "$(serving)" = 4 ] || fail "$1, $2: the run did not start"
	sleep 0.7
	kill -STOP $launcher
	kill -KILL "${nodes[2]}"
}
finish() { # WHAT: the launcher finds the dead one
	kill -CONT $launcher
	wait $launcher
	local status=$?
	launcher=
	[ $status = 137 ] || fail "$1: status $status instead of 137"
	grep -q 'node 2 .*killed by signal 9' "$work/err" || fail "$1: the launcher does not say who was killed"
}

# over WHAT TENTHS: the others end within so many tenths of a second
over() {
	local tenth
	for tenth in $(seq "$2"); do
		[ -z "$(running)" ] && return
		sleep 0.1
	done
	[ -z "$(running)" ] || fail "$1: nodes that wait for a lost one for ever: $(running)"
}

for mode in page barrier; do
	for transport in unix shm tcp; do
		start $mode $transport
		touch "$work/stop"
		over "$mode, $transport" 150
		finish "$mode, $transport"
		case $mode in
		page) said='node 2 is lost, and with it a page that this transaction needs' ;;
		barrier) said='node 2 is lost, so this barrier never opens' ;;
		esac
		said="$said at tests/integration/loss.c:[0-9]"
		# A TLS connection that ends without a goodbye may have been cut; then the whole node ends.
		[ $transport = tcp ] && said='node 2 is lost: the connections to it broke'
		lost=$(grep -cE "$said" "$work/err")
		[ "$lost" = 3 ] || fail "$mode, $transport: $lost of 3 nodes said who is lost, and where they needed it"
	done
done

# Loops that are not undone: each waits for the launcher's word before it ends, and others for its answer meanwhile. (If the
# home of node 2's page had moved to one of them by then, nobody would need node 2, and they would rightly go on.)
DSM_MIGRATION=0 start loops unix
over loops 600 # one after another may wait 5 s for the launcher's word
finish loops
lost=$(grep -cE 'node [0-3] is lost.* at tests/integration/loss.c:[0-9]' "$work/err")
[ "$lost" = 3 ] || fail "loops: $lost of 3 nodes said who is lost, and where they needed it"

# Who comes to a barrier after the loss waits for the launcher's word, too, and answers others meanwhile.
start late unix
sleep 0.5
touch "$work/stop"
for _ in $(seq 120); do
	[ -e "$work/done-1" ] && break
	sleep 0.1
done
[ -e "$work/done-1" ] || fail "late: a node that waits for the launcher's word does not answer"
finish late

start apart unix
sleep 6 # longer than a node waits for the launcher's word
[ "$(running | wc -l)" = 3 ] || fail "apart: $(running | wc -l) of 3 nodes go on"
touch "$work/stop"
for _ in $(seq 50); do
	[ -e "$work/done-0" ] && [ -e "$work/done-1" ] && [ -e "$work/done-3" ] && break
	sleep 0.1
done
for node in 0 1 3; do
	[ -e "$work/done-$node" ] || fail "apart: node $node does not need node 2, but has not finished"
done
finish apart
echo "who needs a lost node says so, the others go on"
