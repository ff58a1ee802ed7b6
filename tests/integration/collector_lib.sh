# SPDX-License-Identifier: BSD-2-Clause
# What the tests of the collector share, beside what all tests share. Source it.
# shellcheck shell=bash disable=SC2154,SC2034
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
BUILD=$build
WORK=$work
COLLECT=$bin/dsmcollect
# A node of our own: probes are attached to a file, and a node does not wait for us when another test's collector listens.
NODE=$WORK/fake_node
cp "$BUILD/tests/collector/${FAKE:-fake_node}" "$NODE" || exit 1
DUMP=$BUILD/tests/collector/trace_dump
CLIENT=$BUILD/tests/collector/live_client
export XDG_RUNTIME_DIR=$WORK/runtime
mkdir -m 700 "$XDG_RUNTIME_DIR"
RUN=$(od -An -N7 -tx1 /dev/urandom | tr -d ' \n')1 # other runs may be going on here
children=
at_end+=('for pid in $children; do kill -9 "$pid" 2>/dev/null; done')

needs_bpf() {
	[ "$(id -u)" = 0 ] || skip "BPF needs root"
	[ -r /sys/kernel/btf/vmlinux ] || skip "this kernel has no BTF"
}

# Starts a collector and waits until it is attached; sets $collector and $socket.
start_collector() {
	rm -f "$WORK/ready"
	mkfifo "$WORK/ready"
	"$COLLECT" --probe-file "$NODE" --ready-fd 9 --run "$RUN" "$@" 9>"$WORK/ready" 2>"$WORK/collect.err" &
	collector=$!
	children="$children $collector"
	read -r ready source socket <"$WORK/ready"
	rm -f "$WORK/ready"
	[ "${ready:-}" = ready ]
}

# Waits until the client has its first line.
listening() {
	for _ in $(seq 600); do
		[ ! -s "$WORK/live" ] || return 0
		sleep 0.05
	done
	return 1
}

start_node() { # N OPTIONS...: log in $WORK/node-N.log
	n=$1
	shift
	"$NODE" --node "$n" --run "$RUN" --log "$WORK/node-$n.log" "$@" &
	children="$children $!"
	last_node=$!
}

# What the nodes say they emitted, as trace_dump prints it: "NODE TYPE SEQ HASH". Only the types that a
# trace holds; $1 = first node's log, ...
logged_activity() {
	for log; do
		n=${log##*-}
		awk -v n="${n%.log}" '$1 == "E" && $2 !~ /^(begin|transfer|invalidate|update)$/ { print n, $2, $3, $4 }' "$log"
	done | sort
}
logged_names() {
	for log; do
		n=${log##*-}
		awk -v n="${n%.log}" '($1 == "I" || $1 == "R") && $2 != "end" { print n, $2, $4 }' "$log"
	done | sort -u
}
logged_pages() { cat "$@" | grep '^P ' | sort; }

dumped_activity() { awk '$1 ~ /^[0-9]+$/ && $2 !~ /^(node|module|site|type|object|root|end)$/ { print $1, $2, $3, $4 }' "$1" | sort; }
dumped_names() { awk '$2 ~ /^(node|module|site|type|object|root)$/ { print $1, $2, $4 }' "$1" | sort; }
dumped_pages() { grep '^P ' "$1" | sort; }

same_lines() { # FILE FILE: and there are some
	diff "$1" "$2" >"$WORK/diff" && [ -s "$1" ] && return
	head -5 "$WORK/diff"
	return 1
}

summary() { # DUMP JQ-FILTER
	sed -n 's/^summary //p' "$1" | jq -r "$2"
}
