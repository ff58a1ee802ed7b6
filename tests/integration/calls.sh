#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Pages that a call of dsm.h has to wait for are reported at the line of the call, not at a place within libdsm or libc.
. "$(dirname "$0")/../lib.sh"
calls=$build/tests/integration/calls source=tests/integration/calls.c

for model in tx sc rc; do
	# Copies are fetched each time: none is kept up to date, and no home moves to the reader.
	run "$bin/dsmrun" -n 2 --consistency $model --no-updates --no-migration --microscope 0 --monitor="$work/$model.dsmt" "$calls"
	check "status under $model" code 0
	"$bin/dsmreport" --format json --top 100 "$work/$model.dsmt" >"$work/$model.json" 2>"$work/err" || fail "no report of $model: $(cat "$work/err")"
	jq -r '.. | objects | select(.line != null) | "\(.file // .module // "nowhere" | sub(".*/"; "")):\(.line)"' "$work/$model.json" |
		sort -u >"$work/places"
	same "places outside the program under $model" "$(grep -v '^calls\.c:[1-9]' "$work/places")" ''
	for mark in root peek; do
		line=$(grep -nE "/\* $mark \*/" $source | cut -d: -f1)
		check "the line of $mark under $model" grep -qx "calls.c:$line" "$work/places"
	done
done
finish
