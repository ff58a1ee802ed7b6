#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A bounded buffer that waits by looking again (docs/api.md), under all three models, 1 to 5 nodes, also watched by --strict.
. "$(dirname "$0")/../lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
"${CC:-gcc}" -g -O2 -I"$here/../../dsmcore/include" "$here/bounded.c" -o "$work/bounded" -L"$build/lib" -ldsm \
	-Wl,-rpath,"$(cd "$build/lib" && pwd)" || fatal "bounded.c does not compile"
works() { # JOBS OPTION...
	local jobs=$1
	shift
	expect 0 '' "$bin/dsmrun" --timeout 60 "$@" "$work/bounded" "$jobs"
	check "$*: each job is done once" has "$jobs of $jobs jobs"
}
for model in tx sc rc; do
	for nodes in 1 2 3 5; do
		works 2000 -n $nodes --consistency $model
	done
	works 300 -n 4 --strict --consistency $model
done
finish
