# tests of the libfabric transport
TESTS += unit/fabric_test
unit/fabric_test_SRCS := tests/unit/fabric_test.c tests/unit/fabric_member.c \
	$(addprefix dsmcore/transport/,fabric_load.c plugin.c stream_socket.c)
unit/fabric_test_LIBS := -lcmocka -lpthread -ldl

SCRIPT_TESTS += tests/integration/fabric.sh
ALONE += unit/fabric_test # it measures how long a sleeper sleeps
$(if $(WITH_libfabric),unit/fabric_test: $(BUILD)/lib/libdsm-fabric.so)

ifeq ($(WITH_libfabric),yes)
FUZZERS += fuzz_piece
fuzz_piece_SRCS := tests/fuzz/fuzz_piece.c dsmcore/transport/fabric_hear.c
fuzz_piece_LIBS := $(libfabric_CFLAGS)
endif
