# SPDX-License-Identifier: BSD-2-Clause
# What all test scripts share. Source it; it makes $work, a folder that goes away at the end. A script ends with
# `finish`.
# shellcheck shell=bash
set -u
build=${BUILD:-build}
bin=$build/bin
apps=$build/apps
work=$(mktemp -d "${TMPDIR:-/tmp}/procope-test.XXXXXX") || exit 1
checks=0 failures=0
at_end=() # commands, run before $work is removed
tidy() {
	local command
	for command in "${at_end[@]}"; do eval "$command"; done
	rm -rf "$work"
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# Marks every process of this test, so that it finds what stayed behind and nothing else.
PROCOPE_TEST=$(basename "$work")
export PROCOPE_TEST

fail() {
	echo "FAIL: $*" >&2
	failures=$((failures + 1))
}
finish() {
	[ "$checks" = 0 ] || echo "$checks checks, $failures failed"
	[ "$failures" = 0 ] || {
		echo "$failures failures" >&2
		exit 1
	}
	exit 0
}
skip() { # why
	echo "$*"
	exit 77
}
# Sanitizers slow everything down, and not evenly: what compares times and rates has nothing to say there.
needs_real_speed() {
	[ -z "${SANITIZE:-}" ] || skip "measures rates, which mean nothing under SANITIZE=$SANITIZE"
}

# again TIMES command...: for what a busy machine can disturb (who meets whom, where most time is lost). The command, a
# function that measures and judges, is done again until it finds no fault; at last what it finds holds. What must not happen
# however busy the machine is (a run that fails) is `fatal` in it.
again() {
	local times=$1 before=$failures try
	shift
	for try in $(seq "$times"); do
		failures=$before
		"$@" 7>&2 2>"$work/again"
		[ "$failures" != "$before" ] || return
		[ "$try" = "$times" ] || sed "s/^/try $try of $times: /" "$work/again"
	done
	cat "$work/again" >&2
}

fatal() {
	{ echo "FAIL: $*" >&7; } 2>/dev/null || echo "FAIL: $*" >&2
	exit 1
}

# same WHAT FOUND EXPECTED
same() {
	[ "$2" = "$3" ] || fail "$1: \"$2\" instead of \"$3\""
}
# check WHAT command...: the command must succeed; if not, what the last program said is shown
check() {
	local what=$1 f
	shift
	checks=$((checks + 1))
	"$@" && return
	fail "$what ($*)"
	for f in "$work/out" "$work/err"; do
		[ ! -e "$f" ] || cut -c1-160 "$f" | head -n 12 | sed 's/^/    /'
	done
}
# run command...: sets $rc; its output is in $work/out and $work/err, about which the five below speak
run() {
	timeout -k 5 "${limit:-60}" "$@" >"$work/out" 2>"$work/err" </dev/null
	rc=$?
}
code() { [ "$rc" -eq "$1" ]; }
has() { grep -qF -- "$1" "$work/out"; }
lacks() { ! grep -qF -- "$1" "$work/out"; }
says() { grep -qF -- "$1" "$work/err"; }
json() { [ "$(jq -r "$1" "$work/out")" = "$2" ]; } # FILTER RESULT
# expect STATUS TEXT command...: ends with this status and says TEXT (a regular expression, may be empty)
expect() {
	local want=$1 text=$2
	shift 2
	run "$@"
	same "status of $*" "$rc" "$want"
	[ -z "$text" ] || grep -qE -- "$text" "$work/err" || fail "$*: nothing like \"$text\" in: $(head -c 500 "$work/err")"
}
# refuses STATUS TEXT command...: the same for TEXT as it stands, and nothing on standard output
refuses() {
	local want=$1 text=$2
	shift 2
	run "$@"
	same "status of $*" "$rc" "$want"
	says "$text" || fail "$* does not say \"$text\" but: $(head -c 300 "$work/err")"
	[ ! -s "$work/out" ] || fail "$* prints on stdout: $(head -c 200 "$work/out")"
}

# marked [NAMES]: the processes that carry our mark and run one of these programs
marked() {
	local f
	for f in $(grep -laF "PROCOPE_TEST=$PROCOPE_TEST" /proc/[0-9]*/environ 2>/dev/null); do
		f=${f%/environ}
		readlink "$f/exe" | grep -qE "/(${1:-dsmrun|dsmrun_member|dsmcollect|sleep})\$" && echo "${f#/proc/}"
	done
}
# nobody_left WHAT [NAMES]: within 5 s (or $patience tenths) none of ours is left
nobody_left() {
	local left try
	for try in $(seq "${patience:-50}"); do
		left=$(marked "${2:-}")
		[ -z "$left" ] && return
		sleep 0.1
	done
	fail "$1: still there after $((try / 10)) s: $(for p in $left; do tr '\0' ' ' <"/proc/$p/cmdline"; done)"
	# shellcheck disable=SC2086
	kill -KILL $left
}
# await COUNT [NAMES]: until so many of ours run
await() {
	local try
	for try in $(seq 100); do
		[ "$(marked "${2:-dsmrun_member}" | wc -l)" -ge "$1" ] && return
		sleep 0.1
	done
	fail "no $1 processes ${2:-dsmrun_member} within $((try / 10)) s: $(head -c 500 "$work/err")"
}

# in_session command...: a session of its own stands for a terminal, whose group gets the signal as Ctrl-C sends it.
# Sets $leader; the output is in $work/out and $work/err.
in_session() {
	local _
	rm -f "$work/leader"
	setsid --fork env --default-signal=INT,TERM bash -c 'echo $$ >"$1"; shift; exec "$@"' - "$work/leader" \
		"$@" >"$work/out" 2>"$work/err" </dev/null
	for _ in $(seq 100); do
		[ -s "$work/leader" ] && break
		sleep 0.1
	done
	leader=$(cat "$work/leader")
}
# The live processes of that session (zombies have ended)
members() {
	cat /proc/[0-9]*/stat 2>/dev/null |
		awk -v session="$leader" '{ pid = $1; sub(/.*\) /, ""); if ($4 == session && $1 != "Z" && $1 != "X") print pid }'
}
# session_begins WHAT COUNT: it has so many members
session_begins() {
	local _
	for _ in $(seq 100); do
		[ "$(members | wc -l)" -ge "$2" ] && return
		sleep 0.1
	done
	fail "$1: the run did not start: $(cat "$work/err")"
}
# session_ends WHAT: it does so within 10 s
session_ends() {
	local _ stayed
	for _ in $(seq 100); do
		[ -z "$(members)" ] && return
		sleep 0.1
	done
	stayed=$(members)
	fail "$1: still there after 10 s: $(for p in $stayed; do tr "\\0" " " <"/proc/$p/cmdline"; done)"
	# shellcheck disable=SC2086
	kill -KILL $stayed
}
