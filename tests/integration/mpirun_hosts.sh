#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# mpirun on two hosts (network namespaces): the nodes find one another at the addresses that PMIx carries.
. "$(dirname "$0")/dsmrun_lib.sh"
. "$(dirname "$0")/hosts_lib.sh"
command -v mpirun >/dev/null || skip "no mpirun here (apt-get install openmpi-bin)"
[ -x "$build/lib/procope/dsm-pmix" ] || skip "built without PMIx (apt-get install libpmix-dev)"

# Open MPI 4.1's own daemon now and then crashes at its start when hosts share a machine; that is not ours to test.
cat >"$work/steady" <<'END'
#!/usr/bin/env bash
for try in 1 2 3; do
	"$@" >"$0.out" 2>"$0.err"
	status=$?
	grep -q 'ORTE was unable to reliably start one or more daemons' "$0.out" "$0.err" || break
done
cat "$0.out"
cat "$0.err" >&2
exit $status
END
chmod +x "$work/steady"
# mpirun must itself be on a host that the others reach.
run=("$work/steady" ip netns exec "$alpha" mpirun --allow-run-as-root --oversubscribe --mca plm_rsh_agent "$work/rsh"
	--mca oob_tcp_if_include 10.77.0.0/24 --host "$alpha:2,$beta:2")
timeout 60 "${run[@]}" -n 4 true >"$work/out" 2>&1 || skip "mpirun reaches no other network namespace: $(tail -n 3 "$work/out" | tr '\n' ' ')"

for transport in shm tcp; do
	sums_up "nodes over $transport" 4 "${run[@]}" -x DSM_TRANSPORT=$transport -n 4
done
consistent_world "${run[@]}" -n 4 -x DSM_INTERFACE=10.77.0.0/24
expect 2 "interface 'nowhere0': this machine has none" "${run[@]}" -n 4 -x DSM_INTERFACE=nowhere0 "$app" sum
expect 7 '' "${run[@]}" -n 4 "$app" return 7
finish
