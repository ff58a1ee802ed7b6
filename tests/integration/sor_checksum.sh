#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# SOR gives the same bits on any number of nodes as in one process without a DSM, and the sums that Java
# Grande publishes.
. "$(dirname "$0")/../lib.sh"

result() { jq -r '.checksum + " " + .cells' 2>/dev/null; }

# Java Grande's reference values, which its own validation accepts within 1e-12.
published() {
	"$apps/sor" --sequential --size "$1" --json >"$work/out" || fail "sor --sequential --size $1"
	jq -e --argjson want "$2" '(.sum - $want) | fabs <= 1e-12' "$work/out" >/dev/null ||
		fail "size $1: sum $(jq .sum "$work/out"), published is $2"
}
published 1000 0.498574406322512
published 1500 1.1234778980135105
published 2000 1.9954895063582696

ldd "$apps/sor-sequential" | grep -q libdsm && fail "sor-sequential links the DSM"

# nodes size iterations options: sizes that no number of nodes divides, no inner cells, more nodes than rows. The
# sequential result is always that of the natural layout, so the layouts are compared, too.
while read -r nodes size iterations options; do
	want=$("$apps/sor" --sequential --size "$size" --iterations "$iterations" --json | result)
	# shellcheck disable=SC2086 # options are words
	got=$(timeout 60 "$bin/dsmrun" -n "$nodes" "$apps/sor" --size "$size" --iterations "$iterations" $options --json | result)
	[ -n "$want" ] || fail "no sequential result for size $size"
	same "$nodes nodes, size $size, $iterations iterations $options" "$got" "$want"
done <<'END'
1 1000 100
4 1000 100
2 257 20
3 97 30
4 333 10
1 1 5
2 2 5
4 3 5
6 5 7
8 4 3
2 64 0
1 65 5 --layout tuned
2 1030 5 --layout tuned
4 333 10 --layout tuned
6 5 7 --layout tuned
4 1 5 --layout tuned
3 333 10 --layout tuned --misalign 31
4 65 5 --layout tuned --misalign 60
8 4 3 --layout tuned --misalign 1
END
same "sequential, tuned" "$("$apps/sor" --sequential --size 333 --layout tuned --json | result)" \
	"$("$apps/sor" --sequential --size 333 --json | result)"

refuses 2 "unknown option: --sizes" "$bin/dsmrun" -n 2 "$apps/sor" --sizes 5
refuses 2 "--size needs a whole number from 1 to" "$bin/dsmrun" -n 2 "$apps/sor" --size 0
refuses 2 "--iterations needs a whole number" "$apps/sor" --sequential --iterations 1e3
refuses 2 "--layout is natural or tuned, not \"fast\"" "$bin/dsmrun" -n 2 "$apps/sor" --layout fast
refuses 2 "--misalign needs --layout tuned" "$bin/dsmrun" -n 2 "$apps/sor" --misalign 3
refuses 2 "takes no argument: \"100\"" "$apps/sor" 100
refuses 2 "--sequential is one process" "$bin/dsmrun" -n 2 "$apps/sor" --sequential
finish
