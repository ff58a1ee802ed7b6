#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# One trace of a run on two hosts (network namespaces), whose clocks differ by a day and more: false sharing between
# nodes of different hosts is named with the fields and lines of both. Nothing is left on the hosts, and a host that is
# lost takes with it only what had not come yet.
. "$(dirname "$0")/dsmrun_lib.sh"
. "$(dirname "$0")/hosts_lib.sh"
split=$build/tests/integration/split
source_file=$(dirname "$0")/split.c
ahead=100000
# Where there are no time namespaces all clocks are one, and the rest is tested.
unshare -T --monotonic $ahead true 2>/dev/null || ahead=0
cat >"$work/rsh" <<END
#!/bin/sh
echo "Welcome to \$1"
host=\$1
shift
export XDG_RUNTIME_DIR=$work/runtime-\$host
[ $ahead = 0 ] && exec ip netns exec "\$host" sh -c "\$*"
ahead=0
[ "\$host" != $beta ] || ahead=$ahead
export XDG_RUNTIME_DIR=$work/runtime-\$host
exec ip netns exec "\$host" unshare -T --monotonic \$ahead sh -c "\$*"
END
mkdir "$work/tmp"
export TMPDIR=$work/tmp XDG_RUNTIME_DIR=$work/runtime
mkdir -m 700 "$XDG_RUNTIME_DIR" "$work/runtime-$alpha" "$work/runtime-$beta"
run=("$dsmrun" --rsh "$work/rsh" --hosts "$alpha:2,$beta:2" -x TMPDIR -x PROCOPE_TEST)
trace=$work/t.dsmt
line() { grep -n "/\* $1 \*/" "$source_file" | cut -d: -f1; }
holds() { check "$1" jq -e "$2" "$work/report.json" >"$work/out"; }
clean() { # WHAT: no process, no part, no file
	nobody_left "$1" 'split|dsmrun|dsmcollect'
	same "$1: parts" "$(find "$work" -maxdepth 1 -name '*part*' | wc -l)" 0
	same "$1: files on the hosts" "$(ls "$TMPDIR" | wc -l)" 0
}
seconds=${PROCOPE_QUICK:+2}
seconds=${seconds:-3}

# ---- the report names both sides ----
sources=ring
[ -e /sys/kernel/btf/vmlinux ] && sources='bpf ring'
for source in $sources; do
	rm -f "$trace"
	expect 0 'traces of 2 hosts' "${run[@]}" --monitor="$trace" --source $source "$split" "$seconds"
	check "$source: all nodes end well" [ "$(grep -c '^node [0-3]: .* rounds' "$work/out")" = 4 ]
	clean "$source"
	check "$source: the report" "$bin/dsmreport" --format json "$trace" >"$work/report.json"
	# between KIND: verdicts of that class whose sides are a west line and an east line on nodes of different hosts
	between() {
		printf '[.verdicts[] | select(.class == "%s" and .object == "border")
			| select([.sides[] | {field, line, west: (.node < 2), access}] | unique_by(.west) | length == 2)
			| select([.sides[] | (if .node < 2 then .field == "west[]" and .line == %s else .field == "east[]" and .line == %s end)]
				| all) | .conflicts] | add // 0' "$1" "$(line WEST)" "$(line EAST)"
	}
	holds "$source: false sharing between the hosts, both fields and lines" "($(between false)) > 20"
	holds "$source: and it is most of what is judged" \
		"($(between false)) > 0.5 * ([.verdicts[] | select(.class == \"true\") | .conflicts] | add // 0)"
	holds "$source: all four nodes" '.run.nodes == 4 and (.run.cut | not)'
	holds "$source: the run's time, not that between the clocks" ".run.seconds > $seconds * 0.8 and .run.seconds < 60"
	holds "$source: nothing of the clocks is left" "(.run.runs[0].info.parts | length == 2)
		and ([.run.runs[0].info.parts[] | .whole] | all)
		and ([.run.runs[0].info.parts[] | select(.nodes == [2, 3])] | .[0]
			| (.clock == \"measured\") and (((.shift_ns + $ahead * 1e9) | fabs) <= .error_ns + 1000) and .error_ns < 10000000)"
	"$build/tests/collector/trace_dump" "$trace" >"$work/dump"
	check "$source: closed properly" grep -q '^end$' "$work/dump"
	check "$source: the summary has all nodes" \
		sh -c "sed -n 's/^summary //p' '$work/dump' | jq -e '.ended == \"run\" and ([.nodes[] | .ended] == [true, true, true, true]) and .parts == 2' >/dev/null"
done
# What else reads traces takes it as any other.
check "dsmtop plays it" "$bin/dsmtop" --trace "$trace" --json >"$work/lines"
check "with all nodes in each whole second" sh -c "tail -n 1 '$work/lines' | jq -e '(.nodes | length) == 4 and .elapsed_s < 60 and
	(.pages[0].root == \"border\" or .pages[0].type == \"struct border\")' >/dev/null"

# ---- live: one view of all hosts, on this one ----
timeout -k 5 60 "${run[@]}" --monitor="$work/live.dsmt" --source ring "$split" 6 >"$work/run.out" 2>"$work/run.err" </dev/null &
await 4 split
sleep 1
sockets=("$XDG_RUNTIME_DIR"/procope/live-*.sock)
same "live views of it here" ${#sockets[@]} 1
check "dsmtop sees the run to its end" timeout 30 "$bin/dsmtop" "${sockets[0]}" --json >"$work/lines" 2>"$work/err"
wait $!
same "status of the run watched" $? 0
live() { check "live: $1" sh -c "jq -se '$2' '$work/lines' >/dev/null"; }
live "nodes of all hosts, each with rates" '[.[] | select([.nodes[] | select(.rates.commits_per_s > 0) | .node] == [0, 1, 2, 3])] | length >= 2'
live "the page that both hosts fight for" '.[-1].pages[0] | .nodes == [0, 1, 2, 3] and .root == "border" and .aborts > 50 and .fetches > 50'
live "how well the clocks are joined" '.[-1].clocks | .measured == 2 and .error_ns > 0 and .error_ns < 10000000 and .steps == 0'
live "the end is told" '.[-1].ended and ([.[] | .ended] | index(true)) == length - 1 and ([.[-1].nodes[] | .ended] | all)'
live "about a line a second" 'length >= 3 and length <= 12'
clean "a live view"

# ---- all nodes on one other host; the nodes here and there, on one machine ----
expect 0 'traces of 1 host$' "$dsmrun" --rsh "$work/rsh" --hosts "$beta:2" -x TMPDIR --monitor="$work/one.dsmt" --source ring "$split" 1
check "one host: the report" "$bin/dsmreport" --format json "$work/one.dsmt" >"$work/report.json"
holds "one host: both nodes" '.run.nodes == 2'
clean "one host"
printf '#!/bin/sh\nshift\nexec sh -c "$*"\n' >"$work/here"
chmod +x "$work/here"
expect 0 'traces of 2 hosts' env DSM_INTERFACE=lo "$dsmrun" --rsh "$work/here" --hosts localhost:2,other:2 -x TMPDIR \
	--monitor="$work/two.dsmt" --source ring "$split" 1
check "here and there: the report" "$bin/dsmreport" --format json "$work/two.dsmt" >"$work/report.json"
holds "here and there: four nodes, one clock" '.run.nodes == 4 and ([.run.runs[0].info.parts[] | .shift_ns == 0] | all)'
clean "here and there"

# ---- a host is lost in the middle ----
timeout -k 5 60 "${run[@]}" --monitor="$work/lost.dsmt" --source ring "$split" 30 >"$work/out" 2>"$work/err" </dev/null &
await 4 split
sleep 3
agent=$(for p in $(marked dsmrun); do grep -qa -- --agent "/proc/$p/cmdline" && echo "$p"; done | tail -n 1)
kill -KILL "$agent"
wait $!
same "status of a lost host" $? 2
for text in "host '($alpha|$beta)' was lost before all of its trace had come: [1-9]" 'was cut short' 'the parts of the trace are kept'; do
	grep -qE -- "$text" "$work/err" || fail "a lost host: nothing like \"$text\" in: $(cat "$work/err")"
done
nobody_left "a lost host" 'split|dsmrun|dsmcollect'
check "a lost host: what had come is there" "$bin/dsmreport" --format json "$work/lost.dsmt" >"$work/report.json"
holds "a lost host: from both" "($(between false)) > 10"
check "and it says what is missing" sh -c "'$bin/dsmreport' --format text '$work/lost.dsmt' | grep -q 'before .* nodes did'"

# ---- the parts by hand: the same as the whole, and what is no set is refused ----
parts=("$work"/lost.dsmt.*.part)
same "parts kept" ${#parts[@]} 2
check "dsmreport takes the parts as they are" "$bin/dsmreport" --format json "${parts[@]}" >"$work/report.json" 2>"$work/err"
holds "and brings their clocks together" "($(between false)) > 10 and .run.seconds < 60"
expect 1 "was cut short" "$bin/dsmcollect" --merge -o "$work/again.dsmt" "${parts[@]}"
expect 1 "2 of 4 nodes .the first is 0. are in none" "$bin/dsmcollect" --merge -o "$work/again.dsmt" "$work/lost.dsmt.$beta.part"
expect 2 "both hold node [01]" "$bin/dsmcollect" --merge -o "$work/again2.dsmt" "$work/lost.dsmt" "$work/lost.dsmt.$alpha.part"
expect 2 "merge traces of one run" "$bin/dsmcollect" --merge -o "$work/again2.dsmt" "$work/one.dsmt" "$work/lost.dsmt"
expect 2 "not a trace" "$bin/dsmcollect" --merge -o "$work/again2.dsmt" "$work/rsh"
expect 2 "No such file" "$bin/dsmcollect" --merge -o "$work/again2.dsmt" "$work/none"
expect 2 "Name the traces" "$bin/dsmcollect" --merge -o "$work/again2.dsmt"
expect 2 "Name the result" "$bin/dsmcollect" --merge "$work/one.dsmt"
expect 2 "a node's number" "$bin/dsmcollect" --nodes 3-1 --seconds 1
check "nothing was written" [ ! -e "$work/again2.dsmt" ] && [ ! -e "$work/again2.dsmt.partial" ]

# ---- what cannot record ----
expect 2 "of several hosts it must be a file" "${run[@]}" --monitor=/dev/null "$split" 1
mkdir "$work/bin"
cp "$dsmrun" "$work/bin"
ln -s "$(realpath "$build/lib")" "$work/lib"
printf '#!/bin/sh\n[ "$(ip netns identify)" = %s ] && { echo "no rights here" >&2; exit 4; }\nexec "%s" "$@"\n' "$beta" \
	"$(realpath "$bin/dsmcollect")" >"$work/bin/dsmcollect"
chmod +x "$work/bin/dsmcollect"
rm -f "$work"/*.part
expect 2 "host '$beta': its dsmcollect could not start" "$work/bin/dsmrun" "${run[@]:1}" --monitor="$work/no.dsmt" --source ring "$split" 1
same "the program was not run" "$(grep -c rounds "$work/out")" 0
check "no trace" [ ! -e "$work/no.dsmt" ]
clean "a host that cannot record"
# ---- a run that does not come about: nobody waits for traces of it ----
begin=$(date +%s)
expect 2 'before it joined' "${run[@]}" --monitor="$work/none.dsmt" --source ring false
[ $(($(date +%s) - begin)) -lt 12 ] || fail "a program that is no node keeps its hosts for $(($(date +%s) - begin)) s"
clean "a program that is no node"
# ---- dsmrun is killed: what shows the runs of the other hosts goes, too ----
"${run[@]}" --monitor="$work/killed.dsmt" --source ring "$split" 20 >"$work/out" 2>"$work/err" </dev/null &
pid=$!
await 4 split
sleep 1
kill -KILL $pid
wait $pid 2>/dev/null
nobody_left "after KILL of dsmrun" 'split|dsmrun|dsmcollect'
same "sockets after KILL of dsmrun" "$(find "$work"/runtime* -name '*.sock' | wc -l)" 0
finish
