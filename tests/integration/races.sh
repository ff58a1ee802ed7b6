#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Races between the mutator and the service thread over the two views of a page, which no sanitizer sees: both threads
# are made to stand still at random instructions (yield.c), each attempt checks what it sees (races.c), and the history
# of all attempts is checked at the end. Then changes of rights are left out on purpose, and that must be noticed.
set -u
build=${BUILD:-build}
case $build in *asan | *tsan | *coverage)
	echo "what is preloaded into the nodes does not go together with a sanitizer"
	exit 77
	;;
esac
work=$(mktemp -d "${TMPDIR:-/tmp}/races.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
seconds=2
[ -n "${PROCOPE_QUICK:-}" ] && seconds=1

# run SEED NODES TRANSPORT: status 0 if nothing was noticed
run() {
	rm -rf "$work/history"
	mkdir "$work/history"
	YIELD=$1 timeout 60 "$build/bin/dsmrun" -n "$2" --transport "$3" --history "$work/history" \
		env LD_PRELOAD="$PWD/$build/tests/integration/libyield.so" \
		"$build/tests/integration/races" "$seconds" >"$work/out" 2>&1 &&
		"$build/bin/dsmverify" --json "$work/history" >>"$work/out" 2>&1
}

seed=0 attempts=0 aborts=0
for transport in unix shm tcp; do
	for nodes in 2 3 4; do
		seed=$((seed + 1))
		if ! run $seed $nodes $transport; then
			echo "YIELD=$seed, $nodes nodes, $transport:"
			cat "$work/out"
			exit 1
		fi
		attempts=$((attempts + $(tail -n 1 "$work/out" | jq .attempts)))
		aborts=$((aborts + $(tail -n 1 "$work/out" | jq .aborted)))
	done
done
[ "$aborts" -gt 20 ] || {
	echo "only $aborts of $attempts attempts were aborted: nothing tested"
	exit 1
}
for broken in close protect; do
	noticed=
	for seed in 1 2 3 4 5 6; do
		if ! YIELD_BREAK=$broken run $seed 3 unix; then
			noticed=1
			break
		fi
	done
	[ -n "$noticed" ] || {
		echo "nobody notices when pages are not always taken away ($broken)"
		exit 1
	}
done
echo "$attempts attempts, $aborts aborted; both ways of breaking it were noticed"
