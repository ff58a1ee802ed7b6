# tests of the libfabric transport
TESTS += unit/fabric_test
unit/fabric_test_SRCS := tests/unit/fabric_test.c \
	$(addprefix dsmcore/transport/,fabric_load.c plugin.c stream_socket.c)
unit/fabric_test_LIBS := -lcmocka -lpthread -ldl

SCRIPT_TESTS += tests/integration/fabric.sh
ALONE += unit/fabric_test # it measures how long a sleeper sleeps
$(if $(WITH_libfabric),unit/fabric_test: $(BUILD)/lib/libdsm-fabric.so)
