#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# An object of 16 GiB in a DSM of 64 GiB, of which two nodes touch a few pages: only these cost memory. And one
# of which they use all pages: the tables are at most 2 % of them, at the node that is home of all, too.
set -u
BUILD=${BUILD:-build}
case $BUILD in *asan* | *tsan*) echo "a sanitizer's own tables would be measured"; exit 77 ;; esac

timeout 120 "$BUILD/bin/dsmrun" -n 2 --heap 64G "$BUILD/tests/integration/big" 16 64 >"$TMPDIR/out" || exit 1
cat "$TMPDIR/out"
[ "$(grep -c '^node ' "$TMPDIR/out")" = 2 ] || { echo "not both nodes have finished"; exit 1; }
# In KiB. 16 GiB are 16777216: the object's bookkeeping at its node is 0.1 % of that.
awk -F'[ ,:]+' '
	$4 > 20000 { print "a DSM of 64 GiB costs", $4, "KiB before it is used"; bad = 1 }
	$6 > 33554 { print "an object of 16 GiB costs", $6, "KiB before it is used"; bad = 1 }
	$10 > 4096 { print "128 pages cost", $10, "KiB"; bad = 1 }
	END { exit bad }' "$TMPDIR/out"

# Each page written by one node and read by the other.
timeout 300 "$BUILD/bin/dsmrun" -n 2 --heap 2G "$BUILD/tests/integration/big" 512M 65536 >"$TMPDIR/full" || exit 1
cat "$TMPDIR/full"
[ "$(grep -c '^node ' "$TMPDIR/full")" = 2 ] || { echo "not both nodes have finished"; exit 1; }
awk -F'[ ,:]+' '
	$8 != 131072 { print "not all pages were used:", $8; bad = 1 }
	{ printf "node %d: %.1f bytes for a page in use, %.2f %%\n", $2, $10 * 1024 / $8, $10 * 25.6 / $8 }
	$10 * 1024 > $8 * 4096 * 0.02 { print "that is more than 2 %"; bad = 1 }
	END { exit bad }' "$TMPDIR/full"
