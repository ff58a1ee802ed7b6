#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Loops that promise to be independent: every byte that comes out of them, however they meet others in the pages, what becomes
# of a broken promise, and what must not be called in them.
. tests/lib.sh
# The sanitizer's malloc() is not undone with an attempt.
case $build in *asan*) export ASAN_OPTIONS=detect_leaks=0 ;; esac
source=tests/integration/promises.c
folder=$work/folder
limit=60

# on NODES [OPTION...] -- PROGRAM MODE [ARGUMENT...]
on() {
	local options=(-n "$1")
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	rm -rf "$folder"
	mkdir "$folder"
	run "$bin/dsmrun" "${options[@]}" "$build/tests/integration/$1" "${@:2}"
}
# ends STATUS WHAT: with a message that names the line that says WHAT, unless the status is 0
ends() {
	local line
	line=$(grep -nE "/\* $2 \*/" $source | cut -d: -f1)
	code "$1" && { [ "$1" = 0 ] || { says "DSM_TX_FOR_INDEPENDENT" && says "promises.c:$line "; }; }
}

# Each seed is another program. All that it reads is compared with what it must be.
seed=0
for nodes in 1 8; do
	on $nodes -- independent mix 99 4
	check "mix 99 on $nodes nodes" code 0
done
for options in "" "--transport unix" "--transport tls" --no-updates --no-migration --no-independent --strict \
	"--monitor=$work/trace --microscope 900" "--consistency sc" "--consistency rc"; do
	[[ $options != *tls* ]] || [ -e "$build/lib/libdsm-tls.so" ] || continue
	for nodes in 2 3 4; do
		seed=$((seed + 1))
		[ -z "${PROCOPE_QUICK:-}" ] || [ $((seed % 3)) = 0 ] || continue
		# shellcheck disable=SC2086
		on $nodes $options -- independent mix $seed 6 "${options#*consistency }"
		check "mix $seed on $nodes nodes $options" code 0
	done
done
for options in "" --no-updates --no-independent "--consistency rc"; do
	# shellcheck disable=SC2086
	on 3 $options -- independent rows 120 8
	check "rows $options" code 0
done
mkdir "$work/history"
on 3 --history "$work/history" -- independent mix 100 6
check "mix 100 with a history" code 0
run "$bin/dsmverify" "$work/history"
check "its history" code 0

for options in "" --no-updates --no-migration "--transport unix"; do
	for mode in meet agree; do # to the same value, too: both may have counted one
		# shellcheck disable=SC2086
		on 2 $options -- promises $mode "$folder"
		check "two nodes change a byte: $mode $options" ends 2 meet
	done
	for mode in reuse once kernel; do
		# shellcheck disable=SC2086
		on 2 $options -- promises $mode "$folder"
		check "$mode $options" code 0
	done
done
for mode in meet agree reuse once kernel; do
	on 2 --no-independent -- promises $mode "$folder"
	check "$mode, with blocks that may be undone" code 0
done
for mode in cancel retry root; do
	on 2 -- promises $mode
	check "$mode in such a loop" ends 2 $mode
done
on 3 -- promises killed
check "a node is killed" code 137
check "a node is killed" says "was killed by signal 9"
nobody_left "a node was killed" promises
finish
