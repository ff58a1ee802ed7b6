#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# tests/coverage.sh BUILD: line coverage of the last run of the tests, per file (gcov).
set -eu
find "$1/obj" -name '*.gcda' -print0 | xargs -0 gcov -n -r 2>/dev/null |
	awk -F"'" '/^File/ { f = $2 } /^Lines executed/ && f ~ /^(dsmcore|collector|analyzer|viewer|apps)\// { sub("Lines executed:", ""); print $0, f; f = "" }' |
	sort -n
