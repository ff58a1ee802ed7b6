#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsmcollect's command line: bad input, full disk, output places.
. "$(dirname "$0")/collector_lib.sh"

refused() { # PATTERN OPTIONS...
	pattern=$1
	shift
	timeout 10 "$COLLECT" --no-live --source ring "$@" >"$WORK/out" 2>"$WORK/err"
	[ $? = 2 ] && grep -q -e "$pattern" "$WORK/err" && [ "$(wc -l <"$WORK/err")" -le 2 ]
}
check "unknown option" refused "--help" --nonsense
check "an argument" refused "stray" stray
check "unknown source" refused "auto, bpf or ring" --source magic
for size in 0 5000 3K -4096 4Kx 2G banana ""; do
	check "ring size '$size'" refused "power of two" --ring-size "$size"
done
for seconds in 0 -1 x nan inf ""; do
	check "seconds '$seconds'" refused "positive number" --seconds "$seconds"
done
for run in 0 xyz -1 11112222333344445 ""; do
	check "run '$run'" refused "hex digits" --run "$run"
done
for user in no-such-user -1 4294967295 99999999999999999999 1x ""; do
	check "user '$user'" refused "name or a number" --user "$user"
done
for user in root 0; do
	check "--user $user: no node" sh -c "'$COLLECT' --no-live --source ring --seconds 0.2 --run ${RUN%1}5 --user $user 2>&1 |
		grep -q 'no node of user root was seen.*--user'"
done
check "ready-fd closed" refused "open file descriptor" --ready-fd 77
check "ready-fd no number" refused "open file descriptor" --ready-fd x
check "--until-end --seconds" refused "exclude" --until-end --seconds 1
check "--no-live --live" refused "exclude" --live "$WORK/s"
check "output folder" refused "$WORK: Is a directory" -o "$WORK"
check "output nowhere" refused "/nonexistent/t.dsmt: No such file" -o /nonexistent/t.dsmt
check "output empty" refused "must name a file" -o ""
check "output empty after =" refused "must name a file" -o=
check "output after =" refused "^[^=]*/nonexistent/t.dsmt: No such file" -o=/nonexistent/t.dsmt
check "help" sh -c "'$COLLECT' --help | grep -q -- --ring-size"
check "version" sh -c "'$COLLECT' --version | grep -q '^dsmcollect [0-9]'"

live_refused() { # PATTERN PATH
	timeout 10 "$COLLECT" --source ring --live "$2" --seconds 0.1 2>"$WORK/err"
	[ $? = 2 ] && grep -q "$1" "$WORK/err"
}
: >"$WORK/file"
check "live socket over a file" live_refused "not a socket" "$WORK/file"
check "the file is still there" [ -f "$WORK/file" ]
check "live socket nowhere" live_refused "No such file" /nonexistent/s

check "no node: says so, exit 0" sh -c "'$COLLECT' --no-live --source ring --seconds 0.2 --run ${RUN%1}5 2>&1 | grep -q 'no node of user .* was seen'"
check "summary as JSON" sh -c "'$COLLECT' --no-live --source ring --seconds 0.2 --run ${RUN%1}5 --json 2>/dev/null |
	jq -e '.schema == \"procope.summary/1\" and .ended == \"time\" and .records_total == 0' >/dev/null"
check "quiet" [ -z "$("$COLLECT" --no-live --source ring --seconds 0.2 --run ${RUN%1}5 --quiet 2>&1)" ]

# Two collectors, one file.
start_collector --source ring -o "$WORK/t.dsmt" --no-live --run ${RUN%1}5
check "file in use" refused "another collector writes it" -o "$WORK/t.dsmt"
kill -TERM "$collector"
wait "$collector"
check "SIGTERM: exit 0" [ $? = 0 ]
check "an empty trace is one" sh -c "'$DUMP' '$WORK/t.dsmt' | grep -q '^end\$'"

# A library that these nodes do not use: they are seen, and send nothing.
if [ "$(id -u)" = 0 ] && [ -r /sys/kernel/btf/vmlinux ]; then
	start_node 0 --records 200 --wait 1 --linger 2 --run ${RUN%1}7
	"$COLLECT" --no-live --source bpf --run ${RUN%1}7 --seconds 1.5 --probe-file "$BUILD/lib/libdsm.so" 2>"$WORK/err"
	check "another library: says so" grep -q "none: do these nodes use .*/libdsm.so, .*--probe-file" "$WORK/err"
fi

# Nothing to record: a file that was there stays.
echo good >"$WORK/good.dsmt"
"$COLLECT" --no-live --source ring --run ${RUN%1}5 --seconds 0.2 -o "$WORK/good.dsmt" 2>"$WORK/err"
check "nothing to record: exit 1" [ $? = 1 ]
check "nothing to record: said" grep -q "good.dsmt is left as it was" "$WORK/err"
check "nothing to record: the file stays" [ "$(cat "$WORK/good.dsmt")$(ls "$WORK"/good.dsmt.*  2>/dev/null)" = good ]
"$COLLECT" --no-live --source ring --run ${RUN%1}5 --seconds 0.2 --json >/dev/full 2>"$WORK/err"
check "JSON on a full disk: exit 1" [ $? = 1 ]
check "JSON on a full disk: said" grep -q "summary cannot be written: No space left" "$WORK/err"

# Standard output.
start_node 0 --records 1000 --wait 10 --run ${RUN%1}2
check "to a pipe" sh -c "'$COLLECT' --no-live --source ring --run ${RUN%1}2 -o - --quiet | '$DUMP' - | grep -q '^end\$'"
# The node goes on for half a second: the reader is gone long before the last chunk is written.
check "a pipe that closes" sh -c "'$NODE' --run ${RUN%1}3 --records 100000 --batch 100 --pause-us 500 --ring 33554432 --wait 10 &
	'$COLLECT' --no-live --source ring --run ${RUN%1}3 -o - --quiet 2>'$WORK/err' | head -c 100 >/dev/null; wait; grep -q 'Broken pipe' '$WORK/err'"

# A full disk: a limit on the file's size acts like one; the file that was there stays.
echo precious >"$WORK/t.dsmt"
start_node 0 --records 100000 --batch 100 --pause-us 500 --wait 10 --run ${RUN%1}4 --ring 33554432
sh -c "ulimit -f 64; exec '$COLLECT' --no-live --source ring --run ${RUN%1}4 -o '$WORK/t.dsmt'" 2>"$WORK/err"
check "full disk: exit 1" [ $? = 1 ]
check "full disk: says what can be read" grep -q "File too large.*t.dsmt.partial" "$WORK/err"
check "full disk: the old file stays" [ "$(cat "$WORK/t.dsmt")" = precious ]
check "full disk: the rest can be read" sh -c "'$DUMP' '$WORK/t.dsmt.partial' | grep -q '^cut\$'"
kill -9 "$last_node" 2>/dev/null

# A collector that is killed while it starts leaves no socket: its name is taken when it is ready.
killed_early() { # DELAY: fails if a socket is there though it was not ready
	rm -rf "$WORK/run"
	mkdir -m 700 "$WORK/run"
	: >"$WORK/ready"
	XDG_RUNTIME_DIR=$WORK/run "$COLLECT" --probe-file "$NODE" --ready-fd 9 --run "${RUN%1}7" 9>"$WORK/ready" 2>/dev/null &
	early=$!
	sleep "$1"
	kill -STOP $early
	sleep 0.05 # it stops with its next instruction
	left=$(find "$WORK/run" -name 'live-*')
	told=$(cat "$WORK/ready")
	kill -KILL $early
	wait $early 2>/dev/null
	[ -n "$told" ] || [ -z "$left" ]
}
for delay in 0.005 0.02 0.04 0.08 0.15; do
	check "killed after $delay s" killed_early $delay
done

# And a full disk that is one.
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	mkdir "$WORK/small"
	start_node 0 --records 100000 --batch 100 --pause-us 500 --wait 10 --run "${RUN%1}6" --ring 33554432
	unshare -m sh -c "mount -t tmpfs -o size=128k none '$WORK/small' || exit 9
		'$COLLECT' --no-live --source ring --run ${RUN%1}6 -o '$WORK/small/t.dsmt' 2>'$WORK/err'
		[ \$? = 1 ] && [ ! -e '$WORK/small/t.dsmt' ] && '$DUMP' '$WORK/small/t.dsmt.partial' | grep -q '^cut\$'"
	check "full tmpfs: exit 1, the partial trace can be read" [ $? = 0 ]
	check "full tmpfs: says so" grep -q "No space left on device.*t.dsmt.partial" "$WORK/err"
	kill -9 "$last_node" 2>/dev/null
else
	echo "part skipped: a small tmpfs needs root"
fi
finish
