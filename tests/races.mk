# Two threads and the two views of a page: yield.c is preloaded into the nodes.
PROGRAMS += races libyield.so
races_SRCS := tests/integration/races.c
races_NEEDS := dsm
races_DIR := tests/integration
libyield.so_SRCS := tests/integration/yield.c
libyield.so_LDFLAGS := -shared
libyield.so_DIR := tests/integration
EXTRA_tests/integration/yield.c := -fPIC
SCRIPT_TESTS += tests/integration/races.sh

# Real runs under ThreadSanitizer
TSAN_TESTS += unit/region_test $(addprefix tests/integration/,undo.sh heap_test.sh control.sh world_consistent.sh \
	sor_checksum.sh world_history.sh)
