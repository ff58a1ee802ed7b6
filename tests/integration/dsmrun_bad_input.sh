#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Bad usage and bad input: a message that names the thing, status 2, nothing started, nothing written.
. "$(dirname "$0")/dsmrun_lib.sh"

no() { # no TEXT dsmrun-arguments...
	local text=$1
	shift
	expect 2 "$text" "$dsmrun" "$@"
	[ ! -s "$work/out" ] || fail "dsmrun $* prints on stdout: $(head -c 200 "$work/out")"
}

no 'which program' -n 2
for n in 0 -1 257 1000 4x '' 99999999999999999999; do
	no "number of nodes '$n': give 1 to 256" -n "$n" "$member" pass
done
no "number of nodes '0'" -n=0 "$member" pass
no "number of nodes '=2'" -n =2 "$member" pass
no "--monitor: its value is empty" -m= "$member" pass
no 'unrecognized option' --frobnicate "$member" pass
no 'requires an argument' --heap
for s in 0 12 1X 64MM -1 '' 99999999999G 2000G; do
	no "heap size '$s'" --heap "$s" "$member" pass
done
no 'too small for 256 nodes' -n 256 --heap 1M "$member" pass
for s in 0 4K 3M 64 2G; do
	no "ring size '$s': give a power of two" --ring-size "$s" "$member" pass
done
no "transport 'ipx': give shm, unix, tcp" --transport ipx "$member" pass
echo 00 >"$work/key"
chmod 600 "$work/key"
no "key file '$work/key': it must hold 64" --transport tcp --key-file "$work/key" "$member" pass
od -An -tx1 -N32 /dev/urandom | tr -d ' \n' >"$work/key"
no 'a key file is of no use with the transport insecure-tcp' --transport insecure-tcp --key-file "$work/key" "$member" pass
chmod 644 "$work/key"
no "key file '$work/key': others may read .* mode 0600" --transport tcp --key-file "$work/key" "$member" pass
no "key file '$work/none': No such file" --transport tcp --key-file "$work/none" "$member" pass
expect 2 'variable DSM_KEY_FILE: key file' env DSM_KEY_FILE="$work/none" "$dsmrun" -n 2 "$member" pass
no "source 'tea': give auto, bpf or ring" --source tea "$member" pass
no "timeout '0'" --timeout 0 "$member" pass
no "microscope share '1001'" --microscope 1001 "$member" pass
no "plan '$work/none': No such file" --plan "$work/none" "$member" pass
no "plan '$work' is not a file" --plan "$work" "$member" pass
# A damaged plan is told once, not by each node.
printf '{"schema": "procope.plan/1",\n"program": "x", "rules": [' >"$work/cut.json"
no "plan $work/cut.json: line 2: the file ends too early" -n 4 --plan "$work/cut.json" "$member" pass
same "messages about a damaged plan" "$(wc -l <"$work/err")" 1
echo '{}' >"$work/empty.json"
expect 2 'plan .*empty.json: "schema" is missing' env DSM_PLAN="$work/empty.json" "$dsmrun" -n 2 "$member" pass
no "history folder '$work/none/it': the folder that it would be in: No such file or directory; make that first" \
	--history "$work/none/it" "$member" pass
no "history folder .*member/it': Not a directory" --history "$member/it" "$member" pass
ln -s "$work/nowhere/it" "$work/dangling"
no "history folder '$work/dangling': No such file" --history "$work/dangling" "$member" pass
no "interface 'lo' is for connections between hosts: name those with --hosts or --hostfile" --interface lo -n 2 "$member" pass
expect 0 '' env DSM_INTERFACE=lo "$dsmrun" -n 2 "$member" pass # which says how, if there are hosts
no "history folder .* is not a folder" --history "$member" "$member" pass
no "statistics file '/nonexistent/x'" --stats /nonexistent/x "$member" pass
no "statistics file '$work' is a folder" --stats "$work" "$member" pass
# "-m FILE PROGRAM", whether or not there is such a file from last time
no "'none.dsmt' is no program; if it is to be the trace, write --monitor=none.dsmt or -mnone.dsmt" -m none.dsmt "$member" pass
: >"$work/old"
no "'$work/old' is no program; if it is to be the trace, write --monitor=$work/old" -n 2 -m "$work/old" "$member" pass
no "program 'none.dsmt': No such file" -m none.dsmt pass
no "trace file '/nonexistent/x'" --monitor=/nonexistent/x "$member" pass
# A host's part of the trace: what is in its place stays, and no other host's is left.
mkdir "$work/several.dsmt.beta.part"
no "trace that is of host 'beta', .*several.dsmt.beta.part': Is a directory" --hosts alpha:1,beta:1 --rsh false \
	--monitor="$work/several.dsmt" "$member" pass
same "parts left" "$(find "$work" -name 'several.dsmt.*' -printf '%f ')" "several.dsmt.beta.part "
rmdir "$work/several.dsmt.beta.part"
# What a shell makes of "$UNSET".
for o in plan history key-file fabric monitor; do
	no "--$o: its value is empty" "--$o=" "$member" pass
done

no "program 'no-such-program-here': No such file" -n 2 no-such-program-here
no "program './no-such'" -n 2 ./no-such
no 'is a folder, not a program' -n 2 "$work"
touch "$work/plain"
no "is not executable" -n 2 "$work/plain"
printf 'neither fish nor fowl' >"$work/text"
chmod +x "$work/text"
no 'wrong format' -n 2 "$work/text"
(cd "$work" && printf '#!/bin/sh\n' >here && chmod +x here)
dsmrun_path=$(realpath "$dsmrun")
(cd "$work" && timeout 20 "$dsmrun_path" -n 2 here 2>&1 | grep -qF "did you mean './'") || fail "no hint about ./"

# A name cannot feign a line of its own or steer the terminal.
no "program './a\\\\nb\\\\x1b\\[31m\\\\xc2\\\\x9bä': No such" -n 2 $'./a\nb\e[31m\xc2\x9b\xc3\xa4'
same "lines about an odd name" "$(wc -l <"$work/err")" 1
# What cannot be written is no success.
if [ -c /dev/full ]; then
	for o in --help --version; do
		for p in dsmrun:2 dsmbench:2 dsmcheck:2 dsmverify:2 dsmgate:2 dsmreport:1 dsmtop:1 dsmcollect:1; do
			"$build/bin/${p%:*}" $o >/dev/full 2>"$work/err"
			same "status of $p $o on a full device" $? "${p#*:}"
			p=${p%:*}
			grep -q "^$p: standard output: .*No space left" "$work/err" || fail "$p $o says: $(cat "$work/err")"
		done
	done
fi
if [ -c /dev/full ]; then
	timeout 60 "$dsmrun" --prefix -n 2 "$member" talk >/dev/full 2>"$work/err"
	same "status of a run whose output is lost" $? 2
	same "lost output is named once" "$(grep -c "nodes' output cannot be written: No space left" "$work/err")" 1
fi
mkdir "$work/history"
mkfifo "$work/history/node-0.dsmh"
expect 2 'node-0.dsmh: not a history file' "$build/bin/dsmverify" "$work/history"

# A file without an end, and without lines, is no host file; a folder neither.
limit=10 no 'zero:1: the line is too long' --hostfile /dev/zero "$member" pass
no "host file '$work': Is a directory" --hostfile "$work" "$member" pass
no "host 'a.*b': not a host" --hosts $'a\nb:2' "$member" pass
no "host '-oProxyCommand=x': not a host" --hosts=-oProxyCommand=x:1 "$member" pass
case $build in
*asan* | *tsan*) ;; # the sanitizer's own tables are larger than any limit
*) expect 2 'use a smaller --heap' bash -c 'ulimit -v 400000; exec "$@"' - "$dsmrun" -n 1 --heap 8G "$build/apps/world" --steps 1 ;;
esac
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then # what cannot be looked at is not called a plain file
	mkdir -m 700 "$work/closed"
	cp "$member" "$work/closed/member"
	cp "$dsmrun" "$work/bin-dsmrun"
	chmod 755 "$work"
	as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	if "${as_nobody[@]}" test -x "$work/bin-dsmrun"; then
		expect 2 "program '$work/closed/member': Permission denied" "${as_nobody[@]}" "$work/bin-dsmrun" "$work/closed/member"
	fi
fi

# A monitor without dsmcollect.
mkdir "$work/bin"
cp "$dsmrun" "$work/bin/dsmrun"
expect 2 'needs dsmcollect beside dsmrun' "$work/bin/dsmrun" --monitor="$work/t.dsmt" -n 2 "$member" pass

expect 0 '' "$dsmrun" --help
grep -q '^Usage: dsmrun' "$work/out" || fail "--help prints no usage"
# One version, in one format, of all programs and of the library.
version=$(sed -n 's/^Version: //p' "$build/lib/pkgconfig/dsm.pc")
for p in dsmrun dsmcollect dsmreport dsmtop dsmgate dsmbench dsmverify dsmcheck; do
	"$build/bin/$p" --version >"$work/out" 2>&1
	same "status of $p --version" $? 0
	grep -qE "^$p ${version//./\\.} \(Procope(; [a-z][a-z0-9./ ]*)?\)\$" "$work/out" && [ "$(wc -l <"$work/out")" = 1 ] ||
		fail "$p --version prints: $(cat "$work/out")"
done
# Every option that the help names is in the manual page.
for o in $(grep -oE -- '--[a-z-]+' "$work/../$(basename "$work")/help" 2>/dev/null || "$dsmrun" --help | grep -oE -- '--[a-z-]+' | sort -u); do
	grep -qF -- "${o//-/\\-}" docs/man/dsmrun.1 || fail "the manual page does not mention $o"
done
[ -z "$(find "$work" -name '*.dsmt*')" ] || fail "a trace was left: $(find "$work" -name '*.dsmt*')"
nobody_left "after bad input"
finish
