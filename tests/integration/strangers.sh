#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Strangers stay out of real runs over TCP: those who come while it starts or later, with a wrong key, with what
# they have recorded, or listening to the wire. Each is refused and named, and the run ends with the right result.
# Who reads the wire reads all of it, also what others on this machine say: so the test has a loopback of its own.
# strangers_ipv6.sh runs it once more on a loopback that has no IPv4.
if [ "$(id -u)" = 0 ] && [ -z "${OWN_LOOPBACK:-}" ] && unshare --net ip link set lo up 2>/dev/null; then
	# shellcheck disable=SC2016
	OWN_LOOPBACK=1 exec unshare --net sh -c 'ip link set lo up &&
		{ [ "${STRANGERS_AT:-}" != ::1 ] || ip addr del 127.0.0.1/8 dev lo; } && exec "$0"' "$0"
fi
at=127.0.0.1
[ "${STRANGERS_AT:-}" != ::1 ] || at='[::1]'
. "$(dirname "$0")/dsmrun_lib.sh"
stranger=$build/tests/integration/stranger
secret=$build/tests/integration/secret
sor=$build/apps/sor
[ -e "$build/lib/libdsm-tls.so" ] || skip "built without OpenSSL (libssl-dev): there are no encrypted connections to test"
unset DSM_TRANSPORT DSM_KEY_FILE DSM_RUN

# Node 0, which calls the others, comes late, so that strangers find them listening: until $work/go is there.
cat >"$work/late" <<END
#!/bin/sh
read -r first others <"/proc/\$PPID/task/\$PPID/children"
if [ "\$first" = \$\$ ]; then
	n=0
	while [ ! -e "$work/go" ] && [ \$n -lt 1200 ]; do sleep 0.05; n=\$((n + 1)); done
fi
exec "\$@"
END
chmod +x "$work/late"
# The processes that PID has started.
children() { cat "/proc/$1/task/$1/children" 2>/dev/null; }
# dsmrun itself: timeout's child.
launcher() { children "$run" | tr -d ' '; }
# begin NODES arguments of dsmrun...: starts a run; sets $run, $pids and $ports, of the nodes that listen
begin() {
	local nodes=$1 try
	ports=
	shift
	rm -rf "$work/go" "$work"/hold.* "$STRANGERS_READY"
	mkdir "$STRANGERS_READY"
	timeout -k 5 150 "$dsmrun" -v -n "$nodes" "$@" >"$work/run.out" 2>"$work/run.err" </dev/null &
	run=$!
	for try in $(seq 1200); do
		pids=$(children "$(launcher)")
		# shellcheck disable=SC2086
		[ -z "$pids" ] || ports=$("$stranger" ports $pids)
		[ "$(echo "$ports" | wc -w)" = $((nodes - 1)) ] && return
		sleep 0.05
	done
	fail "no $((nodes - 1)) nodes listen after $((try / 20)) s: $(cat "$work/run.err")"
}
# are_there COUNT: waits until so many strangers have made their connections
export STRANGERS_READY=$work/ready
are_there() {
	local try
	for try in $(seq 1200); do
		[ "$(find "$STRANGERS_READY" -type f | wc -l)" -ge "$1" ] && return
		sleep 0.05
	done
	fail "only $(find "$STRANGERS_READY" -type f | wc -l) of $1 strangers came within $((try / 20)) s"
}
# connected COUNT: lets the late node of a run of `secret` go, and waits until so many nodes have spoken with one another
connected() {
	local try
	touch "$work/go"
	for try in $(seq 1200); do
		[ "$(find "$work" -name 'hold.*' | wc -l)" -ge "$1" ] && return
		sleep 0.05
	done
	fail "the nodes have not spoken with one another after $((try / 20)) s: $(cat "$work/run.err")"
}
# end: lets the late node go, and nodes that hold on; the run must end well
end() {
	touch "$work/go" "$work/hold.end"
	wait "$run" || fail "status of the run: $?: $(tail -n 5 "$work/run.err")"
}
refused() { grep -cF "refused a connection from $at:" "$work/run.err"; }
run_id() { sed -n 's/.*run \([0-9a-f]\{16\}\):.*/\1/p' "$work/run.err"; }

# While it starts: talkers, silent ones, other nodes, and a stream of callers.
want=$("$sor" --sequential --size 300 --iterations 20 --json | jq -r '.checksum + .cells')
for transport in tcp insecure-tcp; do
	begin 3 --transport $transport "$work/late" "$sor" --size 300 --iterations 20 --json
	jobs=
	for p in $ports; do
		"$stranger" hold "$p" 80 4 &
		jobs="$jobs $!"
	done
	last=$(echo "$ports" | tail -n 1)
	for text in $'GET / HTTP/1.1\r\nHost: node\r\n\r\n' $'SSH-2.0-scanner and more of that\r\n' \
		$'\x16\x03\x01\x01\x20\x01 half a hello of TLS and then something else, to the end of the line, and on'; do
		"$stranger" knock "$last" "$text" &
		jobs="$jobs $!"
	done
	for p in $ports; do
		"$stranger" join "$p" "$(run_id)" 2>"$work/join.$p" &
		jobs="$jobs $!"
	done
	are_there 7 # before the flood, behind which nobody gets in until the nodes begin to listen
	"$stranger" flood "$last" 5 >/dev/null &
	jobs="$jobs $!"
	are_there 8
	end
	for j in $jobs; do
		wait "$j" || fail "over $transport: a stranger was answered, or could not try (status $?)"
	done
	same "sor among strangers over $transport" "$(jq -r '.checksum + .cells' "$work/run.out")" "$want"
	[ "$(refused)" -ge 5 ] && [ "$(refused)" -le 16 ] || fail "over $transport: $(refused) refusals are named, not 5 to 16"
	grep -q 'refused [0-9]* more connections' "$work/run.err" || fail "over $transport: the other refusals are not counted"
	for p in $ports; do
		grep -qF "connecting to node 1 at $at:$p: " "$work/join.$p" || fail "$(cat "$work/join.$p")"
	done
done

# Hundreds that say nothing, or one byte a second, before the run and all the time: little is kept for them, and they keep nobody
# from ending. `late` node 0 calls when all of them are there.
cpu_ms() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print int(($12 + $13) * 1000 / hz) }' "/proc/$1/stat"; }
rss_kib() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"; }
for transport in tcp insecure-tcp; do
	begin 2 --transport $transport "$work/late" "$sor" --size 300 --iterations 20 --json
	node=
	for p in $pids; do # the one that listens
		[ -z "$("$stranger" ports "$p")" ] || node=$p
	done
	before=$(rss_kib "$node")
	"$stranger" hold $ports 200 60 &
	jobs=$!
	"$stranger" drip $ports 200 60 &
	jobs="$jobs $!"
	are_there 2 # and wait to be let in: node 1 listens to nobody before it is told who will call
	spent=$(cpu_ms "$node")
	sleep 3
	spent=$(($(cpu_ms "$node") - spent)) grown=$(($(rss_kib "$node") - before)) open=$(find "/proc/$node/fd" -mindepth 1 | wc -l)
	[ $spent -lt 1500 ] || fail "over $transport: 400 strangers take $spent ms in 3 s"
	[ $open -lt 120 ] || fail "over $transport: $open descriptors for strangers"
	[ -n "${SANITIZE:-}" ] || [ $grown -lt 16384 ] || fail "over $transport: $grown KiB for strangers"
	echo "$transport: 400 slow strangers: $spent ms, $open descriptors, $grown KiB"
	started=$(date +%s%N)
	end
	took=$((($(date +%s%N) - started) / 1000000))
	echo "$transport: the run took $took ms"
	[ $took -lt 15000 ] || fail "over $transport: a run of a second among slow strangers took $took ms"
	# shellcheck disable=SC2086
	kill $jobs
	# shellcheck disable=SC2086
	wait $jobs 2>/dev/null
	same "sor among slow strangers over $transport" "$(jq -r '.checksum + .cells' "$work/run.out")" "$want"
	[ "$(refused)" -le 16 ] || fail "over $transport: $(refused) slow strangers are named, not 16 at most"
done

# During the run nobody listens any more.
begin 2 --transport tcp "$work/late" "$secret" "$work/hold"
connected 2
# shellcheck disable=SC2086
same "ports open during the run" "$("$stranger" ports $pids)" ''
for p in $ports; do
	"$stranger" knock "$p" hello 2>"$work/knock"
	same "knocking at port $p during the run" "$? $(cat "$work/knock")" '3 stranger: connect: Connection refused'
done
end
same "refusals without strangers" "$(refused)" 0

# A key file: not in a command line, a variable, or the output; and gone from memory once everybody is connected.
od -An -tx1 -N32 /dev/urandom | tr -d ' \n' >"$work/key"
chmod 600 "$work/key"
begin 2 --transport tcp --key-file "$work/key" "$work/late" "$secret" "$work/hold"
if [ "$(id -u)" = 0 ]; then
	[ "$("$stranger" memory "$(launcher)" "$work/key")" -gt 0 ] || fail "the key cannot be found where it must be"
fi
connected 2
for p in $(launcher) $(children "$(launcher)"); do
	tr '\0' '\n' <"/proc/$p/cmdline" | grep -qiFf "$work/key" && fail "the key is in the command line of $p"
	tr '\0' '\n' <"/proc/$p/environ" | grep -qiFf "$work/key" && fail "the key is in a variable of $p"
	[ "$(id -u)" != 0 ] || same "copies of the key in process $p" "$("$stranger" memory "$p" "$work/key")" 0
done
end
grep -qiFf "$work/key" "$work/run.out" "$work/run.err" && fail "the key was printed"

if ! "$stranger" sniff "$work/wire" true 2>"$work/err"; then
	echo "not tested: the wire cannot be read here ($(cat "$work/err"))"
	nobody_left "after all runs"
	finish
fi
# Who reads the wire sees the words over insecure-tcp, and nothing over tcp.
expect 0 '' "$stranger" sniff "$work/wire" "$dsmrun" -n 2 --transport insecure-tcp "$secret"
grep -qa 'for the nodes of this run' "$work/wire" || fail "the words are not on the wire, though they go in clear"
expect 0 '' env DSM_RUN=beef "$stranger" sniff "$work/wire" "$dsmrun" -n 2 --transport tcp --key-file "$work/key" "$secret"
grep -qa 'for the nodes of this run' "$work/wire" && fail "the words can be read on the wire"
[ "$(stat -c %s "$work/wire")" -gt 10000 ] || fail "there was nothing on the wire"

# Who has recorded it says it again, in another run with the same number and the same key.
export DSM_RUN=beef
begin 2 --transport tcp --key-file "$work/key" "$work/late" "$sor" --size 300 --iterations 20 --json
"$stranger" replay "$work/wire" "$ports" >"$work/replayed" &
job=$!
are_there 1
end
wait $job
same "status of the replay" "$?" 0
same "connections that were said again" "$(cat "$work/replayed")" 2
same "refusals of what was recorded" "$(refused)" 2
same "sor after a replay" "$(jq -r '.checksum + .cells' "$work/run.out")" "$want"
unset DSM_RUN

# Without the library there is no TCP, and no way round but the one that says so.
mkdir "$work/bin"
cp "$dsmrun" "$work/bin"
expect 2 'install libssl-dev and build again; or, .* insecure-tcp' "$work/bin/dsmrun" -n 2 --transport tcp "$secret"
expect 0 '' "$work/bin/dsmrun" -n 2 --transport insecure-tcp "$secret"

nobody_left "after all runs"
finish
