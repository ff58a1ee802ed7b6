#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Awkward input to all example programs under all consistency models: sizes that nothing divides, one node, more nodes than
# there is work, a heap that is too small, damaged and endless scenes, sizes that are none, files that cannot be written. The right result or a clear message, always.
. "$(dirname "$0")/../lib.sh"
models='tx sc rc'

# app, size, options, numbers of nodes
table='
sor 61 --iterations=7 1,3
sor 61 --iterations=7,--layout=tuned,--misalign=5 3
sor 4 --iterations=3 6
sor 1 - 2
mgs 47 --layout=tuned 1,3
mgs 2 - 5
raytracer 23 - 1,3
raytracer 2 --layout=tuned 5
kmeans 701 --clusters=7 1,3
kmeans 2 --clusters=2,--layout=tuned 5
tsp 9 - 1,3
tsp 2 --layout=tuned 5
lu 45 --block=7 1,3
lu 2 --block=2,--layout=tuned 5
hashmap 203 - 1,3
hashmap 1 --layout=tuned 5
'
result() { jq -cS 'del(.seconds, .updates_per_s, .insert_seconds, .look_up_seconds, .nodes, .layout)' 2>/dev/null; }

while read -r app size options nodes; do
	[ -n "$app" ] || continue
	options=${options//,/ }
	[ "$options" != - ] || options=
	# shellcheck disable=SC2086 # options are words
	want=$("$apps/$app" --sequential --size "$size" $options --json | result)
	[ -n "$want" ] || fail "no sequential result of $app --size $size $options"
	for model in $models; do
		for n in ${nodes//,/ }; do
			checks=$((checks + 1))
			# shellcheck disable=SC2086
			got=$(timeout 60 "$bin/dsmrun" -n "$n" --consistency "$model" "$apps/$app" --size "$size" $options --json | result)
			same "$app under $model on $n nodes, size $size $options" "$got" "$want"
		done
	done
done <<<"$table"

# world: what the books say must not depend on the model, and where the avatars end neither
for n in 1 3; do
	want=
	for model in $models; do
		run "$bin/dsmrun" -n $n --consistency $model "$apps/world" --steps 300 --avatars 3 --json
		same "status of world under $model on $n nodes" "$rc" 0
		got=$(jq -c '[.consistent, .steps, .positions]' "$work/out")
		same "world under $model on $n nodes" "$got" "${want:=$got}"
		[ "${got#\[true}" != "$got" ] || fail "world under $model on $n nodes is not consistent: $got"
	done
done

# a heap that is too small, a scene that is damaged: one message that says what and what to do
head -c 900 "$apps/scenes/spheres.scene" >"$work/cut.scene"
head -c 900 "$apps/scenes/plaza.scene" >"$work/short.scene"
echo 'raytracer 1' >"$work/long.scene"
head -c 70000 /dev/zero | tr '\0' x >>"$work/long.scene"
for model in $models; do
	for app in sor mgs lu; do
		refuses 2 "is used up; run with a larger --heap" \
			"$bin/dsmrun" -n 2 --consistency $model --heap 4M "$apps/$app" --size 2000
	done
	refuses 2 "is used up; run with a larger --heap" \
		"$bin/dsmrun" -n 2 --consistency $model --heap 4M "$apps/raytracer" --size 3000
	refuses 2 "is used up; run with a larger --heap" \
		"$bin/dsmrun" -n 2 --consistency $model --heap 4M "$apps/kmeans" --size 1000000
	refuses 2 "is used up; run with a larger --heap" \
		"$bin/dsmrun" -n 2 --consistency $model --heap 4M "$apps/hashmap" --size 1000000
	refuses 2 "cut.scene:" "$bin/dsmrun" -n 3 --consistency $model "$apps/raytracer" --scene "$work/cut.scene"
	same "lines about a damaged scene under $model" "$(grep -c . "$work/err")" 1
	# a scene without an end, or with a line that nobody would write
	refuses 2 "/dev/zero:1: " "$bin/dsmrun" -n 2 --consistency $model "$apps/raytracer" --scene /dev/zero
	refuses 2 "/dev/zero:1: " "$bin/dsmrun" -n 2 --consistency $model "$apps/world" --scene /dev/zero
	refuses 2 "long.scene:2: not a statement" "$bin/dsmrun" -n 2 --consistency $model "$apps/raytracer" --scene "$work/long.scene"
	for file in "$work/nowhere/x.png" "$work"; do
		refuses 2 "cannot write the picture $file: " \
			"$bin/dsmrun" -n 2 --consistency $model "$apps/raytracer" --size 9 --output "$file"
	done
	for app in sor mgs raytracer kmeans tsp lu hashmap; do
		for size in 0 -1 1e3 99999999999999999999; do
			refuses 2 "$app: --size needs a whole number from 1 to " "$bin/dsmrun" -n 2 --consistency $model "$apps/$app" --size $size
			same "lines about a bad size of $app under $model" "$(grep -c . "$work/err")" 1
		done
		refuses 2 "--layout is natural or tuned, not \"fast\"" "$bin/dsmrun" -n 2 --consistency $model "$apps/$app" --layout fast
	done
	for app in 'sor --size 2000' 'mgs --size 2000' 'lu --size 2000' 'raytracer --size 3000' 'kmeans --size 1000000' 'hashmap --size 1000000'; do
		# shellcheck disable=SC2086 # words
		refuses 2 "is used up; run with a larger --heap" \
			"$bin/dsmrun" -n 2 --consistency $model --heap 4M "$apps/"$app --layout tuned
	done
	refuses 2 "--misalign needs --layout tuned" "$bin/dsmrun" -n 2 --consistency $model "$apps/sor" --size 50 --misalign 3
	refuses 2 "short.scene:" "$bin/dsmrun" -n 3 --consistency $model "$apps/world" --scene "$work/short.scene"
	same "lines about a damaged scene of world under $model" "$(grep -c . "$work/err")" 1
done
finish
