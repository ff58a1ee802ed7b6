# SPDX-License-Identifier: BSD-2-Clause
# Two hosts that are network namespaces, joined by a cable that may lose packets. Source it after dsmrun_lib.sh; it
# skips the test where this cannot be had, and makes $alpha and $beta, names of hosts for dsmrun.
# shellcheck shell=bash disable=SC2154
[ "$(id -u)" = 0 ] || skip "needs root, for network namespaces"
PATH=$PATH:/usr/sbin:/sbin
command -v ip >/dev/null || skip "no ip here (apt-get install iproute2)"
command -v iptables >/dev/null || skip "no iptables here (apt-get install iptables)"
# PMIx keeps what it tells its processes in memory that it shares through files, and sometimes dies of that (openpmix issues 1114
# and 1716: "PMIX ERROR ... dstore", a segmentation fault), the more so where two daemons have one /tmp, as here.
export PMIX_MCA_gds=hash
alpha=pa$$ beta=pb$$
hosts_down() {
	ip netns del "$alpha" 2>/dev/null
	ip netns del "$beta" 2>/dev/null
}
at_end+=(hosts_down)
{ ip netns add "$alpha" && ip netns add "$beta"; } 2>"$work/netns" ||
	skip "no network namespaces here: $(head -n 1 "$work/netns")"
{
	ip link add "v$alpha" netns "$alpha" type veth peer name "v$beta" netns "$beta" &&
		ip -n "$alpha" addr add 10.77.0.1/24 dev "v$alpha" && ip -n "$beta" addr add 10.77.0.2/24 dev "v$beta" &&
		ip -n "$alpha" link set "v$alpha" up && ip -n "$beta" link set "v$beta" up &&
		ip -n "$alpha" link set lo up && ip -n "$beta" link set lo up
} 2>"$work/netns" || skip "no veth pair here: $(head -n 1 "$work/netns")"

# lossy SHARE: each packet on the cable is lost with this probability, both ways
lossy() {
	local h
	for h in "$alpha" "$beta"; do
		ip netns exec "$h" iptables -A INPUT -i "v$h" -m statistic --mode random --probability "$1" -j DROP \
			2>"$work/netns" || skip "iptables cannot drop at random here: $(head -n 1 "$work/netns")"
	done
}
# No packet is lost any more
mended() {
	local h
	for h in "$alpha" "$beta"; do
		ip netns exec "$h" iptables -F INPUT
	done
}
# What has been lost on its way to a host
lost() {
	ip netns exec "$1" iptables -L INPUT -v -x -n | awk '/DROP/ { n += $1 } END { print n + 0 }'
}
# A remote shell for dsmrun --rsh and mpirun; a login shell has its say first
cat >"$work/rsh" <<'END'
#!/bin/sh
echo "Welcome to $1"
host=$1
shift
exec ip netns exec "$host" sh -c "$*"
END
chmod +x "$work/rsh"
