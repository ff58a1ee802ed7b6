#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsmtop beside a real run: the hottest page with its object's name, on both sources, and the end.
. "$(dirname "$0")/ui_lib.sh"
launch=$(realpath "$bin/dsmrun")
world=$(realpath "$apps/world")
export XDG_RUNTIME_DIR=$work COLUMNS=160 LC_ALL=C.UTF-8

socket() { # waits for the run's live socket
	for _ in $(seq 200); do
		set -- "$work"/procope/live-*.sock
		[ -S "$1" ] && "$top" --list 2>/dev/null | grep -qxF "$1" && echo "$1" && return
		sleep 0.1
	done
	return 1
}

sources="ring"
[ "$(id -u)" = 0 ] && [ -r /sys/kernel/btf/vmlinux ] && sources="bpf ring"
for source in $sources; do
	timeout 120 "$launch" --monitor="$work/t.dsmt" --source $source -n 4 "$world" --seconds 6 >"$work/run" 2>&1 &
	pids+=($!)
	: >"$work/out" >"$work/err"
	path=$(socket)
	check "a live socket" test -n "$path"
	sleep 1.5 # ours is named all along: other runs may begin on this machine at any time
	timeout 60 "$top" -b -n 1 $path >"$work/out" 2>"$work/err"
	check "exit code" test $? = 0
	check "the program" grep -q "dsmtop world .* 4 nodes  tx  $source" "$work/out"
	check "the hottest page is of the avatars" \
		bash -c "grep -A1 OBJECT '$work/out' | tail -n 1 | grep -q 'avatars: struct avatar\['"
	check "rates" bash -c "! grep -q 'commits -' '$work/out'"
	check "every node has its row" test "$(grep -c '\[.*\]$' "$work/out")" -ge 4
	check "without a name, the newest run" bash -c "timeout 60 '$top' -b -n 1 2>/dev/null | grep -q '^dsmtop '"
	timeout 60 "$top" --json -n 1 $path >"$work/out" 2>"$work/err"
	check "JSON" test "$(jq -r '.program, .source, (.nodes | length)' "$work/out" | tr '\n' ' ')" = "world $source 4 "
	timeout 90 "$top" -b -d 86400 $path >"$work/out" 2>"$work/err"
	check "it follows the run to its end" test $? = 0
	check "and says so" grep -q "run ended" "$work/out"
	wait "${pids[-1]}"
	check "the run itself was well" test $? = 0
	timeout 60 "$top" --trace "$work/t.dsmt" -b >"$work/out" 2>"$work/err"
	check "the trace can be replayed" test $? = 0
	check "to its end" grep -q "run ended" "$work/out"
	check "with the same page in front" \
		bash -c "grep -A1 OBJECT '$work/out' | tail -n 1 | grep -q 'avatars: struct avatar\['"
	timeout 60 "$top" --trace "$work/t.dsmt" --json >"$work/out" 2>"$work/err"
	check "about a line a second" test "$(wc -l <"$work/out")" -ge 5
	check "no socket is left" bash -c "! ls '$work'/procope/*.sock 2>/dev/null"
done
finish
