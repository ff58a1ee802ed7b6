#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# The ray tracer's files: a damaged scene is refused with the line and the remedy, a picture is a PNG of the right
# pixels, and what cannot be written is said before the work.
. "$(dirname "$0")/../lib.sh"
spheres=$apps/scenes/spheres.scene
ray=$apps/raytracer

head=$'raytracer 1\nfrom 0 0 -9\nat 0 0 0\nup 0 1 0\nangle 30\nlight 5 5 -5 1\nsurface 1 0 0 0 1\n'
# bad TEXT-OF-MESSAGE SCENE...: the scene (printf %b) must be refused so, by one process and by two nodes
bad() {
	local text=$1
	shift
	printf '%b' "$@" >"$work/bad.scene"
	refuses 2 "$text" "$ray" --sequential --scene "$work/bad.scene"
	refuses 2 "$text" "$bin/dsmrun" -n 2 "$ray" --scene "$work/bad.scene"
}
bad 'bad.scene:1: a scene of the ray tracer begins with' 'scene 1\n'
bad 'bad.scene:1: a scene of the ray tracer begins with' ''
bad 'bad.scene:8: expected `sphere X Y Z RADIUS RED GREEN BLUE`, not "sphere 0 0 0 1 1 1"' "$head" 'sphere 0 0 0 1 1 1\nend\n'
bad 'bad.scene:8: expected `sphere' "$head" 'sphere 0 0 0 1 1 1 1 1\nend\n'
bad 'bad.scene:8: expected `sphere' "$head" 'sphere 0 0 nan 1 1 1 1\nend\n'
bad 'bad.scene:8: expected `sphere' "$head" 'sphere 0 0 0 1 1 1 1\\0 2\nend\n'
bad 'bad.scene:8: the radius is -1' "$head" 'sphere 0 0 0 -1 1 1 1\nend\n'
bad 'bad.scene:8: a colour is 2' "$head" 'sphere 0 0 0 1 1 2 1\nend\n'
bad 'bad.scene:8: a coordinate is 1e+09' "$head" 'sphere 1e9 0 0 1 1 1 1\nend\n'
bad 'bad.scene:8: a second `angle`' "$head" 'angle 20\nend\n'
bad 'bad.scene:8: not a statement of a scene: "cube 1\x1b"' "$head" 'cube 1\x1b\nend\n'
bad 'the file ends without the line `end`' "$head" 'sphere 0 0 0 1 1 1 1\n'
bad 'the scene has no `sphere`' "$head" 'end\n'
bad 'the scene has no `light`' 'raytracer 1\nfrom 0 0 -9\nat 0 0 0\nup 0 1 0\nangle 30\nend\n'
bad 'bad.scene:3: `surface` must come before' 'raytracer 1\n# none\nsphere 0 0 0 1 1 1 1\nend\n'
bad 'bad.scene:4: `up` is the direction' 'raytracer 1\nfrom 0 -9 0\nat 0 0 0\nup 0 1 0\nangle 30\nlight 5 5 -5 1\nsurface 1 0 0 0 1\nsphere 0 0 0 1 1 1 1\nend\n'
bad 'are one point' 'raytracer 1\nfrom 0 0 0\nat 0 0 0\nup 0 1 0\nangle 30\nlight 5 5 -5 1\nsurface 1 0 0 0 1\nsphere 0 0 0 1 1 1 1\nend\n'
refuses 2 "cannot read the scene $work/none" "$bin/dsmrun" -n 2 "$ray" --scene "$work/none"
refuses 2 "is a folder" "$ray" --scene "$work"
head -c 1500 "$spheres" >"$work/cut.scene"
refuses 2 "cut.scene:" "$bin/dsmrun" -n 2 "$ray" --scene "$work/cut.scene"

# a white disc in the middle of a black picture: what the pixels must be is known
printf '%s%b' "$head" 'sphere 0 0 0 1 1 1 1\nend\n' >"$work/disc.scene"
"$ray" --sequential --scene "$work/disc.scene" --size 9 --json >"$work/disc" || fail "a scene of one sphere"
jq -e '.spheres == 1 and .lights == 1 and .pixel_sum > 0 and .pixel_sum < 9 * 9 * 765 / 4' "$work/disc" >/dev/null ||
	fail "one sphere: $(cat "$work/disc")"

# Java Grande publishes the sums of all pixels at its two sizes
same "published sum at 150" "$("$ray-sequential" --size 150 --json | jq .pixel_sum)" 2676692
same "published sum at 150 on three nodes" "$("$bin/dsmrun" -n 3 "$ray" --size 150 --layout tuned --json | jq .pixel_sum)" 2676692
[ -n "${PROCOPE_QUICK:-}" ] || same "published sum at 500" "$("$bin/dsmrun" -n 2 "$ray" --size 500 --json | jq .pixel_sum)" 29827635

if ldd "$ray" | grep -q libpng; then
	"$ray" --sequential --size 20 --output "$work/one.png" >/dev/null || fail "--output"
	"$bin/dsmrun" -n 2 "$ray" --size 20 --output "$work/two.png" >/dev/null || fail "--output on two nodes"
	cmp -s "$work/one.png" "$work/two.png" || fail "the pictures of one process and two nodes differ"
	same "the picture's signature" "$(head -c 8 "$work/two.png" | od -An -tx1 | tr -d ' ')" 89504e470d0a1a0a
	# width, height (big-endian), 8 bits, colour type 2
	same "the picture's head" "$(od -An -tx1 -j16 -N10 "$work/two.png" | tr -d ' ')" 00000014000000140802
	refuses 2 "cannot write the picture $work/no/a.png" "$bin/dsmrun" -n 2 "$ray" --size 20 --output "$work/no/a.png"
	timeout 30 "$ray" --sequential --size 20 --output /dev/full >/dev/null 2>"$work/err"
	same "status when the disk is full" $? 2
	grep -q 'cannot write the picture /dev/full' "$work/err" || fail "a full disk: $(cat "$work/err")"
else
	refuses 2 "built without libpng" "$bin/dsmrun" -n 2 "$ray" --size 20 --output "$work/a.png"
fi
finish
