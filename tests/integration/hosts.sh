#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsmrun on several hosts (network namespaces): results, output, messages, statuses, and nothing left behind,
# whoever dies.
. "$(dirname "$0")/dsmrun_lib.sh"
. "$(dirname "$0")/hosts_lib.sh"
run=("$dsmrun" --rsh "$work/rsh" --hosts "$alpha:2,$beta:2")

# Results; within a host over any transport, between them over TCP.
for transport in shm unix tcp insecure-tcp fabric; do
	[ $transport = fabric ] && [ ! -e "$build/lib/libdsm-fabric.so" ] && continue
	sums_up "nodes over $transport" 4 env DSM_FABRIC=tcp "${run[@]}" --transport $transport
done
same_sor sor "${run[@]}"
consistent_world "${run[@]}"

# Which nodes run where; the interface; one host that is not this one.
cat >"$work/hosts" <<END
# two machines
$alpha slots=2 address=10.77.0.1 # the first

$beta slots=3
END
sums_up "nodes of the host file" 5 "$dsmrun" --rsh "$work/rsh" --hostfile "$work/hosts" --interface 10.77.0.0/16
sums_up "the first nodes of the host file" 3 \
	"$dsmrun" --rsh "$work/rsh" --hostfile "$work/hosts" -n 3 --interface "v$beta,10.77.0.0/16"
sums_up "nodes of one other host" 3 "$dsmrun" --rsh "$work/rsh" --hosts "$alpha:3"
expect 2 "interface 'nowhere0': this machine has none" "${run[@]}" --interface nowhere0 "$app" sum
# This machine and another one, here one and the same.
printf '#!/bin/sh\nshift\nexec sh -c "$*"\n' >"$work/here"
chmod +x "$work/here"
sums_up "nodes here and there" 4 env DSM_INTERFACE=lo DSM_RSH="$work/here" "$dsmrun" --hosts localhost:2,other:2

# As on one host: output, variables, folder, counters, messages with lines.
expect 0 '' "${run[@]}" --prefix "$app" say
same "prefixed output" "$(sort "$work/out" | tr '\n' ';')" '[0] to stdout 0;[1] to stdout 1;[2] to stdout 2;[3] to stdout 3;'
same "prefixed errors" "$(sort "$work/err" | tr '\n' ';')" '[0] to stderr 0;[1] to stderr 1;[2] to stderr 2;[3] to stderr 3;'
printf '#!/bin/sh\necho "$COLOUR $SHAPE $PWD"\nexec "%s" say\n' "$(realpath "$app")" >"$work/script"
chmod +x "$work/script"
# shellcheck disable=SC2016
printf '#!/bin/sh\nhost=$1; shift; cd /; exec env -i ip netns exec "$host" sh -c "$*"\n' >"$work/bare"
chmod +x "$work/bare"
expect 0 '' env SHAPE=round "$dsmrun" --rsh "$work/bare" --hosts "$alpha,$beta" -x "COLOUR=light blue" --env SHAPE "$work/script"
same "variables and folder" "$(grep blue "$work/out" | sort -u)" "light blue round $PWD"
expect 0 '' "${run[@]}" --stats "$work/stats.json" "$app" sum
same statistics "$(jq -c '[(.nodes | length), ([.nodes[].counters.commits > 700] | all)]' "$work/stats.json")" '[4,true]'
expect 2 'node 0: write to DSM memory outside a transaction.* at .*misuse\.c:[0-9]+ \(main\)' "${run[@]}" "$misuse" outside-write
expect 0 '' "${run[@]}" -v "$app" show
if setarch -R true 2>/dev/null; then
	same "different places" "$(sort -u "$work/out" | wc -l)" 1
fi

# Statuses.
expect 7 '' "${run[@]}" "$app" return 7
expect 9 '' "${run[@]}" "$app" stuck 9
expect 5 'node 3 ended with status 5' "${run[@]}" "$app" leave 5
expect 2 'node 3 left the run in the middle' "${run[@]}" "$app" leave 0
expect 137 "node 3 \(process [0-9]+ on $beta\) was killed by signal 9" "${run[@]}" "$app" raise 9
expect 124 'not ended after 2 s' "${run[@]}" --timeout 2 "$app" sleep 50
nobody_left "after bad ends" 'launch_app|dsmrun'

# What cannot start.
expect 2 "host '$alpha': no agent could be started with 'false'.*status 1" "$dsmrun" --rsh false --hosts "$alpha" "$app" sum
expect 2 "cannot run 'no-such-shell'" "$dsmrun" --rsh no-such-shell --hosts "$alpha" "$app" sum
expect 2 "host '$alpha': no agent.*not from an agent" "$dsmrun" --rsh 'sh -c yes' --hosts "$alpha" "$app" sum
printf 'not a program' >"$work/text"
chmod +x "$work/text"
expect 2 "dsmrun on $alpha: '$work/text' is not a program" "$dsmrun" --rsh "$work/rsh" --hosts "$alpha" "$work/text"
expect 2 '2 nodes, but the hosts have room for 1' "$dsmrun" -n 2 --hosts "$alpha" "$app"
expect 2 "host 'a' is named twice" "$dsmrun" --hosts a:1,b:2,a:1 "$app"
expect 2 "host '-oProxyCommand=x': not a host's name" "$dsmrun" --hosts -oProxyCommand=x "$app"
expect 2 "host 'a;b': not a host's name" "$dsmrun" --hosts 'a;b' "$app"
expect 2 "number of nodes '0'" "$dsmrun" --hosts a:0 "$app"
expect 2 'give names and numbers of nodes' "$dsmrun" --hosts '' "$app"
expect 2 "host file '$work/none': No such file" "$dsmrun" --hostfile "$work/none" "$app"
echo "$alpha slots=2 colour=red" >"$work/hosts"
expect 2 "$work/hosts:1: 'colour=red': a line is NAME" "$dsmrun" --hostfile "$work/hosts" "$app"
echo "# nothing" >"$work/hosts"
expect 2 'names no host' "$dsmrun" --hostfile "$work/hosts" "$app"
expect 2 "interface '10.1.2.3/40': give a name" "$dsmrun" --interface 10.1.2.3/40 "$app"
expect 2 "variable 'NOT_SET_HERE': is not set here" "$dsmrun" -x NOT_SET_HERE "$app"
if command -v script >/dev/null; then
	expect 2 '' script -qec "$dsmrun --agent" /dev/null
	grep -q 'not to be used by hand' "$work/out" || fail "the agent at a terminal: $(cat "$work/out")"
fi
same "agent without a dsmrun" "$("$dsmrun" --agent </dev/null | tr -d '\n')" procope-agent-1
same "agent fed with garbage" "$(head -c 300 /dev/urandom | "$dsmrun" --agent | tr -d '\0' | grep -ac 'makes no sense')" 1

# Whoever dies, the rest goes; also when all hosts have something to say at the same time.
for victim in 'launch_app 137' 'dsmrun-agent 2' 'dsmrun 137' 'int 130' 'all 7'; do
	read -r who status <<<"$victim"
	timeout -k 5 60 "${run[@]}" "$app" sleep 50 >"$work/out" 2>"$work/err" </dev/null &
	await 4 launch_app
	sleep 0.5
	agents=$(for p in $(marked dsmrun); do grep -qa -- --agent "/proc/$p/cmdline" && echo "$p"; done)
	launcher=$(for p in $(marked dsmrun); do grep -qa -- --agent "/proc/$p/cmdline" || echo "$p"; done)
	case $who in
	launch_app) kill -KILL "$(marked launch_app | tail -n 1)" ;;
	dsmrun-agent) kill -KILL "$(echo "$agents" | tail -n 1)" ;;
	dsmrun) kill -KILL "$launcher" ;;
	int) kill -INT "$launcher" ;;
	all)
		kill -STOP "$launcher"
		# shellcheck disable=SC2046
		kill -USR1 $(marked launch_app)
		sleep 0.5
		kill -CONT "$launcher"
		;;
	esac
	wait $!
	same "status after $who" $? "$status"
	nobody_left "after $who" 'launch_app|dsmrun'
done
finish
