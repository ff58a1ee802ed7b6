# SPDX-License-Identifier: BSD-2-Clause
# What the tests of the example programs share. Source it; it makes $work, a folder that goes away at the end.
# shellcheck shell=bash
set -u
build=${BUILD:-build}
bin=$build/bin
apps=$build/apps
work=$(mktemp -d "${TMPDIR:-/tmp}/apps-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

fail() {
	echo "FAIL: $*" >&2
	failures=$((failures + 1))
}
# same WHAT FOUND EXPECTED
same() {
	[ "$2" = "$3" ] || fail "$1: \"$2\" instead of \"$3\""
}
# refuses STATUS TEXT command...: the command must end with this status and say TEXT on stderr, nothing on stdout.
refuses() {
	local want=$1 text=$2 status
	shift 2
	timeout 30 "$@" >"$work/refuse.out" 2>"$work/refuse.err"
	status=$?
	same "status of $*" "$status" "$want"
	grep -qF -- "$text" "$work/refuse.err" ||
		fail "$* does not say \"$text\" but: $(head -c 300 "$work/refuse.err")"
	[ ! -s "$work/refuse.out" ] || fail "$* prints on stdout: $(head -c 200 "$work/refuse.out")"
}
# Sanitizers slow everything down, and not evenly: what compares times and rates has nothing to say there.
needs_real_speed() {
	[ -z "${SANITIZE:-}" ] || {
		echo "measures rates, which mean nothing under SANITIZE=$SANITIZE"
		exit 77
	}
}
finish() {
	[ "$failures" = 0 ] || {
		echo "$failures failures" >&2
		exit 1
	}
	exit 0
}
