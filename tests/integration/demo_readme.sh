#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The README's own program: its C block is under 20 lines, and the lines below it do what they say, taken
# from the README as they stand.
. "$(dirname "$0")/../lib.sh"
needs_real_speed
readme=$(cd "$(dirname "$0")/../.." && pwd)/README.md
root=$(cd "$build" && pwd)
cd "$work" || exit 1
ln -s "$root" build
# block LANGUAGE: the first fenced block of that language
block() { awk -v start="\`\`\`$1" '$0 == start { on = 1; next } on && /^```/ { exit } on' "$readme"; }
block c >tally.c
block sh >run.sh
lines=$(wc -l <tally.c)
[ "$lines" -gt 5 ] && [ "$lines" -lt 20 ] || fail "the README's program has $lines lines"
timeout 120 bash -e run.sh >out 2>err || fail "the README's lines end with status $?: $(tail -n 20 out err)"
same "lines of the program" "$(grep -c '^node [0-3] of 4: 5000 hits, ' out)" 8
grep -q 'tallies.*struct tally\[4\].*false in 100 %' out || fail "the report does not call the tallies false sharing"
"$bin/dsmreport" --compare --format json before.dsmt after.dsmt >proof.json 2>err || fail "compare: $(cat err)"
jq -e '.before.aborts_per_commit > 0.01 and .after.aborts_per_commit <= .before.aborts_per_commit / 5' proof.json >/dev/null ||
	fail "the plan does not help: $(jq -c '{before, after}' proof.json)"
finish
