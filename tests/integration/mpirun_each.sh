#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# One command runs a job under mpirun and records it: each host's first process collects there, and one trace of all is made at
# the end. The job's results and statuses are its own, other runs beside it are left out, and nothing is left.
. "$(dirname "$0")/dsmrun_lib.sh"
command -v mpirun >/dev/null || skip "no mpirun here (apt-get install openmpi-bin)"
[ -x "$build/lib/procope/dsm-pmix" ] || skip "built without PMIx (apt-get install libpmix-dev)"
case $build in *asan | *tsan) skip "PMIx leaks, and sanitizers take that for ours" ;; esac
mpi=(mpirun --oversubscribe)
[ "$(id -u)" = 0 ] && mpi+=(--allow-run-as-root)
split=$build/tests/integration/split
each=("$bin/dsmcollect" --each)
ours='split|launch_app|dsmcollect|dsm-pmix'
patience=70
export TMPDIR=$work XDG_RUNTIME_DIR=$work/runtime
mkdir -m 700 "$XDG_RUNTIME_DIR"
holds() { check "$1" jq -e "$2" "$work/report.json" >"$work/out"; }

# ---- one host, beside another run ----
timeout 60 "$dsmrun" -n 2 "$split" 8 >"$work/beside" 2>&1 </dev/null &
beside=$!
await 2 split
mkdir "$work/sub"
expect 0 'traces of 1 host$' "${mpi[@]}" -n 3 "${each[@]}" "$work/sub/t.dsmt" --source ring "$split" 2
same "all nodes have run" "$(grep -c '^node [0-2]: .* rounds' "$work/out")" 3
same "files left" "$(ls "$work/sub")" t.dsmt
check "the report" "$bin/dsmreport" --format json "$work/sub/t.dsmt" >"$work/report.json"
holds "this job's nodes, whole" '.run.nodes == 3 and .run.program == "split" and (.run.cut | not)'
wait $beside
same "status of the run beside it" $? 0

# The program's own options and status; what went wrong is told.
cd "$work/sub" || exit 1
here=$OLDPWD
expect 0 '' "${mpi[@]}" -n 2 "$here/$bin/dsmcollect" --each sor.dsmt --source ring "$here/$apps/sor" --size 99 --iterations 3 --json
same "the program's options" "$(jq -r .size "$work/out" 2>/dev/null)" 99
expect 7 '' "${mpi[@]}" -n 3 "$here/$bin/dsmcollect" --each bad.dsmt --source ring "$here/$app" return 7
expect 137 '' "${mpi[@]}" -n 2 "$here/$bin/dsmcollect" --each bad.dsmt --source ring "$here/$app" raise 9
expect 127 "cannot start '/nowhere/x'" "${mpi[@]}" -n 2 "$here/$bin/dsmcollect" --each bad.dsmt --source ring /nowhere/x
cd "$here" || exit 1
nobody_left "jobs on one host" "$ours"
expect 2 'no job of mpirun' "${each[@]}" "$work/none.dsmt" true
expect 2 'Name the program' "${each[@]}" "$work/none.dsmt"
expect 2 'exclude each other' "${each[@]}" "$work/none.dsmt" --merge true
expect 2 'not with --seconds' "${each[@]}" "$work/none.dsmt" --seconds 3 true
expect 2 'the program was not run' "${mpi[@]}" -n 2 "${each[@]}" "$work/nowhere/t.dsmt" --source ring "$app" sum
same "nothing ran" "$(grep -c 'of 2' "$work/out")" 0

# ---- two hosts: their processes do not see one another ----
. "$(dirname "$0")/hosts_lib.sh"
unshare -p -f --mount-proc true 2>/dev/null || skip "no process namespaces here"
# Open MPI names its folders by process number, which are the same on both hosts now: each has a place of its own.
mkdir -m 700 "$work/$alpha" "$work/$beta"
cat >"$work/rsh" <<END
#!/bin/sh
host=\$1
shift
export TMPDIR=$work/\$host XDG_RUNTIME_DIR=$work/\$host
exec ip netns exec "\$host" unshare -p -f --mount-proc --kill-child sh -c "\$*"
END
run=(env TMPDIR="$work/$alpha" XDG_RUNTIME_DIR="$work/$alpha" ip netns exec "$alpha" unshare -p -f --mount-proc --kill-child mpirun --allow-run-as-root --oversubscribe --leave-session-attached
	--mca plm_rsh_agent "$work/rsh" --mca oob_tcp_if_include 10.77.0.0/24 --host "$alpha:2,$beta:2" -x PROCOPE_TEST)
timeout 60 "${run[@]}" -n 4 true >"$work/out" 2>&1 || skip "mpirun reaches no other host here: $(tail -n 3 "$work/out" | tr '\n' ' ')"
rm -rf "$work/sub" && mkdir "$work/sub"
expect 0 'traces of 2 hosts' "${run[@]}" -n 4 "${each[@]}" "$work/sub/t.dsmt" --source ring "$split" 3
same "files left by two hosts" "$(ls "$work/sub")" t.dsmt
check "two hosts: the report" "$bin/dsmreport" --format json "$work/sub/t.dsmt" >"$work/report.json"
holds "two hosts: all nodes, their clocks joined" '.run.nodes == 4 and (.run.cut | not) and .run.runs[0].clocks.measured == 2'
# A folder that each host has for itself: what is missing is named, and nothing that was recorded is lost.
mkdir "$work/own"
cat >"$work/private" <<END
#!/bin/sh
[ "\$(ip netns identify)" = $alpha ] || mount -t tmpfs none $work/own
exec "\$@"
END
chmod +x "$work/private"
expect 1 'of 4 nodes 2 are in the traces here' "${run[@]}" -n 4 unshare -m "$work/private" "${each[@]}" "$work/own/t.dsmt" --source ring "$split" 1
same "the part of this host" "$(ls "$work/own" | wc -l)" 1
nobody_left "jobs on two hosts" "$ours"
finish
