#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsmrun on hosts (network namespaces) that have IPv6 and nothing else, on the loopback neither: every way to name a
# host, its address and its network, TLS and what can be read on the cable, mpirun, and addresses that do not do.
. "$(dirname "$0")/dsmrun_lib.sh"
. "$(dirname "$0")/hosts_lib.sh"
stranger=$build/tests/integration/stranger
secret=$build/tests/integration/secret
unset DSM_TRANSPORT DSM_INTERFACE DSM_KEY_FILE DSM_RUN

# only_ipv6 HOST ADDRESS: it has no IPv4 any more
only_ipv6() {
	ip -n "$1" addr flush dev "v$1" scope global && ip -n "$1" addr del 127.0.0.1/8 dev lo &&
		ip -n "$1" -6 addr add "$2/64" dev "v$1" nodad && ip -n "$1" -6 addr show dev lo | grep -q ::1
}
{ only_ipv6 "$alpha" fd77::1 && only_ipv6 "$beta" fd77::2; } 2>"$work/netns" || skip "no IPv6 here: $(head -n 1 "$work/netns")"
for try in $(seq 100); do # the kernel looks whether somebody else has its link-local addresses
	[ -z "$(ip -n "$alpha" -6 addr show tentative)$(ip -n "$beta" -6 addr show tentative)" ] && break
	sleep 0.1
done
same "IPv4 addresses on these hosts" "$(ip -n "$alpha" -4 addr)$(ip -n "$beta" -4 addr)" ''
run=("$dsmrun" --rsh "$work/rsh" --hosts "$alpha:2,$beta:2")
tls=
[ ! -e "$build/lib/libdsm-tls.so" ] || tls=yes

# Any transport; between the hosts it is TCP over IPv6.
transports="insecure-tcp"
[ -z "$tls" ] || transports="shm unix tcp insecure-tcp"
for transport in $transports; do
	sums_up "nodes over $transport" 4 "${run[@]}" -v --transport $transport
	same "nodes that listen at IPv6 addresses over $transport" "$(grep -cE 'node [0-3] listens at \[fd77::[12]\]:[0-9]+$' "$work/err")" 4
done
if [ -e "$build/lib/libdsm-fabric.so" ]; then
	sums_up "nodes over a fabric" 4 "${run[@]}" --fabric tcp
	same "warnings of a fabric" "$(grep -c 'WARNING: fabric: ' "$work/err")" 1
fi
[ -n "$tls" ] || {
	echo "built without OpenSSL (libssl-dev): encrypted connections are not tested"
	run+=(--transport insecure-tcp)
	export DSM_TRANSPORT=insecure-tcp
}
same_sor sor "${run[@]}"
consistent_world "${run[@]}"

# Ways to say where.
for where in fd77::/64 '[fd77::]/64' "v$alpha,v$beta" auto auto6 'fd77::1,fd77::2' '10.77.0.0/16,fd77::/64'; do
	sums_up "nodes with --interface $where" 4 "${run[@]}" --interface "$where"
done
cat >"$work/hosts" <<END
$alpha slots=2 address=fd77::1
$beta slots=2 address=[fd77::2]
END
sums_up "nodes of a host file with addresses" 4 "$dsmrun" --rsh "$work/rsh" --hostfile "$work/hosts"
sums_up "nodes of one other host" 3 "$dsmrun" --rsh "$work/rsh" --hosts "$alpha:3" --transport "${DSM_TRANSPORT:-tcp}" -v
same "nodes that listen at the loopback" "$(grep -c 'listens at \[::1\]:' "$work/err")" 3
expect 0 '' "$dsmrun" --rsh "$work/rsh" --hosts "$alpha:3" --transport insecure-tcp "$app" sum
same "warnings where all is on the loopback" "$(grep -c WARNING "$work/err")" 0

# Hosts named by their addresses; dsmrun on one of them needs no agent there.
cat >"$work/by_address" <<END
#!/bin/sh
host=\$1; shift
echo "\$host" >>"$work/asked"
case \$host in
fd77::1 | one) host=$alpha ;;
fd77::2) host=$beta ;;
esac
exec ip netns exec "\$host" sh -c "\$*"
END
chmod +x "$work/by_address"
on_alpha=(ip netns exec "$alpha" "$dsmrun" --rsh "$work/by_address")
sums_up "nodes of hosts in brackets" 3 "${on_alpha[@]}" --hosts '[fd77::1]:2,[fd77::2]'
same "hosts that were asked" "$(cat "$work/asked")" fd77::2
printf 'fd77::1 slots=1\n[fd77::2] slots=2\n' >"$work/hosts"
sums_up "nodes of addresses in a host file" 3 "${on_alpha[@]}" --hostfile "$work/hosts"

# Hosts whose names have addresses of both families, of which they can use the one or the other; and several names.
mkdir -p "/etc/netns/$alpha"
at_end+=('rm -rf "/etc/netns/$alpha"; rmdir /etc/netns 2>/dev/null')
cat >"/etc/netns/$alpha/hosts" <<END
fd77::1 one
10.99.0.1 one
fd77::2 two also-two
fd77::2 both
10.77.0.2 both
END
sed -i "s/^fd77::2)/fd77::2 | two | also-two | both)/" "$work/by_address"
rm -f "$work/asked"
sums_up "nodes of names" 4 "${on_alpha[@]}" -v --hosts one:2,two:2
same "nodes at the family that both hosts have" "$(grep -c 'listens at \[fd77::' "$work/err")" 4
sums_up "nodes of this host by its address, and of a name" 2 "${on_alpha[@]}" --hosts '[fd77::1],two'
expect 2 "host 'fd77::1' is named twice \(as '::1' too\): give its number of nodes once \(\[fd77::1\]:2\)" \
	"${on_alpha[@]}" --hosts '[fd77::1],[::1]' "$app" sum
sums_up "nodes of localhost, which has no IPv4, and of a name with both families" 2 "${on_alpha[@]}" -v --hosts localhost,both
same "nodes at the family of localhost" "$(grep -c 'listens at \[fd77::' "$work/err")" 2
sums_up "nodes of one host with two names" 2 "${on_alpha[@]}" --hosts two,also-two
grep -q "hosts 'two' and 'also-two' have the same address fd77::2: .* name it once, with 2 nodes" "$work/err" ||
	fail "nothing is said about one host with two names: $(cat "$work/err")"

# What can be read on the cable.
if [ -n "$tls" ]; then
	for transport in insecure-tcp tcp; do
		rm -f "$work/listening" "$work/over"
		SNIFF=v$alpha ip netns exec "$alpha" "$stranger" sniff "$work/wire" sh -c \
			"touch '$work/listening'; n=0; while [ ! -e '$work/over' ] && [ \$n -lt 600 ]; do sleep 0.1; n=\$((n + 1)); done" &
		for try in $(seq 100); do
			[ -e "$work/listening" ] && break
			sleep 0.05
		done
		expect 0 '' "$dsmrun" --rsh "$work/rsh" --hosts "$alpha,$beta" --transport $transport "$secret"
		touch "$work/over"
		wait $!
		same "status of who listens to the cable" $? 0
		[ "$(stat -c %s "$work/wire")" -gt 10000 ] || fail "with $transport nothing was on the cable"
		same "warnings with $transport" "$(grep -c WARNING "$work/err")" "$([ $transport = tcp ] && echo 0 || echo 1)"
		same "words on the cable with $transport" "$(grep -qa 'for the nodes of this run' "$work/wire" && echo read)" \
			"$([ $transport = tcp ] || echo read)"
	done
fi

# mpirun, itself on one of the hosts; its own line needs IPv4, so between its daemons there is some, and none for nodes.
if command -v mpirun >/dev/null && [ -x "$build/lib/procope/dsm-pmix" ]; then
	for h in "$alpha 1" "$beta 2"; do
		read -r host n <<<"$h"
		ip -n "$host" addr add "10.77.0.$n/24" dev "v$host"
	done
	mpi=(ip netns exec "$alpha" mpirun --allow-run-as-root --oversubscribe --mca plm_rsh_agent "$work/rsh"
		--mca oob_tcp_if_include 10.77.0.0/24 --host "$alpha:2,$beta:2" -n 4)
	if timeout 60 "${mpi[@]}" true >"$work/out" 2>&1; then
		sums_up "nodes of mpirun" 4 "${mpi[@]}" -x DSM_INTERFACE=fd77::/64
		expect 2 "DSM_INTERFACE: interface 'fd77::/200': give a name" "${mpi[@]}" -x DSM_INTERFACE=fd77::/200 "$app" sum
	else
		echo "not tested: mpirun, which reaches no other network namespace here"
	fi
	for h in "$alpha" "$beta"; do
		ip -n "$h" addr flush dev "v$h" scope global
	done
	ip -n "$alpha" -6 addr add fd77::1/64 dev "v$alpha" nodad
	ip -n "$beta" -6 addr add fd77::2/64 dev "v$beta" nodad
fi

# What does not do: no address, one that others cannot reach, a typing error.
expect 2 "node [0-3] on .*: interface '10.77.0.0/16': this machine has none" "${run[@]}" --interface 10.77.0.0/16 "$app" sum
expect 2 'no network interface .* has an IPv4 address' "${run[@]}" --interface auto4 "$app" sum
expect 2 "host 'one' is named twice: give its number of nodes once \(one:3\)" "$dsmrun" --hosts one:2,ONE "$app" sum
expect 2 "host 'fd77::1' is named twice: give its number of nodes once \(\[fd77::1\]:3\)" \
	"$dsmrun" --hosts '[fd77::1]:2,[FD77:0::1]' "$app" sum
expect 2 "host 'fd77::1': NAME:NODES; an IPv6 address belongs in brackets: \[fd00::1\]:2" "$dsmrun" --hosts fd77::1 "$app"
expect 2 "host '\[fd77::1': in brackets belongs an IPv6 address" "$dsmrun" --hosts '[fd77::1' "$app"
expect 2 "host '\[alpha\]': in brackets belongs an IPv6 address" "$dsmrun" --hosts '[alpha]:2' "$app"
expect 2 "host '\[fd77::1\]x:2': in brackets belongs" "$dsmrun" --hosts '[fd77::1]x:2' "$app"
expect 2 "number of nodes ''" "$dsmrun" --hosts '[fd77::1]:' "$app"
expect 2 "interface 'fd00::/129': give a name" "$dsmrun" --interface fd00::/129 "$app"
expect 2 "interface 'fd00::1%eth0': give a name" "$dsmrun" --interface fd00::1%eth0 "$app"
for line in 'fd77:::1 slots=1' 'alpha:2'; do
	echo "$line" >"$work/hosts"
	expect 2 "$work/hosts:1: host '${line%% *}': neither a name nor an address" "$dsmrun" --hostfile "$work/hosts" "$app"
done
echo 'alpha address=fd00::/129' >"$work/hosts"
expect 2 "$work/hosts:1: interface 'fd00::/129'" "$dsmrun" --hostfile "$work/hosts" "$app"
ip -n "$beta" addr add 10.88.0.2/24 dev "v$beta"
ip -n "$beta" -6 addr add fd99::2/64 dev "v$beta" nodad
for other in 10.88.0.2 fd99::2; do
	printf '%s address=fd77::1\n%s address=%s\n' "$alpha" "$beta" "$other" >"$work/hosts"
	case $other in *:*) other="\\[$other\\]" ;; esac
	expect 2 "node 0: connecting to node 1 at $other:[0-9]+: Network is unreachable; is that its address in a network that this host is in" \
		"$dsmrun" --rsh "$work/rsh" --hostfile "$work/hosts" "$app" sum
done
ip -n "$beta" addr flush dev "v$beta" scope global
ip -n "$beta" -6 addr add fd77::2/64 dev "v$beta" nodad
printf '%s address=fd77::1\n%s address=::1\n' "$alpha" "$beta" >"$work/hosts"
expect 2 'connecting to node 1 at \[::1\]:[0-9]+: Connection refused; that is a loopback address, which leads to one.s own host' \
	"$dsmrun" --rsh "$work/rsh" --hostfile "$work/hosts" "$app" sum

# With link-local addresses alone it works on the one cable that all hosts have; a fabric needs others.
for h in "$alpha" "$beta"; do
	ip -n "$h" addr flush dev "v$h" scope global
done
sums_up "nodes with link-local addresses" 4 "${run[@]}" -v
same "nodes that listen at link-local addresses" "$(grep -c 'listens at \[fe80::' "$work/err")" 4
sums_up "nodes of a link-local network" 4 "${run[@]}" --interface fe80::/10
printf '%s address=::1\n%s address=fe80::/10\n' "$alpha" "$beta" >"$work/hosts"
expect 2 'at \[fe80::[0-9a-f:]*\]:[0-9]+: Invalid argument; that is a link-local address' \
	"$dsmrun" --rsh "$work/rsh" --hostfile "$work/hosts" "$app" sum
[ ! -e "$build/lib/libdsm-fabric.so" ] ||
	expect 2 'fe80::.*: a fabric cannot use link-local addresses' "${run[@]}" --fabric tcp "$app" sum
nobody_left "after all runs" 'launch_app|dsmrun|secret'
finish
