#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs over libfabric, with the providers shm and tcp: right results, the deaths and ends of any other transport, no
# files left behind, and messages that say what is missing.
. "$(dirname "$0")/dsmrun_lib.sh"

[ -e "$build/lib/libdsm-fabric.so" ] || skip "built without libfabric (libfabric-dev): no fabric to test"
no() { # no TEXT command...
	local text=$1
	shift
	expect 2 "$text" "$@"
	[ ! -s "$work/out" ] || fail "$* prints on stdout: $(head -c 200 "$work/out")"
}
# Files of the provider shm (PROCESS:...) whose process is gone; those of others beside us do not count.
shm_files() {
	local f
	for f in $(find /dev/shm -user "$(id -un)" -name '[0-9]*:[0-9]*' -printf '%f\n' 2>/dev/null | sort); do
		[ -d "/proc/${f%%:*}" ] || echo "$f"
	done
}
before=$(shm_files)

for provider in shm tcp; do
	# The members send everybody notes and messages, and check what comes.
	for n in 1 2 5; do
		expect 0 '' "$dsmrun" -n $n --fabric $provider "$member" pass
	done
	want=$("$apps/sor" --sequential --size 257 --iterations 20 --json | jq -r '.checksum')
	expect 0 '' "$dsmrun" -n 3 --fabric $provider "$apps/sor" --size 257 --iterations 20 --json
	same "sor over $provider" "$(jq -r .checksum "$work/out")" "$want"
	expect 0 '' "$dsmrun" -n 3 --fabric $provider --history "$work" "$apps/world" --steps 300 --seed 5 --json
	same "world over $provider" "$(jq .consistent "$work/out")" true
	jq -r .positions "$work/out" >"$work/positions.$provider"
	expect 0 '' "$build/bin/dsmverify" "$work"
	rm -f "$work"/*.dsmh
	# A node's death ends the run, whoever notices it first, and so does the launcher's.
	expect 137 'node 1 .*killed by signal 9' "$dsmrun" -n 3 --fabric $provider "$member" signal 1 9
	nobody_left "after a death over $provider"
	"$dsmrun" -n 3 --fabric $provider "$member" wait >"$work/out" 2>"$work/err" &
	await 3
	kill -KILL $!
	nobody_left "after KILL of dsmrun over $provider"
done
# Signals are the program's and dsmrun's, whatever libfabric's libraries install handlers for.
expect 143 'node 1 .*killed by signal 15' "$dsmrun" -n 3 --fabric tcp "$member" signal 1 15
expect 130 'node 1 .*killed by signal 2' "$dsmrun" -n 3 --fabric tcp "$member" signal 1 2
for pause in 0.02 0.05 0.1 0.2 0.4; do
	env --default-signal=INT "$dsmrun" -n 2 --fabric shm --timeout 20 "$member" wait >"$work/out" 2>"$work/err" &
	sleep $pause
	kill -INT $!
	wait $!
	same "status after INT when libfabric had $pause s to start" $? 130
	nobody_left "after INT of dsmrun while it loads libfabric"
done
# Killed while it joins, when its file of the provider shm has a name.
for try in 1 2 3; do
	"$dsmrun" -n 2 --fabric shm "$member" wait >"$work/out" 2>"$work/err" &
	launcher=$!
	name= children= give_up=$((SECONDS + 20))
	while [ -z "$name" ] && [ $SECONDS -lt $give_up ]; do # no forks: the name is there for a moment only
		read -r children 2>/dev/null <"/proc/$launcher/task/$launcher/children" || true
		for p in $children; do
			for file in /dev/shm/"$p":*; do
				[ -e "$file" ] && name=${file#/dev/shm/}
			done
		done
	done
	[ -n "$name" ] && kill -KILL "${name%%:*}"
	[ -n "$name" ] || { fail "no node over shm has shown a file"; kill "$launcher"; }
	wait "$launcher"
	same "status after a death while joining" $? 137
done
expect 0 '' "$dsmrun" -n 3 "$apps/world" --steps 300 --seed 5 --json
jq -r .positions "$work/out" >"$work/positions.default"
same "positions over shm" "$(cat "$work/positions.shm")" "$(cat "$work/positions.default")"
same "positions over tcp" "$(cat "$work/positions.tcp")" "$(cat "$work/positions.default")"
same "files in /dev/shm" "$(shm_files)" "$before"

# Under mpirun the helpers of the nodes gather the addresses.
if command -v mpirun >/dev/null && [ -x "$build/lib/procope/dsm-pmix" ]; then
	mpi=(mpirun --oversubscribe)
	[ "$(id -u)" = 0 ] && mpi+=(--allow-run-as-root)
	for provider in shm tcp; do
		expect 0 '' env DSM_FABRIC=$provider ASAN_OPTIONS=detect_leaks=0 "${mpi[@]}" -n 3 "$apps/world" --steps 300 --seed 5 --json
		same "positions over $provider under mpirun" "$(jq -r .positions "$work/out")" "$(cat "$work/positions.default")"
	done
	expect 2 'which provider' env DSM_TRANSPORT=fabric "${mpi[@]}" -n 2 "$apps/world" --steps 3
fi

# Variables do the same; an option wins.
expect 0 'over fabric tcp' env DSM_FABRIC=tcp "$dsmrun" -v -n 2 "$member" pass
expect 0 'over unix' env DSM_FABRIC=tcp "$dsmrun" -v -n 2 --transport unix "$member" pass
expect 0 'over fabric shm' env DSM_TRANSPORT=unix "$dsmrun" -v -n 2 --fabric shm "$member" pass

no "fabric provider 'pigeon': libfabric [0-9.]+ offers it no .*it has: .*tcp" "$dsmrun" -n 4 --fabric pigeon "$member" pass
same "messages about a provider" "$(wc -l <"$work/err")" 1
no "which provider\? Add --fabric NAME" "$dsmrun" -n 2 --transport fabric "$member" pass
no "fabric: its value is empty" "$dsmrun" -n 2 --fabric= "$member" pass
openssl rand -hex 32 >"$work/key" && chmod 600 "$work/key"
no "key file is of no use with the transport fabric" "$dsmrun" -n 2 --fabric tcp --key-file "$work/key" "$member" pass
no "DSM_SILENCE: 'soon': give whole seconds" env DSM_SILENCE=soon "$dsmrun" -n 2 --fabric tcp "$member" pass
expect 0 'libfabric [0-9.]+: .*tcp' sh -c "'$build/bin/dsmcheck' >&2"

# Without the library: what to install, and nothing is started.
mkdir "$work/bin"
cp "$dsmrun" "$work/bin/dsmrun"
no 'needs libdsm-fabric.so .*install libfabric-dev' "$work/bin/dsmrun" -n 2 --fabric tcp "$member" pass
finish
