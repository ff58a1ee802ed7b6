# SPDX-License-Identifier: BSD-2-Clause
# The JSON file of a comparison to its text.
def left($n): tostring | . + " " * ([$n - length, 0] | max);
def right($n): tostring | " " * ([$n - length, 0] | max) + .;
def fixed($n): if . == null then "-" elif $n == 0 then round | tostring
	else (. * pow(10; $n) | round | tostring) as $d | ("0" * ([$n + 1 - ($d | length), 0] | max) + $d) as $d
	| $d[:-$n] + "." + $d[-$n:] end;
def count: if . == null then "-" elif . < 100000 then fixed(0) elif . < 1e7 then "\(. / 1e3 | fixed(0))k" else "\(. / 1e6 | fixed(0))M" end;
def size: if . == null then "-" elif . < 1e4 then "\(fixed(0)) B" elif . < 1e7 then "\(. / 1e3 | fixed(0)) kB" else "\(. / 1e6 | fixed(0)) MB" end;
def percent: if . == null then "-" else "\(. * 100 | fixed(1)) %" end;
def lost: if .lost == null then "-" else
	"\(.lost_share | percent | right(7))" + ([.lost | to_entries | sort_by(-.value)[] | select(.value >= 0.005)] | .[:2]
		| if length == 0 then "" else "  " + (map("\(.key) \(.value * 100 | round)") | join(", ")) end) end;

def model: if .independent then .model else "\(.model), undoable" end;
def heading: "  " + ("nodes" | left(6)) + ("model" | left(14)) + ("seconds" | right(9)) + ("speed-up" | right(10)) + ("of MPI" | right(8))
	+ ("faults" | right(9)) + ("steady" | right(8)) + ("transfers" | right(11)) + ("received" | right(10)) + ("aborts" | right(8))
	+ "   lost, and most to (%)";
def line: "  " + (.nodes | left(6)) + (model | left(14)) + (.seconds | fixed(3) | right(9)) + (.speedup | fixed(2) | right(10))
	+ (.mpi_ratio | fixed(2) | right(8)) + (.faults | count | right(9)) + (.faults_steady | count | right(8))
	+ (.transfers | count | right(11)) + (.bytes | size | right(10)) + (.aborts | count | right(8)) + "  " + lost
	+ (if .checksum_ok then "" elif .error then "   FAILED: \(.error | .[:100])" else "   WRONG RESULT" end);
def mpi_line: "  " + (.nodes | left(6)) + ("MPI" | left(14)) + (.seconds | fixed(3) | right(9)) + (.speedup | fixed(2) | right(10))
	+ (if .checksum_ok then "" else "   WRONG RESULT OR FAILED" end);

. as $all
| "Consistency models compared: \(.when), \(.cores) cores, load before \(.load_before), \(.transport), "
	+ (if .repeat == 1 then "one run of each" else "medians of \(.repeat // "3 or 5") runs" end) + (if .quick then " (quick: small sizes)" else "" end),
  (if .interrupted then "Interrupted: \(.runs) of \(.runs_wanted) runs." else empty end),
  (if .mpi then empty else "No MPI twins here: mpirun, or libopenmpi-dev when this was built, is missing." end),
  (.sequential | map([.app, .layout]) | reduce .[] as $k ([]; if index([$k]) then . else . + [$k] end)
	| .[] as $k | first($all.sequential[] | select([.app, .layout] == $k)) as $s | $all.rows | map(select(.app == $s.app and .layout == $s.layout)) as $rows
	| "", "\($s.app), size \($s.size), \($s.layout) layout; sequential twin \([$all.sequential[] | select([.app, .layout] == $k)
		| (.seconds | fixed(3)) + " s" + (if .app == "world" then " for the work of \(.nodes)" else "" end)] | join(", "))", heading,
	  ($rows | map(.nodes) | unique[] as $n | ($rows[] | select(.nodes == $n) | line),
		($all.mpi_twins[] | select(.app == $s.app and .layout == $s.layout and .nodes == $n) | mpi_line))),
  ""
