#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs tests and counts them: tests/run.sh NAME... where NAME is a program below $BUILD/tests or a script.
# Exit status of a test: 0 passed, 77 skipped (it says why), else failed. Logs stay in $BUILD/tests/logs.
# Most tests wait more than they compute, so $JOBS of them run at a time; those named in $ALONE, which measure or
# use every core themselves, run after the others, one by one.
set -u
BUILD=${BUILD:-build}
export BUILD
limit=${TEST_TIMEOUT:-600}
cores=$(nproc)
jobs=${JOBS:-$((cores < 4 ? cores : 4))}
case $jobs in
'' | *[!0-9]* | 0*) echo "JOBS=$jobs: give the number of tests that may run at a time, 1 or more" >&2; exit 2 ;;
esac
logs=$BUILD/tests/logs
mkdir -p "$logs"
work=$(mktemp -d)
chmod 711 "$work" # some tests go on as another user
passed=0 failed=0 skipped=0 failures= started=0
declare -A running=() begun=() # by process

# What is still running is told to end, and has time to tidy up.
stop() {
	[ ${#running[@]} = 0 ] || kill -TERM "${!running[@]}" 2>/dev/null
	wait
	rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' plain=$'\e[0m'
else red= green= yellow= plain=; fi

log_of() { printf '%s' "$logs/${1//\//-}.log"; }

start() { # NAME
	local command=$1
	case $1 in
	*.sh) ;;
	*) command=$BUILD/tests/$1 ;;
	esac
	started=$((started + 1))
	mkdir "$work/$started"
	# The shell starts what runs beside it deaf to Ctrl-C; some tests are about just that.
	TMPDIR=$work/$started env --default-signal=INT,QUIT timeout -k 10 "$limit" "$command" >"$(log_of "$1")" 2>&1 </dev/null &
	running[$!]=$1
	begun[$!]=$EPOCHREALTIME
}

await_one() {
	local process status name log took
	wait -n -p process "${!running[@]}"
	status=$?
	name=${running[$process]}
	log=$(log_of "$name")
	took=$(awk -v a="${begun[$process]}" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
	unset "running[$process]" "begun[$process]"
	case $status in
	0) passed=$((passed + 1)); printf '  %sPASS%s  %s (%s s)\n' "$green" "$plain" "$name" "$took" ;;
	77) skipped=$((skipped + 1)); printf '  %sSKIP%s  %s: %s\n' "$yellow" "$plain" "$name" "$(tail -n 1 "$log")" ;;
	*) failed=$((failed + 1)); failures="$failures $name"
		[ $status = 124 ] && echo "(no end after $limit s)" >>"$log"
		printf '  %sFAIL%s  %s (exit %s, %s s); its last lines, all in %s:\n' "$red" "$plain" "$name" "$status" "$took" "$log"
		tail -n 40 "$log" | sed 's/^/        /' ;;
	esac
}

run() { # HOW MANY AT A TIME, NAME...
	local most=$1 name
	shift
	for name; do
		[ ${#running[@]} -lt "$most" ] || await_one
		start "$name"
	done
	while [ ${#running[@]} -gt 0 ]; do await_one; done
}

together=() alone=()
for name in "$@"; do
	case " ${ALONE:-} " in
	*" $name "*) alone+=("$name") ;;
	*) together+=("$name") ;;
	esac
done
run "$jobs" "${together[@]}"
run 1 "${alone[@]}"
[ -z "$failures" ] || printf 'failed:%s\n' "$failures"
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ $((passed + failed)) -gt 0 ] && [ "$failed" = 0 ]
