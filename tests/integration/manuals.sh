#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Manual pages say what the programs know: each option of --help has its entry there, each entry is named by --help, and dsm(3) names all that dsm.h offers.
. "$(dirname "$0")/../lib.sh"

# The options of the entries (.TP or .TQ and the line below it, in .SH OPTIONS) of a page.
entries() { # PAGE
	awk '/^\.SH /{inside = $2 == "OPTIONS"} inside && entry {print; entry = 0} inside && /^\.T[PQ]/ {entry = 1}' "$1" |
		sed 's/\\-/-/g; s/\\f.//g' | words
}
words() { grep -oE -- '(^|[^a-zA-Z0-9-])--?[a-zA-Z][a-z0-9-]*' | grep -oE -- '--?[a-zA-Z][a-z0-9-]*' | sort -u; }
# Of a --help the lines that begin with an option.
offered() { grep -E '^ {1,8}-' | sed -E 's/^( *(-[a-zA-Z],? +)?(--[a-z-]+)?).*/\1/' | words; }

for page in docs/man/*.1; do
	name=$(basename "$page" .1)
	"$bin/$name" --help >"$work/help" 2>"$work/err"
	same "status of $name --help" $? 0
	entries "$page" >"$work/told"
	offered <"$work/help" >"$work/offered"
	words <"$work/help" >"$work/mentioned"
	[ "$(wc -l <"$work/offered")" -ge 3 ] || fail "$name --help: its options are not found: $(cat "$work/offered")"
	for o in $(comm -23 "$work/offered" "$work/told"); do fail "$page has no entry for $o of $name --help"; done
	for o in $(comm -13 "$work/mentioned" "$work/told"); do fail "$name --help does not name $o, which $page describes"; done
done

# What dsm.h offers: functions and macros of its own, but for what begins with dsm__ (and the guards).
grep -oE '\b(dsm_[a-z][a-z_]*\(|DSM_TX[A-Z_]*|DSM_READ|DSM_WRITE|DSM_PAGE_SIZE)' dsmcore/include/dsm.h | tr -d '(' | sort -u >"$work/names"
[ "$(wc -l <"$work/names")" -ge 20 ] || fail "dsm.h: its names are not found: $(cat "$work/names")"
while read -r name; do
	grep -qw -- "$name" docs/man/dsm.3 || fail "dsm(3) does not mention $name"
	grep -qw -- "$name" docs/api.md || fail "docs/api.md does not mention $name"
done <"$work/names"

# `make help` tells of each target that a document names.
run make -s help
same "status of make help" "$rc" 0
grep -ohE '(`|^ *)make [a-z]+' README.md docs/*.md docs/man/*.1 | sed -E 's/.*make //' | sort -u >"$work/targets"
[ "$(wc -l <"$work/targets")" -ge 5 ] || fail "targets in the documents are not found: $(cat "$work/targets")"
while read -r name; do
	grep -qE "^make ([a-z]+ )*$name " "$work/out" || fail "make help does not tell of $name"
done <"$work/targets"
finish
