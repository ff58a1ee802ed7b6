# tests of the typed transactional heap
TESTS += unit/heap_test unit/plan_test unit/heap_objects_test
unit/heap_test_SRCS := tests/unit/heap_test.c dsmcore/memory/heap.c
unit/heap_test_LIBS := -lcmocka
unit/plan_test_SRCS := tests/unit/plan_test.c dsmcore/memory/plan.c dsmcore/memory/objects_layout.c
unit/plan_test_LIBS := -lcmocka -ljson-c
unit/heap_objects_test_SRCS := tests/unit/heap_objects_test.c tests/unit/heap_objects_node.c dsmcore/runtime/txlog.c $(addprefix dsmcore/memory/,\
	heap.c plan.c objects_table.c objects_layout.c objects_foreign.c objects_place.c objects.c roots.c)
unit/heap_objects_test_LIBS := -lcmocka -ljson-c -lpthread

PROGRAMS += heap_app
heap_app_SRCS  := tests/integration/heap_app.c tests/integration/heap_app_malloc.c
heap_app_NEEDS := dsm
heap_app_LIBS  := -lpthread
heap_app_DIR   := tests/integration

SCRIPT_TESTS += tests/integration/heap_test.sh

FUZZERS += fuzz_plan
fuzz_plan_SRCS := tests/fuzz/fuzz_plan.c dsmcore/memory/plan.c dsmcore/memory/objects_layout.c
fuzz_plan_LIBS := -ljson-c
