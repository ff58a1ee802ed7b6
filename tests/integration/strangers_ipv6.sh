#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Strangers, wrong keys, replays and who reads the wire: all of strangers.sh, where the loopback is ::1 and nothing else.
why=
if [ "$(id -u)" != 0 ]; then
	why="needs root, for a network namespace"
elif ! unshare --net sh -c 'ip link set lo up && ip -6 addr show dev lo | grep -q ::1 && ip addr del 127.0.0.1/8 dev lo' 2>/dev/null; then
	why="no IPv6 loopback of its own here"
fi
if [ -n "$why" ]; then
	echo "$why"
	exit 77
fi
STRANGERS_AT=::1 exec "$(dirname "$0")/strangers.sh"
