#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# One program, two event sources, the same verdicts: a reader must not be able to tell from the report whether
# the records came through BPF or through the shared ring.
set -u
BUILD=${BUILD:-build}
seconds=${PROCOPE_QUICK:+3}
seconds=${seconds:-5}
failed=0

# verdict REPORT OBJECT: the class of most of the time that conflicts on the object wasted.
verdict() {
	jq -r --arg o "$2" '[.verdicts[] | select(.object | contains($o)) | select(.class != "unknown" and .class != "untouched")]
		| group_by(.class) | map({class: .[0].class, ns: (map(.wasted_ns) | add)}) | max_by(.ns) | .class // "none"' "$1"
}

# Goals close to one another: a score that is written now and then only meets nobody, it is handed over.
awk -v list="38 26,54 26,38 38,54 38,46 24,46 40" 'BEGIN { split(list, near, ",") }
	$1 == "goal" { print "goal " near[++n]; next } { print }' "$(dirname "$0")/../../apps/scenes/plaza.scene" \
	>"$TMPDIR/near.scene" || exit 1

for source in bpf ring; do
	if [ $source = bpf ] && ! { [ "$(id -u)" = 0 ] && [ -e /sys/kernel/btf/vmlinux ]; }; then
		echo "no BPF for this user on this kernel: nothing to compare"
		exit 77
	fi
	"$BUILD/bin/dsmrun" --monitor="$TMPDIR/$source.dsmt" --source $source -n 4 \
		"$BUILD/apps/world" --scene "$TMPDIR/near.scene" --seconds "$seconds" >"$TMPDIR/$source.out" 2>&1 || {
		cat "$TMPDIR/$source.out"
		exit 1
	}
	"$BUILD/bin/dsmreport" --format json "$TMPDIR/$source.dsmt" >"$TMPDIR/$source.json" || exit 1
	jq -e '.schema == "procope.report/1"' "$TMPDIR/$source.json" >/dev/null || exit 1
done

for object in avatars stats score terrain; do
	a=$(verdict "$TMPDIR/bpf.json" $object) b=$(verdict "$TMPDIR/ring.json" $object)
	echo "$object: bpf says $a, ring says $b"
	[ "$a" = "$b" ] || failed=1
	case $object in
	avatars | stats) [ "$a" = false ] || failed=1 ;;
	score) [ "$a" = true ] || failed=1 ;;
	terrain) [ "$a" = none ] || failed=1 ;;
	esac
done
for source in bpf ring; do
	jq -e '[.advice[] | select(.object | contains("score")) | select(.kind | startswith("relocate"))] == []' \
		"$TMPDIR/$source.json" >/dev/null || {
		echo "$source: advises to move what is truly shared"
		failed=1
	}
done
exit $failed
