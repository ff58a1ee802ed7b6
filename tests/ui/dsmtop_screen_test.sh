#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsmtop on a terminal: tmux gives it one, keys are sent, the screen is captured once a marker is there.
. "$(dirname "$0")/ui_lib.sh"
. "$(dirname "$0")/screen_lib.sh"
drawn=F1Help

serve "$work/a.sock" interval 100 lost 5

start "80x24" 80 24 "" "$top $work/a.sock"
wait_for "avatars: struct avatar[64]"
wait_for "LOST 5 records"
wait_for "aborts/commit 0.125"
wait_for "F1Help"
wait_for "##" # bars of the nodes
tm send-keys -t t F1
wait_for "this help"
tm send-keys -t t x
wait_for "F1Help"
tm send-keys -t t F6
wait_for "order pages by"
tm send-keys -t t Down Down Enter
wait_for "F1Help"
wait_for "0x28000  (no object known)" # by fetches, the last page is first
tm send-keys -t t s
wait_for "> fetches"
tm send-keys -t t Escape
tm send-keys -t t P
wait_for "0x1000 "
tm send-keys -t t End
wait_for "0x28000 "
tm send-keys -t t Home
tm send-keys -t t p
wait_for "paused"
tm send-keys -t t p
wait_for "live"
tm send-keys -t t Tab
wait_for "*TIME"
tm resize-window -t t -x 40 -y 10
name="40x10 after a resize"
wait_for "COMMIT/s"
tm send-keys -t t Tab
wait_for "*OBJECT"
wait_for "avatars: struct"
tm resize-window -t t -x 200 -y 60
name="200x60 after a resize"
wait_for "INVAL"
wait_for "HOST"
wait_for "struct part30[8]"
for size in "10 3" "1 1" "3 20" "80 24"; do
	name="resize to $size"
	tm resize-window -t t -x "${size% *}" -y "${size#* }"
done
name="80x24 again"
wait_for "F1Help"
tm send-keys -t t q
restored 0

serve "$work/rc.sock" interval 100 model rc
start "rc" 100 24 "" "$top $work/rc.sock"
wait_for "conflicts/interval 0.500"
wait_for "WAITED"
wait_for "CONFL/s"
wait_for "conflicts/s"
wait_for "fff"
tm send-keys -t t F1
wait_for "waiting for f pages  l locks  w flushes"
lacks "aborts"
tm send-keys -t t x
wait_for "F1Help"
tm send-keys -t t F6
wait_for "  waited"
wait_for "> conflicts"
tm send-keys -t t Up Enter
wait_for "0x28000  (no object known)" # waited for longest
tm send-keys -t t A
wait_for "avatars: struct avatar[64]"
tm send-keys -t t Tab F6
wait_for "  intervals"
tm send-keys -t t Escape q
restored 0

start "braille" 80 24 "" "$top $work/a.sock"
checks=$((checks + 1))
wait_for "avatars: struct" && sleep 1
screen | LC_ALL=C grep -q $'\xe2[\xa0-\xa3]' || fail "no braille in a UTF-8 locale"
tm send-keys -t t C-c
restored 130

start "LANG=C" 80 24 "LC_ALL=C LANG=C" "$top $work/a.sock"
checks=$((checks + 1))
wait_for "avatars: struct" && sleep 1
screen | LC_ALL=C grep -q '[^ -~]' && fail "not ASCII"
tm send-keys -t t F10
restored 0

start "colours" 80 24 "" "$top $work/a.sock"
checks=$((checks + 1))
wait_for "avatars: struct"
tm capture-pane -pe -t t | grep -q $'\e\\[[0-9;]*4[14]m' || fail "no colours on a terminal that has them"
start "NO_COLOR" 80 24 "NO_COLOR=1" "$top $work/a.sock"
checks=$((checks + 1))
wait_for "avatars: struct"
tm capture-pane -pe -t t | grep -q $'\e\\[[0-9;]*[34][0-7]m' && fail "colours in spite of NO_COLOR"
tm send-keys -t t q
restored 0

# The terminal knows its size; what the environment says counts where it does not, if it is one.
for size in LINES=0 COLUMNS=-5 LINES=1000000 COLUMNS=1000000 "COLUMNS=x LINES=" "LINES=5 COLUMNS=99999999999999999999"; do
	start "$size" 80 24 "$size" "$top $work/a.sock"
	wait_for "F1Help"
	wait_for "aborts/commit 0.125"
	tm send-keys -t t q
	restored 0
	start "$size, a terminal without a size" 80 24 "stty rows 0 cols 0; $size" "$top $work/a.sock"
	wait_for "dsmtop world"
	tm send-keys -t t q
	wait_for "left-with-0"
done
start "COLUMNS and LINES of a terminal without a size" 80 24 "stty rows 0 cols 0; LINES=12 COLUMNS=60" "$top $work/a.sock"
wait_for "F1Help"
same "its last row" "$(screen | grep -n F1Help | cut -d: -f1)" 12
tm send-keys -t t q
wait_for "left-with-0"

# Stopped and continued, with and without notice, by a shell with jobs.
name=jobs
tm kill-session -t t
tm new-session -d -s t -x 80 -y 24 "env LC_ALL=C.UTF-8 PROCOPE_TEST=$PROCOPE_TEST PS1='ready> ' bash --norc --noprofile"
wait_for "ready>"
tm send-keys -t t "$top $work/a.sock" Enter
wait_for "F1Help"
for how in TSTP STOP; do
	name="SIG$how and fg"
	if [ $how = TSTP ]; then
		tm send-keys -t t C-z
	else
		kill -STOP "$(marked dsmtop)"
	fi
	wait_for "Stopped"
	tm send-keys -t t "clear; stty -a | grep -o -e '-*icanon'" Enter
	wait_for "icanon"
	lacks "-icanon"
	tm resize-window -t t -x 100 -y 30
	tm send-keys -t t "clear; fg" Enter
	wait_for "F1Help"
	wait_for "OBJECT"
	lacks "ready>"
	same "$name: rows of the screen" "$(screen | grep -n F1Help | cut -d: -f1)" 30
	tm send-keys -t t F1 # keys come one by one again
	wait_for "this help"
	tm send-keys -t t x
	wait_for "F1Help"
	tm resize-window -t t -x 80 -y 24
	wait_for "F1Help"
done
tm send-keys -t t q
wait_for "ready>"
lacks "F1Help"
tm send-keys -t t "clear; stty -a | grep -o -e '-*icanon'" Enter
wait_for "icanon"
lacks "-icanon"

for sig in TERM HUP SEGV; do
	start "SIG$sig" 80 24 "echo \$\$ >$work/pid; exec 3>&1; sh -c 'echo \$\$ >$work/pid; exec \"\$@\"' x" "$top $work/a.sock"
	wait_for "avatars: struct"
	kill -s $sig "$(cat "$work/pid")"
	restored $((128 + $(kill -l $sig)))
done

for term in no-such-terminal dumb; do
	start "TERM=$term" 80 24 "TERM=$term" "$top $work/a.sock"
	wait_for "left-with-2"
	wait_for "TERM names no usable terminal"
done

start "-n" 80 24 "" "$top $work/a.sock -n 3 -d 0.1"
restored 0

serve "$work/end.sock" interval 50 samples 8
start "end" 80 24 "" "$top $work/end.sock"
wait_for "run ended"
wait_for "avatars: struct"
tm send-keys -t t q
restored 0

serve "$work/die.sock" interval 50 samples 8 die
start "death" 80 24 "" "$top $work/die.sock"
wait_for "collector gone"
tm send-keys -t t q
restored 1
wait_for "went away before the run"

serve "$work/junk.sock" interval 50 junk
start "junk" 80 24 "" "$top $work/junk.sock"
wait_for "bad lines from the socket"
wait_for "avatars: struct"
tm send-keys -t t q
restored 0
finish
