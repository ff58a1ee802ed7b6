# tests of the collector
TESTS += unit/trace_test unit/trace_write_test unit/collector_aggregate_test unit/collector_bpf_logic_test unit/collector_ring_test \
	unit/collector_live_test unit/collector_usdt_test
unit/trace_test_SRCS  := tests/unit/trace_test.c tests/collector/sample.c
unit/trace_test_NEEDS := trace
unit/trace_test_LIBS  := -lcmocka -lzstd -lxxhash
unit/trace_write_test_SRCS  := tests/unit/trace_write_test.c tests/collector/sample.c
unit/trace_write_test_NEEDS := trace
unit/trace_write_test_LIBS  := -lcmocka -lzstd -lxxhash
unit/trace_write_test_LDFLAGS := -Wl,--wrap=flock

unit/collector_aggregate_test_SRCS  := tests/unit/collector_aggregate_test.c
unit/collector_aggregate_test_NEEDS := collect trace
unit/collector_aggregate_test_LIBS  := -lcmocka $(collect_LIBS)
unit/collector_bpf_logic_test_SRCS  := tests/unit/collector_bpf_logic_test.c
unit/collector_bpf_logic_test_NEEDS := collect trace
unit/collector_bpf_logic_test_LIBS  := -lcmocka $(collect_LIBS)
unit/collector_ring_test_SRCS  := tests/unit/collector_ring_test.c
unit/collector_ring_test_NEEDS := collect trace
unit/collector_ring_test_LIBS  := -lcmocka $(collect_LIBS)
unit/collector_usdt_test_SRCS  := tests/unit/collector_usdt_test.c
unit/collector_usdt_test_NEEDS := collect trace
unit/collector_usdt_test_LIBS  := -lcmocka $(collect_LIBS)
unit/collector_live_test_SRCS  := tests/unit/collector_live_test.c
unit/collector_live_test_NEEDS := collect trace
unit/collector_live_test_LIBS  := -lcmocka $(collect_LIBS)

# Programs that the integration tests use: a node that keeps the event contract, and a trace as text.
PROGRAMS += fake_node fake_node_batched hostile_node trace_dump
fake_node_SRCS   := tests/collector/fake_node.c tests/collector/fake_options.c
fake_node_DIR    := tests/collector
fake_node_batched_SRCS := tests/collector/fake_node_batched.c tests/collector/fake_options.c
fake_node_batched_DIR  := tests/collector
hostile_node_SRCS := tests/collector/hostile_node.c
hostile_node_DIR  := tests/collector
trace_dump_SRCS  := tests/collector/trace_dump.c
trace_dump_NEEDS := collect trace
trace_dump_LIBS  := $(collect_LIBS)
trace_dump_DIR   := tests/collector

FUZZERS += fuzz_trace
fuzz_trace_SRCS := tests/fuzz/fuzz_trace.c collector/trace_read.c collector/trace_sane.c
fuzz_trace_LIBS := -lzstd -lxxhash

PROGRAMS += live_client
live_client_SRCS := tests/collector/live_client.c
live_client_DIR  := tests/collector

SCRIPT_TESTS += tests/integration/collector_bpf.sh tests/integration/collector_batch.sh tests/integration/collector_hostile.sh tests/integration/collector_ring.sh tests/integration/collector_cli.sh \
	tests/integration/collector_world.sh

TESTS += unit/merge_test
unit/merge_test_SRCS  := tests/unit/merge_test.c
unit/merge_test_NEEDS := collect trace
unit/merge_test_LIBS  := -lcmocka $(collect_LIBS)
TESTS += unit/clockfit_test
unit/clockfit_test_SRCS  := tests/unit/clockfit_test.c
unit/clockfit_test_NEEDS := trace
unit/clockfit_test_LIBS  := -lcmocka -lm
TESTS += unit/merge_drift_test
unit/merge_drift_test_SRCS  := tests/unit/merge_drift_test.c
unit/merge_drift_test_NEEDS := collect trace
unit/merge_drift_test_LIBS  := -lcmocka $(collect_LIBS)

# A clock that drifts, for the processes of one host.
PROGRAMS += libdrift.so
libdrift.so_SRCS    := tests/integration/drift.c
libdrift.so_DIR     := tests/integration
libdrift.so_LDFLAGS := -shared
EXTRA_tests/integration/drift.c := -fPIC
SCRIPT_TESTS += tests/integration/hosts_drift.sh

FUZZERS += fuzz_merge
fuzz_merge_SRCS := tests/fuzz/fuzz_merge.c $(addprefix collector/,merge.c merge_clocks.c merge_survey.c merge_json.c jsonout.c) $(trace_SRCS)
fuzz_merge_LIBS := -ljson-c -lzstd -lxxhash -lm
