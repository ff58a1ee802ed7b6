#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The chain where nothing is undone: world under sc and rc. What is planted as false sharing is named with its field and
# lines and judged by intervals, what is really shared is not called false, the ledger of waits balances, and the plan helps.
. "$(dirname "$0")/report_lib.sh"
needs_real_speed
world=$build/apps/world

# walk NAME MODEL OPTION...
walk() { record "$1" --consistency "$2" "${@:3}" "$world" --seconds 3; }
shown='[.objects[] | {type, classes: (.classes | map_values(.conflicts))}], .ledger'
# conflicts TYPE CLASS: a jq expression
conflicts() { printf '([.objects[] | select(.type == "%s") | .classes.%s.conflicts] | add // 0)' "$1" "$2"; }

for model in sc rc; do
	walk $model $model
	holds $model "the model is told" ".run.consistency == \"$model\""
	holds $model "the avatars are false sharing" "$(conflicts 'struct avatar' false) > 20 * $(conflicts 'struct avatar' true)"
	holds $model "the score is true sharing" "$(conflicts 'struct score' true) > 5 * $(conflicts 'struct score' false)"
	holds $model "both sides of it with field, line and node" '[.verdicts[] | select(.type == "struct avatar" and .class == "false")][0]
		| .field != null and (.sides | length == 2 and all(.line > 0 and .node >= 0))'
	holds $model "conflicts per interval" '.totals.conflicts_per_interval > 0'
	holds $model "the ledger balances" '.ledger | (.attributed_ns + .unknown_ns + .untouched_ns + .other_ns + .copies_ns
		+ .locks_ns + .flushes_ns + .lost_ns + .remainder_ns - .measured_ns | fabs) < 1000 and
		(.remainder_ns | fabs) < 0.02 * .measured_ns'
	grep -q "consistency $model" "$work/$model/report.txt" || fail "$model: not named in the text"
	! sed '/How predictions are made/q' "$work/$model/report.txt" | grep -v -e "aborts of the runtime's own" | grep -i -e abort -e commit -e "won," -e "wasted time" >"$work/words" ||
		fail "$model: the text speaks of transactions: $(head -n 3 "$work/words")"
	jq -e '[.waits.locks[] | select(.of_object and .object != null)] | length > 0' "$work/$model/report.json" >/dev/null || fail "$model: no lock is named by its object"
	grep -q "lock of score, taken at walk.c" "$work/$model/report.txt" || fail "$model: the score's lock is not named"
	# the graph and dsmtop speak of intervals as well
	grep -q "nodes whose intervals" "$work/$model/report.dot" && ! grep -q -e aborted -e wasted "$work/$model/report.dot" ||
		fail "$model: words of the graph: $(grep label= "$work/$model/report.dot" | head -n 3)"
	COLUMNS=160 timeout 60 "$bin/dsmtop" --trace "$work/$model.dsmt" -b --sort conflicts --pages 3 >"$work/top" 2>&1 || fail "$model: dsmtop: $(tail -n 3 "$work/top")"
	grep -q "2 nodes  $model  " "$work/top" && grep -q "conflicts/interval [0-9]" "$work/top" || fail "$model: dsmtop: $(head -n 2 "$work/top")"
	tail -n 5 "$work/top" | grep -q -e avatars -e "struct stats" || fail "$model: hottest pages by dsmtop: $(tail -n 5 "$work/top")"
	timeout 60 "$bin/dsmtop" --trace "$work/$model.dsmt" --json >"$work/top" 2>&1
	jq -se 'map(select(.total.lost_share != null)) | (map(.total.lost_share >= 0 and .total.lost_share <= 1) | all) and
		(map(.total.conflicts_per_s) | max) > 0 and (last.pages | map(.aborts) | max) > 100 and (last.pages | map(.fetch_ns) | max) > 0' "$work/top" >/dev/null ||
		fail "$model: figures of dsmtop: $(tail -n 1 "$work/top" | jq -c '.total, .pages[0]')"
done

# Under sc false sharing is dear. Under rc it costs a message or two, and nobody waits for it: that is said, and nothing advised.
holds rc "no layout for what costs next to nothing" '[.advice[] | select(.kind | test("isolate|partition|pad"))] == []'
holds rc "which is said" '.not_advised | any(test("avatars.*under rc nodes write one page at once"))'
holds sc "advice to move the avatars" '[.advice[] | select(.type == "struct avatar" and (.kind | startswith("relocate")))] | length == 1'
holds sc "no advice to move the score" '[.advice[] | select(.type == "struct score" and (.kind | startswith("relocate")))] | length == 0'
holds sc "most of the time is waited for false sharing" '.ledger | .judged_ns.false + .apportioned_ns.false > 0.5 * .measured_ns'
walk planned sc --plan="$work/sc/plan.json"
timeout 60 "$bin/dsmreport" --compare "$work/sc.dsmt" "$work/planned.dsmt" --predicted "$work/sc/report.json" \
	--out-dir "$work/sc" >"$work/compare" || fail "no comparison"
jq -e '.after.work_per_s > 1.2 * .before.work_per_s and .predicted.work_per_s > 1.2 * .before.work_per_s' "$work/sc/proof.json" >/dev/null ||
	fail "the plan does not help: $(jq -c '{before, predicted, after}' "$work/sc/proof.json")"
# What is compared are intervals and what they cost, not transactions.
for line in "world, consistency sc" "conflicts per interval" "share of time waited" "transfers per work" "bytes per work" "work per second" "The plan helped"; do
	grep -q "$line" "$work/compare" || fail "--compare without \"$line\": $(cat "$work/compare")"
done
! grep -q "commit" "$work/compare" || fail "--compare speaks of commits: $(cat "$work/compare")"
jq -e '.consistency == "sc" and .after.conflicts_per_interval < .before.conflicts_per_interval and .predicted.conflicts_per_interval >= 0
	and .after.transfers_per_work < .before.transfers_per_work / 2 and .after.bytes_per_work < .before.bytes_per_work / 2
	and .before.sections_per_s > 0 and .before.aborts_per_commit == null' "$work/sc/proof.json" >/dev/null || fail "proof: $(jq -c . "$work/sc/proof.json")"
timeout 60 "$bin/dsmreport" --compare "$work/sc.dsmt" "$work/rc.dsmt" >"$work/out" 2>"$work/err"
same "status of a comparison of two models" $? 2
grep -q "sc.dsmt ran under sc, .*rc.dsmt under rc" "$work/err" || fail "two models are compared: $(cat "$work/err")"
# dsmgate knows what the model calls worse
timeout 60 "$bin/dsmgate" --format json --baseline "$work/sc.dsmt" --candidate "$work/planned.dsmt" >"$work/gate" 2>&1
jq -e '.metric == "conflicts_per_interval" and .consistency == "sc" and .candidate.geomean < .baseline.geomean' "$work/gate" >/dev/null ||
	fail "dsmgate on real runs: $(cat "$work/gate")"
for i in 1 2 3; do # by turns
	for side in sc planned; do
		timeout 60 "$bin/dsmrun" -n 2 --consistency sc --microscope 0 --monitor="$work/$side-$i.dsmt" $([ $side = sc ] || echo --plan="$work/sc/plan.json") \
			"$world" --seconds 1 >"$work/out" 2>&1 || fail "$side-$i: $(tail -n 3 "$work/out")"
	done
done
timeout 60 "$bin/dsmgate" --baseline "$work"/planned-?.dsmt --candidate "$work"/sc-?.dsmt >"$work/gate" 2>&1
same "without the plan it is worse" "$? $(head -n 1 "$work/gate")" "1 regression: conflicts_per_interval of world, 2 nodes, sc"
for metric in conflicts_per_work work_per_s; do
	timeout 60 "$bin/dsmgate" --metric $metric --baseline "$work"/sc-?.dsmt --candidate "$work"/planned-?.dsmt >"$work/gate" 2>&1
	same "with the plan it is not, by $metric" "$? $(head -n 1 "$work/gate")" "0 pass: $metric of world, 2 nodes, sc"
done
finish
