#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsmtop in batch mode and its messages, against a live server whose figures are known.
set -u
build=${BUILD:-build}
top=$(realpath "$build/bin/dsmtop")
fake=$(realpath "$build/tests/ui/fake_live")
make_trace=$(realpath "$build/tests/integration/gate_make_trace")
dir=$(mktemp -d "${TMPDIR:-/tmp}/dsmtop.XXXXXX")
chmod 700 "$dir"
pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done; rm -rf "$dir"' EXIT
checks=0 failed=0

check() { # description, condition as a command
	local what=$1
	shift
	checks=$((checks + 1))
	if ! "$@"; then
		failed=$((failed + 1))
		echo "FAILED: $what ($*)"
		sed 's/^/    out: /' "$dir/out" | cut -c1-160 | head -n 12
		sed 's/^/    err: /' "$dir/err" | head -n 5
	fi
}
has() { grep -qF -- "$1" "$dir/out"; }
lacks() { ! grep -qF -- "$1" "$dir/out"; }
says() { grep -qF -- "$1" "$dir/err"; }
code() { [ "$rc" -eq "$1" ]; }
plain() { ! LC_ALL=C grep -q '[^[:print:]]' "$dir/out"; } # no control byte, nothing outside ASCII

serve() { # socket, options: returns once it listens
	: >"$dir/ready" # or the last server's word would count for this one
	"$fake" "$@" >"$dir/ready" &
	pids+=($!)
	disown # one of them is killed below; the shell need not tell
	for _ in $(seq 100); do
		grep -q ready "$dir/ready" && return
		sleep 0.05
	done
	echo "FAILED: the live server did not start"
	exit 1
}
run() {
	timeout 20 "$@" >"$dir/out" 2>"$dir/err" </dev/null
	rc=$?
}

unset XDG_RUNTIME_DIR
export LANG=C.UTF-8 LC_ALL=C.UTF-8 COLUMNS=140

serve "$dir/a.sock" interval 60 lost 17
run "$top" "$dir/a.sock" -b -n 1
check "one screen" code 0
check "its hottest page, with the object" has "avatars: struct avatar[64]"
check "rates" has "aborts/commit 0.125"
check "bars" has "25.0%"
check "losses" has "LOST 17 records: abort 17"
check "no waiting dashes" lacks "commits -"
check "no escape sequences" plain
check "hottest first" bash -c "grep -A1 OBJECT '$dir/out' | tail -n 1 | grep -q 'struct avatar'"
run "$top" "$dir/a.sock" -b -n 1 --sort page --pages 2
check "two pages" has "and 38 pages more"
run "$top" "$dir/a.sock" -b -n 1 -s fetches --pages 1
check "by fetches" has "(no object known)"
run "$top" "$dir/a.sock" --json -n 2
check "JSON lines" test "$(jq -r .schema "$dir/out" | sort | uniq -c | tr -s ' ')" = " 2 procope.live/1"
check "JSON with rates" test "$(jq -s 'map(.total.commits_per_s > 0) | all' "$dir/out")" = true
start=$(date +%s%N)
run "$top" "$dir/a.sock" --json -n 3 -d 0.5
check "-d keeps screens apart" test $((($(date +%s%N) - start) / 1000000)) -ge 1000

serve "$dir/end.sock" interval 60 samples 6
run "$top" "$dir/end.sock" -b
check "the end is a good end" code 0
check "the end is said" has "run ended"

serve "$dir/die.sock" interval 60 samples 6 die
run "$top" "$dir/die.sock" -b
check "a collector that went away" code 1
check "is said" says "went away before the run had ended"

serve "$dir/junk.sock" interval 60 junk
run "$top" "$dir/junk.sock" -b -n 1
check "malformed lines between good ones" code 0
check "are told" says "bad line"
check "and counted" has "bad lines from the socket"
check "and the rest is shown" has "struct avatar[64]"

serve "$dir/future.sock" interval 60 future
run "$top" "$dir/future.sock" -b -n 1
check "a later schema" code 2
check "is named" says "procope.live/2"
serve "$dir/foreign.sock" interval 60 foreign
run "$top" "$dir/foreign.sock" -b -n 1
check "not a live socket" code 2
check "is said" says "is not a live socket"

serve "$dir/evil.sock" interval 60 program '\u001b[2J\u0007' object 'x\u001b]0;pwned\u0007\u202ey'
run "$top" "$dir/evil.sock" -b -n 1
check "control bytes in names" plain
check "are shown as marks" has "avatars: x?]0;pwned"
run "$top" "$dir/evil.sock" --json -n 1
check "no raw control byte in JSON" bash -c "! LC_ALL=C grep -q \$'[\x01-\x09\x0b-\x1f]' '$dir/out'"
LC_ALL=C run "$top" "$dir/a.sock" -b -n 1
check "LANG=C" plain

# the newest socket of this user is found; stale ones and folders of others are not
find_newest() {
	export XDG_RUNTIME_DIR=$dir
	mkdir -m 700 "$dir/procope"
	run "$top" -b -n 1
	check "no live run" code 2
	check "names the remedy" says "dsmrun --monitor"
	serve "$dir/procope/live-1.sock" interval 60 program older
	sleep 0.02
	serve "$dir/procope/live-2.sock" interval 60 program newer
	touch "$dir/procope/live-3.sock" "$dir/procope/other"
	run "$top" -b -n 1
	check "the newest" has "dsmtop newer"
	check "and that there are others" says "live runs; this is the newest"
	run "$top" --list
	check "--list, newest first" test "$(head -n 1 "$dir/out")" = "$dir/procope/live-2.sock"
	kill -9 "${pids[-1]}"
	while kill -0 "${pids[-1]}" 2>/dev/null; do sleep 0.02; done
	run "$top" -b -n 1
	check "a dead collector's socket is passed over" has "dsmtop older"
	chmod 777 "$dir/procope"
	run "$top" --list
	check "a folder that others can write is not trusted" lacks "$dir/procope"
}
if [ -z "$("$top" --list 2>/dev/null)" ]; then
	find_newest
else
	echo "left out: which run is the newest, since other runs of this user are live"
	mkdir -m 700 "$dir/procope"
	serve "$dir/procope/live-2.sock"
	kill -9 "${pids[-1]}"
	while kill -0 "${pids[-1]}" 2>/dev/null; do sleep 0.02; done
fi

run "$top" "$dir/none.sock" -b
check "missing socket" code 2
check "missing socket, named" says "$dir/none.sock"
run "$top" "$dir/procope/live-2.sock" -b
check "dead socket" says "its collector has ended"
for bad in "-n 0" "-n x" "-d 0" "-d nan" "--sort nothing" "--pages -1" "--frobnicate" "-n" "a b" "--speed -1" \
	"--trace" "--trace x y"; do
	run "$top" $bad
	check "usage: $bad" code 2
	check "usage: $bad says what" test -s "$dir/err"
done
run "$top" --trace "$dir/none.dsmt" -b
check "missing trace" code 2
check "missing trace, named" says "none.dsmt: No such file"
run "$top" --trace "$top" -b
check "not a trace" says "is not a trace"
# traces that are not whole: run, cut and damaged are said, and what there is is shown
"$make_trace" "$dir/t.dsmt" run=1 start=1
run "$top" --trace "$dir/t.dsmt" -b
check "a whole trace" code 0
check "a whole trace: no complaint" test ! -s "$dir/err"
head -c $(($(stat -c %s "$dir/t.dsmt") - 20)) "$dir/t.dsmt" >"$dir/cut.dsmt"
run "$top" --trace "$dir/cut.dsmt" -b
check "a cut trace" code 0
check "a cut trace is said" says "cut.dsmt: the file was cut short"
head -c 20 "$dir/t.dsmt" >"$dir/start.dsmt"
run "$top" --trace "$dir/start.dsmt" -b
check "a trace of nothing" code 2
check "a trace of nothing, named" says "start.dsmt: the trace holds no record"
run "$top" "$dir/err" -b
check "a file instead of a socket" code 2
check "a file instead of a socket: remedy" says "it is no socket"
timeout 20 "$top" "$dir/a.sock" -b -n 1 >/dev/full 2>"$dir/err"
check "a full disk" test $? = 1
check "a full disk is named" says "No space left on device"
run "$top" "$dir/a.sock"
check "no terminal" code 2
check "no terminal: remedy" says "dsmtop -b"
run "$top" --help
check "--help" has "Usage: dsmtop"
run "$top" --version
check "--version" has "procope.live/1"
"$top" "$dir/a.sock" -b 2>"$dir/err" | head -n 1 >"$dir/out"
check "a closed pipe ends it" test "${PIPESTATUS[0]}" -ne 0
timeout -s INT 1 "$top" "$dir/a.sock" -b >"$dir/out" 2>"$dir/err"
check "Ctrl-C ends it" has "struct avatar[64]"

echo "dsmtop batch: $checks checks, $failed failed"
[ "$failed" -eq 0 ]
