#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsmbench: each benchmark prints one JSON object whose fields make sense; bad input is refused; Ctrl-C ends
# everything. Nothing here depends on how fast the machine is.
. "$(dirname "$0")/../lib.sh"
bench=$bin/dsmbench
export TMPDIR=$work/tmp
mkdir "$TMPDIR"

# What every object of every benchmark must hold.
common='
def sane: (.name | type) == "string" and (.transport | IN("tcp", "tls", "unix", "shm", "fabric", "none", "simulated"))
	and .nodes >= 1 and .samples >= 1 and (.owner | IN("waiting", "computing", null))
	and .median_us > 0 and .p90_us >= .median_us and .p99_us >= .p90_us and .p999_us >= .p99_us
	and .floor_us > 0 and .ratio > 0;
def all_sane: [., (.also // [])[]] | all(sane);
'
# prints NAME CONDITION arguments...: one JSON object, sane, for which the condition holds
prints() {
	local name=$1 condition=$2 status
	shift 2
	timeout -k 5 300 "$bench" "$@" >"$work/out" 2>"$work/err" </dev/null
	status=$?
	[ "$status" = 0 ] || { fail "dsmbench $*: status $status: $(head -c 500 "$work/err")"; return; }
	[ ! -s "$work/err" ] || fail "dsmbench $*: says on stderr: $(head -c 300 "$work/err")"
	[ "$(jq -s length "$work/out" 2>/dev/null)" = 1 ] || { fail "dsmbench $*: not one JSON object"; return; }
	jq -e "$common .name == \"$name\" and all_sane and ($condition)" "$work/out" >/dev/null ||
		fail "dsmbench $*: not as it must be ($condition): $(cat "$work/out")"
}
bad() { # TEXT arguments...
	local text=$1
	shift
	refuses 2 "$text" "$bench" "$@"
}

for t in tcp tls unix shm; do
	prints floor '.owner == "waiting" and .also[0].owner == "computing" and .wire_us > 0 and .trap_us > 0' \
		floor --count 64 --transport $t
	# Each sample was a page that came from the other node: the node counted as many.
	prints fault '.samples == 64 and .fetched >= 64 and .also[0].owner == "computing" and .also[0].fetched >= .also[0].samples' \
		fault --count 64 --transport $t
done
if [ -e "$build/lib/libdsm-fabric.so" ]; then
	for p in tcp shm; do
		prints fault '.transport == "fabric" and .provider == "'$p'" and .samples == 64 and .fetched >= 64' \
			fault --count 64 --fabric $p
	done
	prints pingpong '.provider == "tcp"' pingpong --count 64 --seconds 10 --fabric tcp
	prints barrier '.provider == "shm"' barrier --count 64 --transport fabric --fabric shm
fi
prints fault '.sequential and .samples == 1024 and .prefetched > 512 and .fetched < 512 and .mean_us > 0' \
	fault --count 1024 --owner waiting --sequential
prints fault '.owner == "computing" and has("also") == false and .gap_us == 50' \
	fault --count 32 --owner computing --gap 50 --samples "$work/raw"
awk -F'\t' 'NR > 1 && NF != 4 { bad = 1 } END { exit bad }' "$work/raw" || fail "a line of raw samples has not four fields"
[ "$(grep -c '^fault	computing	2	' "$work/raw")" = "$(jq .samples "$work/out")" ] ||
	fail "the file of raw samples has not one line for each sample"
# A pipe (or a device) is written to, never replaced.
mkfifo "$work/pipe"
timeout 300 cat "$work/pipe" >"$work/through" &
prints fault '.samples == 128 and .fetched >= 128 and (has("also") | not)' fault --count 64 --reps 2 --owner waiting
prints commit '.samples == 600 and .also[0].samples == 600' commit --count 200 --reps 3
bad "says nothing to 'pingpong'" pingpong --reps 2
bad "says nothing to --disjoint" commit --disjoint --reps 2
prints commit '.pages == 1' commit --pages 1 --count 1000 --samples "$work/pipe"
wait $!
[ -p "$work/pipe" ] || fail "--samples replaces a pipe by a file"
grep -q '^commit' "$work/through" || fail "no samples came through the pipe: $(head -c 300 "$work/through")"
# Each of the pages of each sample came from the other node.
for m in tx sc rc; do
	prints bulk '.pages == 16 and .mode == "read" and .consistency == "'$m'" and .samples == 12 and .fetched >= 16 * .samples and .mb_per_s > 0 and .also[0].owner == "computing"' \
		bulk --pages 16 --count 12 --consistency $m
	prints bulk '.pages == 3 and .mode == "write" and .owner == "computing" and .fetched >= 3 * .samples and (has("also") | not)' \
		bulk --pages 3 --count 8 --consistency $m --write --owner computing --transport shm
done
prints bulk '[., .also[]] | map(.pages) == [1, 4, 16, 64, 256, 1024] and all(.page_us > 0)' \
	bulk --count 2 --owner waiting --transport unix
bad "give tx, sc or rc" bulk --consistency weak
bad "says nothing to 'fault'" fault --write
bad "says nothing to 'bulk'" bulk --disjoint
prints pingpong '.messages > 0 and .updates' pingpong --count 64 --seconds 10
prints pingpong '.messages > 0 and .updates == false' pingpong --count 64 --seconds 10 --no-updates
prints commit '.pages == 1 and .also[0].pages == 16 and .transport == "none"' commit --count 1000
prints commit '.disjoint and ([.rates[].nodes] == [1, 2]) and ([.rates[].aborts] | add) == 0 and (.rates | all(.commits_per_s > 0))' \
	commit --nodes 2 --disjoint --count 600 --seconds 0.2 --pages 2
prints barrier '.nodes == 2 and .also[0].nodes == 4' barrier --count 64
prints barrier '.nodes == 3 and has("also") == false' barrier --count 32 --nodes 3 --transport unix --unbound
# The home moves in the first, stays in the second, which costs two messages a cycle more: LOCK and GRANT.
moving='.migration and .homes_moved > 0 and (.also[0] | (.migration | not) and .homes_moved == 0) and .also[0].messages - .messages > 1'
prints migrate "$moving and .updates and .write_us > 0 and .read_us > 0" migrate --count 256
prints migrate "$moving and (.updates | not)" migrate --count 256 --no-updates
bad "says nothing to 'migrate'" migrate --nodes 4
# Pieces of 2 MiB are the system's to give.
prints undo '.nodes == 2 and .samples == 14 and ([., .also[]] | map(.way) | .[:4] == ["tx", "independent", "twins", "rights"] and (.[4:] | . == [] or . == ["pieces"]))
	and (.also | all(.samples == 14 and .median_us > 0 and .ratio > 0))' \
	undo --count 14
prints undo '.nodes == 1 and .transport == "none"' undo --count 7 --nodes 1
bad "says nothing to 'undo'" undo --pages 2
# The protocol's own figure, from virtual time: it is the same everywhere.
prints scale '.nodes == 64 and ([.sizes[].nodes] == [8, 16, 32, 64]) and .spread >= 0 and .spread <= 0.1 and .messages_per_commit > 1' \
	scale --nodes 64
# By windows, which need BPF. Nobody is counted as listening while the probes are muted (a record that was on its way may be), and in half of the
# windows they are not; each range holds its median.
ranges='all(.ratio_least <= .ratio_low and .ratio_low <= .ratio and .ratio <= .ratio_high and .ratio_high <= .ratio_most)'
if [ "$(id -u)" = 0 ]; then
	prints probes '(.probe_ns | .none >= 0 and .none < 100 and all(.recorded, .aggregated; type == "number")) and ([., .also[]] | length == 9 and '"$ranges"' and (map(.load) | unique) == ["objects", "sor", "walk"] and all(.windows > 0 and .blocks > 0 and .window_ms == 200 and .planted == 0) and (map(select(.mode == "recorded")) | all(.probes_per_s > 5 * .muted_probes_per_s and .lost >= 0 and .attach_ms > 0 and .detach_ms > 0)) and (map(select(.mode == "none")) | all((.probes_per_s // 0) == 0 and (.muted_probes_per_s // 0) == 0)) and (map(select(.mode != "none")) | all(.collector_ms_per_s > 0)))' \
		probes --seconds 2 --window 200 # longer than a half-sweep on a busy machine
	# A cost that is put in shows: 50 % longer where a listener's cost would be, and nobody listens.
	prints probes '[., .also[]] | length == 3 and all(.load == "walk" and .planted == 500 and .window_ms == 10) and (map(select(.mode == "none")) | all(.ratio > 1.25))' \
		probes --load walk --seconds 3 --plant 500
	bad "kept for 32 seconds at most" probes --window 2 --seconds 40 --load walk
else
	bad "give --whole" probes --seconds 1
fi
# As a whole: each figure with a collector lies between two without; the range of the median holds the median.
prints probes '(.probe_ns | .none >= 0 and (.recorded | type) == "number" and has("aggregated")) and ([., .also[]] | length == 9 and (map(select(.mode == "recorded")) | all(.probes_per_s > 0 and .lost >= 0)) and (map(select(.mode == "none")) | all(.ratio == 1)))' \
	probes --whole --reps 1 --seconds 0.1
prints probes '[., .also[]] | length == 3 and all(.load == "walk") and '"$ranges"' and (map({(.mode): .samples}) | add) == {"none": 7, "aggregated": 3, "recorded": 3} and (map(select(.mode != "none")) | all(.collector_ms_per_s > 0))' \
	probes --whole --load walk --reps 3 --seconds 0.1

bad "which benchmark"
bad "give walk, sor or objects" probes --load stroll
bad "belongs to --whole" probes --reps 3
bad "belongs to --whole" probes --whole --plant 10
bad "--window takes a whole number" probes --window 1
bad "says nothing to 'fault'" fault --whole
bad "says nothing to 'fault'" fault --load walk
bad "unknown benchmark" speed
bad "one benchmark at a time" fault barrier
bad "unknown option --fast" fault --fast
bad "option --count needs a value" fault --count
bad "needs --fabric NAME" fault --transport fabric
bad "needs --fabric NAME" fault --fabric tcp --transport unix
bad "says nothing to 'scale'" scale --fabric tcp
bad "unknown transport" fault --transport pigeon
bad "--count takes a whole number" fault --count 0
bad "--count takes a whole number" fault --count many
bad "at most 100000 samples" fault --count 100001
bad "--seconds takes a number" fault --seconds 0
bad "--owner 'asleep'" fault --owner asleep
bad "says nothing to 'barrier'" barrier --owner waiting
bad "says nothing to 'fault'" fault --nodes 2
bad "runs on 2 to 16 nodes, not 1" barrier --nodes 1
bad "cannot write the samples" fault --samples "$work/no/such/folder/x"
timeout 60 "$build/bin/dsmrun" -n 2 "$bench" floor >"$work/out" 2>"$work/err"
[ $? = 2 ] && grep -q "without dsmrun" "$work/err" || fail "under dsmrun it does not say to start it without"
"$bench" --help | grep -q pingpong || fail "--help does not list pingpong"
"$bench" --version | grep -q Procope || fail "--version"

# Ctrl-C: in a session of its own, as from a terminal.
command -v setsid >/dev/null || skip "setsid is missing (util-linux)"
for what in "fault --count 100000 --seconds 60" "probes --seconds 20"; do
	# shellcheck disable=SC2086
	in_session "$bench" $what --samples "$work/interrupted"
	session_begins "$what" 4
	sleep 1
	kill -INT -- "-$leader"
	session_ends "$what"
	[ ! -s "$work/out" ] || fail "$what: prints a result though interrupted"
done
if [ "$(id -u)" = 0 ]; then
	# While a collector listens by turns, and so is stopped half of the time.
	in_session "$bench" probes --load objects --seconds 6 --samples "$work/interrupted"
	session_begins "probes, before a collector" 4
	for _ in $(seq 600); do
		# shellcheck disable=SC2046
		grep -qsx dsmcollect /dev/null $(members | sed 's,.*,/proc/&/comm,') && break
		sleep 0.1
	done
	grep -qsx dsmcollect /dev/null $(members | sed 's,.*,/proc/&/comm,') || fail "probes: no collector comes"
	sleep 2
	kill -INT -- "-$leader"
	session_ends "probes with a collector"
fi
[ ! -e "$work/interrupted" ] || fail "an interrupted run leaves a file of samples"
[ -z "$(ls -A "$TMPDIR")" ] || fail "left behind: $(ls -A "$TMPDIR")"

finish
