#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Each app gives the same result in one process without a DSM and on any number of nodes, in both layouts, at sizes that
# nothing divides and with more nodes than rows. Without an argument all apps of the table are run.
. "$(dirname "$0")/../lib.sh"

# app, size, options, numbers of nodes
table='
mgs 96 - 1,2,4
mgs 130 --layout=tuned 2,3
mgs 3 - 5
mgs 2 --layout=tuned 4
mgs 1 - 1,3
raytracer 37 - 1,2,4
raytracer 41 --layout=tuned 2,3
raytracer 3 - 5
raytracer 2 --layout=tuned 4
raytracer 1 - 1
'

# Everything that must not depend on nodes and layout.
result() { jq -cS 'del(.seconds, .nodes, .layout, .per_s)' 2>/dev/null; }

while read -r app size options nodes; do
	[ -n "$app" ] || continue
	[ "$options" != - ] || options=
	want=$("$apps/$app" --sequential --size "$size" --json | result)
	[ -n "$want" ] || fail "no sequential result of $app --size $size"
	# shellcheck disable=SC2086 # options are words
	twin=$("$apps/$app" --sequential --size "$size" $options --json | result)
	same "$app --sequential --size $size $options" "$twin" "$want"
	for n in ${nodes//,/ }; do
		# shellcheck disable=SC2086
		got=$(timeout 60 "$bin/dsmrun" -n "$n" "$apps/$app" --size "$size" $options --json | result)
		same "$app on $n nodes, size $size $options" "$got" "$want"
	done
done <<<"$table"

for app in mgs raytracer; do
	ldd "$apps/$app-sequential" | grep -q libdsm && fail "$app-sequential links the DSM"
	"$apps/$app" --help | grep -q "^Usage: dsmrun -n NODES $app " || fail "$app --help"
	same "$app --version" "$("$apps/$app" --version)" "$app (Procope) 0.1"
	same "$app-sequential --version" "$("$apps/$app-sequential" --version)" "$app-sequential (Procope) 0.1"
	refuses 2 "unknown option: --sizes" "$bin/dsmrun" -n 2 "$apps/$app" --sizes 5
	refuses 2 "--size needs a whole number from 1 to" "$bin/dsmrun" -n 2 "$apps/$app" --size 0
	refuses 2 "--layout is natural or tuned" "$apps/$app" --layout fast
	refuses 2 "takes no argument: \"7\"" "$apps/$app" --sequential 7
	refuses 2 "--sequential is one process" "$bin/dsmrun" -n 2 "$apps/$app" --sequential
done
finish
