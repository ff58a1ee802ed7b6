#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsmtop in batch mode and its messages, against a live server whose figures are known.
. "$(dirname "$0")/ui_lib.sh"
make_trace=$(realpath "$build/tests/integration/gate_make_trace")
limit=20

plain() { ! LC_ALL=C grep -q '[^[:print:]]' "$work/out"; } # no control byte, nothing outside ASCII

unset XDG_RUNTIME_DIR
export LANG=C.UTF-8 LC_ALL=C.UTF-8 COLUMNS=140

serve "$work/a.sock" interval 60 lost 17
run "$top" "$work/a.sock" -b -n 1
check "one screen" code 0
check "its hottest page, with the object" has "avatars: struct avatar[64]"
check "rates" has "aborts/commit 0.125"
check "bars" has "25.0%"
check "losses" has "LOST 17 records: abort 17"
check "no waiting dashes" lacks "commits -"
check "no escape sequences" plain
check "hottest first" bash -c "grep -A1 OBJECT '$work/out' | tail -n 1 | grep -q 'struct avatar'"
run "$top" "$work/a.sock" -bn=1 -s=fetches -d=0.1 --pages 1
check "short options with =" has "(no object known)"
run "$top" "$work/a.sock" -b -n 1 --sort page --pages 2
check "two pages" has "and 38 pages more"
run "$top" "$work/a.sock" -b -n 1 -s fetches --pages 1
check "by fetches" has "(no object known)"
run "$top" "$work/a.sock" --json -n 2
check "JSON lines" test "$(jq -r .schema "$work/out" | sort | uniq -c | tr -s ' ')" = " 2 procope.live/1"
check "JSON with rates" test "$(jq -s 'map(.total.commits_per_s > 0) | all' "$work/out")" = true
start=$(date +%s%N)
run "$top" "$work/a.sock" --json -n 3 -d 0.5
check "-d keeps screens apart" test $((($(date +%s%N) - start) / 1000000)) -ge 1000

# sc and rc: intervals that meet and wait, in place of transactions that abort
for model in sc rc; do
	serve "$work/$model.sock" interval 60 model $model
	run "$top" "$work/$model.sock" -b -n 1
	check "$model: one screen" code 0
	check "$model: named" has "4 nodes  $model  ring"
	check "$model: conflicts and loss" has "conflicts/interval 0.500  lost 25.0%"
	check "$model: rates" has "lock waits 160/s"
	check "$model: flushes" has "flushes 120/s"
	check "$model: columns of nodes" has "NODE INTERV/s CONFL/s   LOST WORK/s TRANSF/s LOCK/s FLUSH/s"
	check "$model: columns of pages" has "WAITED CONFL/s FETCH/s TRANSF  INVAL UPDATE"
	check "$model: a node's row" has "0      700     350  50.0%    512      120     40      30"
	check "$model: a bar" grep -q '\[f*l*w*-*  *\]' "$work/out"
	check "$model: nothing commits" bash -c "! grep -qi -e commit -e abort -e wasted '$work/out'"
	first="40.0ms .*0x28000"
	[ $model = sc ] || first="struct avatar"
	check "$model: what costs most is first, waits or conflicts" bash -c "grep -A1 OBJECT '$work/out' | tail -n 1 | grep -q '$first'"
	run "$top" "$work/$model.sock" -b -n 1 --sort waited --pages 1
	check "$model: by time waited" bash -c "tail -n 2 '$work/out' | grep -q '40.0ms .*0x28000'"
	run "$top" "$work/$model.sock" -b -n 1 --sort conflicts --pages 1
	check "$model: by conflicts" bash -c "grep -A1 OBJECT '$work/out' | tail -n 1 | grep -q 'struct avatar'"
done
serve "$work/tx.sock" interval 60 model tx
run "$top" "$work/tx.sock" -b -n 1 --sort waited
check "tx: named, with its own words" has "4 nodes  tx  ring"
check "tx: aborts" has "aborts/commit 0.125"

serve "$work/end.sock" interval 60 samples 6
run "$top" "$work/end.sock" -b
check "the end is a good end" code 0
check "the end is said" has "run ended"

serve "$work/die.sock" interval 60 samples 6 die
run "$top" "$work/die.sock" -b
check "a collector that went away" code 1
check "is said" says "went away before the run had ended"

serve "$work/junk.sock" interval 60 junk
run "$top" "$work/junk.sock" -b -n 1
check "malformed lines between good ones" code 0
check "are told" says "bad line"
check "and counted" has "bad lines from the socket"
check "and the rest is shown" has "struct avatar[64]"

serve "$work/future.sock" interval 60 future
run "$top" "$work/future.sock" -b -n 1
check "a later schema" code 2
check "is named" says "procope.live/2"
serve "$work/foreign.sock" interval 60 foreign
run "$top" "$work/foreign.sock" -b -n 1
check "not a live socket" code 2
check "is said" says "is not a live socket"

serve "$work/evil.sock" interval 60 program '\u001b[2J\u0007' object 'x\u001b]0;pwned\u0007\u202ey'
run "$top" "$work/evil.sock" -b -n 1
check "control bytes in names" plain
check "are shown as marks" has "avatars: x?]0;pwned"
run "$top" "$work/evil.sock" --json -n 1
check "no raw control byte in JSON" bash -c "! LC_ALL=C grep -q \$'[\x01-\x09\x0b-\x1f]' '$work/out'"
LC_ALL=C run "$top" "$work/a.sock" -b -n 1
check "LANG=C" plain

# the newest socket of this user is found; stale ones and folders of others are not
find_newest() {
	export XDG_RUNTIME_DIR=$work
	mkdir -m 700 "$work/procope"
	run "$top" -b -n 1
	check "no live run" code 2
	check "names the remedy" says "dsmrun --monitor"
	serve "$work/procope/live-1.sock" interval 60 program older
	sleep 0.02
	serve "$work/procope/live-2.sock" interval 60 program newer
	touch "$work/procope/live-3.sock" "$work/procope/other"
	run "$top" -b -n 1
	check "the newest" has "dsmtop newer"
	check "and that there are others" says "live runs; this is the newest"
	run "$top" --list
	check "--list, newest first" test "$(head -n 1 "$work/out")" = "$work/procope/live-2.sock"
	kill -9 "${pids[-1]}"
	while kill -0 "${pids[-1]}" 2>/dev/null; do sleep 0.02; done
	run "$top" -b -n 1
	check "a dead collector's socket is passed over" has "dsmtop older"
	chmod 777 "$work/procope"
	run "$top" --list
	check "a folder that others can write is not trusted" lacks "$work/procope"
}
if [ -z "$("$top" --list 2>/dev/null)" ]; then
	find_newest
else
	echo "left out: which run is the newest, since other runs of this user are live"
	mkdir -m 700 "$work/procope"
	serve "$work/procope/live-2.sock"
	kill -9 "${pids[-1]}"
	while kill -0 "${pids[-1]}" 2>/dev/null; do sleep 0.02; done
fi

run "$top" "$work/none.sock" -b
check "missing socket" code 2
check "missing socket, named" says "$work/none.sock"
run "$top" "$work/procope/live-2.sock" -b
check "dead socket" says "its collector has ended"
for bad in "-n 0" "-n x" "-d 0" "-d nan" "--sort nothing" "--pages -1" "--frobnicate" "-n" "a b" "--speed -1" \
	"--trace" "--trace x y"; do
	run "$top" $bad
	check "usage: $bad" code 2
	check "usage: $bad says what" test -s "$work/err"
done
run "$top" --trace "$work/none.dsmt" -b
check "missing trace" code 2
check "missing trace, named" says "none.dsmt: No such file"
run "$top" --trace "$top" -b
check "not a trace" says "is not a trace"
# traces that are not whole: run, cut and damaged are said, and what there is is shown
"$make_trace" "$work/t.dsmt" run=1 start=1
run "$top" --trace "$work/t.dsmt" -b
check "a whole trace" code 0
check "a whole trace: no complaint" test ! -s "$work/err"
head -c $(($(stat -c %s "$work/t.dsmt") - 20)) "$work/t.dsmt" >"$work/cut.dsmt"
run "$top" --trace "$work/cut.dsmt" -b
check "a cut trace" code 0
check "a cut trace is said" says "cut.dsmt: the file was cut short"
head -c 20 "$work/t.dsmt" >"$work/start.dsmt"
run "$top" --trace "$work/start.dsmt" -b
check "a trace of nothing" code 2
check "a trace of nothing, named" says "start.dsmt: the trace holds no record"
run "$top" "$work/err" -b
check "a file instead of a socket" code 2
check "a file instead of a socket: remedy" says "it is no socket"
timeout 20 "$top" "$work/a.sock" -b -n 1 >/dev/full 2>"$work/err"
check "a full disk" test $? = 1
check "a full disk is named" says "No space left on device"
run "$top" "$work/a.sock"
check "no terminal" code 2
check "no terminal: remedy" says "dsmtop -b"
run "$top" --help
check "--help" has "Usage: dsmtop"
run "$top" --version
check "--version" has "procope.live/1"
"$top" "$work/a.sock" -b 2>"$work/err" | head -n 1 >"$work/out"
check "a closed pipe ends it" test "${PIPESTATUS[0]}" -ne 0
timeout -s INT 1 "$top" "$work/a.sock" -b >"$work/out" 2>"$work/err"
check "Ctrl-C ends it" has "struct avatar[64]"
finish
