#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Programs run under mpirun as they do under dsmrun: same results, messages with lines, ends and exit statuses.
. "$(dirname "$0")/dsmrun_lib.sh"
libs=$build/lib

command -v mpirun >/dev/null || skip "no mpirun here (apt-get install openmpi-bin)"
[ -x "$libs/procope/dsm-pmix" ] || skip "built without PMIx (apt-get install libpmix-dev)"
mpi=(mpirun --oversubscribe)
[ "$(id -u)" = 0 ] && mpi+=(--allow-run-as-root)
# Sanitizers find leaks in PMIx, which has its own ideas of what is left at the end.
export ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}
ours='launch_app|dsm-pmix|orterun'
patience=70 # tenths of a second; mpirun itself takes some

# Results, over both kinds of sockets.
for transport in unix tcp; do
	export DSM_TRANSPORT=$transport
	for n in 1 2 5; do
		sums_up "nodes over $transport" $n "${mpi[@]}" -n $n
	done
	same_sor "sor over $transport" "${mpi[@]}" -n 4
done
unset DSM_TRANSPORT
consistent_world "${mpi[@]}" -n 4

# As dsmrun starts programs: everything at the same place, under its own name. Its children are its own.
if setarch -R true 2>/dev/null; then
	expect 0 '' "${mpi[@]}" -n 3 "$app" show
	same "different places" "$(sort -u "$work/out" | cut -d' ' -f1-2 | tr '\n' ';')" 'launch_app main;'
fi
expect 0 '' "${mpi[@]}" -n 2 "$app" children
expect 0 '' "${mpi[@]}" -n 2 "$app" say
same "lines on stdout and stderr" "$(wc -l <"$work/out") $(wc -l <"$work/err")" '2 2'

# Messages name the line; statuses arrive.
expect 2 'node 0: write to DSM memory outside a transaction.* at .*misuse\.c:[0-9]+ \(main\)' "${mpi[@]}" -n 3 "$misuse" outside-write
case $BUILD in # with AddressSanitizer the crash is its to report
*asan*) expect 1 'AddressSanitizer: SEGV .*misuse\.c:[0-9]+ in main' "${mpi[@]}" -n 3 "$misuse" crash ;;
*) expect 139 'node 2: killed by SIGSEGV .* at .*misuse\.c:[0-9]+ \(main\)' "${mpi[@]}" -n 3 "$misuse" crash ;;
esac
expect 2 'barrier 2 can never be complete' "${mpi[@]}" -n 3 "$misuse" lonely-barrier
expect 7 '' "${mpi[@]}" -n 3 "$app" return 7
expect 9 '' "${mpi[@]}" -n 3 "$app" stuck 9
expect 5 '' "${mpi[@]}" -n 3 "$app" leave 5
expect 1 '' "${mpi[@]}" -n 3 "$app" leave 0 # mpirun's own words and status
expect 137 '' "${mpi[@]}" -n 3 "$app" raise 9
nobody_left "after bad ends" "$ours"

# SIGQUIT asks where the nodes stand; the job goes on, and each of them answers once each time.
timeout -k 5 60 "${mpi[@]}" -n 3 "$app" compute >"$work/out" 2>"$work/err" </dev/null &
await 3 dsm-pmix
sleep 1
for times in 1 2; do
	# shellcheck disable=SC2046
	kill -QUIT $(marked launch_app)
	for _ in $(seq 50); do
		[ "$(grep -c '^dsm: node [012]: ' "$work/err")" -ge $((3 * times)) ] && break
		sleep 0.1
	done
	same "answers to $times questions" "$(grep -c '^dsm: node [012]: ' "$work/err")" $((3 * times))
done
tells "asked under mpirun" 0 'waits at its barrier 2' meets
tells "asked under mpirun" 1 'waits at its barrier 2' meets
tells "asked under mpirun" 2 computes computes
kill -TERM "$(marked orterun | tail -n 1)"
wait $!
nobody_left "a job that was asked" "$ours"
# Bad options are named once, and nothing starts.
expect 2 'variable DSM_HEAP: heap size' env DSM_HEAP=all "${mpi[@]}" -n 3 "$app" sum
same "messages about DSM_HEAP" "$(grep -c 'DSM_HEAP' "$work/err")" 1
expect 2 'heap of 1048576 bytes is too small for 20 nodes' env DSM_HEAP=1M "${mpi[@]}" -n 20 "$app" sum
# The variables of node 0 count, whatever the others have.
expect 0 '' "${mpi[@]}" -n 1 -x DSM_TRANSPORT=tcp "$app" sum : -n 1 -x DSM_TRANSPORT=unix "$app" sum

# Whoever dies, the rest goes: a node, a helper, mpirun itself.
for victim in launch_app dsm-pmix orterun; do
	timeout -k 5 60 "${mpi[@]}" -n 3 "$app" sleep 50 >"$work/out" 2>"$work/err" </dev/null &
	await 3 dsm-pmix
	sleep 0.5
	kill -KILL "$(marked $victim | tail -n 1)"
	wait $!
	same "status after the death of $victim" $? 137
	nobody_left "the death of $victim" "$ours"
done

# A copy without the helper says what is missing instead of running as so many clusters of one.
mkdir "$work/lib"
cp "$libs/libdsm.so" "$work/lib"
expect 2 'install libpmix-dev' env LD_LIBRARY_PATH="$work/lib" "${mpi[@]}" -n 2 "$app" sum
# Another launcher without PMIx: each is alone, and that is said once.
expect 0 'warning: one of 2 processes' env PMI_RANK=0 PMI_SIZE=2 "$app" sum
expect 0 '' env PMI_RANK=1 PMI_SIZE=2 "$app" sum
same "warnings of the second" "$(wc -l <"$work/err")" 0
# The server that the environment names is not there.
expect 2 'whose server cannot be reached' env PMIX_NAMESPACE=1 PMIX_RANK=0 PMIX_SERVER_URI4='1.0;tcp4://127.0.0.1:1' "$app" sum

# A collector beside it finds the job as it finds any run.
rm -f "$work/t.dsmt"
DSM_RUN=5eed$$ timeout 60 "${mpi[@]}" -n 3 "$apps/world" --seconds 6 >"$work/out" 2>"$work/err" </dev/null &
await 3 dsm-pmix
sleep 1
timeout 60 "$build/bin/dsmcollect" --run "$(printf %016x $((0x5eed$$)))" --source ring --until-end -o "$work/t.dsmt" >"$work/collect" 2>&1 </dev/null ||
	fail "dsmcollect: status $?: $(head -c 500 "$work/collect")"
wait $!
same "status of world beside dsmcollect" $? 0
same "nodes in the report" "$("$build/bin/dsmreport" --format json "$work/t.dsmt" 2>/dev/null | jq '.run.nodes' 2>/dev/null)" 3

nobody_left "after all runs" "$ours"
finish
