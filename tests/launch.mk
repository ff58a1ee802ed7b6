# tests of transport and launch
TESTS += unit/transport_wire_test
unit/transport_wire_test_SRCS := tests/unit/transport_wire_test.c dsmcore/transport/wire.c
unit/transport_wire_test_LIBS := -lcmocka
