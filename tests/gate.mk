# Tests of dsmgate: its statistics by hand and by simulation, the program on traces made for it.
TESTS += unit/gate_stats_test unit/gate_sim_test
unit/gate_stats_test_SRCS  := tests/unit/gate_stats_test.c
unit/gate_stats_test_NEEDS := gate
unit/gate_stats_test_LIBS  := -lcmocka -ljson-c -lm
unit/gate_sim_test_SRCS    := tests/unit/gate_sim_test.c
unit/gate_sim_test_NEEDS   := gate
unit/gate_sim_test_LIBS    := -ljson-c -lm

PROGRAMS += gate_make_trace
gate_make_trace_SRCS  := tests/integration/gate_make_trace.c
gate_make_trace_NEEDS := trace
gate_make_trace_LIBS  := -lzstd -lxxhash
gate_make_trace_DIR   := tests/integration

SCRIPT_TESTS += tests/integration/gate_test.sh
