# SPDX-License-Identifier: BSD-2-Clause
# A terminal from tmux for the tests of what draws on one, beside what all tests share. Source it after lib.sh.
# shellcheck shell=bash disable=SC2154
command -v tmux >/dev/null || skip "tmux is not installed"
unset TMUX
tm() { tmux -S "$work/tmux" -f /dev/null "$@"; }
at_end+=('tm kill-server 2>/dev/null')
name=     # of what is shown, for messages
drawn=    # text that is on the screen while the program draws
pattern=-F # how wait_for and lacks read their text: grep's -F or -E
# the server ends with its last session: one that stays keeps the next from meeting it in its last moment
tm new-session -d -s keep "sleep 1000" || {
	echo "tmux does not start"
	exit 1
}

screen() { tm capture-pane -pJ -t t; } # a wrapped line is one line
fail() {
	failures=$((failures + 1))
	echo "FAIL: $name: $1"
	screen | sed 's/^/    |/'
}
wait_for() { # text that must come to the screen
	checks=$((checks + 1))
	for _ in $(seq 200); do
		screen | grep -q "$pattern" -- "$1" && return 0
		sleep 0.05
	done
	fail "\"$1\" did not come"
	return 1
}
lacks() {
	checks=$((checks + 1))
	! screen | grep -q "$pattern" -- "$1" || fail "\"$1\" is there"
}
start() { # name, columns, rows, environment, command: a shell stays behind to show what it left, and repeats a line
	name=$1
	tm kill-session -t t 2>/dev/null
	tm new-session -d -s t -x "$2" -y "$3" \
		"export LC_ALL=C.UTF-8 PROCOPE_TEST=$PROCOPE_TEST; stty -echo; $4 $5; echo left-with-\$?; stty -a | grep -o -e '-\\?icanon'; read -r line; echo \"got \$line\"; sleep 100"
}
restored() { # status: the terminal is as before, the shell's again, with its line discipline
	wait_for "left-with-$1" && wait_for "icanon"
	lacks "-icanon"
	lacks "$drawn"
	tm send-keys -t t "a line" Enter
	wait_for "got a line"
}
