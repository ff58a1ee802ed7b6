#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# dsmrun starts nodes that reach one another, and hands over what it should and nothing else.
. "$(dirname "$0")/dsmrun_lib.sh"

for transport in shm unix tcp tls insecure-tcp; do
	for n in 1 2 3 16 48; do
		expect 0 '' "$dsmrun" -n $n --transport $transport "$member" pass
	done
	# Exactly the control line, the lifeline and two sockets to each peer (beside our epoll sets, eventfd and timer).
	expect 0 '' "$dsmrun" -n 5 --transport $transport "$member" fds
	same "descriptors over $transport" "$(sort "$work/out" | uniq -c | tr -s ' ')" ' 5 sockets 9 others 6'
done

# Descriptors that dsmrun inherits do not leak into nodes.
expect 0 '' bash -c 'exec 7</dev/null 8>/dev/null; exec "$@"' - "$dsmrun" -n 2 "$member" fds
same "descriptors with inherited ones" "$(sort -u "$work/out")" 'sockets 3 others 6'

# Options arrive; they win over variables; variables win over defaults.
echo '{"schema": "procope.plan/1", "program": "any", "rules": []}' >"$work/plan.json"
expect 0 '' env DSM_HEAP=3M DSM_STRICT=1 DSM_MICROSCOPE=7 "$dsmrun" -n 2 --heap 64M --ring-size 64K --plan "$work/plan.json" \
	--history "$work/history" --transport tcp "$member" options
same options "$(sort "$work/out" | head -n 1)" "node 0 of 2 heap 67108864 ring 65536 strict 1 microscope 7 transport tcp plan '$work/plan.json' history '$work/history'"
expect 0 '' env DSM_HEAP=5M "$member" options
same "options alone" "$(cut -d' ' -f1-6 "$work/out")" 'node 0 of 1 heap 5242880'
expect 2 'variable DSM_HEAP: heap size' env DSM_HEAP=all "$dsmrun" -n 2 "$member" options
expect 2 'variable DSM_HEAP: heap size' env DSM_HEAP=all "$member" options
expect 2 'not a line to dsmrun' env DSM_CONTROL_FD=0 "$member" options

# Without address randomisation all stacks are at the same place, run after run (they hold the same
# environment). Not where a container forbids it.
if setarch -R true 2>/dev/null; then
	expect 0 '' "$dsmrun" -n 3 "$member" stack
	cp "$work/out" "$work/first"
	expect 0 '' "$dsmrun" -n 3 "$member" stack
	same "different stacks" "$(sort -u "$work/out" "$work/first" | wc -l)" 1
fi

# Where it is forbidden the run goes on, and one line says so.
forbid=$build/tests/integration/no_personality
if "$forbid" true && [ $((0x$(cat /proc/self/personality) & 0x40000)) = 0 ]; then # not switched off already
	expect 0 'warning: .*address randomisation.*Operation not permitted' "$forbid" "$dsmrun" -n 3 "$member" pass
	same "warnings about address randomisation" "$(wc -l <"$work/err")" 1
fi

# Input goes to the first node, the others have none.
status=$(printf 'a word\n' | timeout 60 "$dsmrun" -n 2 "$member" input | sort | tr '\n' ';')
same input "$status" '0: a word;1: nothing;'

# Whole lines with the node's number, stdout and stderr apart.
expect 0 '' "$dsmrun" -n 2 --prefix "$member" talk
same "prefixed output" "$(sort "$work/out" | tr '\n' ';')" '[0] line 0;[0] line 1;[0] line 2;[1] line 0;[1] line 1;[1] line 2;'
same "prefixed errors" "$(sort "$work/err" | head -n 1)" '[0] warning 0'

# A last line that has no end, of a node here and of one that an agent started.
printf '#!/bin/sh\n"%s" say\nprintf "no end"\nprintf "no end" >&2\n' "$(realpath "$app")" >"$work/script"
printf '#!/bin/sh\nshift\nexec sh -c "$*"\n' >"$work/here"
chmod +x "$work/script" "$work/here"
expect 0 '' env DSM_INTERFACE=lo DSM_RSH="$work/here" "$dsmrun" --prefix --hosts localhost,other "$work/script"
for stream in out err; do
	same "prefixed last lines ($stream)" "$(grep 'no end' "$work/$stream" | sort | tr '\n' ';')" '[0] no end;[1] no end;'
done

# A program found through PATH, and one behind a script.
printf '#!/bin/sh\n"%s" pass\n' "$(realpath "$member")" >"$work/script"
chmod +x "$work/script"
expect 0 '' env PATH="$work:$PATH" "$dsmrun" -n 3 script

# Counters of all nodes as JSON, in place of what was there.
echo old >"$work/stats.json"
expect 0 '' "$dsmrun" -n 3 --stats "$work/stats.json" "$member" counters
same statistics "$(jq -c '[.schema, (.nodes | length), .nodes[2].counters.aborts, .totals.commits, .totals.work,
	.aborts_per_commit, .wasted_share, (.seconds > 0), (.work_per_s > 0)]' "$work/stats.json")" \
	'["procope.stats/1",3,100,300,21,0.5,0.25,true,true]'
same "a phase" "$(jq -c '.phases | [length, .[0].name, .[0].totals.barrier_ns, .[0].totals.objects, .[0].seconds, .[0].lost.barriers]' "$work/stats.json")" \
	'[1,"nnnnnnnnnnnnnnnnnnnnnnnn",1500,-3,3e-06,0.25]'
expect 2 'node 0 has no counters' "$dsmrun" -n 2 --stats "$work/stats.json" "$member" pass
same "good statistics stay" "$(jq -r .schema "$work/stats.json")" procope.stats/1
# A file that cannot be written whole (here 20 KiB is the limit; a node's counters count against it, too) leaves the old one.
expect 2 "cannot write statistics to '$work/stats.json': File too large" bash -c 'ulimit -f 20; exec "$@"' - \
	"$dsmrun" -n 8 --transport unix --stats "$work/stats.json" "$member" counters
same "good statistics stay" "$(jq -r .schema "$work/stats.json")" procope.stats/1
# A device is written to, not replaced by a file.
mknod "$work/full" c 1 7 2>/dev/null || ln -s /dev/full "$work/full"
expect 2 "cannot write statistics to '$work/full': No space left" "$dsmrun" -n 2 --stats "$work/full" "$member" counters
[ -c "$work/full" ] || fail "a device was replaced by a file"
# Nothing that lies in the folder is written through, not even under a name made from our process id.
echo precious >"$work/victim"
expect 0 '' bash -c 'ln -s "$0/victim" "$0/stats.json.tmp-$$"; exec "$@"' "$work" \
	"$dsmrun" -n 1 --stats "$work/stats.json" "$member" counters
same "a file behind a planted link" "$(cat "$work/victim")" precious
same "mode of the statistics" "$(stat -c %a "$work/stats.json")" "$(printf %o $((0644 & ~$(umask))))"
# A pipe (or a device) is written to, never replaced.
mkfifo "$work/pipe"
timeout 60 cat "$work/pipe" >"$work/through" &
expect 0 '' "$dsmrun" -n 1 --stats "$work/pipe" "$member" counters
wait $!
same "statistics through a pipe" "$(jq -r .schema "$work/through")" procope.stats/1
[ -p "$work/pipe" ] || fail "the pipe was replaced by a file"
find "$work" -type l -delete
same "temporary files" "$(find "$work" -name '*tmp*' | wc -l)" 0

nobody_left "after all runs"
finish
