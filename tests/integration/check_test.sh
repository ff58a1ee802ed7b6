#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsmcheck on this machine as it is, and with one thing after another taken away.
. "$(dirname "$0")/../lib.sh"
program=$(realpath "$bin/dsmcheck")
limit=120
ok() { [ "$(jq --arg n "$1" '[.checks[] | select(.name == $n) | .ok] == [true]' "$work/out")" = "${2:-true}" ]; }

unset DSM_HEAP DSM_PLAN DSM_RING_SIZE DSM_TRANSPORT

run "$program" --json
check "JSON" test "$(jq -r .schema "$work/out")" = procope.check/1
check "each check has a remedy or is good" test "$(jq '[.checks[] | .ok != (.remedy == null)] | any' "$work/out")" = false
check "exit code follows ok" test "$(jq .ok "$work/out")" = "$([ $rc = 0 ] && echo true || echo false)"
check "ok follows what is required" test "$(jq '([.checks[] | select(.required) | .ok] | all) == .ok' "$work/out")" = true
for name in "userfaultfd" "userfaultfd features" "page protection" "DSM address range" "stack address range" "memfd" \
	"libdsm.so" "USDT probes" "source lines" "shared ring" "kernel BTF" "BPF maps" "BPF on a probe" "dot" "fixed addresses" \
	"cores" "locked memory" "Zydis" "OpenSSL" "libfabric" "PMIx" "METIS" "libpng" "MPI"; do
	check "looks for $name" test "$(jq --arg n "$name" '[.checks[] | select(.name == $n)] | length' "$work/out")" = 1
done
# this project's tests run DSM programs here, so the machine has what they need
for name in "userfaultfd" "page protection" "DSM address range" "libdsm.so" "USDT probes" "shared ring"; do
	check "$name is here" ok "$name"
done
check "can run" code 0
if [ "$(id -u)" = 0 ] && [ -r /sys/kernel/btf/vmlinux ]; then
	check "BPF as root" ok "BPF on a probe"
	check "source" test "$(jq -r .source "$work/out")" = bpf
fi
run "$program"
check "text" has "programs can run here"
check "no colours in a file" bash -c "! grep -q \$'\e' '$work/out'"
run "$program" --missing
check "--missing leaves out what is there" lacks " ok "

run "$program" --json --lib "$work/none.so"
check "no libdsm.so" code 1
check "no libdsm.so: named" ok "libdsm.so" false
printf 'no library\n' >"$work/text.so"
for other in /bin/true "$work/text.so"; do
	run "$program" --json --lib "$other"
	check "no libdsm: $other" code 1
	check "no libdsm: $other: named" ok "libdsm.so" false
	check "no libdsm: $other: says so" has "no libdsm.so"
done
objcopy --remove-section=.note.stapsdt "$build/lib/libdsm.so" "$work/bare.so"
run "$program" --json --lib "$work/bare.so"
check "a library without probes" ok "USDT probes" false
check "then the ring" test "$(jq -r .source "$work/out")" = ring
run env PATH="$work" "$program" --json
check "no dot" ok dot false
check "no mpirun" ok MPI false
check "no mpirun: remedy" has "openmpi-bin"
check "but programs run" code 0
# a build without libpng and MPI: its apps lie beside the folder of the programs, as in the build folder
mkdir -p "$work/tree/bin" "$work/tree/apps"
cp "$program" "$work/tree/bin/"
cp /bin/true "$work/tree/apps/raytracer"
cp /bin/true "$work/tree/apps/sor"
printf '#!/bin/sh\necho "mpirun (some MPI) 1.0"\n' >"$work/tree/mpirun"
chmod 755 "$work/tree/mpirun"
run env PATH="$work/tree:$PATH" "$work/tree/bin/dsmcheck" --json --lib "$build/lib/libdsm.so"
check "built without libpng" ok libpng false
check "built without libpng: remedy" has "libpng-dev"
check "built without libpng: what is missing" has "--output is refused"
check "no MPI twins" ok MPI false
check "no MPI twins: remedy" has "libopenmpi-dev"
check "no libpng, no MPI: can run" code 0
printf '#!/bin/sh\nexit 3\n' >"$work/tree/mpirun"
run env PATH="$work/tree:$PATH" "$work/tree/bin/dsmcheck" --json --lib "$build/lib/libdsm.so"
check "an mpirun that fails" ok MPI false
printf '#!/bin/sh\necho "not an image"\n' >"$work/dot"
chmod 755 "$work/dot"
run env PATH="$work" "$program" --json
check "a dot that does not draw" ok dot false
if [ -z "${SANITIZE:-}" ]; then # a sanitizer's own memory needs the whole address space
	run bash -c "ulimit -v 700000; exec '$program'"
	check "no address space" code 1
	check "no address space: remedy" has "ulimit -v unlimited"
fi
run env DSM_HEAP=abc "$program"
check "bad DSM_HEAP" code 1
check "bad DSM_HEAP: named" has "DSM_HEAP"
run bash -c "ulimit -n 100; exec '$program' --json"
check "few descriptors" ok "open files" false

# without privileges: still root by name, so that every file can be read, but with no capability
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	run setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$program" --json
	check "no capabilities: can run" code 0
	check "no capabilities: pages" ok "page protection"
	if [ "$(cat /proc/sys/kernel/unprivileged_bpf_disabled 2>/dev/null || echo 0)" != 0 ]; then
		check "no capabilities: no BPF" ok "BPF on a probe" false
		check "no capabilities: the ring" test "$(jq -r .source "$work/out")" = ring
	fi
fi
# with system calls refused, as sandboxes do
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
	export ASAN_OPTIONS=detect_leaks=0 # which cannot be looked for under ptrace
	run strace -f -o /dev/null -e trace=userfaultfd -e inject=userfaultfd:error=EPERM "$program"
	check "userfaultfd refused" code 1
	check "userfaultfd refused: remedy" has "seccomp"
	run strace -f -o /dev/null -e trace=userfaultfd -e inject=userfaultfd:error=ENOSYS "$program"
	check "no userfaultfd" has "CONFIG_USERFAULTFD"
	run strace -f -o /dev/null -e trace=personality -e inject=personality:error=EPERM "$program" --json
	check "personality refused" ok "fixed addresses" false
	check "personality refused: programs run" code 0
	unset ASAN_OPTIONS
fi

# ... and by a filter, which may end whoever asks; dsmcheck and the nodes themselves say the same.
forbid=$(realpath "$build/tests/integration/forbid")
"$forbid" memfd_create 1 true # 77: no filters here
if [ $? != 77 ]; then
	for how in 1:"a sandbox refuses it" 38:"CONFIG_USERFAULTFD" kill:"sandbox"; do
		run "$forbid" userfaultfd "${how%%:*}" "$program"
		check "a filter, ${how%%:*}" code 1
		check "a filter, ${how%%:*}: named" has "${how#*:}"
		check "a filter, ${how%%:*}: the verdict" has "CANNOT run here"
		run "$forbid" userfaultfd "${how%%:*}" "$bin/dsmrun" -n 2 "$apps/sor" --size 32
		check "nodes under a filter, ${how%%:*}" code "$([ "${how%%:*}" = kill ] && echo 159 || echo 2)"
		check "nodes under a filter, ${how%%:*}: named" says "${how#*:}"
		check "nodes under a filter, ${how%%:*}: once each" test "$(grep -c 'dsm.*: ' "$work/err")" -le 2
	done
	run "$forbid" userfaultfd 1 "$apps/sor" --size 32
	check "a node alone under a filter" code 2
	check "a node alone under a filter: named" says "allow the system call userfaultfd in the seccomp profile"
	run "$forbid" memfd_create 1 "$program"
	check "memfd_create refused" code 1
	check "memfd_create refused: named" has "allow memfd_create"
	run "$forbid" memfd_create 1 "$bin/dsmrun" -n 1 "$apps/sor" --size 32
	check "a node without memfd_create" code 2
	check "a node without memfd_create: named" says "(memfd_create) for the node's counters: Operation not permitted; does a sandbox refuse it"
else
	echo "part skipped: no seccomp filters here"
fi

for bad in "--nonsense" "argument" "--lib"; do
	run "$program" $bad
	check "usage: $bad" code 2
	check "usage: $bad: says what" test -s "$work/err"
done
run "$program" --help
check "--help" has "Usage: dsmcheck"
run "$program" --version
check "--version" has procope.check/1
"$program" >/dev/full 2>"$work/err"
rc=$?
check "disk full" code 2
finish
