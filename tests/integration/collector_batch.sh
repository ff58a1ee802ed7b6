#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# What collector_bpf.sh asks of nodes whose probes tell one record each, of nodes that tell them in batches.
if [ "$(id -u)" != 0 ]; then
	echo "skipped: BPF needs root"
	exit 77
fi
if [ ! -r /sys/kernel/btf/vmlinux ]; then
	echo "skipped: this kernel has no BTF"
	exit 77
fi
FAKE=fake_node_batched
SOURCE=bpf ROOM="--ring-size 128M" SMALL_RING="--ring-size 4K" SMALL_NODE_RING=
. "$(dirname "$0")/collector_sources.sh"

# ---- a node that is killed between two batches owes nothing (once the collector has found its memory) ----
for try in 1 2 3 4 5; do
	rm -f "$WORK"/node-*.log
	start_collector --source bpf $ROOM -o "$WORK/t.dsmt"
	start_node 0 --records $((97 * try)) --batch $((10 * try)) --pause-us 20000 --wait 10 --crash
	wait_collector
	compare_all "killed after $((97 * try)) records"
done

# ---- without a trace ----
no_trace
finish
