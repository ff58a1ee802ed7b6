#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A run on two hosts (network namespaces), of which one has a clock that runs too fast: the merged trace follows it, says how
# exactly, and the report passes it on; the same from the parts, as they are when they were not merged.
. "$(dirname "$0")/dsmrun_lib.sh"
. "$(dirname "$0")/hosts_lib.sh"
case $build in *asan | *tsan) skip "a preloaded library does not go with this sanitizer" ;; esac
split=$build/tests/integration/split
ppm=400
since=$(awk '{ printf "%.0f", $1 * 1e9 }' /proc/uptime)
cat >"$work/rsh" <<END
#!/bin/sh
host=\$1
shift
export XDG_RUNTIME_DIR=$work/runtime-\$host
[ "\$host" != $beta ] || export LD_PRELOAD=$(realpath "$build/tests/integration/libdrift.so") PROCOPE_TEST_DRIFT=$ppm PROCOPE_TEST_DRIFT_SINCE=$since
exec ip netns exec "\$host" sh -c "\$*"
END
mkdir "$work/tmp"
export TMPDIR=$work/tmp XDG_RUNTIME_DIR=$work/runtime
mkdir -m 700 "$XDG_RUNTIME_DIR" "$work/runtime-$alpha" "$work/runtime-$beta"
seconds=${PROCOPE_QUICK:+5}
seconds=${seconds:-10}
holds() { check "$1" jq -e "$2" "$work/report.json" >"$work/out"; }
# What is known of the fast clock: its rate, as exactly as the ends of the run allow; its shift grows, so it is not one.
known='(.hosts == 2 and .measured == 2 and .steps == 0 and .checked > 5 and .error_ns > 0 and .error_ns < 5000000)'

expect 0 'traces of 2 hosts' "$dsmrun" --rsh "$work/rsh" --hosts "$alpha:1,$beta:1" -x TMPDIR -x PROCOPE_TEST --source ring \
	--monitor="$work/t.dsmt" "$split" "$seconds"
check "the summary tells it" grep -qE 'clocks +of 2 hosts joined within [0-9.]+ us; [0-9]+ causes before their effects' "$work/err"
nobody_left "a drifting clock" 'split|dsmrun|dsmcollect'
check "the report" "$bin/dsmreport" --format json "$work/t.dsmt" >"$work/report.json"
holds "how the clocks were joined" ".run.runs[0].clocks | $known"
holds "no effect is far before its cause" '.run.runs[0].clocks | .violated == 0 or .worst_ns <= .error_ns + 1000'
holds "the fast clock's rate" ".run.runs[0].info.parts[] | select(.nodes == [1]) | .clock == \"measured\" and
	((.drift_ppm - $ppm) | fabs) <= 2 * .error_ns / 1000 / ($seconds - 2) and .drift_ppm > $ppm / 2"
check "for people" sh -c "'$bin/dsmreport' --format text '$work/t.dsmt' | grep -qE 'Clocks of 2 hosts joined within [0-9.]+ us'"

# ---- the parts, which stay when no merger can be had ----
mkdir "$work/bin"
cp "$dsmrun" "$work/bin"
ln -s "$(realpath "$build/lib")" "$work/lib"
printf '#!/bin/sh\n[ "$1" = --merge ] && exit 1\nexec "%s" "$@"\n' "$(realpath "$bin/dsmcollect")" >"$work/bin/dsmcollect"
chmod +x "$work/bin/dsmcollect"
expect 1 'the parts of the trace are kept' "$work/bin/dsmrun" --rsh "$work/rsh" --hosts "$alpha:1,$beta:1" -x TMPDIR -x PROCOPE_TEST \
	--source ring --monitor="$work/p.dsmt" "$split" 3
check "the report of the parts" "$bin/dsmreport" --format json "$work"/p.dsmt.*.part >"$work/report.json"
holds "joins them, too" ".run.runs[0].clocks | $known and (.violated == 0 or .worst_ns <= .error_ns + 1000)"
finish
