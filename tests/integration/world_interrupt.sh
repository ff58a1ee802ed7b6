#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Ctrl-C in a run: every process ends, nothing stays behind, and no half-written trace stands in place of
# a good file.
. "$(dirname "$0")/../lib.sh"
command -v setsid >/dev/null || skip "setsid is missing (util-linux)"

# Folders of its own for what a run could leave: sockets and temporary files.
export XDG_RUNTIME_DIR=$work/runtime TMPDIR=$work/tmp
mkdir -m 700 "$XDG_RUNTIME_DIR" "$TMPDIR"
left_overs() {
	find "$XDG_RUNTIME_DIR" "$TMPDIR" ! -type d
	ls /dev/shm 2>/dev/null | grep -i 'dsm\|procope'
}

for how in INT TERM; do
	in_session "$bin/dsmrun" -n 4 --monitor="$work/run-$how.dsmt" "$apps/world" --seconds 60
	session_begins $how 6 # dsmrun, the collector, the nodes
	sleep 1 # somewhere in the middle
	if [ $how = INT ]; then kill -INT -- "-$leader"; else kill -TERM "$leader"; fi
	session_ends $how
	# A trace that stayed must be readable.
	if [ -e "$work/run-$how.dsmt" ]; then
		"$bin/dsmreport" --format json "$work/run-$how.dsmt" >/dev/null 2>"$work/err" ||
			fail "$how: the trace left behind cannot be read: $(head -c 300 "$work/err")"
	fi
	same "half-written files left by $how" "$(find "$work" -name '*partial*' -o -name '*.tmp*' | grep -c .)" 0
done
same "left behind" "$(left_overs)" ""
finish
