#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# An access inside a library function (memcpy), whose source nobody has at hand: the report tells it by the program's line.
. "$(dirname "$0")/../lib.sh"
here=$(cd "$(dirname "$0")" && pwd)

cat >"$work/copy.c" <<'END'
#include <dsm.h>
#include <string.h>
struct block { char byte[4096 * 16]; };
int main(void)
{
	static struct block mine;
	if (dsm_node() == 0)
		dsm_root_set("block", dsm_new(struct block, 1));
	dsm_barrier();
	struct block *b = dsm_root("block");
	for (int i = 0; i < 20; i++) {
		memset(&mine, i + 1, sizeof(mine));
		if (dsm_node() == i % 2)
			DSM_TX { memcpy(b, &mine, sizeof(mine)); } /* line 14 */
		dsm_barrier();
	}
}
END
cd "$work" || exit 1
case $build in /*) ;; *) build=$OLDPWD/$build bin=$OLDPWD/$bin ;; esac
"${CC:-gcc}" -g -O2 -fno-builtin -I"$here/../../dsmcore/include" copy.c -o copy -L"$build/lib" -ldsm -Wl,-rpath,"$build/lib" ||
	fatal "copy.c does not compile"
timeout 60 "$bin/dsmrun" -n 2 --consistency sc --source ring --monitor=t.dsmt ./copy >out 2>&1 || fatal "status $?: $(tail -n 5 out)"
timeout 60 "$bin/dsmreport" --top 50 t.dsmt >report 2>err || fatal "no report: $(cat err)"
checks=2
grep -qE '^  block .* fetch.* to write at [^ ]+, after copy.c:14 \(main\)$' report ||
	fail "memcpy's fetches are not told by the program's line: $(grep '^  block' report)"
! grep -E '^  block .* at [^ ]*(libc|[.]S:)[^,]*$' report || fail "a library's line alone is shown"
finish
