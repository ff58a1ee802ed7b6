# SPDX-License-Identifier: BSD-2-Clause
# The runs of a comparison (an array) to its JSON file: medians, ratios, shares. docs/comparison.md has the fields.
# Of several runs the one whose time is the median; all other figures are that run's, so that they fit one another.
def ok: .status == 0 and .result != null;
def median_run: map(select(ok)) | sort_by(.result.seconds) | if length == 0 then null else .[(length - 1) / 2 | floor] end;
def over($part; $whole): if $part == null or $whole == null or $whole == 0 then null else $part / $whole end;

# The timed part of a run is its phases "first" and "steady".
def phases: .stats.phases // [] | map(select(.name == "first" or .name == "steady"));
def steady: .stats.phases // [] | map(select(.name == "steady")) | .[0];
def counted(f): phases | if length == 0 then null else map(.totals | f) | add end;
def all_faults: .faults_fetch + .faults_upgrade + .faults_rearm + .faults_prefetched;
# Shares of all nodes' time in these phases, by cause.
def lost_by_cause: phases as $p | ($p | map(.seconds) | add) as $all
	| if $all == null or $all == 0 then null
	else reduce $p[] as $x ({}; reduce ($x.lost | to_entries[]) as $e (.; .[$e.key] += ($e.value // 0) * $x.seconds / $all)) end;

# Groups in the order in which they were run.
def groups(f): group_by(f) | sort_by(.[0].index);

def seconds: .result.seconds;
def checksum: .result | .checksum // .positions;

to_entries | map(.value + {index: .key}) as $runs
| ($runs | map(select(.kind == "sequential")) | groups([.app, .layout, .nodes]) | map({
	app: .[0].app, layout: .[0].layout, size: .[0].size, nodes: .[0].nodes, seconds: (median_run | seconds),
	checksum: (map(select(ok) | checksum) | unique | if length == 1 then .[0] else null end)})) as $alone
| ($runs | map(select(.kind == "mpi")) | groups([.app, .layout, .nodes]) | map({
	app: .[0].app, layout: .[0].layout, size: .[0].size, nodes: .[0].nodes, seconds: (median_run | seconds),
	runs: length, failed: (map(select(ok | not)) | length), checksums: map(checksum) | unique})) as $mpi
| def twin($r): first($alone[] | select(.app == $r.app and .layout == $r.layout and (.app != "world" or .nodes == $r.nodes))) // null;
  def mpi_twin($r): first($mpi[] | select(.app == $r.app and .layout == $r.layout and .nodes == $r.nodes)) // null;
{
	schema: "procope.compare/1", when: $when, kernel: $kernel, cores: $cores, load_before: ($load | tonumber),
	transport: $transport, repeat: $repeat, quick: ($quick == 1), mpi: ($mpi_here == 1),
	runs: ($runs | length), runs_wanted: $wanted, interrupted: ($interrupted == 1),
	sequential: $alone,
	mpi_twins: [$mpi[] | . as $m | twin($m) as $t | del(.checksums) + {
		speedup: over($t.seconds; .seconds), checksum_ok: (.failed == 0 and .checksums == [$t.checksum])}],
	rows: [$runs | map(select(.kind == "dsm")) | groups([.app, .layout, .model, .independent, .nodes])[]
		| . as $all | .[0] as $r | map(select(ok)) as $good | median_run | twin($r) as $t | mpi_twin($r) as $m
		| {
			app: $r.app, size: $r.size, layout: $r.layout, model: $r.model, independent: ($r.independent != false), nodes: $r.nodes,
			transport: $transport,
			seconds: seconds, seconds_least: ($good | map(seconds) | min), seconds_most: ($good | map(seconds) | max),
			speedup: over($t.seconds; seconds), mpi_ratio: over($m.seconds; seconds),
			faults: counted(all_faults), faults_steady: (steady | if . then .totals | all_faults else null end),
			fault_kinds: {fetch: counted(.faults_fetch), first_write: counted(.faults_upgrade), rearm: counted(.faults_rearm),
				prefetched: counted(.faults_prefetched)},
			transfers: counted(.pages_in), updates: counted(.updates), bytes: counted(.bytes_in), messages: counted(.messages_out),
			commits: counted(.commits), aborts: counted(.aborts), lost: lost_by_cause,
			runs: ($all | length), failed: (($all | length) - ($good | length)),
			checksum_ok: (($all | length) == ($good | length) and $t.checksum != null and
				($good | map(checksum) | unique) == [$t.checksum]),
			error: ([$all[] | select(ok | not) | "status \(.status): \(.said)"] | .[0])
		}
		| .lost_share = (if .lost then .lost | add else null end)
		| .lost_to = (if .lost and .lost_share > 0 then .lost | to_entries | max_by(.value).key else null end)]
}
