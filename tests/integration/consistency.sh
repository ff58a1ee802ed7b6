#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# One source under tx, sc and rc: the apps give the results of their sequential twins, the calls of dsm.h do what each
# model promises, and what makes no sense under one is said with file and line.
. "$(dirname "$0")/../lib.sh"
source=tests/integration/models.c
models=$build/tests/integration/models

for model in tx sc rc; do
	for nodes in 1 2 3; do
		checks=$((checks + 1))
		got=$(timeout 100 "$bin/dsmrun" -n "$nodes" --consistency "$model" "$models" work 2>&1)
		same "models under $model, $nodes nodes" "$got" ok
	done
done
checks=$((checks + 1))
same "strict changes nothing" "$(timeout 100 "$bin/dsmrun" -n 2 --consistency rc --strict "$models" work 2>/dev/null)" ok

result() { jq -r '.checksum' 2>/dev/null; }

while read -r app options; do
	for layout in natural tuned; do
		# shellcheck disable=SC2086 # options are words
		want=$("$apps/$app" --sequential $options --layout $layout --json | result)
		[ -n "$want" ] || fail "$app --sequential $options --layout $layout gives no result"
		for model in tx sc rc; do
			for nodes in 1 2 3; do
				checks=$((checks + 1))
				# shellcheck disable=SC2086
				got=$(timeout 100 "$bin/dsmrun" -n "$nodes" --consistency "$model" "$apps/$app" $options \
					--layout $layout --json 2>"$work/err" | result)
				same "$app $options $layout under $model, $nodes nodes" "$got" "$want" || cat "$work/err"
			done
		done
	done
done <<'END'
sor --size 257 --iterations 12
mgs --size 150
raytracer --size 40
kmeans --size 2000 --iterations 8
tsp --size 9
lu --size 150
hashmap --size 1000
END
for model in tx sc rc; do
	for nodes in 1 2 3; do
		checks=$((checks + 1))
		timeout 100 "$bin/dsmrun" -n "$nodes" --consistency "$model" "$apps/world" --steps 1000 --json >"$work/out" 2>"$work/err"
		same "world under $model, $nodes nodes" "$(jq -r .consistent "$work/out" 2>/dev/null)" true
	done
done

# misuse MODEL KIND PATTERN: exit status 2, the message, and the marked line
misuse() {
	local line
	checks=$((checks + 1))
	timeout 30 "$bin/dsmrun" -n 2 --consistency "$1" "$models" "$2" >"$work/out" 2>"$work/err"
	same "exit status of $2 under $1" $? 2
	line=$(grep -nE "/\* $2 \*/" "$source" | cut -d: -f1)
	grep -qE "$3.*models\.c:$line\b" "$work/err" || fail "$2 under $1: no '$3 ... models.c:$line' in: $(cat "$work/err")"
}
for model in sc rc; do
	misuse $model cancel 'dsm_cancel\(\) in a critical section.*--consistency tx'
	misuse $model retry 'dsm_retry\(\) in a critical section'
	misuse $model unlock-block 'this node does not hold'
	misuse $model barrier-inside 'dsm_barrier\(\) inside a critical section'
	misuse $model exit-inside 'exit\(0\) inside the critical section'
done
for model in tx rc; do
	misuse $model allocate 'long with consistency rc inside a transaction'
	misuse $model write 'write to DSM memory of consistency sc inside a transaction'
	misuse $model unlock 'this node does not hold'
	misuse $model unlock-twice 'this node does not hold'
	misuse $model lock-inside 'dsm_lock\(\) inside a transaction'
	misuse $model private 'no address in the DSM'
	misuse $model outside '(write to|read of) DSM memory outside a transaction'
	misuse $model exit-locked 'with a lock that was not given back'
done

# hangs MODEL KIND (HOW_MANY PATTERN MARK)...: at the time limit the nodes say what they wait for, and at which marked line
hangs() {
	local model=$1 kind=$2 line
	checks=$((checks + 1))
	timeout 30 "$bin/dsmrun" -n 2 --timeout 2 --consistency "$model" "$models" "$kind" >"$work/out" 2>"$work/err"
	same "exit status of $kind under $model" $? 124
	shift 2
	while [ $# -gt 0 ]; do
		line=$(grep -nE "/\* $3 \*/" "$source" | cut -d: -f1)
		same "times '$2' at $3 under $model" "$(grep -cE "node [01]: $2.* at .*models\.c:$line\b" "$work/err")" "$1" || cat "$work/err"
		shift 3
	done
}
for model in tx sc rc; do
	hangs $model circle 2 'waits for the lock of 0x' circle 2 'holds the lock of 0x' held
	hangs $model locked-barrier 1 'waits for the lock of 0x' locked 1 'holds the lock of 0x' locked 1 'waits at its barrier' barrier
done
# A verdict about transactions is not one about sections.
for model in tx rc; do
	checks=$((checks + 1))
	rm -rf "$work/history" # it is made anew
	timeout 30 "$bin/dsmrun" -n 2 --consistency $model --history "$work/history" "$models" work >"$work/out" 2>&1
	same "sections in a history of $model" "$("$bin/dsmverify" --json "$work/history" | jq -r .sections)" "$([ $model = tx ] && echo false || echo true)"
done
"$bin/dsmverify" "$work/history" | grep -q 'critical sections, of which a history tells nothing' || fail "dsmverify is silent on rc"
refuses 2 "consistency 'lazy': give tx" "$bin/dsmrun" --consistency lazy "$models" work
DSM_CONSISTENCY=rc "$bin/dsmrun" -n 2 --stats "$work/stats" "$models" work >"$work/out" 2>&1
same "the model in the statistics" "$(jq -r .consistency "$work/stats")" rc
checks=$((checks + 1))
jq -e '.totals | .sections > 1000 and .locks > 1000 and .locks_remote > 10 and .flushes > 10' "$work/stats" >/dev/null ||
	fail "counters of rc: $(jq -c .totals "$work/stats")"
finish
