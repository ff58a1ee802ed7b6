#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# tests/lint.sh CPPFLAGS...: layout, a second compiler, and two static analysers over all C files.
set -u
status=0
quiet=$(mktemp)
clang=${CLANG:-clang}
mapfile -t sources < <(git ls-files '*.c' | grep -v '\.bpf\.c$')
mapfile -t all < <(git ls-files '*.c' '*.h')

# Debian's packages of one version know the tools by that version
tool() { command -v "$1" || command -v "$1-14" || echo "$1"; }
clang_format=$(tool clang-format)
clang_tidy=$(tool clang-tidy)
export clang_tidy

step() { printf '  LINT    %s\n' "$1"; }

step "layout (clang-format)"
"$clang_format" --dry-run -Werror "${all[@]}" >"$quiet" 2>&1 || {
	grep -E 'error:' "$quiet" | sort -u | head -n 20
	status=1
}

step "clang -Wall -Wextra"
for f in "${sources[@]}"; do
	"$clang" "$@" -std=gnu17 -O1 -Wall -Wextra -Werror -fsyntax-only "$f" || status=1
done

step "cppcheck"
cppcheck --quiet -D__cppcheck__ --std=c11 --enable=warning,portability --inline-suppr --error-exitcode=1 --suppress=missingIncludeSystem \
	--suppress=unknownMacro --suppress=uninitvar --suppress=preprocessorErrorDirective -j2 "$@" "${sources[@]}" || status=1

step "clang-tidy"
checks='-*,clang-analyzer-core.*,clang-analyzer-unix.*,clang-analyzer-deadcode.*,bugprone-sizeof-*,bugprone-suspicious-*'
checks="$checks,bugprone-string-*,-bugprone-suspicious-include,-bugprone-suspicious-string-compare"
export checks flags="$*"
# shellcheck disable=SC2016 # expanded by the inner shell
printf '%s\n' "${sources[@]}" | xargs -P 2 -n 8 bash -c \
	'"$clang_tidy" --quiet --warnings-as-errors="*" --checks="$checks" "$@" -- $flags -std=gnu17 2>"$0"' "$quiet" || status=1

step "shell scripts (bash -n)"
git ls-files '*.sh' .ci/run .ci/deps | xargs -n 1 bash -n || status=1
[ $status = 0 ] && echo "lint: clean"
exit $status
