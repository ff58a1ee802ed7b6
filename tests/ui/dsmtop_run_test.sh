#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsmtop beside a real run: the hottest page with its object's name, on both sources, and the end.
set -u
build=${BUILD:-build}
top=$(realpath "$build/bin/dsmtop")
launch=$(realpath "$build/bin/dsmrun")
world=$(realpath "$build/apps/world")
dir=$(mktemp -d "${TMPDIR:-/tmp}/dsmtop.XXXXXX")
pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done; wait; rm -rf "$dir"' EXIT
export XDG_RUNTIME_DIR=$dir COLUMNS=160 LC_ALL=C.UTF-8
checks=0 failed=0

check() { # description, condition as a command
	local what=$1
	shift
	checks=$((checks + 1))
	if ! "$@"; then
		failed=$((failed + 1))
		echo "FAILED: $source: $what ($*)"
		cut -c1-160 "$dir/out" "$dir/err" "$dir/run" | head -n 20 | sed 's/^/    /'
	fi
}
socket() { # waits for the run's live socket
	for _ in $(seq 200); do
		set -- "$dir"/procope/live-*.sock
		[ -S "$1" ] && "$top" --list 2>/dev/null | grep -qxF "$1" && echo "$1" && return
		sleep 0.1
	done
	return 1
}

sources="ring"
[ "$(id -u)" = 0 ] && [ -r /sys/kernel/btf/vmlinux ] && sources="bpf ring"
for source in $sources; do
	timeout 120 "$launch" --monitor="$dir/t.dsmt" --source $source -n 4 "$world" --seconds 6 >"$dir/run" 2>&1 &
	pids+=($!)
	: >"$dir/out" >"$dir/err"
	path=$(socket)
	check "a live socket" test -n "$path"
	# several runs may be live on this machine: then name ours
	[ "$("$top" --list | wc -l)" = 1 ] && path=
	sleep 1.5
	timeout 60 "$top" -b -n 1 $path >"$dir/out" 2>"$dir/err"
	check "exit code" test $? = 0
	check "the program" grep -q "dsmtop world .* 4 nodes  $source" "$dir/out"
	check "the hottest page is of the avatars" \
		bash -c "grep -A1 OBJECT '$dir/out' | tail -n 1 | grep -q 'avatars: struct avatar\['"
	check "rates" bash -c "! grep -q 'commits -' '$dir/out'"
	check "every node has its row" test "$(grep -c '\[.*\]$' "$dir/out")" -ge 4
	timeout 60 "$top" --json -n 1 $path >"$dir/out" 2>"$dir/err"
	check "JSON" test "$(jq -r '.program, .source, (.nodes | length)' "$dir/out" | tr '\n' ' ')" = "world $source 4 "
	timeout 90 "$top" -b -d 86400 $path >"$dir/out" 2>"$dir/err"
	check "it follows the run to its end" test $? = 0
	check "and says so" grep -q "run ended" "$dir/out"
	wait "${pids[-1]}"
	check "the run itself was well" test $? = 0
	timeout 60 "$top" --trace "$dir/t.dsmt" -b >"$dir/out" 2>"$dir/err"
	check "the trace can be replayed" test $? = 0
	check "to its end" grep -q "run ended" "$dir/out"
	check "with the same page in front" \
		bash -c "grep -A1 OBJECT '$dir/out' | tail -n 1 | grep -q 'avatars: struct avatar\['"
	timeout 60 "$top" --trace "$dir/t.dsmt" --json >"$dir/out" 2>"$dir/err"
	check "about a line a second" test "$(wc -l <"$dir/out")" -ge 5
	check "no socket is left" bash -c "! ls '$dir'/procope/*.sock 2>/dev/null"
done
echo "dsmtop beside a run ($sources): $checks checks, $failed failed"
[ "$failed" -eq 0 ]
