#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# make compare: the example programs under each consistency model, beside their sequential and MPI twins.
#
# Each app is run several times under each model, layout and number of nodes; the runs that are compared take turns, so
# that what else the machine does meets them all. runs.jsonl has one line a run; rows.jq makes the medians of it,
# table.jq the text, plot.jq the picture.
set -u
here=$(dirname "$0")
build=${BUILD:-build}
bin=$build/bin
apps_dir=$build/apps
out=$build/compare

known_apps='sor mgs raytracer kmeans tsp lu hashmap world'
often='sor mgs raytracer' # more runs: the applications that have MPI twins
known_models='tx tx-undone sc rc'
known_layouts='natural tuned'

usage() {
	cat <<END
Usage: apps/compare/compare.sh [OPTION]...     or     make compare [QUICK=1] [COMPARE="OPTION..."]
Runs the example programs under each consistency model and beside their sequential and MPI twins, and compares time,
faults, transfers, aborts and lost time.

      --apps LIST         of: ${known_apps// /,} (default: all)
      --models LIST       of: ${known_models// /,} (default: all); tx-undone is tx with --no-independent,
                          for apps and layouts with loops that promise to be independent
      --nodes LIST        numbers of nodes (default: 1,2,4)
      --layouts LIST      of: ${known_layouts// /,} (default: both; tuned with --quick); world has one only
      --size APP=N        another size for an app (world: steps of each node); may be given several times
      --transport KIND    of dsmrun (default: insecure-tcp); with one of tcp the MPI twin uses TCP, too
      --repeat N          runs of each, of which the median counts (default: 5 of ${often// /, }, 3 of the others;
                          1 with --quick)
      --quick             small sizes, about a minute
      --out FOLDER        for compare.txt, compare.json, compare.svg, runs.jsonl (default: BUILD/compare)
  -h, --help              this text

A run that fails or takes more than 5 minutes is told in its row, and the others go on. Ctrl-C ends it with the results of
the runs so far.

Exit code: 0; 1 a run failed or gave a wrong result (the rows say which); 2 bad usage; 130 interrupted.
END
}
bad() {
	echo "compare: $*" >&2
	exit 2
}
# list_of WHAT LIST KNOWN: the words of a list with commas, each one of the known
list_of() {
	local word
	[ -n "$2" ] || bad "--$1 needs at least one of: $3"
	for word in ${2//,/ }; do
		case " $3 " in
		*" $word "*) ;;
		*) bad "--$1: \"$word\" is not one of: $3" ;;
		esac
	done
	echo "${2//,/ }"
}
number() { # WHAT TEXT LEAST MOST
	[[ $2 =~ ^[0-9]{1,9}$ ]] && [ "$2" -ge "$3" ] && [ "$2" -le "$4" ] || bad "--$1: \"$2\" is not a number from $3 to $4"
	echo $((10#$2))
}

# What is computed: large enough that most runs take seconds, and small enough for half an hour in all; or for a minute.
declare -A size=([sor]=2000 [mgs]=2048 [raytracer]=500 [kmeans]=60000 [tsp]=17 [lu]=1024 [hashmap]=50000 [world]=20000)
declare -A quick_size=([sor]=1000 [mgs]=512 [raytracer]=150 [kmeans]=20000 [tsp]=14 [lu]=512 [hashmap]=50000 [world]=5000)
declare -A own_size=()
apps=$known_apps models=$known_models nodes='1 2 4' layouts='' transport=insecure-tcp repeat='' quick=''

while [ $# -gt 0 ]; do
	option=$1
	case $option in
	--apps | --models | --nodes | --layouts | --size | --transport | --repeat | --out)
		[ $# -gt 1 ] || bad "$option needs a value"
		value=$2
		shift
		;;
	esac
	case $option in
	--apps) apps=$(list_of apps "$value" "$known_apps") || exit ;;
	--models) models=$(list_of models "$value" "$known_models") || exit ;;
	--layouts) layouts=$(list_of layouts "$value" "$known_layouts") || exit ;;
	--nodes)
		nodes=
		for n in ${value//,/ }; do nodes+=" $(number nodes "$n" 1 256)" || exit; done
		[ -n "$nodes" ] || bad "--nodes needs at least one number"
		;;
	--size)
		[[ $value == *=* ]] || bad "--size: \"$value\" is not APP=N"
		list_of size "${value%%=*}" "$known_apps" >/dev/null || exit
		own_size[${value%%=*}]=$(number size "${value#*=}" 1 999999999) || exit
		;;
	--transport) transport=$(list_of transport "$value" "shm unix tcp insecure-tcp") || exit ;;
	--repeat) repeat=$(number repeat "$value" 1 1000) || exit ;;
	--out) out=$value ;;
	--quick) quick=1 ;;
	-h | --help)
		usage
		exit 0
		;;
	*) bad "unknown option: $option (--help lists them)" ;;
	esac
	shift
done
[ -n "$layouts" ] || layouts=${quick:+tuned}
[ -n "$layouts" ] || layouts=$known_layouts
[ -n "$repeat" ] || repeat=${quick:+1}
repeats_of() { # APP
	if [ -n "$repeat" ]; then
		echo "$repeat"
	else
		case " $often " in *" $1 "*) echo 5 ;; *) echo 3 ;; esac
	fi
}

for program in "$bin/dsmrun" "$apps_dir/sor"; do
	[ -x "$program" ] || bad "$program is missing: run make first"
done
command -v jq >/dev/null || bad "jq is missing: install it"
mpi=''
if [ -x "$apps_dir/sor-mpi" ] && command -v mpirun >/dev/null; then
	mpi=1
	export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
mkdir -p "$out" || exit 1
work=$(mktemp -d "$out/.run.XXXXXX") || exit 1
child=''
# What has been done until then is a result, too.
interrupted() {
	trap '' INT TERM HUP
	if [ -n "$child" ]; then
		kill -TERM "$child" 2>/dev/null
		wait "$child" 2>/dev/null
	fi
	clear_bar
	# The last line may be cut off.
	jq -R -c 'fromjson? // empty' "$work/runs.jsonl" >"$work/whole" 2>/dev/null
	if [ -s "$work/whole" ] && mv "$work/whole" "$work/runs.jsonl" && put_together 1; then
		echo "compare: interrupted after $(wc -l <"$out/runs.jsonl") of $all_runs runs; what they gave is in $out" >&2
	else
		echo "compare: interrupted; no result was written" >&2
	fi
	exit 130
}
trap interrupted INT TERM HUP
trap 'rm -rf "$work"' EXIT

# ---- progress ----
bar=''
[ ! -t 2 ] || bar=1
done_runs=0 all_runs=0
clear_bar() { [ -z "$bar" ] || printf '\r\033[K' >&2; }
show_bar() { # WHAT
	[ -n "$bar" ] || return 0
	local width=30 filled=$((done_runs * 30 / all_runs)) text left=''
	printf -v text '%*s' "$filled" ''
	[ $done_runs -lt 10 ] || left=", about $(((SECONDS * (all_runs - done_runs) / done_runs + 59) / 60)) min left"
	printf '\rcompare [%s%*s] %d/%d%s  %s\033[K' "${text// /#}" $((width - filled)) '' "$done_runs" "$all_runs" "$left" "$1" >&2
}

# ---- runs ----
# one NAME COMMAND...: runs it; its output is in $work/result, what it said in $work/said. Sets $status.
one() {
	show_bar "$1"
	shift
	done_runs=$((done_runs + 1))
	rm -f "$work/result" "$work/stats"
	timeout --foreground -k 10 300 "$@" >"$work/result" 2>"$work/said" </dev/null &
	child=$!
	wait "$child"
	status=$?
	child=''
}
# record APP KIND MODEL LAYOUT NODES: one line of runs.jsonl from what the last run left
record() {
	local result=$work/result stats=$work/stats said
	[ "$status" = 0 ] && jq -e . "$result" >/dev/null 2>&1 || echo null >"$result"
	[ -s "$stats" ] || echo null >"$stats"
	said=$(head -c 300 "$work/said" | tr '\n' ' ')
	jq -n -c --arg app "$1" --arg kind "$2" --arg model "$3" --arg layout "$4" --argjson nodes "$5" --argjson size "$(size_of "$1")" \
		--argjson status "$status" --arg said "$said" --slurpfile result "$result" --slurpfile stats "$stats" \
		'{app: $app, kind: $kind, model: ($model | rtrimstr("-undone")), independent: ($model != "tx-undone"), layout: $layout, nodes: $nodes, size: $size, status: $status, said: $said,
		result: $result[0], stats: ($stats[0] | if . then {totals, phases} else null end)}' >>"$work/runs.jsonl"
}
size_of() { echo "${own_size[$1]:-${quick:+${quick_size[$1]}}}" | grep . || echo "${size[$1]}"; }
has_mpi() { [ -n "$mpi" ] && [ -x "$apps_dir/$1-mpi" ]; }

# What an app is told. The work of world grows with the nodes: its twin walks the avatars of as many.
arguments() { # APP LAYOUT
	if [ "$1" = world ]; then echo "--steps $(size_of "$1") --json"; else echo "--size $(size_of "$1") --layout $2 --json"; fi
}

# shellcheck disable=SC2046 # arguments are words
run_sequential() { # APP LAYOUT NODES
	one "$1, sequential twin, $2" "$apps_dir/$1-sequential" $(arguments "$1" "$2") $([ "$1" != world ] || echo "--groups $3")
	record "$1" sequential none "$2" "$3"
}
# shellcheck disable=SC2046
run_dsm() { # APP LAYOUT MODEL NODES
	local undone=()
	[ "$3" != tx-undone ] || undone=(--no-independent)
	one "$1, $3, $4 nodes, $2" "$bin/dsmrun" -n "$4" --consistency "${3%-undone}" "${undone[@]}" --transport "$transport" --timeout 280 \
		--stats "$work/stats" "$apps_dir/$1" $(arguments "$1" "$2")
	record "$1" dsm "$3" "$2" "$4"
}
# shellcheck disable=SC2046
run_mpi() { # APP LAYOUT NODES
	local wire=() bind=core
	case $transport in *tcp) wire=(--mca btl 'self,tcp' --mca btl_tcp_if_include lo) ;; esac
	[ "$3" -le "$(nproc)" ] || bind=none
	one "$1, MPI, $3 ranks, $2" mpirun --oversubscribe --bind-to $bind "${wire[@]}" -n "$3" "$apps_dir/$1-mpi" \
		$(arguments "$1" "$2")
	record "$1" mpi none "$2" "$3"
}
layouts_of() { if [ "$1" = world ]; then echo natural; else echo "$layouts"; fi; }
# Where loops promise to be independent; elsewhere tx-undone would be tx once more.
models_of() { # APP LAYOUT
	local model
	for model in $models; do
		case $model,$1,$2 in
		tx-undone,sor,* | tx-undone,mgs,* | tx-undone,raytracer,* | tx-undone,kmeans,*) ;;
		tx-undone,lu,natural | tx-undone,hashmap,tuned) ;;
		tx-undone,*) continue ;;
		esac
		echo "$model"
	done
}
# each COMMAND: calls it for everything that is to be run once
each() {
	local app layout model n
	for app in $apps; do
		for layout in $(layouts_of "$app"); do
			[ -n "$(models_of "$app" "$layout")" ] || continue
			[ "$app" = world ] || "$1" run_sequential "$app" "$layout" 1
			for n in $nodes; do
				[ "$app" != world ] || "$1" run_sequential "$app" "$layout" "$n"
				for model in $(models_of "$app" "$layout"); do "$1" run_dsm "$app" "$layout" "$model" "$n"; done
				! has_mpi "$app" || "$1" run_mpi "$app" "$layout" "$n"
			done
		done
	done
}
count() { all_runs=$((all_runs + $(repeats_of "$2"))); }
perform() { "$@"; }

# ---- what came of it ----
# put_together INTERRUPTED: the table, the picture and all figures from the runs that there are
put_together() {
	local f
	jq -s -f "$here/rows.jq" --arg when "$began" --arg kernel "$(uname -r)" --arg load "$load" --argjson cores "$(nproc)" \
		--arg transport "$transport" --argjson repeat "${repeat:-null}" --argjson quick "${quick:-0}" --argjson mpi_here "${mpi:-0}" \
		--argjson wanted "$all_runs" --argjson interrupted "$1" "$work/runs.jsonl" >"$work/compare.json" &&
		jq -r -f "$here/table.jq" "$work/compare.json" >"$work/compare.txt" &&
		jq -r -f "$here/plot.jq" "$work/compare.json" >"$work/compare.svg" || return
	for f in runs.jsonl compare.json compare.txt compare.svg; do mv "$work/$f" "$out/$f" || return; done
}

each count
[ $all_runs -gt 0 ] || bad "--models $models: no loop of these apps and layouts promises to be independent"
began=$(date -u +%Y-%m-%dT%H:%M:%SZ)
load=$(cut -d' ' -f1 /proc/loadavg)
all_apps=$apps
for apps in $all_apps; do # one after the other, so that what is compared lies close together
	for ((turn = $(repeats_of "$apps"); turn; turn--)); do each perform; done
done
clear_bar
trap '' INT TERM HUP
put_together 0 || {
	echo "compare: the results cannot be put together (see above)" >&2
	exit 1
}
cat "$out/compare.txt"
printf '\n%s has all figures, %s the picture.\n' "$out/compare.json" "$out/compare.svg"
! jq -e 'any(.rows[]; .checksum_ok != true)' "$out/compare.json" >/dev/null
