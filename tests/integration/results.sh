#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Results, over more than 50 rounds: SOR and the ray tracer to the bit and MGS to its tolerance (and to the bit, too, since what
# is done to a row does not depend on who does it) under each consistency model, on 1 to 8 nodes, in both layouts, over
# rings, Unix sockets and TCP, plain and encrypted. A round is one combination with sizes of its own, which the nodes do not divide. Of three rounds one
# keeps a history, which dsmverify has to explain.
. "$(dirname "$0")/../lib.sh"
models=(tx sc rc) layouts=(natural tuned) transports=(shm insecure-tcp tcp unix)
rounds=96 step=1 # all combinations of model, nodes, layout and two transports
if [ -n "${PROCOPE_QUICK:-}" ]; then rounds=96 step=13; fi

# computed APP SIZE: what must be the same
computed() {
	case $1 in
	sor) jq -c '[.checksum, .sum, .cells]' ;;
	mgs) jq -c '[.checksum, .correct, .deviation < .tolerance]' ;;
	raytracer) jq -c '[.checksum, .pixel_sum]' ;;
	esac 2>/dev/null
}

began=$SECONDS done=0
for ((round = 0; round < rounds; round += step)); do
	nodes=$((1 + round % 8)) model=${models[round / 8 % 3]} layout=${layouts[round / 24 % 2]}
	transport=${transports[round / 48 * 2 + (round + round / 8) % 2]}
	done=$((done + 1))
	for program in "sor --size $((61 + 37 * round % 211)) --iterations $((5 + round % 9))" \
		"mgs --size $((29 + 17 * round % 53))" "raytracer --size $((19 + 11 * round % 37))"; do
		app=${program%% *}
		checks=$((checks + 1))
		misalign=()
		[ "$app $layout $((round % 3))" != "sor tuned 1" ] || misalign=(--misalign $((1 + round % 7)))
		history=()
		if [ $((round % 3)) = 0 ]; then
			rm -rf "$work/history"
			mkdir "$work/history"
			history=(--history "$work/history")
		fi
		# shellcheck disable=SC2086 # words
		want=$("$apps/"${program/ /-sequential } --json | computed "$app")
		[ -n "$want" ] || fail "$program: no sequential result"
		# shellcheck disable=SC2086
		run "$bin/dsmrun" -n "$nodes" --consistency "$model" --transport "$transport" "${history[@]}" "$apps/"$program \
			--layout "$layout" "${misalign[@]}" --json
		what="round $round: $program, $layout layout ${misalign[*]}, $model, $nodes nodes, $transport"
		same "status of $what" "$rc" 0
		same "$what" "$(computed "$app" <"$work/out")" "$want"
		[ ! -s "$work/err" ] || fail "$what says: $(head -c 300 "$work/err")"
		[ ${#history[@]} = 0 ] || "$bin/dsmverify" "$work/history" >"$work/verify" 2>&1 ||
			fail "$what: $(head -c 1000 "$work/verify")"
	done
done
echo "$done rounds of sor, mgs and raytracer in $((SECONDS - began)) s"
finish
