# Tests of the analyzer: its logic on synthetic records whose truth is known, the program on bad input.
analyzer_test_LIBS := -lcmocka $(analyzer_LIBS)
TESTS += unit/analyzer_sets_test unit/analyzer_symbols_test unit/analyzer_evidence_test unit/analyzer_report_test unit/analyzer_advice_test unit/analyzer_cores_test unit/analyzer_range_test unit/written_test
unit/written_test_SRCS  := tests/unit/written_test.c dsmcore/memory/written.c dsmcore/memory/diff.c
unit/written_test_NEEDS := analyzer trace
unit/written_test_LIBS  := $(analyzer_test_LIBS)
unit/analyzer_sets_test_SRCS  := tests/unit/analyzer_sets_test.c tests/analyzer/feed.c
unit/analyzer_sets_test_NEEDS := analyzer trace
unit/analyzer_sets_test_LIBS  := $(analyzer_test_LIBS)
unit/analyzer_symbols_test_SRCS  := tests/unit/analyzer_symbols_test.c tests/analyzer/feed.c tests/analyzer/self.c
unit/analyzer_symbols_test_NEEDS := analyzer trace
unit/analyzer_symbols_test_LIBS  := $(analyzer_test_LIBS)
unit/analyzer_evidence_test_SRCS  := tests/unit/analyzer_evidence_test.c tests/analyzer/feed.c
unit/analyzer_evidence_test_NEEDS := analyzer trace
unit/analyzer_evidence_test_LIBS  := $(analyzer_test_LIBS)
unit/analyzer_report_test_SRCS  := tests/unit/analyzer_report_test.c $(addprefix tests/analyzer/,scene.c feed.c self.c)
unit/analyzer_report_test_NEEDS := analyzer trace
unit/analyzer_report_test_LIBS  := $(analyzer_test_LIBS)
unit/analyzer_cores_test_SRCS   := tests/unit/analyzer_cores_test.c
unit/analyzer_cores_test_NEEDS := analyzer trace
unit/analyzer_cores_test_LIBS  := $(analyzer_test_LIBS)

unit/analyzer_range_test_SRCS  := tests/unit/analyzer_range_test.c
unit/analyzer_range_test_NEEDS := analyzer trace
unit/analyzer_range_test_LIBS  := $(analyzer_test_LIBS)
unit/analyzer_advice_test_SRCS  := tests/unit/analyzer_advice_test.c $(addprefix tests/analyzer/,scene.c feed.c self.c)
unit/analyzer_advice_test_NEEDS := analyzer trace
unit/analyzer_advice_test_LIBS  := $(analyzer_test_LIBS)
TESTS += unit/analyzer_interval_test unit/analyzer_interval_advice_test
unit/analyzer_interval_test_SRCS  := tests/unit/analyzer_interval_test.c $(addprefix tests/analyzer/,intervals.c scene.c feed.c self.c)
unit/analyzer_interval_test_NEEDS := analyzer trace
unit/analyzer_interval_test_LIBS  := $(analyzer_test_LIBS)
unit/analyzer_interval_advice_test_SRCS  := tests/unit/analyzer_interval_advice_test.c $(addprefix tests/analyzer/,intervals.c scene.c feed.c self.c)
unit/analyzer_interval_advice_test_NEEDS := analyzer trace
unit/analyzer_interval_advice_test_LIBS  := $(analyzer_test_LIBS)
TESTS += unit/analyzer_met_test
unit/analyzer_met_test_SRCS  := tests/unit/analyzer_met_test.c $(addprefix tests/analyzer/,scene.c feed.c self.c)
unit/analyzer_met_test_NEEDS := analyzer trace
unit/analyzer_met_test_LIBS  := $(analyzer_test_LIBS)
TESTS += unit/analyzer_sound_test
unit/analyzer_sound_test_SRCS  := tests/unit/analyzer_sound_test.c $(addprefix tests/analyzer/,scene.c feed.c self.c)
unit/analyzer_sound_test_NEEDS := analyzer trace
unit/analyzer_sound_test_LIBS  := $(analyzer_test_LIBS)
TESTS += unit/analyzer_promise_test
unit/analyzer_promise_test_SRCS  := tests/unit/analyzer_promise_test.c $(addprefix tests/analyzer/,scene.c feed.c self.c)
unit/analyzer_promise_test_NEEDS := analyzer trace
unit/analyzer_promise_test_LIBS  := $(analyzer_test_LIBS)
TESTS += unit/analyzer_loops_test
unit/analyzer_loops_test_SRCS  := tests/unit/analyzer_loops_test.c $(addprefix tests/analyzer/,scene.c feed.c self.c)
unit/analyzer_loops_test_NEEDS := analyzer trace
unit/analyzer_loops_test_LIBS  := $(analyzer_test_LIBS)
SCRIPT_TESTS += tests/integration/report_bad_input.sh tests/integration/report_align.sh tests/integration/report_independent.sh tests/integration/intervals.sh tests/integration/chunks.sh tests/integration/predict.sh tests/integration/independent_advice.sh

PROGRAMS += promise
promise_SRCS := tests/integration/promise.c
promise_NEEDS := dsm
promise_DIR := tests/integration

PROGRAMS += report_make_trace
report_make_trace_SRCS  := tests/analyzer/report_make_trace.c tests/analyzer/feed.c
report_make_trace_NEEDS := analyzer trace
report_make_trace_LIBS  := $(analyzer_LIBS)
report_make_trace_DIR   := tests/analyzer

FUZZERS += fuzz_report
fuzz_report_SRCS := tests/fuzz/fuzz_report.c $(analyzer_SRCS) $(trace_SRCS)
fuzz_report_LIBS := $(filter-out -lZydis,$(analyzer_LIBS))
ALONE += tests/integration/independent_advice.sh tests/integration/predict.sh tests/integration/chunks.sh tests/integration/intervals.sh tests/integration/report_align.sh tests/integration/report_independent.sh # they judge waits

# What the report predicts, beside what its advice gives, on patterns of sharing whose truth is known: build/predict.
#   make predict [QUICK=1] [PREDICT="--patterns slots,token --models tx"]
PROGRAMS += sharing
sharing_SRCS  := tests/bench/sharing.c
sharing_NEEDS := dsm
sharing_DIR   := tests/bench
.PHONY: predict
predict: all
	$(Q)BUILD=$(BUILD) tests/bench/predict.sh $(if $(QUICK),--runs 1 --seconds 0.6) $(PREDICT)
