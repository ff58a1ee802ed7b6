# runtime and memory
TESTS += unit/diff_test unit/diff_avx2_test unit/diff_plain_test
unit/diff_test_SRCS := tests/unit/diff_test.c dsmcore/memory/diff.c
unit/diff_test_LIBS := -lcmocka
unit/diff_avx2_test_SRCS := tests/unit/diff_avx2_test.c
unit/diff_avx2_test_LIBS := -lcmocka
unit/diff_plain_test_SRCS := tests/unit/diff_plain_test.c
unit/diff_plain_test_LIBS := -lcmocka
TESTS += unit/region_test unit/coarse_test
unit/region_test_SRCS := tests/unit/region_test.c dsmcore/memory/region.c dsmcore/memory/coarse.c
unit/region_test_LDFLAGS := -Wl,--wrap=mmap
unit/region_test_LIBS := -lcmocka -lpthread
unit/coarse_test_SRCS := tests/unit/coarse_test.c dsmcore/memory/region.c dsmcore/memory/coarse.c
unit/coarse_test_LIBS := -lcmocka

# Programs that the scripts run under dsmrun
PROGRAMS += undo misuse loops
loops_SRCS := tests/integration/loops.c
loops_NEEDS := dsm
loops_DIR := tests/integration
undo_SRCS := tests/integration/undo.c
undo_NEEDS := dsm
undo_LIBS := -lm
undo_DIR := tests/integration
misuse_SRCS := tests/integration/misuse.c
misuse_NEEDS := dsm
misuse_LIBS := -lpthread
misuse_DIR := tests/integration
SCRIPT_TESTS += tests/integration/node_loss.sh tests/integration/undo.sh tests/integration/loops.sh tests/integration/misuse.sh tests/integration/chain_sources.sh tests/integration/short_runs.sh

PROGRAMS += independent promises
promises_SRCS := tests/integration/promises.c
promises_NEEDS := dsm
promises_DIR := tests/integration
independent_SRCS := tests/integration/independent.c
independent_NEEDS := dsm
independent_DIR := tests/integration
SCRIPT_TESTS += tests/integration/independent.sh

PROGRAMS += chunks
chunks_SRCS := tests/integration/chunks.c
chunks_NEEDS := dsm
chunks_DIR := tests/integration

PROGRAMS += loss
loss_SRCS := tests/integration/loss.c
loss_NEEDS := dsm
loss_DIR := tests/integration

PROGRAMS += control
control_SRCS := tests/integration/control.c
control_NEEDS := dsm
control_DIR := tests/integration
SCRIPT_TESTS += tests/integration/control.sh

PROGRAMS += big
big_SRCS := tests/integration/big.c
big_NEEDS := dsm
big_DIR := tests/integration
SCRIPT_TESTS += tests/integration/big.sh

PROGRAMS += paths
paths_SRCS := tests/integration/paths.c
paths_NEEDS := dsm
paths_DIR := tests/integration
SCRIPT_TESTS += tests/integration/paths.sh

FUZZERS += fuzz_note
fuzz_note_SRCS := tests/fuzz/fuzz_note.c $(addprefix dsmcore/runtime/,notes.c clocks.c) dsmcore/memory/objects_table.c

TESTS += unit/notes_test
unit/notes_test_SRCS := tests/unit/notes_test.c dsmcore/runtime/notes.c
unit/notes_test_LIBS := -lcmocka

PROGRAMS += models
models_SRCS := tests/integration/models.c
models_NEEDS := dsm
models_DIR := tests/integration
SCRIPT_TESTS += tests/integration/consistency.sh

PROGRAMS += calls
calls_SRCS := tests/integration/calls.c
calls_NEEDS := dsm
calls_DIR := tests/integration
SCRIPT_TESTS += tests/integration/calls.sh
