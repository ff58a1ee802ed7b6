#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# tests/fuzz.sh SECONDS TARGET...: runs each fuzz target for so long, from its seeds in tests/fuzz/seeds/, if it has some;
# finds go to build/fuzz/. 0 seconds: each seed, and what earlier runs have kept, once.
set -u
seconds=$1
shift
[[ $seconds =~ ^[0-9]{1,9}$ ]] || {
	echo "fuzz: FUZZ_SECONDS is '$seconds': give whole seconds, 0 for the seeds alone" >&2
	exit 2
}
# to libFuzzer a total time of 0 is none, and 010 would be octal to the shell only
limit=-max_total_time=$((10#$seconds))
[ "$limit" != -max_total_time=0 ] || limit=-runs=0
failed=0
for t in "$@"; do
	printf '  FUZZ    %s for %s s\n' "$(basename "$t")" "$seconds"
	corpus=build/fuzz/corpus-$(basename "$t")
	mkdir -p "$corpus"
	corpora=("$corpus")
	[ ! -d "tests/fuzz/seeds/$(basename "$t")" ] || corpora+=("tests/fuzz/seeds/$(basename "$t")")
	if ! "$t" "$limit" -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
		-artifact_prefix="build/fuzz/find-$(basename "$t")-" -print_final_stats=1 "${corpora[@]}" >"$t.log" 2>&1; then
		failed=1
		tail -n 30 "$t.log"
	else
		grep -E 'number_of_executed_units|^#.*DONE' "$t.log" | tail -n 1
	fi
done
exit $failed
