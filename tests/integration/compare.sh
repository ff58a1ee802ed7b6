#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# make compare: its rows hold together, a wrong or failed run is told, bad input refused, Ctrl-C leaves nothing. Nothing
# here depends on how fast anything is.
. "$(dirname "$0")/../lib.sh"
export ASAN_OPTIONS=detect_leaks=0 # of MPI, in the twins
compare=apps/compare/compare.sh
small=(--size sor=60 --size kmeans=900 --size mgs=40 --size raytracer=20 --size tsp=9 --size lu=64 --size hashmap=200 --size world=60)

# ---- phases, which it rests on ----
check "sor with --stats" "$bin/dsmrun" -n 2 --stats "$work/stats" "$apps/sor" --size 300 --iterations 50 --layout tuned
same "phases of sor" "$(jq -c '[.phases[].name]' "$work/stats")" '["first","steady","result"]'
# what is counted in phases is counted in all, and most of the barriers of 50 iterations are in the steady phase
jq -e '(.totals.barriers) as $b | (.phases | map(.totals.barriers) | add) <= $b and .phases[1].totals.barriers == 188
	and .phases[0].totals.barriers == 12 and .phases[0].totals.work == 3 * 596 and .phases[1].totals.work == 47 * 596' "$work/stats" >/dev/null || fail "phases of sor: $(jq -c '.phases | map({name, b: .totals.barriers, w: .totals.work})' "$work/stats")"
jq -e '[.phases[] | .lost_share >= 0 and .lost_share <= 1.05 and ((.lost | add) - .lost_share | fabs) < 1e-9
	and (.lost | keys) == (["aborts", "barriers", "commits", "faults", "locks", "pages", "retries"])] | all' "$work/stats" >/dev/null ||
	fail "lost time of sor: $(jq -c '.phases | map({lost_share, lost})' "$work/stats")"
jq -e '.nodes | all(.phases | length == 3)' "$work/stats" >/dev/null || fail "the nodes of sor have not three phases each"
for app in mgs raytracer kmeans lu; do
	size=160
	[ $app != kmeans ] || size=3000
	[ $app != raytracer ] || size=140
	check "$app with --stats" "$bin/dsmrun" -n 2 --stats "$work/stats" "$apps/$app" --size $size
	same "phases of $app" "$(jq -c '[.phases[].name]' "$work/stats")" '["first","steady","result"]'
done

# ---- the table ----
limit=200 run $compare "${small[@]}" --layouts tuned --nodes 1,2 --repeat 2 --out "$work/c"
same "status of a comparison" "$rc" 0
[ ! -s "$work/err" ] || fail "a comparison says: $(head -c 500 "$work/err")"
json=$work/c/compare.json
same "schema, rows and runs" "$(jq -c '[.schema, ([.rows[] | select(.independent)] | length) / ([.rows[].model] | unique | length), (.sequential | length), ([.rows[].runs] | unique)]' "$json")" \
	'["procope.compare/1",16,9,[2]]'
# what the promise gives: a second row where loops make it, in which they are not believed
same "rows without the promise" "$(jq -c '[.rows[] | select(.independent | not) | [.app, .model, .nodes]] | sort' "$json")" \
	'[["hashmap","tx",1],["hashmap","tx",2],["kmeans","tx",1],["kmeans","tx",2],["mgs","tx",1],["mgs","tx",2],["raytracer","tx",1],["raytracer","tx",2],["sor","tx",1],["sor","tx",2]]'
same "rows without the promise in the text" "$(grep -c 'tx, undoable' "$work/c/compare.txt")" 10
jq -e '[.rows[] | select(.model == "tx" and .nodes == 1 and .app == "mgs")] | length == 2 and
	(map(select(.independent)) | .[0].fault_kinds.first_write) < (map(select(.independent | not)) | .[0].fault_kinds.first_write)' "$json" >/dev/null ||
	fail "mgs on one node, with and without the promise: $(jq -c '.rows[] | select(.app == "mgs" and .nodes == 1) | [.model, .independent, .fault_kinds]' "$json")"
grep -q 'polyline class="line undoable tuned"' "$work/c/compare.svg" || fail "the picture has no line without the promise"
jq -e '[.rows[] | .checksum_ok and .failed == 0 and .error == null and .seconds > 0 and .speedup > 0 and .transport == "insecure-tcp"
	and (.faults | type) == "number" and .transfers >= 0 and .bytes >= 0 and .aborts >= 0 and (.model != "tx" or .commits > 0) and (.model == "tx" or .aborts == 0)
	and .lost_share >= 0 and (.lost_share == 0 or (.lost_to | type) == "string") and .seconds_least <= .seconds and .seconds <= .seconds_most
	and .faults == (.fault_kinds | add)] | all' "$json" >/dev/null ||
	fail "a row does not hold together: $(jq -c 'first(.rows[] | select(.checksum_ok | not)) // .rows[0]' "$json")"
jq -e '[.rows[] | select(.nodes == 1) | .transfers == 0 and .bytes == 0 and .aborts == 0] | all' "$json" >/dev/null ||
	fail "one node alone transfers or aborts"
jq -e '[.rows[] | select(.nodes == 2 and .app == "sor") | .bytes > 0 and .faults_steady <= .faults] | all' "$json" >/dev/null ||
	fail "two nodes of sor do not talk"
same "models" "$(jq -c '[.rows[].model] | unique' "$json")" '["rc","sc","tx"]'
same "apps in the text" "$(grep -c 'sequential twin' "$work/c/compare.txt")" 8
same "panels of the picture" "$(grep -o 'class="title"' "$work/c/compare.svg" | wc -l)" 8
grep -q 'prefers-color-scheme: dark' "$work/c/compare.svg" || fail "the picture is for light screens only"
tail -n 1 "$work/c/compare.svg" | grep -q '</svg>' || fail "the picture is cut off"
if [ -x "$apps/sor-mpi" ] && command -v mpirun >/dev/null; then
	jq -e '[.rows[] | select(.app | IN("sor", "mgs", "raytracer")) | .mpi_ratio > 0] | all' "$json" >/dev/null ||
		fail "no MPI ratio: $(jq -c .mpi_twins "$json")"
	jq -e '[.mpi_twins[].checksum_ok] | all' "$json" >/dev/null || fail "an MPI twin differs: $(jq -c .mpi_twins "$json")"
else
	has "No MPI twins here" || fail "it does not say that there is no MPI"
fi

# ---- what is wrong is told ----
# A build folder of links, with some programs changed.
fake=$work/build
mkdir -p "$fake/bin" "$fake/apps"
ln -s "$(realpath "$bin")"/* "$fake/bin"
ln -s "$(realpath "$apps")"/{sor,sor-sequential,scenes} "$fake/apps"
swap() { # PROGRAM SCRIPT
	rm -f "$fake/apps/$1"
	printf '#!/bin/sh\n%s\n' "$2" >"$fake/apps/$1"
	chmod +x "$fake/apps/$1"
}
few=(--apps sor --models tx --nodes 1 --layouts tuned --repeat 1 --size sor=30)
swap sor-sequential "\"$(realpath "$apps")/sor-sequential\" \"\$@\" | sed 's/\"checksum\":\"./\"checksum\":\"x/'"
run env BUILD="$fake" $compare "${few[@]}" --out "$work/wrong"
same "status with a wrong result" "$rc" 1
has "WRONG RESULT" || fail "a wrong result is not told"
same "checksum_ok of a wrong result" "$(jq -c '[.rows[].checksum_ok]' "$work/wrong/compare.json")" '[false]'
rm -f "$fake/apps/sor-sequential"
ln -s "$(realpath "$apps")/sor-sequential" "$fake/apps"
swap sor 'echo "out of order" >&2; exit 3'
run env BUILD="$fake" $compare "${few[@]}" --out "$work/failed"
same "status with a failed run" "$rc" 1
has "FAILED: status" || fail "a failed run is not told: $(cat "$work/out")"
has "out of order" || fail "what the failed run said is not told"
same "seconds of a failed run" "$(jq -c '[.rows[] | .seconds, .speedup, .failed]' "$work/failed/compare.json")" '[null,null,1]'

# ---- bad input ----
refuses 2 '--apps: "ocean" is not one of: sor mgs' $compare --apps sor,ocean
refuses 2 '--models: "lazy" is not one of: tx tx-undone sc rc' $compare --models lazy
refuses 2 'no loop of these apps and layouts promises to be independent' $compare --apps tsp,world --models tx-undone
refuses 2 '--layouts: "random" is not one of' $compare --layouts random
refuses 2 '--nodes: "0" is not a number from 1 to 256' $compare --nodes 1,0
refuses 2 '--nodes needs at least one number' $compare --nodes ,
refuses 2 '--size: "sor" is not APP=N' $compare --size sor
refuses 2 '--size: "ocean" is not one of' $compare --size ocean=3
refuses 2 '--transport: "pigeon" is not one of' $compare --transport pigeon
refuses 2 '--repeat: "x" is not a number' $compare --repeat x
refuses 2 'unknown option: --fast' $compare --fast
refuses 2 '--apps needs a value' $compare --apps
refuses 2 'run make first' env BUILD="$work/nowhere" $compare
run $compare --help
same "status of --help" "$rc" 0
has "Usage: apps/compare/compare.sh" || fail "--help"

# ---- Ctrl-C ----
in_session $compare --apps sor --models tx --nodes 2 --layouts tuned --size sor=3000 --out "$work/stopped"
session_begins "a comparison" 3 # the script, timeout, dsmrun
kill -INT -- "-$leader"
session_ends "a comparison after Ctrl-C"
grep -q "interrupted; no result was written" "$work/err" || fail "after Ctrl-C it says: $(cat "$work/err")"
same "what Ctrl-C leaves" "$(ls -A "$work/stopped")" ""
# ... and after some runs: their rows, and that they are not all
in_session $compare --apps sor,mgs --models tx,rc --nodes 1,2 --layouts tuned --repeat 1000 --size sor=60 --size mgs=60 --out "$work/part"
for _ in $(seq 200); do
	[ "$(cat "$work"/part/.run.*/runs.jsonl 2>/dev/null | wc -l)" -lt 9 ] || break
	sleep 0.1
done
kill -INT -- "-$leader"
session_ends "a comparison after Ctrl-C"
grep -q "interrupted after [0-9]* of [0-9]* runs; what they gave is in $work/part" "$work/err" ||
	fail "after Ctrl-C it says: $(cat "$work/err")"
grep -q '^Interrupted: [0-9]* of [0-9]* runs' "$work/part/compare.txt" || fail "the table does not say that it was interrupted"
jq -e '.interrupted and .runs >= 9 and .runs < .runs_wanted and ([.rows[] | .checksum_ok and .seconds > 0] | length >= 2 and all)' \
	"$work/part/compare.json" >/dev/null || fail "what Ctrl-C left does not hold together: $(jq -c '{runs, runs_wanted, rows}' "$work/part/compare.json")"
same "what Ctrl-C leaves after some runs" "$(ls -A "$work/part" | tr '\n' ' ')" "compare.json compare.svg compare.txt runs.jsonl "
finish
