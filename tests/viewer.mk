# Tests of dsmtop: the pure parts as unit tests, the program against a live server that is known in advance.
TESTS += unit/viewer_text_test unit/viewer_model_test unit/viewer_view_test
unit/viewer_text_test_SRCS   := tests/unit/viewer_text_test.c
unit/viewer_text_test_NEEDS  := view
unit/viewer_text_test_LIBS   := -lcmocka -ljson-c -lm
unit/viewer_model_test_SRCS  := tests/unit/viewer_model_test.c
unit/viewer_model_test_NEEDS := view
unit/viewer_model_test_LIBS  := -lcmocka -ljson-c -lm
unit/viewer_view_test_SRCS   := tests/unit/viewer_view_test.c
unit/viewer_view_test_NEEDS  := view
unit/viewer_view_test_LIBS   := -lcmocka -ljson-c -lm

PROGRAMS += fake_live
fake_live_SRCS := tests/ui/fake_live.c
fake_live_DIR  := tests/ui

SCRIPT_TESTS += tests/ui/dsmtop_batch_test.sh tests/ui/dsmtop_screen_test.sh
SCRIPT_TESTS += tests/ui/dsmtop_run_test.sh
ALONE += tests/ui/dsmtop_batch_test.sh # it asks which run of this user is the newest

FUZZERS += fuzz_live
fuzz_live_SRCS := tests/fuzz/fuzz_live.c $(view_SRCS)
fuzz_live_LIBS := -ljson-c -lm
