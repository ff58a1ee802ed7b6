#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Each misuse gives its documented exit code and a message that names the file and the line.
set -u
BUILD=${BUILD:-build}
source=tests/integration/misuse.c
failed=0

# expect KIND EXIT PATTERN [DSMRUN OPTION...]: the marked line, if there is one, must be named too.
expect() {
	local kind=$1 code=$2 pattern=$3 line status
	shift 3
	timeout 30 "$BUILD/bin/dsmrun" -n 2 "$@" "$BUILD/tests/integration/misuse" "$kind" >"$TMPDIR/out" 2>"$TMPDIR/err"
	status=$?
	line=$(grep -nE "/\* $kind( |:|\*)" $source | head -n 1 | cut -d: -f1)
	if [ "$status" != "$code" ]; then
		echo "$kind: exit status $status, expected $code"
		failed=1
	elif [ -n "$pattern" ] && ! grep -qE "$pattern" "$TMPDIR/err"; then
		echo "$kind: no message like '$pattern'"
		failed=1
	elif [ -n "$pattern" ] && [ -n "$line" ] && ! grep -qE "misuse\.c:$line\b" "$TMPDIR/err"; then
		echo "$kind: the message does not name misuse.c:$line"
		failed=1
	else
		echo "$kind: ok"
		return
	fi
	sed 's/^/    /' "$TMPDIR/err"
}

expect nothing 0 ''
expect exit-3 3 ''
expect outside-write 2 'write to DSM memory outside a transaction'
expect outside-read 2 'read of DSM memory outside a transaction'
expect second-thread 2 'second thread'
expect thread-inside 2 'second thread'
expect child-block 2 'in a child process of the program: DSM_TX: a forked child is no node'
expect thread-exit-second 0 ''
expect thread-exit-child 0 ''
expect thread-cancelled 2 'the thread that runs main\(\) ends, cancelled'
expect barrier-inside 2 'dsm_barrier\(\) inside a transaction'
expect phase-inside 2 'dsm_phase\(\) inside a transaction'
expect phase-name 2 'a name has 1 to 23 bytes'
expect phase-nothing 2 'a name has 1 to 23 bytes'
expect defer-nothing 2 'dsm_defer\(\) of no function'
expect defer-huge 2 'dsm_defer\(\) of [0-9]+ bytes'
expect phase-many 2 'dsm_phase\("i"\): a program has at most 8 phases'
expect free-twice 2 'dsm_free'
expect free-foreign 2 'dsm_free'
expect exit-inside 2 'inside the transaction'
expect touch-outside 2 'outside a transaction'
for kind in three loop; do
	expect closes-$kind 2 'closed descriptors that the runtime needs: let it close only those that it has opened'
	expect closes-$kind 2 'closed descriptors that the runtime needs' --transport tcp
done
expect closes-all 2 'without the descriptors that its runtime needs'
expect touch-mode 2 'dsm_touch\(\) with mode 2: it is DSM_READ or DSM_WRITE'
for kind in retry cancel irrevocable; do
	expect $kind-outside 2 "dsm_$kind\(\) outside a transaction"
done
expect retry-irrevocable 2 'dsm_retry\(\) after dsm_irrevocable\(\)'
expect cancel-irrevocable 2 'dsm_cancel\(\) after dsm_irrevocable\(\)'
expect retry-second 2 'dsm_retry\(\) would wait for ever'
expect retry-lonely 2 'dsm_retry\(\) would wait for ever'
expect read-writes 2 'write to DSM memory in a DSM_TX_READ'
expect read-writes-hot 2 'this DSM_TX_READ has written to DSM memory'
expect read-touches 2 'write to DSM memory in a DSM_TX_READ'
expect read-allocates 2 'dsm_new\(\) in a DSM_TX_READ'
expect read-frees 2 'dsm_free\(\) in a DSM_TX_READ'
expect read-names 2 'dsm_root_set\(\) in a DSM_TX_READ'
rm -f "$TMPDIR"/here-?
expect promise-broken 2 'both changed the byte at 0x[0-9a-f]+ \("item" \+ 0\) since the last barrier.* the loop begins'
rm -f "$TMPDIR"/here-?
expect promise-broken 0 '' --no-independent
for o in '' --no-independent; do
	expect promise-retry 2 'dsm_retry\(\) in a DSM_TX_FOR_INDEPENDENT, which is not undone' $o
	expect promise-cancel 2 'dsm_cancel\(\) in a DSM_TX_FOR_INDEPENDENT, which is not undone' $o
done
case $BUILD in
*asan* | *tsan*) ;; # the sanitizer reports crashes and wraps the calls itself
*)
	expect crash 139 'SIGSEGV'
	expect no-root 139 'SIGSEGV \(address 0x8\); dsm_root\("nobody"\) has given NULL: is the name given before a barrier'
	expect abort 134 'SIGABRT'
	expect assert 134 'SIGABRT'
	expect crash-library 139 'SIGSEGV'
	expect abort-damaged 134 'SIGABRT'
	expect stack 139 'the stack is used up'
	expect thread-exit 2 'pthread_exit\(\) in the thread that runs main'
	expect thread-exit-c11 2 'thrd_exit\(\) in the thread that runs main'
	expect handler 2 'in a signal handler that came while|outside a transaction'
	expect child-reads 2 'in a child process of the program: read of DSM memory: a forked child is no node'
	expect syscall-outside 2 'outside a transaction'
	expect strict-read 0 'strict: a system call writes to a global' --strict
	;;
esac
expect syscall-inside 0 ''
expect lonely-barrier 2 'can never be complete'
expect strict-global 0 'strict: write to a global' --strict
expect strict-pointer 0 'strict: a pointer to' --strict
expect strict-clean 0 '' --strict
if grep -q strict: "$TMPDIR/err"; then echo "strict-clean: a false alarm"; cat "$TMPDIR/err"; failed=1; fi
expect irrevocable-strict 0 '' --strict
if grep -q strict: "$TMPDIR/err"; then echo "irrevocable-strict: a false alarm"; cat "$TMPDIR/err"; failed=1; fi
expect resident-strict 2 'read of DSM memory outside a transaction' --strict
exit $failed
