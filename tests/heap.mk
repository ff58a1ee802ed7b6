# tests of the typed transactional heap
TESTS += unit/heap_test unit/plan_test
unit/heap_test_SRCS := tests/unit/heap_test.c dsmcore/memory/heap.c
unit/heap_test_LIBS := -lcmocka
unit/plan_test_SRCS := tests/unit/plan_test.c dsmcore/memory/plan.c dsmcore/memory/objects_layout.c
unit/plan_test_LIBS := -lcmocka -ljson-c
