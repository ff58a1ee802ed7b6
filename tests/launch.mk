# tests of transport and launch
TESTS += unit/transport_wire_test
unit/transport_wire_test_SRCS := tests/unit/transport_wire_test.c dsmcore/transport/wire.c
unit/transport_wire_test_LIBS := -lcmocka

TESTS += unit/transport_test
unit/transport_test_SRCS := tests/unit/transport_test.c $(transport_SRCS)
unit/transport_test_LIBS := -lcmocka -lpthread

FUZZERS += fuzz_wire
fuzz_wire_SRCS := tests/fuzz/fuzz_wire.c dsmcore/transport/wire.c
