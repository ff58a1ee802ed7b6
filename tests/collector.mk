# tests of the collector
TESTS += unit/trace_test
unit/trace_test_SRCS  := tests/unit/trace_test.c
unit/trace_test_NEEDS := trace
unit/trace_test_LIBS  := -lcmocka -lzstd -lxxhash

FUZZERS += fuzz_trace
fuzz_trace_SRCS := tests/fuzz/fuzz_trace.c collector/trace_read.c collector/trace_sane.c
fuzz_trace_LIBS := -lzstd -lxxhash
