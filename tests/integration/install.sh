#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# make install: only programs of our own name among the user's, examples apart from them, and all of it works where it lies.
. "$(dirname "$0")/../lib.sh"
root=$work/root prefix=/opt/procope
tree=$root$prefix

env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory install DESTDIR="$root" PREFIX=$prefix >"$work/log" 2>&1 ||
	fail "make install: $(tail -n 5 "$work/log")"
same "programs without dsm in their names" "$(ls "$tree/bin" | grep -v '^dsm')" ''
for p in dsmrun dsmcollect dsmreport dsmtop dsmgate dsmbench dsmverify dsmcheck; do
	[ -x "$tree/bin/$p" ] || fail "$p is not installed"
done
examples=$tree/lib/procope/examples
for p in world sor mgs raytracer kmeans tsp lu hashmap; do
	[ -x "$examples/$p" ] && [ -x "$examples/$p-sequential" ] || fail "the example $p is not installed"
done

# They find libdsm and their scenes from there.
limit=120
run "$tree/bin/dsmrun" -n 2 "$examples/raytracer" --size 32 --json
check "an installed example under the installed dsmrun" code 0
check "has checked its picture" has '"checksum'
run "$tree/bin/dsmrun" -n 2 "$examples/world" --steps 20 --json
check "world and its scene" code 0
check "the installed libdsm is used" bash -c "ldd '$examples/sor' | grep -q '=> $(realpath "$examples")/../../libdsm.so'"
run "$tree/bin/dsmcheck" --json
check "dsmcheck beside them" code 0
check "finds the installed raytracer" bash -c "jq -e '.checks[] | select(.name == \"libpng\") | .detail | test(\"which is not here\") | not' '$work/out' >/dev/null"

# A program of the user's, by pkg-config.
export PKG_CONFIG_PATH=$tree/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
same "version of dsm.pc" "$(pkg-config --modversion dsm)" "$("$tree/bin/dsmrun" --version | cut -d' ' -f2)"
same "folder of the examples" "$(env -u PKG_CONFIG_SYSROOT_DIR pkg-config --variable=examplesdir dsm)" "$prefix/lib/procope/examples"
if [ -z "${SANITIZE:-}" ]; then # whose run-time library would have to be linked, too
	printf '#include <dsm.h>\nint main(void) { dsm_barrier(); return dsm_nodes() != 2; }\n' >"$work/two.c"
	# shellcheck disable=SC2046
	check "a program with dsm.pc" ${CC:-gcc} "$work/two.c" -o "$work/two" $(pkg-config --cflags --libs dsm)
	run env LD_LIBRARY_PATH="$tree/lib" "$tree/bin/dsmrun" -n 2 "$work/two"
	check "runs on two nodes" code 0
fi
for page in docs/man/*.[13]; do
	[ -n "$(find "$tree/share/man/man${page##*.}" -name "${page##*/}")" ] || fail "no manual page $page"
done

# The documents, and what they refer to.
docs=$tree/share/doc/procope
for page in README.md LICENSE docs/*.md docs/pictures/*; do
	[ -s "$docs/${page#docs/}" ] || fail "$page is not installed"
done
same "links of the installed documents that lead nowhere" "$(cd "$docs" && grep -o '](\([^)# ]*\)' ./*.md | sed 's|^./||; s|:\](| |' |
	while read -r page link; do
		case $link in '' | http*) continue ;; esac
		[ -e "$link" ] || echo "$page: $link"
	done)" ''
same "files outside PREFIX" "$(cd "$root" && find . -type f ! -path ".$prefix/*")" ''
finish
