# SPDX-License-Identifier: BSD-2-Clause
# What the tests of dsmrun share. Source it; it makes $work, a folder that goes away at the end.
# shellcheck shell=bash
set -u
build=${BUILD:-build}
dsmrun=$build/bin/dsmrun
member=$build/tests/integration/dsmrun_member
work=$(mktemp -d "${TMPDIR:-/tmp}/dsmrun-test.XXXXXX") || exit 1
failures=0
# Marks every process of this test, so that it finds what stayed behind and nothing else.
DSMRUN_TEST=$(basename "$work")
export DSMRUN_TEST

fail() {
	echo "FAIL: $*" >&2
	failures=$((failures + 1))
}
# same WHAT FOUND EXPECTED
same() {
	[ "$2" = "$3" ] || fail "$1: \"$2\" instead of \"$3\""
}
# expect STATUS TEXT command...: ends with this status and says TEXT (a regular expression, may be empty).
expect() {
	local want=$1 text=$2 status
	shift 2
	timeout -k 5 "${limit:-60}" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	same "status of $*" "$status" "$want"
	[ -z "$text" ] || grep -qE -- "$text" "$work/err" || fail "$*: nothing like \"$text\" in: $(head -c 500 "$work/err")"
}
# The processes that carry our mark and are not this shell or its helpers.
marked() {
	local f
	for f in $(grep -laF "DSMRUN_TEST=$DSMRUN_TEST" /proc/[0-9]*/environ 2>/dev/null); do
		f=${f%/environ}
		readlink "$f/exe" | grep -qE '/(dsmrun|dsmrun_member|dsmcollect|sleep)$' && echo "${f#/proc/}"
	done
}
# nobody_left WHAT: within 5 s no process of ours is left
nobody_left() {
	local left try
	for try in $(seq 50); do
		left=$(marked)
		[ -z "$left" ] && return
		sleep 0.1
	done
	fail "$1: still there after $((try / 10)) s: $(for p in $left; do tr '\0' ' ' <"/proc/$p/cmdline"; done)"
	# shellcheck disable=SC2086
	kill -KILL $left
}
# await COUNT: until so many members run (dsmrun itself not counted)
await() {
	local try
	for try in $(seq 100); do
		[ "$(marked | wc -l)" -gt "$1" ] && return
		sleep 0.1
	done
	fail "the run did not start within $((try / 10)) s: $(cat "$work/err")"
}
finish() {
	rm -rf "$work"
	[ "$failures" = 0 ] || {
		echo "$failures failures" >&2
		exit 1
	}
	exit 0
}
