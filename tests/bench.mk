# tests of dsmbench: what it prints, what it refuses, how it ends. Never how fast anything is.
TESTS += unit/bench_result_test
unit/bench_result_test_SRCS := tests/unit/bench_result_test.c dsmcore/bench/result.c
unit/bench_result_test_LIBS := -lcmocka -ljson-c -lm

TESTS += unit/bench_stats_test
unit/bench_stats_test_SRCS := tests/unit/bench_stats_test.c dsmcore/bench/stats.c dsmcore/bench/result.c
unit/bench_stats_test_LIBS := -lcmocka -ljson-c -lm

SCRIPT_TESTS += tests/integration/bench_smoke.sh
