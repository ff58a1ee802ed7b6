#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs that end at once are recorded whole by both sources, and too many nodes for the limit on open files are
# refused in a line.
set -u
BUILD=${BUILD:-build}
failed=0

for source in ring bpf; do
	if [ $source = bpf ] && ! { [ "$(id -u)" = 0 ] && [ -e /sys/kernel/btf/vmlinux ]; }; then continue; fi
	for i in 1 2 3; do
		rm -f "$TMPDIR/short.dsmt"
		timeout 30 "$BUILD/bin/dsmrun" -n 2 --source $source --monitor="$TMPDIR/short.dsmt" \
			"$BUILD/tests/integration/misuse" nothing >"$TMPDIR/out" 2>&1
		status=$?
		"$BUILD/tests/collector/trace_dump" "$TMPDIR/short.dsmt" >"$TMPDIR/dump" 2>/dev/null
		for record in node object root end; do
			want=$([ $record = node ] || [ $record = end ] && echo 2 || echo 1)
			have=$(grep -cE "^[0-9]+ $record " "$TMPDIR/dump")
			if [ "$have" -lt "$want" ] || [ $status != 0 ]; then
				echo "$source, try $i: exit $status, $have of $want '$record' records"
				sed 's/^/    /' "$TMPDIR/out"
				failed=1
			fi
		done
	done
done

# Nodes that have come and gone before the collector looks (here: it is stopped meanwhile): their counters are known all the same.
if [ "$(id -u)" = 0 ] && [ -e /sys/kernel/btf/vmlinux ]; then
	rm -f "$TMPDIR/short.dsmt" "$TMPDIR/ready"
	"$BUILD/bin/dsmcollect" --source bpf --run 000000005eed0001 --until-end -o "$TMPDIR/short.dsmt" --ready-fd 3 \
		3>"$TMPDIR/ready" >"$TMPDIR/out" 2>&1 &
	collector=$!
	for _ in $(seq 300); do grep -q ready "$TMPDIR/ready" && break; sleep 0.1; done
	kill -STOP $collector
	DSM_RUN=5eed0001 timeout 20 "$BUILD/bin/dsmrun" -n 2 "$BUILD/tests/integration/misuse" nothing || failed=1
	kill -CONT $collector
	for _ in $(seq 300); do kill -0 $collector 2>/dev/null || break; sleep 0.1; done
	kill -KILL $collector 2>/dev/null
	wait $collector
	status=$?
	counted=$("$BUILD/tests/collector/trace_dump" "$TMPDIR/short.dsmt" | grep -cE '^C [01] [1-9][0-9]* [1-9]')
	if [ $status != 0 ] || [ "$counted" != 2 ]; then
		echo "a collector that looked late: exit $status, counters of $counted of 2 nodes"
		sed 's/^/    /' "$TMPDIR/out"
		failed=1
	fi
fi

(
	ulimit -n 60
	timeout 20 "$BUILD/bin/dsmrun" -n 30 "$BUILD/tests/integration/misuse" nothing >"$TMPDIR/out" 2>&1
) && { echo "30 nodes with 60 files: accepted"; failed=1; }
grep -q "open files" "$TMPDIR/out" || {
	echo "30 nodes with 60 files: no word about the limit"
	sed 's/^/    /' "$TMPDIR/out"
	failed=1
}
exit $failed
