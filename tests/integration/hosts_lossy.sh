#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Two hosts whose cable loses each fifth packet, both ways: programs take longer and give the right result.
. "$(dirname "$0")/dsmrun_lib.sh"
. "$(dirname "$0")/hosts_lib.sh"
lossy 0.2
limit=100
run=("$dsmrun" --rsh "$work/rsh" --hosts "$alpha:2,$beta:2")

expect 0 '' "${run[@]}" "$app" sum 1
same "nodes with the right sum" "$(grep -c 'of 4: 160$' "$work/out")" 4
want=$("$apps/sor" --sequential --size 32 --iterations 2 --json | jq -r '.checksum + .cells')
expect 0 '' "${run[@]}" "$apps/sor" --size 32 --iterations 2 --json
same "sor" "$(jq -r '.checksum + .cells' "$work/out")" "$want"
mkdir "$work/history"
expect 0 '' "${run[@]}" --history "$work/history" "$apps/world" --seconds 1
grep -q '^world: consistent' "$work/out" || fail "world: $(cat "$work/out" "$work/err")"
timeout 60 "$build/bin/dsmverify" --json "$work/history" >"$work/verify" 2>&1 ||
	fail "dsmverify: status $?: $(head -c 1000 "$work/verify")"

for h in "$alpha" "$beta"; do
	[ "$(lost "$h")" -gt 20 ] || fail "only $(lost "$h") packets were lost on the way to $h"
done
nobody_left "after all runs"
finish
