#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Ctrl-C in a run: every process ends, nothing stays behind, and no half-written trace stands in place of
# a good file.
. "$(dirname "$0")/apps_lib.sh"
command -v setsid >/dev/null || {
	echo "setsid is missing (util-linux)"
	exit 77
}

# Folders of its own for what a run could leave: sockets and temporary files.
export XDG_RUNTIME_DIR=$work/runtime TMPDIR=$work/tmp
mkdir -m 700 "$XDG_RUNTIME_DIR" "$TMPDIR"
left_overs() {
	find "$XDG_RUNTIME_DIR" "$TMPDIR" ! -type d
	ls /dev/shm 2>/dev/null | grep -i 'dsm\|procope'
}
# members SESSION: the live processes of a session (zombies have ended)
members() {
	cat /proc/[0-9]*/stat 2>/dev/null |
		awk -v session="$1" '{ pid = $1; sub(/.*\) /, ""); if ($4 == session && $1 != "Z" && $1 != "X") print pid }'
}

for how in INT TERM; do
	# A session of its own stands for a terminal: its group gets the signal as Ctrl-C sends it.
	setsid --fork env --default-signal=INT,TERM bash -c 'echo $$ >"$1"; shift; exec "$@"' - "$work/leader" \
		"$bin/dsmrun" -n 4 --monitor="$work/run-$how.dsmt" "$apps/world" --seconds 60 \
		>"$work/out" 2>"$work/err" </dev/null
	for _ in $(seq 50); do
		[ -s "$work/leader" ] && break
		sleep 0.1
	done
	leader=$(cat "$work/leader")
	sleep 2
	[ "$(members "$leader" | wc -l)" -ge 5 ] || fail "$how: the run did not start: $(cat "$work/err")"
	if [ $how = INT ]; then kill -INT -- "-$leader"; else kill -TERM "$leader"; fi
	for _ in $(seq 100); do
		[ -z "$(members "$leader")" ] && break
		sleep 0.1
	done
	stayed=$(members "$leader")
	[ -z "$stayed" ] || {
		fail "$how: still there after 10 s: $(for p in $stayed; do tr "\\0" " " <"/proc/$p/cmdline"; done)"
		# shellcheck disable=SC2086
		kill -KILL $stayed
	}
	rm -f "$work/leader"
	# A trace that stayed must be readable.
	if [ -e "$work/run-$how.dsmt" ]; then
		"$bin/dsmreport" --format json "$work/run-$how.dsmt" >/dev/null 2>"$work/err" ||
			fail "$how: the trace left behind cannot be read: $(head -c 300 "$work/err")"
	fi
	same "half-written files left by $how" "$(find "$work" -name '*partial*' -o -name '*.tmp*' | grep -c .)" 0
done
same "left behind" "$(left_overs)" ""
finish
