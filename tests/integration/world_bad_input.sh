#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# A damaged scene is refused with its file and line, an option with its name; exit status 2, on all nodes. No example
# program loses its result without a word.
. "$(dirname "$0")/../lib.sh"
plaza=$apps/scenes/plaza.scene
scene=$work/bad.scene

# damaged LINE TEXT sed-expression: the message names file and line
damaged() {
	sed -e "$3" "$plaza" >"$scene"
	refuses 2 "$scene:$1: $2" "$bin/dsmrun" -n 3 "$apps/world" --seconds 1 --scene "$scene"
}
rows=$(grep -n '^terrain' "$plaza" | cut -d: -f1)
goal=$(grep -n '^goal' "$plaza" | head -1 | cut -d: -f1)
spawn=$(grep -n '^spawn' "$plaza" | head -1 | cut -d: -f1)
last=$(wc -l <"$plaza")

damaged 1 "a scene begins with the line \`scene 1\`" '1s/.*/scene 2/'
damaged 5 "expected \`size COLUMNS ROWS\`" '5s/.*/size 96 x/'
damaged 5 "a scene is 4 to 256 cells wide and high" '5s/.*/size 96 3000/'

damaged $((rows + 3)) "row 2 of the terrain has 95 cells" "$((rows + 3))s/.//"
damaged $((rows + 9)) "cell 4 is 'x' (0x78)" "$((rows + 9))s/^\(....\)./\1x/"
damaged "$goal" "this goal is in a wall" "${goal}s/.*/goal 1 1/"
damaged "$goal" "goal 96 1 lies outside the scene" "${goal}s/.*/goal 96 1/"
damaged "$goal" "expected \`goal COLUMN ROW\`" "${goal}s/.*/goal 1/"
damaged "$spawn" "this spawn point is in a wall" "${spawn}s/.*/spawn 0 0/"
damaged 4 "not a statement of a scene: \"title plaza\"" '4s/.*/title plaza/'
damaged "$last" "the scene has no \`spawn\`" 's/^spawn .*/# gone/'
damaged $((last - 1)) "the file ends without the line \`end\`" '$d'
damaged 40 "the file ends after $((40 - rows)) of 64 rows" '41,$d'
head -c 1000 /dev/urandom >"$scene"
refuses 2 "$scene:1: a scene begins" "$bin/dsmrun" -n 2 "$apps/world" --scene "$scene"
: >"$scene"
refuses 2 "$scene:1: a scene begins" "$bin/dsmrun" -n 2 "$apps/world" --scene "$scene"
refuses 2 "cannot read the scene $work/none: No such file" "$bin/dsmrun" -n 2 "$apps/world" --scene "$work/none"
refuses 2 "is a folder" "$bin/dsmrun" -n 2 "$apps/world" --scene "$work"

# a goal walled in: no way leads there
awk -v first="$rows" 'NR == first + 1 + 33 || NR == first + 1 + 35 { $0 = substr($0, 1, 7) "###" substr($0, 11) }
	NR == first + 1 + 34 { $0 = substr($0, 1, 7) "#.#" substr($0, 11) } { print }' "$plaza" >"$scene"
refuses 2 "no way leads to this goal from the spawn point in line $spawn" \
	"$bin/dsmrun" -n 2 "$apps/world" --scene "$scene"

refuses 2 "unknown option: --zoom" "$bin/dsmrun" -n 2 "$apps/world" --seconds 1 --zoom
refuses 2 "--seconds needs a number of seconds" "$bin/dsmrun" -n 2 "$apps/world" --seconds -1
refuses 2 "--avatars needs a whole number from 1" "$bin/dsmrun" -n 2 "$apps/world" --avatars 0
refuses 2 "option needs a value: --steps" "$bin/dsmrun" -n 2 "$apps/world" --steps
refuses 2 "takes no argument: \"5\"" "$bin/dsmrun" -n 2 "$apps/world" 5
for app in "sor --size 20" "sor --size 20 --sequential" "world --steps 5" "mgs --size 20" "raytracer --size 20"; do
	# shellcheck disable=SC2086
	timeout 60 "$apps"/$app >/dev/full 2>"$work/err"
	same "status of $app on a full disk" $? 1
	grep -q 'the result cannot be written: No space left on device' "$work/err" || fail "$app on a full disk: $(cat "$work/err")"
done
finish
