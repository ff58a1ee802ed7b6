#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Each app gives the same result in one process without a DSM and on any number of nodes, in both layouts, at sizes that
# nothing divides and with more nodes than rows: with many nodes also where independent loops meet on most pages, and where
# the outboxes of the hashmap are used again. Without an argument all apps of the table are run.
. "$(dirname "$0")/../lib.sh"

# app, size, options, numbers of nodes
table='
mgs 96 - 1,2,4
mgs 130 --layout=tuned 2,3
mgs 101 - 7
mgs 3 - 5
mgs 2 --layout=tuned 4
mgs 1 - 1,3
raytracer 37 - 1,2,4
raytracer 61 - 7
raytracer 41 --layout=tuned 2,3
raytracer 3 - 5
raytracer 2 --layout=tuned 4
raytracer 1 - 1
kmeans 1500 - 1,2
kmeans 4099 --clusters=9 7,8
kmeans 1501 --layout=tuned 1,2,4
kmeans 101 --clusters=7 3
kmeans 3 --clusters=2 5
kmeans 1 --clusters=1,--layout=tuned 3
tsp 10 - 1,2,4
tsp 11 --seed=7,--layout=tuned 1,2,3
tsp 4 - 2
tsp 3 --layout=tuned 4
tsp 2 - 2
tsp 1 - 2
lu 96 - 1,2,4
lu 130 --layout=tuned 1,2,3
lu 101 --block=7 2,6
lu 67 --block=5 7,8
lu 33 --block=64,--layout=tuned 3
lu 3 --block=2 5
lu 1 --layout=tuned 4
hashmap 700 - 1,2,4
hashmap 1001 --layout=tuned 1,2,3
hashmap 200000 --layout=tuned 3,5
hashmap 3 - 5
hashmap 1 --layout=tuned 2
'

# Everything that must not depend on nodes and layout.
result() { jq -cS 'del(.seconds, .updates_per_s, .insert_seconds, .look_up_seconds, .nodes, .layout)' 2>/dev/null; }

while read -r app size options nodes; do
	[ -n "$app" ] || continue
	options=${options//,/ }
	[ "$options" != - ] || options=
	# shellcheck disable=SC2086 # options are words
	want=$("$apps/$app" --sequential --size "$size" ${options/--layout=tuned/} --json | result)
	[ -n "$want" ] || fail "no sequential result of $app --size $size $options"
	# shellcheck disable=SC2086
	twin=$("$apps/$app" --sequential --size "$size" $options --json | result)
	same "$app --sequential --size $size $options" "$twin" "$want"
	for n in ${nodes//,/ }; do
		# shellcheck disable=SC2086
		got=$(timeout 60 "$bin/dsmrun" -n "$n" "$apps/$app" --size "$size" $options --json | result)
		same "$app on $n nodes, size $size $options" "$got" "$want"
	done
done <<<"$table"

# app, size, options, ranks: the hand-written MPI twin
mpi='
sor 97 --iterations=9 2
sor 40 --iterations=9,--layout=tuned 3
sor 3 --iterations=5 4
mgs 97 - 2
mgs 2 - 3
raytracer 41 - 2
raytracer 2 - 3
'
if [ -x "$apps/sor-mpi" ] && command -v mpirun >/dev/null; then
	export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
	while read -r app size options ranks; do
		[ -n "$app" ] || continue
		options=${options//,/ }
		[ "$options" != - ] || options=
		# shellcheck disable=SC2086
		want=$("$apps/$app" --sequential --size "$size" $options --json | result)
		# shellcheck disable=SC2086
		got=$(ASAN_OPTIONS=detect_leaks=0 timeout 60 mpirun --oversubscribe --bind-to none -n "$ranks" "$apps/$app-mpi" --size "$size" $options --json </dev/null | result)
		same "$app with MPI on $ranks ranks, size $size $options" "$got" "$want"
	done <<<"$mpi"
else
	echo "no MPI twins here: libopenmpi-dev was missing at build time"
fi

# The world's twin walks the avatars of as many nodes, to the same places.
ldd "$apps/world-sequential" | grep -q libdsm && fail "world-sequential links the DSM"
for n in 1 3; do
	want=$("$apps/world" --sequential --groups $n --steps 700 --json | jq -c '[.steps, .goals, .avatars, .metres, .positions]')
	got=$("$bin/dsmrun" -n $n "$apps/world" --steps 700 --json | jq -c '[.steps, .goals, .avatars, .metres, .positions]')
	same "world on $n nodes and alone" "$got" "$want"
done
refuses 2 "--sequential is one process" "$bin/dsmrun" -n 2 "$apps/world" --sequential
refuses 2 "--show is for runs with the DSM" "$apps/world-sequential" --show
refuses 2 "--groups needs a whole number from 1 to 256" "$apps/world-sequential" --groups 0

version=$(sed -n "s/^Version: //p" "$build/lib/pkgconfig/dsm.pc")
for app in mgs raytracer kmeans tsp lu hashmap; do
	few='' # what a size of 5 asks for
	[ "$app" != kmeans ] || few=--clusters=2
	ldd "$apps/$app-sequential" | grep -q libdsm && fail "$app-sequential links the DSM"
	"$apps/$app" --help | grep -q "^Usage: dsmrun -n NODES $app " || fail "$app --help"
	same "$app --version" "$("$apps/$app" --version)" "$app $version (Procope)"
	same "$app-sequential --version" "$("$apps/$app-sequential" --version)" "$app-sequential $version (Procope)"
	refuses 2 "unknown option: --sizes" "$bin/dsmrun" -n 2 "$apps/$app" --sizes 5
	refuses 2 "--size needs a whole number from 1 to" "$bin/dsmrun" -n 2 "$apps/$app" --size 0
	refuses 2 "--layout is natural or tuned" "$apps/$app" --layout fast
	refuses 2 "takes no argument: \"7\"" "$apps/$app" --sequential 7
	"$apps/$app" --size 5 --sequential ${few:-} >/dev/full 2>"$work/err"
	same "status of $app when the disk is full" $? 1
	grep -q "the result cannot be written" "$work/err" || fail "$app and a full disk: $(cat "$work/err")"
	refuses 2 "--sequential is one process" "$bin/dsmrun" -n 2 "$apps/$app" --sequential
done
refuses 2 "9 clusters of 4 points" "$bin/dsmrun" -n 2 "$apps/kmeans" --size 4 --clusters 9
refuses 2 "--size needs a whole number from 1 to 24" "$bin/dsmrun" -n 2 "$apps/tsp" --size 25
finish
