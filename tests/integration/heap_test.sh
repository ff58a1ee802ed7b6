#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The heap on real nodes: undo and reuse, frees of other nodes' objects, roots, malloc in transactions, misuse,
# and plans, whose layouts are checked by the addresses that the program sees.
. "$(dirname "$0")/../lib.sh"
run=$bin/dsmrun
app=$build/tests/integration/heap_app
limit=60
case $build in *tsan) limit=400 ;; esac

# scenario NODES NAME [dsmrun options]: must end with status 0; output in $work/out
scenario() {
	local nodes=$1 name=$2 status
	shift 2
	timeout "$limit" "$run" -n "$nodes" --stats "$work/stats" "$@" "$app" "$name" >"$work/out" 2>"$work/err"
	status=$?
	[ $status = 0 ] || fail "$name on $nodes nodes: status $status: $(head -c 300 "$work/err")"
}
live() { # objects of all nodes at the end
	jq '[.nodes[].counters.objects] | add' "$work/stats"
}

# ---- what scenarios check themselves, and what is left at their end ----

aborts=0
for nodes in 1 2 4; do
	for transport in unix tcp; do
		scenario $nodes undo --transport $transport
		same "live objects after undo on $nodes nodes" "$(live)" $((400 * nodes + 1))
		aborts=$((aborts + $(jq '[.nodes[].counters.aborts] | add' "$work/stats")))
		scenario $nodes foreign --transport $transport
		same "live objects after foreign on $nodes nodes" "$(live)" $((nodes > 1 ? 0 : 3000))
		same "their bytes" "$(jq '[.nodes[].counters.object_bytes] | add' "$work/stats")" $((nodes > 1 ? 0 : 144000))
	done
	scenario $nodes churn
	same "live objects after churn on $nodes nodes" "$(live)" "$(awk '/^live/ { print $2 }' "$work/out")"
	scenario $nodes reuse
	same "live objects after reuse on $nodes nodes" "$(live)" "$nodes"
	scenario $nodes roots
done
[ "$aborts" -gt 0 ] || fail "no attempt was undone by a conflict: the undo scenario has shown nothing"
if [ "$build" = "${build%san}" ]; then # the sanitizers interpose malloc() themselves
	scenario 1 mallocs
	scenario 3 mallocs
	scenario 3 contended-mallocs
	scenario 2 defers
	same "live objects after defers" "$(live)" 0
fi

# ---- misuse: status 2, and the line of the program ----

# misuse NAME TAG TEXT [dsmrun options]
misuse() {
	local line name=$1 tag=$2 text=$3
	shift 3
	line=$(grep -n "line named: $tag \*/" tests/integration/heap_app.c | cut -d: -f1)
	timeout 60 "$run" -n 2 --heap 64M "$@" "$app" "$name" >"$work/out" 2>"$work/err"
	same "status of $name" $? 2
	grep -qF -- "$text" "$work/err" || fail "$name does not say \"$text\" but: $(head -c 400 "$work/err")"
	[ -z "$tag" ] || grep -q "heap_app.c:$line" "$work/err" || fail "$name does not name line $line: $(head -c 400 "$work/err")"
}
misuse free-twice FREE_TWICE "not a live object's start"
misuse free-twice-in-tx FREE_TWICE_IN_TX "this transaction has freed it already"
misuse free-inside FREE_INSIDE "not a live object's start"
misuse free-malloced FREE_MALLOCED "not a DSM object"
misuse free-foreign-twice "" "another node has freed"
misuse use-up USE_UP "share of the DSM (32 MiB) is used up"
misuse huge HUGE "is used up"
misuse use-up USE_UP "dsm_new(char, 1000000): no room for 977 KiB; node"
misuse use-up USE_UP "share of the DSM (512 KiB) is used up; run with a larger --heap (DSM_HEAP), of which each node has an equal part" --heap 1M
misuse second-thread THREAD "in a second thread"

# ---- plans ----

build_id=$(readelf -n "$app" | awk '/Build ID/ { print $3 }')
# The return address of make_cells' call of dsm__new, as an offset in the file.
vaddr=$(objdump -d --no-show-raw-insn "$app" |
	awk '/<make_cells>:$/ { f = 1 } f && /call.*dsm__new/ { getline; sub(":", "", $1); print $1; exit }')
read -r file_offset segment < <(readelf -lW "$app" | awk '/LOAD/ && /R E/ { print $2, $3; exit }')
[ -n "$vaddr" ] || fail "make_cells' call of dsm__new was not found"
offset=$((0x$vaddr - segment + file_offset))

# plan SITE LAYOUT: writes $work/plan
plan() {
	printf '{"schema":"procope.plan/1","program":"heap_app","rules":[{"id":"P1","match":{"type":"struct cell",
	"elem_size":48,"site":[%s]},"layout":{%s},"why":"test","predicted_ns_per_s":1}]}\n' "$1" "$2" >"$work/plan"
}
here="{\"build_id\":\"$build_id\",\"offset\":$offset}"
elsewhere="{\"build_id\":\"$build_id\",\"offset\":$((offset + 1))}"

# laid NODES: runs the layout scenario under the plan; all nodes must agree on the elements' addresses. Sets
# cells[0 1 10 99], other[0 1], and before, after and flat.
laid() {
	scenario "$1" layout --plan "$work/plan"
	same "lines on $1 nodes" "$(grep -c ^cells "$work/out")" "$1"
	same "different addresses on $1 nodes" "$(grep ^cells "$work/out" | sort -u | wc -l)" 1
	read -r -a cells < <(awk '/^cells/ { print $2, $3, $4, $5; exit }' "$work/out")
	read -r -a other < <(awk '/^other/ { print $2, $3 }' "$work/out")
	before=$(awk '/^before/ { print $2 }' "$work/out")
	after=$(awk '/^after/ { print $2 }' "$work/out")
	flat=$(awk '/^flat/ { print $2 }' "$work/out")
}
# distances WHAT A B C: of elements 1, 10 and 99 from element 0
distances() {
	same "$1: distances" "$((cells[1] - cells[0])) $((cells[2] - cells[0])) $((cells[3] - cells[0]))" "$2 $3 $4"
}
# alone: the cells share no page with their neighbours in time
alone() {
	local first=$((cells[0] / 4096)) last=$(((cells[3] + 47) / 4096)) a
	same "$1: offset in its page" $((cells[0] % 4096)) 0
	for a in "$before" "$after" "${other[0]}" "${other[1]}" "$flat"; do
		[ $((a / 4096)) -lt $first ] || [ $((a / 4096)) -gt $last ] || fail "$1: $a is on a page of the cells"
	done
}
for nodes in 1 3; do
	plan "$elsewhere" '"stride":64'
	laid $nodes
	distances "other site" 48 480 4752
	plan "$here" '"isolate":true,"stride":64'
	laid $nodes
	distances stride 64 640 6336
	alone stride
	same "the other call site keeps its stride" $((other[1] - other[0])) 48
	plan "$here" '"block":10,"block_stride":4096'
	laid $nodes
	distances block 48 4096 $((9 * 4096 + 9 * 48))
	plan "$here" '"stride":128,"block":7,"block_stride":1024,"isolate":true'
	laid $nodes
	distances "block and stride" 128 $((1024 + 3 * 128)) $((14 * 1024 + 128))
	alone "block and stride"
	plan "$here" '"isolate":true'
	laid $nodes
	distances isolate 48 480 4752
	alone isolate
	same "the neighbours stay together" $((after - before)) 16
	plan "" '"isolate":true,"stride":96' # any call site of the type; flat arrays move, but are not padded
	laid $nodes
	distances "any site" 96 960 9504
	same "any site: the other" $((other[1] - other[0])) 96
	same "any site: flat array's offset in its page" $((flat % 4096)) 0
done

# Plain indices into an array that a plan has spread would reach other bytes than the program means.
scenario 2 plain-index
for layout in '"isolate":true,"stride":4096' '"isolate":true,"block":10,"block_stride":4096' '"isolate":true,"stride":1024,"block":3,"block_stride":4096'; do
	plan "$here" "$layout"
	misuse plain-index PLAIN_INDEX "access between two elements of an array of struct cell, which rule P1" --plan "$work/plan"
	laid 2
done

plan "{\"build_id\":\"00112233\",\"offset\":$offset}" '"stride":64'
sed 's/heap_app/world/' "$work/plan" >"$work/world"
scenario 1 layout --plan "$work/world"
same "warnings of another program's plan" "$(grep -c 'was made for world, another program; rule P1 is ignored' "$work/err")" 1
laid 3
distances "another build" 48 480 4752
same "warnings" "$(grep -c 'was made for another build of heap_app; rule P1 is ignored' "$work/err")" 1

plan "$here" '"stride":1048576' # 100 MiB of cells do not fit: natural, with a warning
scenario 1 layout --plan "$work/plan" --heap 64M
grep -q "no room left for rule P1" "$work/err" || fail "no word about an arena that is used up: $(cat "$work/err")"

for damage in '"stride":40' '"stride":"x"' '"strid":64'; do
	plan "$here" "$damage"
	timeout 60 "$run" -n 2 --plan "$work/plan" "$app" layout >"$work/out" 2>"$work/err"
	same "status with a plan that says $damage" $? 2
	grep -q "$work/plan: rule P1: " "$work/err" || fail "damaged plan: $(cat "$work/err")"
	same "output in spite of a damaged plan" "$(cat "$work/out")" ""
done

finish
