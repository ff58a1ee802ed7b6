#!/usr/bin/env bash
# Runs tests and counts them: tests/run.sh NAME... where NAME is a program below $BUILD/tests or a script.
# Exit status of a test: 0 passed, 77 skipped (it says why), else failed. Logs stay in $BUILD/tests/logs.
set -u
BUILD=${BUILD:-build}
export BUILD
limit=${TEST_TIMEOUT:-600}
logs=$BUILD/tests/logs
mkdir -p "$logs"
work=$(mktemp -d)
chmod 711 "$work" # some tests go on as another user
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
passed=0 failed=0 skipped=0 failures=

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' plain=$'\e[0m'
else red= green= yellow= plain=; fi

for name in "$@"; do
	case $name in
	*.sh) command=$name ;;
	*) command=$BUILD/tests/$name ;;
	esac
	log=$logs/${name//\//-}.log
	TMPDIR=$work/t
	export TMPDIR
	rm -rf "$TMPDIR" && mkdir -p "$TMPDIR"
	begin=$(date +%s.%N)
	timeout -k 10 "$limit" "$command" >"$log" 2>&1 </dev/null
	status=$?
	took=$(awk -v a="$begin" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f", b - a }')
	case $status in
	0) passed=$((passed + 1)); printf '  %sPASS%s  %s (%s s)\n' "$green" "$plain" "$name" "$took" ;;
	77) skipped=$((skipped + 1)); printf '  %sSKIP%s  %s: %s\n' "$yellow" "$plain" "$name" "$(tail -n 1 "$log")" ;;
	*) failed=$((failed + 1)); failures="$failures $name"
		[ $status = 124 ] && echo "(no end after $limit s)" >>"$log"
		printf '  %sFAIL%s  %s (exit %s, %s s); its last lines, all in %s:\n' "$red" "$plain" "$name" "$status" "$took" "$log"
		tail -n 40 "$log" | sed 's/^/        /' ;;
	esac
done
[ -z "$failures" ] || printf 'failed:%s\n' "$failures"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ $((passed + failed)) -gt 0 ] && [ "$failed" = 0 ]
