# SPDX-License-Identifier: BSD-2-Clause
# The JSON file of a comparison to a picture (SVG): speed-up over the sequential twin by number of nodes, a panel an app.
def panel: {width: 270, height: 230, left: 44, right: 12, top: 30, bottom: 40};
def across: 4;
def rounded: . * 10 | round / 10;
def escaped: gsub("&"; "&amp;") | gsub("<"; "&lt;");
def text($x; $y; $class): "<text x=\"\($x | rounded)\" y=\"\($y | rounded)\" class=\"\($class)\">\(. | escaped)</text>";
def mark($x; $y; $kind; $class): ($x | rounded) as $x | ($y | rounded) as $y
	| if $kind == "tx" then "<circle cx=\"\($x)\" cy=\"\($y)\" r=\"4\" class=\"\($class)\"/>"
	elif $kind == "undoable" then "<path d=\"M\($x) \($y - 5)l5 5l-5 5l-5 -5z\" class=\"\($class)\"/>"
	elif $kind == "sc" then "<rect x=\"\($x - 3.5)\" y=\"\($y - 3.5)\" width=\"7\" height=\"7\" class=\"\($class)\"/>"
	elif $kind == "rc" then "<path d=\"M\($x) \($y - 5)l5 9h-10z\" class=\"\($class)\"/>"
	else "<path d=\"M\($x - 4) \($y - 4)l8 8m0 -8l-8 8\" class=\"\($class)\"/>" end;

# {at, value} points, in order, as a line with marks
def series($x; $y; $kind; $layout): map(select(.value != null)) | if length == 0 then empty else
	"<polyline class=\"line \($kind) \($layout)\" points=\"\(map("\(.at | $x[tostring] | rounded),\(.value | $y.bottom - . * $y.scale | rounded)") | join(" "))\"/>",
	(.[] | mark($x[.at | tostring]; $y.bottom - .value * $y.scale; $kind; "mark \($kind) \($layout)")) end;

def kind: if .independent then .model else "undoable" end;
def draw($column; $row; $app; $rows; $mpi; $nodes; $layouts): panel as $p
	| ($column * $p.width) as $ox | ($row * $p.height + 50) as $oy
	| ([$rows[].speedup, $mpi[].speedup, 1] | map(select(. != null)) | max * 1.08) as $most
	| (if $most > 8 then 4 elif $most > 4 then 2 elif $most > 2 then 1 else 0.5 end) as $tick
	| {bottom: ($oy + $p.height - $p.bottom), scale: (($p.height - $p.top - $p.bottom) / $most)} as $y
	| ($p.width - $p.left - $p.right) as $w
	| ([$nodes | to_entries[] | {key: (.value | tostring), value: ($ox + $p.left + $w * (.key + 0.5) / ($nodes | length))}] | from_entries) as $x
	| ("\($app) \($rows[0].size)" | text($ox + $p.left; $oy + 18; "title")),
	  (range(0; ($most / $tick | floor) + 1) * $tick | . as $v | ($y.bottom - $v * $y.scale | rounded) as $at
		| "<path d=\"M\($ox + $p.left) \($at)h\($w)\" class=\"\(if $v == 1 then "one" else "grid" end)\"/>",
		  ($v | tostring | text($ox + $p.left - 6; $at + 4; "axis end"))),
	  ($nodes[] | . as $n | tostring | text($x[$n | tostring]; $y.bottom + 16; "axis middle")),
	  ("nodes" | text($ox + $p.left + $w / 2; $y.bottom + 31; "axis middle")),
	  ($layouts[] as $l
		| ($mpi | map(select(.layout == $l) | {at: .nodes, value: .speedup}) | sort_by(.at) | series($x; $y; "mpi"; $l)),
		  ("sc", "rc", "undoable", "tx" | . as $m | $rows | map(select(.layout == $l and kind == $m) | {at: .nodes, value: .speedup})
			| sort_by(.at) | series($x; $y; $m; $l)));

def legend($layouts): (["tx", "transactional"], ["undoable", "tx, undoable"], ["sc", "sequential"], ["rc", "release"], ["mpi", "MPI by hand"]) | .[0] as $k | .[1] as $name
	| ({tx: 44, undoable: 150, sc: 255, rc: 345, mpi: 420}[$k]) as $x | mark($x; 28; $k; "mark \($k) tuned"), ($name | text($x + 12; 32; "axis"));

. as $all
| ([.rows[].app] | reduce .[] as $a ([]; if index($a) then . else . + [$a] end)) as $apps
| ([.rows[].nodes] | unique) as $nodes | ([.rows[].layout] | unique) as $layouts
| ([$apps | length, across] | min) as $columns | (($apps | length) / across | ceil) as $lines | panel as $p
| ([$columns * $p.width, 780] | max) as $width | ($lines * $p.height + 60) as $height
| "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \($width) \($height)\" width=\"\($width)\" height=\"\($height)\" role=\"img\">",
"<title>Speed-up over the sequential twin, by consistency model and number of nodes</title>",
"<style>
svg { background: #ffffff; font: 12px sans-serif; }
text { fill: #222; } .title { font-weight: bold; font-size: 13px; } .axis { fill: #555; } .end { text-anchor: end; } .middle { text-anchor: middle; }
.grid { stroke: #ddd; fill: none; } .one { stroke: #888; stroke-dasharray: 5 3; fill: none; }
.line { fill: none; stroke-width: 2; } .natural.line { stroke-dasharray: 4 3; stroke-width: 1.4; }
.tx { stroke: #0b62c4; } .undoable { stroke: #7a4fc0; } .sc { stroke: #c2540a; } .rc { stroke: #16803c; } .mpi { stroke: #777; }
.mark { stroke-width: 1.6; } .mark.natural { fill: #ffffff; } .mark.mpi { fill: none; }
.mark.tx.tuned { fill: #0b62c4; } .mark.undoable.tuned { fill: #7a4fc0; } .mark.sc.tuned { fill: #c2540a; } .mark.rc.tuned { fill: #16803c; }
@media (prefers-color-scheme: dark) {
svg { background: #14171c; } text { fill: #eee; } .axis { fill: #aaa; } .grid { stroke: #333; } .one { stroke: #888; }
.tx { stroke: #6cb2ff; } .undoable { stroke: #b79bf2; } .sc { stroke: #ff9d5c; } .rc { stroke: #5fd38a; } .mpi { stroke: #aaa; } .mark.natural { fill: #14171c; }
.mark.tx.tuned { fill: #6cb2ff; } .mark.undoable.tuned { fill: #b79bf2; } .mark.sc.tuned { fill: #ff9d5c; } .mark.rc.tuned { fill: #5fd38a; }
}
</style>",
legend($layouts),
((if $layouts == ["natural", "tuned"] then "full: tuned layout; hollow, dashed: natural" else "\($layouts[0]) layout" end) | text(520; 32; "axis")),
($apps | to_entries[] | .key as $i | .value as $app
	| draw($i % across; $i / across | floor; $app; $all.rows | map(select(.app == $app)); $all.mpi_twins | map(select(.app == $app)); $nodes; $layouts)),
"</svg>"
