#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# world --show on a terminal that tmux gives it: the scene of any node, other sizes, every way out, and what the terminal
# is like afterwards.
. "$(dirname "$0")/../lib.sh"
dsmrun=$(realpath "$bin/dsmrun")
world=$(realpath "$apps/world")
ldd "$world" | grep -q ncurses || {
	refuses 2 "built without ncurses" "$dsmrun" -n 2 "$world" --show
	finish
}
. "$(dirname "$0")/screen_lib.sh"
pattern=-E drawn="leaves the view"

start "node 0" 80 24 "" "$dsmrun -n 2 $world --show --seconds 60"
wait_for "plaza from node 0 of 2"
wait_for "leaves the view"
wait_for "####" # walls
wait_for "[A-F]" # goals
wait_for "[. ]0[. #]" # avatars of both nodes
wait_for "[. ]1[. #]"
wait_for "[1-9][0-9]* steps here \([1-9]"
# it lives: the avatars move
first=$(screen | sed '1d;$d')
sleep 1
checks=$((checks + 1))
[ "$first" != "$(screen | sed '1d;$d')" ] || fail "nothing moves"
for size in "40 12" "200 60" "3 3" "1 1" "80 2" "100 30"; do
	name="resize to $size"
	tm resize-window -t t -x "${size% *}" -y "${size#* }"
	sleep 0.3
done
wait_for "plaza from node 0 of 2"
wait_for "####"
name="Ctrl-C"
tm send-keys -t t C-c
restored 130
nobody_left "Ctrl-C in the view" "world|dsmrun"

start "node 1, to the end" 100 30 "" "$dsmrun -n 3 $world --show 1 --seconds 3"
wait_for "plaza from node 1 of 3"
wait_for "[. ]2[. #]"
wait_for "world: consistent"
restored 0

start "q" 80 24 "" "$dsmrun -n 2 $world --show=1 --seconds 4"
wait_for "plaza from node 1"
tm send-keys -t t q
wait_for "world: consistent" # the run goes on without the view
restored 0

# Whatever ends the run, the terminal is as it was: the node that shows is killed, another one is, dsmrun is told to end
for how in "KILL first" "SEGV first" "KILL last" "TERM dsmrun"; do
	start "$how" 80 24 "" "$dsmrun -n 2 $world --show --seconds 60"
	wait_for "plaza from node 0 of 2"
	case $how in
	*first) kill -s "${how% *}" "$(marked world | sort -n | head -n 1)" ;;
	*last) kill -s "${how% *}" "$(marked world | sort -n | sed -n 2p)" ;;
	*) kill -s TERM "$(marked dsmrun | head -n 1)" ;;
	esac
	restored "[1-9][0-9]*"
	nobody_left "$how" "world|dsmrun"
done

start "without dsmrun" 80 24 "$world --show --seconds 2;" "$dsmrun --version"
wait_for "plaza from node 0 of 1"
wait_for "world: consistent"
restored 0

for term in no-such-terminal dumb; do
	start "TERM=$term" 80 24 "TERM=$term" "$dsmrun -n 2 $world --show --seconds 2"
	wait_for "left-with-2"
	wait_for "TERM names no usable terminal"
done
start "no colours" 80 24 "NO_COLOR=1" "$dsmrun -n 2 $world --show --seconds 30"
wait_for "plaza from node 0 of 2"
checks=$((checks + 1))
tm capture-pane -pe -t t | grep -q $'\e\\[[0-9;]*[34][0-7]m' && fail "colours in spite of NO_COLOR"
tm send-keys -t t C-c
restored 130

start "in the background" 80 24 "sleep 0; set -m; " "$dsmrun -n 2 $world --show --seconds 2 & wait \$!"
wait_for "belongs to another program"
tm kill-session -t t 2>/dev/null
name="without a terminal"
refuses 2 "--show: this node has no terminal to draw on" setsid -w "$dsmrun" -n 2 "$world" --show --seconds 2
refuses 2 "--show 2: this run has only the nodes 0 to 1" "$dsmrun" -n 2 "$world" --show 2
refuses 2 "--show needs a whole number from 0 to 255" "$dsmrun" -n 2 "$world" --show=x
refuses 2 'takes no argument: "x"' "$dsmrun" -n 2 "$world" --show x
finish
