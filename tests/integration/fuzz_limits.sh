#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# make fuzz FUZZ_SECONDS=...: what is no time is refused, and 0 seconds end.
. "$(dirname "$0")/../lib.sh"
fuzz() { # seconds
	run env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u SANITIZE make --no-print-directory fuzz FUZZERS=fuzz_address FUZZ_SECONDS="$1"
}

limit=120
fuzz 0
check "the seeds alone" code 0
check "says what ran" has "fuzz_address for 0 s"
for time in -1 x 1.5 ''; do
	fuzz "$time"
	check "FUZZ_SECONDS='$time'" code 2
	check "names it" says "FUZZ_SECONDS is '$time'"
done
finish
