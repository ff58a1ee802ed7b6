# SPDX-License-Identifier: BSD-2-Clause
# What the tests of dsmtop share, beside what all tests share: live servers whose figures are known. Source it.
# shellcheck shell=bash disable=SC2154,SC2034
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
top=$(realpath "$bin/dsmtop")
fake=$(realpath "$build/tests/ui/fake_live")
pids=()
at_end+=('for p in "${pids[@]}"; do kill "$p" 2>/dev/null; done; wait')

serve() { # socket, options: returns once it listens
	: >"$work/ready" # or the last server's word would count for this one
	"$fake" "$@" >"$work/ready" &
	pids+=($!)
	disown # one of them is killed; the shell need not tell
	for _ in $(seq 100); do
		grep -q ready "$work/ready" && return
		sleep 0.05
	done
	echo "the live server did not start"
	exit 1
}
