#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A limit of file size (ulimit -f): what cannot be written is said, with the remedy and the documented exit code, and
# nobody ends of SIGXFSZ. To the kernel a node's shared memory is a file, too.
. "$(dirname "$0")/../lib.sh"
make_trace=$(realpath "$build/tests/integration/gate_make_trace")
remedy='File too large.*ulimit -f'

limited() { # KIB command...: standard output into a file
	local kib=$1
	shift
	timeout -k 5 60 env --default-signal=XFSZ bash -c 'ulimit -c 0; ulimit -f "$0"; exec "$@"' "$kib" "$@" \
		2>&1 >"$work/out" </dev/null | cat >"$work/err"
	rc=${PIPESTATUS[0]}
}
# ends WHAT STATUS MESSAGE
ends() {
	check "$1" code "$2"
	check "$1: says so" grep -qE -- "$3" "$work/err"
	check "$1: no signal" bash -c "! grep -q 'killed by signal' '$work/err'"
}

# Results of the tools, into a file and on standard output.
"$make_trace" "$work/a.dsmt" run=1 start=1 || fail "no trace could be made"
for t in dsmrun:2 dsmverify:2 dsmcheck:2 dsmgate:2 dsmreport:1 dsmtop:1; do
	limited 0 "$bin/${t%:*}" --help
	ends "${t%:*} --help" "${t#*:}" "^${t%:*}: standard output.*$remedy"
done
limited 0 "$bin/dsmreport" "$work/a.dsmt"
ends "a report on standard output" 1 "standard output.*$remedy"
limited 0 "$bin/dsmreport" -o "$work/r.txt" "$work/a.dsmt"
ends "a report" 1 "r.txt.*$remedy"
same "half a report" "$(ls "$work" | grep r.txt)" ''
limited 1 "$bin/dsmreport" --out-dir "$work/r" "$work/a.dsmt"
ends "a folder of reports" 1 "r/report.*$remedy"
limited 1 "$bin/dsmcheck"
ends "dsmcheck" 2 "$remedy"
limited 1 "$bin/dsmtop" --trace "$work/a.dsmt" -b
ends "dsmtop -b" 1 "$remedy"
limited 1 "$bin/dsmcollect" --merge -o "$work/m.dsmt" "$work/a.dsmt"
ends "merged traces" 1 "m.dsmt: $remedy"

# Nodes: what they need to start, with or without others.
limited 10 "$bin/dsmrun" -n 2 "$apps/sor" --size 32
ends "rings between nodes" 2 "node 0: connections: $remedy"
limited 10 "$bin/dsmrun" -n 1 "$apps/sor" --size 32
ends "a node's counters" 2 "counters: $remedy"
limited 20000 "$bin/dsmrun" -n 2 "$apps/sor" --size 32
ends "the DSM" 2 "MiB\): $remedy"
check "the DSM: the other remedy" says "a smaller --heap"
limited 20000 "$apps/sor" --size 32
ends "the DSM, alone" 2 "MiB\): $remedy"
limited 20000 "$bin/dsmcheck" --json
check "dsmcheck looks for it" code 1
check "dsmcheck names the limit" test "$(jq -r '.checks[] | select(.name == "DSM address range") | .remedy' "$work/out" | grep -c 'ulimit -f')" = 1

# What is written while the program runs: a history, a trace; and what the program itself writes.
limited 8000 "$bin/dsmrun" -n 2 --heap 2M --ring-size 64K --history "$work/h" "$apps/hashmap"
ends "a history" 2 "history cannot be written: $remedy.*$work/h"
limited 8000 "$bin/dsmrun" -n 2 --heap 2M --ring-size 64K --history "$work/h" "$apps/hashmap" --size 500
check "a history that fits" code 0
mkdir "$work/bin"
cp "$bin/dsmrun" "$work/bin/"
ln -s "$(realpath "$build/lib")" "$work/lib"
printf '#!/bin/bash\nulimit -f 100\nexec "%s" "$@"\n' "$(realpath "$bin/dsmcollect")" >"$work/bin/dsmcollect"
chmod 755 "$work/bin/dsmcollect"
run "$work/bin/dsmrun" -n 2 --monitor="$work/t.dsmt" "$apps/hashmap" --size 5000
ends "a trace" 1 "t.dsmt: $remedy.*t.dsmt.partial"
check "a trace: what there is" "$bin/dsmreport" "$work/t.dsmt.partial" -o /dev/null
finish
