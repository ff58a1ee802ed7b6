#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The demo, in short: it ends well, leaves its files, and the report says what is planted in world.
. "$(dirname "$0")/../lib.sh"
needs_real_speed
root=$(cd "$build" && pwd)
mkdir "$work/build"
for folder in bin lib apps; do
	ln -s "$root/$folder" "$work/build/$folder"
done
demo=$work/build/demo
BUILD=$work/build SECONDS_EACH=${SECONDS_EACH:-6} timeout 120 "$(dirname "$0")/../../apps/demo.sh" >"$work/out" 2>&1 ||
	fail "demo: status $?: $(tail -n 30 "$work/out")"
for file in report.txt report.json report.dot report.svg plan.json proof.json; do
	[ -s "$demo/$file" ] || fail "no $file"
done

# holds TEXT CONDITION FILE
holds() { jq -e "$2" "$demo/$3" >/dev/null 2>&1 || fail "$1 ($3)"; }
# of TYPE: the verdicts about objects of a type
of() { printf '[.verdicts[] | select(.type == "%s")]' "$1"; }
holds "the avatars are false sharing" "$(of 'struct avatar') | any(.class == \"false\")" report.json
holds "the statistics are false sharing" "$(of 'struct stats') | any(.class == \"false\")" report.json
holds "the score is true sharing" "$(of 'struct score') | any(.class == \"true\")" report.json
holds "the score is not false sharing" \
	'[.objects[] | select(.type == "struct score") | .classes] | length == 1 and all(.true.conflicts > 20 * .false.conflicts)' report.json
# moved TYPE: the advice that would lay objects of a type out differently
moved() { printf '[.advice[] | select(.type == "%s" and (.kind | startswith("relocate")))]' "$1"; }
holds "advice to move the avatars" "$(moved 'struct avatar') | length == 1" report.json
holds "advice to move the statistics" "$(moved 'struct stats') | length == 1" report.json
holds "no advice to move the score" "$(moved 'struct score') | length == 0" report.json
holds "nothing against the terrain" "$(of 'struct tile') | length == 0" report.json
holds "no advice about the terrain" '[.advice[] | select(.type == "struct tile")] | length == 0' report.json
for type in avatar stats; do
	holds "both sides of struct $type with node, file and line" \
		"$(of "struct $type") | map(select(.class == \"false\"))[0]
		 | (.sides | length) == 2 and all(.sides[]; (.file | test(\"walk.c\")) and .line > 0 and .node >= 0)" report.json
	holds "struct $type with field and allocation site" \
		"$(of "struct $type") | map(select(.class == \"false\"))[0] | .field != null and (.site | tostring | test(\"world.c\"))" \
		report.json
done
holds "keys of the proof" '[.before, .predicted, .after] | all(has("aborts_per_commit") and has("commits_per_s")
	and has("wasted_share") and has("work_per_s"))' proof.json
holds "a fifth of the aborts" '.after.aborts_per_commit <= .before.aborts_per_commit / 5' proof.json

# Where others have the processors, a proof that falls short says so.
busy=()
for _ in 1 2 3 4; do
	timeout 20 sh -c 'while :; do :; done' &
	busy+=($!)
done
BUILD=$work/build SECONDS_EACH=1 timeout 60 "$(dirname "$0")/../../apps/demo.sh" >"$work/out" 2>&1
kill "${busy[@]}"
wait 2>/dev/null
grep -qE 'other programs had [0-9]+ % of the processors in the first run, [0-9]+ % in the second' "$work/out" ||
	fail "a busy machine: no word of it in: $(tail -n 8 "$work/out")"
finish
