#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Between two hosts (network namespaces): what can be read on the cable, who is warned, and where the key is.
. "$(dirname "$0")/dsmrun_lib.sh"
. "$(dirname "$0")/hosts_lib.sh"
stranger=$build/tests/integration/stranger
secret=$build/tests/integration/secret
[ -e "$build/lib/libdsm-tls.so" ] || skip "built without OpenSSL (libssl-dev)"
unset DSM_TRANSPORT DSM_KEY_FILE DSM_RUN
hosts=("$dsmrun" --rsh "$work/rsh" --hosts "$alpha:1,$beta:1")

# on_the_cable arguments of dsmrun...: a run, while somebody at one end of the cable writes down what passes
on_the_cable() {
	local job try
	rm -f "$work/listening" "$work/over"
	SNIFF=v$alpha ip netns exec "$alpha" "$stranger" sniff "$work/wire" sh -c \
		"touch '$work/listening'; n=0; while [ ! -e '$work/over' ] && [ \$n -lt 600 ]; do sleep 0.1; n=\$((n + 1)); done" &
	job=$!
	for try in $(seq 100); do
		[ -e "$work/listening" ] && break
		sleep 0.05
	done
	expect 0 '' "${hosts[@]}" "$@" "$secret"
	touch "$work/over"
	wait $job
	same "status of who listens to the cable" $? 0
	same "nodes that heard one another with $*" "$(grep -c 'has heard it' "$work/out")" 2
}

# In clear the words are there, and the run says so, once; a fabric is no better.
on_the_cable --transport insecure-tcp
grep -qa 'for the nodes of this run' "$work/wire" || fail "the words are not on the cable, though they go in clear"
same "warnings of insecure-tcp" "$(grep -c 'WARNING: insecure-tcp: .* not encrypted' "$work/err")" 1
if [ -e "$build/lib/libdsm-fabric.so" ]; then
	on_the_cable --fabric tcp
	same "warnings of a fabric" "$(grep -c 'WARNING: fabric: .* not encrypted' "$work/err")" 1
fi
# Whatever joins the nodes of one host: from one host to the other it is TLS.
for transport in shm unix tcp; do
	on_the_cable --transport $transport
	grep -qa 'for the nodes of this run' "$work/wire" && fail "with $transport the words can be read on the cable"
	[ "$(stat -c %s "$work/wire")" -gt 10000 ] || fail "with $transport nothing was on the cable"
	same "warnings with $transport" "$(grep -c WARNING "$work/err")" 0
done

# The key went through dsmrun and an agent on each host; afterwards none of these has it, nor a node.
od -An -tx1 -N32 /dev/urandom | tr -d ' \n' >"$work/key"
chmod 600 "$work/key"
timeout -k 5 150 "${hosts[@]}" --key-file "$work/key" "$secret" "$work/hold" >"$work/out" 2>"$work/err" </dev/null &
run=$!
for _ in $(seq 1200); do
	[ "$(find "$work" -name 'hold.*' | wc -l)" = 2 ] && break
	sleep 0.05
done
n=0
for p in $(grep -laF "PROCOPE_TEST=$PROCOPE_TEST" /proc/[0-9]*/environ 2>/dev/null); do
	p=${p%/environ} p=${p#/proc/}
	case $(readlink "/proc/$p/exe") in
	*/dsmrun | */secret)
		n=$((n + 1))
		same "copies of the key in process $p" "$("$stranger" memory "$p" "$work/key")" 0
		tr '\0' '\n' <"/proc/$p/cmdline" | grep -qiFf "$work/key" && fail "the key is in the command line of $p"
		tr '\0' '\n' <"/proc/$p/environ" | grep -qiFf "$work/key" && fail "the key is in a variable of $p"
		;;
	esac
done
same "processes that could have the key" $n 5
touch "$work/hold.end"
wait $run
same "status of the run with a key file" $? 0

nobody_left "after all runs"
finish
