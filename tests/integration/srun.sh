#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Programs run under srun: a Slurm of one machine, of its own, is started for it.
. "$(dirname "$0")/dsmrun_lib.sh"
PATH=$PATH:/usr/sbin
for p in slurmctld slurmd srun sinfo; do
	command -v $p >/dev/null || skip "no $p here (apt-get install slurmctld slurmd slurm-client)"
done
[ -x "$build/lib/procope/dsm-pmix" ] || skip "built without PMIx (apt-get install libpmix-dev)"
[ "$(id -u)" = 0 ] || skip "slurmd needs root"

host=$(hostname -s)
mkdir "$work/state" "$work/spool"
cat >"$work/slurm.conf" <<END
ClusterName=procope
SlurmctldHost=$host(127.0.0.1)
AuthType=auth/none
CredType=cred/none
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldPort=$((20000 + $$ % 10000))
SlurmdPort=$((30000 + $$ % 10000))
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=8 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:8
END
export SLURM_CONF=$work/slurm.conf
slurmctld -D -c >"$work/slurmctld.log" 2>&1 &
controller=$!
slurmd -D -N "$host" >"$work/slurmd.log" 2>&1 &
daemon=$!
at_end+=('kill $controller $daemon 2>/dev/null; wait')
for try in $(seq 100); do
	[ "$(timeout 5 sinfo -h -o %t 2>/dev/null)" = idle ] && break
	sleep 0.2
done
[ "$(timeout 5 sinfo -h -o %t 2>/dev/null)" = idle ] ||
	skip "no Slurm can be started here (after $((try / 5)) s): $(tail -qn 1 "$work/slurmctld.log" "$work/slurmd.log" | tr '\n' ' ')"
srun --mpi=list 2>&1 | grep -q pmix || skip "this Slurm has no PMIx (srun --mpi=list)"
run=(srun --mpi=pmix --overcommit --kill-on-bad-exit)

for transport in shm tcp; do
	sums_up "nodes over $transport" 4 env DSM_TRANSPORT=$transport "${run[@]}" -n 4
done
consistent_world "${run[@]}" -n 3
expect 7 '' "${run[@]}" -n 3 "$app" return 7
# srun's status is the highest of the tasks': that of the mistake, or of the SIGTERM for the others
timeout 60 "${run[@]}" -n 3 "$misuse" outside-write >"$work/out" 2>"$work/err" </dev/null
status=$?
[ $status = 2 ] || [ $status = 143 ] || fail "status after a mistake: $status"
grep -qE 'node 0: write to DSM memory outside a transaction.* at .*misuse\.c:[0-9]+ \(main\)' "$work/err" ||
	fail "the mistake is not named: $(head -c 500 "$work/err")"
expect 2 'node 2: it left the run in the middle' srun --mpi=pmix --overcommit -n 3 "$app" leave 0
expect 0 'warning: one of 2 processes .*srun --mpi=pmix' srun --mpi=none --overcommit -n 2 "$app" sum

# One command runs the job and records it.
export XDG_RUNTIME_DIR=$work/runtime
mkdir -m 700 "$XDG_RUNTIME_DIR"
mkdir "$work/sub"
each=("$bin/dsmcollect" --each "$work/sub/t.dsmt" --source ring)
expect 0 'traces of 1 host' "${run[@]}" -n 3 "${each[@]}" "$build/tests/integration/split" 4
same "all nodes have run" "$(grep -c '^node [0-2]: .* rounds' "$work/out")" 3
same "files left" "$(ls "$work/sub")" t.dsmt
check "the report of a job of srun" "$bin/dsmreport" --format json "$work/sub/t.dsmt" >"$work/report.json"
check "this job's nodes, whole" jq -e '.run.nodes == 3 and .run.program == "split" and (.run.cut | not)' "$work/report.json" >"$work/out"
expect 7 '' "${run[@]}" -n 3 "${each[@]}" "$app" return 7
nobody_left "after all runs" 'split|launch_app|dsmcollect|dsm-pmix'
finish
