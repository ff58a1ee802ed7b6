#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Programs with planted sharing, for the tests of the whole chain on them (generated_*.sh). Source it.
# shellcheck shell=bash disable=SC2154
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=$(command -v /usr/bin/python3 || command -v python3) || skip "python3 is missing (python3-minimal)"

# generate SEED [locks]: $work/SEED/planted and truth.json
generate() {
	local dir=$work/$1
	"$python" "$here/../generate/generate.py" "$1" "$dir" "${@:2}" || return 1
	"${CC:-gcc}" -g -O2 -std=gnu17 -Wall -Wextra -Werror -I"$here/../../dsmcore/include" "$dir/planted.c" -o "$dir/planted" \
		-L"$build/lib" -ldsm -Wl,-rpath,"$(cd "$build/lib" && pwd)"
}

# planted REPORT TRUTH CLASS...: conflicts of these classes on the objects that were planted as false sharing
planted() {
	jq --slurpfile truth "$2" '($truth[0].objects | map(select(.truth == "false") | .type)) as $types
		| [.objects[] | select(.type as $t | $types | index($t)) | .classes[$ARGS.positional[]].conflicts] | add // 0 | ceil' \
		"$1" --args "${@:3}"
}

# wrong_verdicts REPORT TRUTH UNKNOWN: each planted object against what is said of its type; a line for each that is wrong. A
# true object may have a few false conflicts: a loser that was undone before it came to the bytes which both write.
# UNKNOWN true: that nothing is known of false sharing is no error.
wrong_verdicts() {
	jq -r --slurpfile truth "$2" --argjson unknown "$3" '
		. as $r | $truth[0].objects[] | .type as $t | .truth as $truth
		| [$r.objects[] | select(.type == $t) | .classes] as $said
		| ($said | map(.false.conflicts) | add // 0) as $false | ($said | map(.true.conflicts) | add // 0) as $true
		| ($said | map(.unknown.conflicts) | add // 0) as $open
		| [$r.advice[] | select(.type == $t) | .kind | select(startswith("relocate"))] as $advised
		| "\($t) is \($truth): \($false) conflicts false, \($true) true, \($open) unknown, advice to move it: \($advised)" as $text
		| if $truth == "false" then select(($false == 0 and ($unknown and $open > 0 | not)) or $false + (if $unknown then $open else 0 end) < 20 * $true) | $text
		  elif $truth == "true" then select($true < 5 * $false or $advised != []) | $text
		  else select($false > 0 or $advised != []) | $text end' "$1" || echo "$1 cannot be read"
}
