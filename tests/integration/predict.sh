#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Predictions beside the truth: what is predicted to go does go, by counts (how much faster it gets is for `make predict`); ends of
# ranges are in order, and the proof says whether the gain lies between them.
. "$(dirname "$0")/../lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
predict=$here/../bench/predict.sh
"$predict" --help >"$work/help" || fail "help: status $?"
grep -q -- --patterns "$work/help" || fail "help: $(cat "$work/help")"
for bad in "--nodes 9" "--runs 0" "--seconds x" "--nothing 1" "--runs"; do
	# shellcheck disable=SC2086
	"$predict" $bad >/dev/null 2>"$work/bad"
	same "status of $bad" $? 2
done
needs_real_speed

# row PATTERN MODEL: $row, the row of a short run of it
row() {
	timeout 120 "$predict" --patterns "$1" --models "$2" --runs 1 --seconds 0.8 --tries 1 --out "$work/$1.$2" >"$work/$1.$2.out" 2>&1 ||
		{
			fail "$1, $2: status $?: $(tail -n 5 "$work/$1.$2.out")"
			return 1
		}
	row=$work/$1.$2/rows.jsonl
}
holds() { jq -e "$2" "$row" >/dev/null || fail "$1: $(cat "$row")"; } # TEXT CONDITION

# Sharing that a layout ends: pages no longer travel, and what is left of the aborts is what was predicted.
ends() { # PATTERN MODEL HOW
	row "$1" "$2" || return
	holds "$1, $2: advice" ".how == \"$3\""
	holds "$1, $2: a range" '.predicted | .low <= .best and (.high == null or .best <= .high) and .best > 1'
	holds "$1, $2: pages travel no more" '.transfers.after <= .transfers.before / 2'
	[ "$2" != tx ] || holds "$1, $2: aborts as predicted" '.aborts.after <= .aborts.predicted + .aborts.before / 4'
}
again 3 ends slots tx plan
again 3 ends rows tx plan
again 3 ends fields tx source
again 3 ends slots sc plan
# What all nodes write is moved by no layout.
stays() {
	row counter tx || return
	holds "counter: nothing to move" '.how == "none" and (.advice // "" | startswith("relocate") | not)'
}
again 3 stays
finish
