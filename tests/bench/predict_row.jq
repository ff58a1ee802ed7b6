# SPDX-License-Identifier: BSD-2-Clause
# A report, and the runs before and after its advice was followed: one row of predict.json.
def median: sort | if length == 0 then null else .[length / 2 | floor] end;
def factor($of): if $of then . / $of else null end;

.totals.work_per_s as $now
| .advice[0] as $first
| (if $how == "source" then $first.predicted else .plan.predicted end) as $p
| ($before | map(.work) | median) as $b
| {pattern: $pattern, model: $model, nodes: $nodes, truth: $truth, how: $how, others: $others,
   advice: (if $first then "\($first.kind) \($first.type // "")" else null end),
   predicted: (if $how == "none" then null else
	{low: ($p.range.work_per_s.low // null | if . then . / $now else null end), best: ($p.work_per_s / $now),
	 high: ($p.range.work_per_s.high // null | if . then . / $now else null end), sure: $p.range.can_tell, why: $p.range.why} end),
   measured: (if ($after | length) > 0 and $b > 0 then
	{median: (($after | map(.work) | median) / $b), least: (($after | map(.work) | min) / $b), most: (($after | map(.work) | max) / $b)} else null end),
   work_per_s: {traced: $now, before: $b, after: ($after | map(.work) | median)},
   aborts: {predicted: $p.aborts_per_commit, before: ($before | map(.aborts / .work) | median), after: ($after | map(.aborts / .work) | median)},
   transfers: {before: ($before | map(.transfers / .work) | median), after: ($after | map(.transfers / .work) | median)}}
| .inside = (if .measured == null then null else
	(.predicted.low == null or .measured.median >= .predicted.low) and (.predicted.high == null or .measured.median <= .predicted.high) end)
