#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Paths and structures in shared memory that the program hands to the kernel.
set -u
BUILD=${BUILD:-build}
case $BUILD in
*asan* | *tsan*)
	echo "the sanitizer wraps these calls itself"
	exit 77
	;;
esac
folder=$TMPDIR/paths
for transport in shm unix; do
	rm -rf "$folder"
	mkdir "$folder" || exit 1
	timeout 60 "$BUILD/bin/dsmrun" -n 2 --transport $transport "$BUILD/tests/integration/paths" "$folder" || exit 1
	[ -z "$(ls -A "$folder")" ] || { echo "left in the folder: $(ls -A "$folder")"; exit 1; }
done
# Under --strict it is named.
mkdir -p "$folder"
timeout 60 "$BUILD/bin/dsmrun" -n 2 --strict "$BUILD/tests/integration/paths" "$folder" 2>"$TMPDIR/err" || { cat "$TMPDIR/err"; exit 1; }
grep -q 'strict: .*access() .*paths\.c' "$TMPDIR/err" || { echo "--strict does not name access():"; cat "$TMPDIR/err"; exit 1; }
