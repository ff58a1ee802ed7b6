# tests of transport and launch
TESTS += unit/transport_wire_test
unit/transport_wire_test_SRCS := tests/unit/transport_wire_test.c dsmcore/transport/wire.c
unit/transport_wire_test_LIBS := -lcmocka

TESTS += unit/transport_test unit/transport_raw_test
unit/transport_test_SRCS := tests/unit/transport_test.c tests/unit/transport_end.c $(transport_SRCS)
unit/transport_test_LIBS := -lcmocka -lpthread
unit/transport_raw_test_SRCS := tests/unit/transport_raw_test.c tests/unit/transport_end.c $(transport_SRCS)
unit/transport_raw_test_LIBS := -lcmocka -lpthread

FUZZERS += fuzz_wire
fuzz_wire_SRCS := tests/fuzz/fuzz_wire.c dsmcore/transport/wire.c

# A node without the DSM, for tests of dsmrun alone
PROGRAMS += dsmrun_member
dsmrun_member_SRCS := tests/integration/dsmrun_member.c $(transport_SRCS) $(member_SRCS)
dsmrun_member_LIBS := -lpthread -ldl
dsmrun_member_DIR  := tests/integration

PROGRAMS += forbid
forbid_SRCS := tests/integration/forbid.c
forbid_DIR  := tests/integration

PROGRAMS += no_personality
no_personality_SRCS := tests/integration/no_personality.c
no_personality_DIR  := tests/integration

TESTS += unit/control_test
unit/control_test_SRCS := tests/unit/control_test.c dsmcore/launch/where.c $(member_SRCS) \
	$(addprefix dsmcore/transport/,stream_socket.c stream_ring.c tls_load.c fabric_load.c plugin.c)
unit/control_test_LIBS := -lcmocka -lpthread -ldw -lelf -ldl

TSAN_TESTS += unit/transport_test unit/transport_raw_test unit/transport_ring_test unit/control_test

SCRIPT_TESTS += $(addprefix tests/integration/,dsmrun_start.sh dsmrun_end.sh dsmrun_bad_input.sh dsmrun_monitor.sh manuals.sh)
SCRIPT_TESTS += tests/integration/file_limit.sh

TESTS += unit/transport_ring_test
unit/transport_ring_test_SRCS := tests/unit/transport_ring_test.c $(transport_SRCS)
unit/transport_ring_test_LIBS := -lcmocka -lpthread

# A node with the DSM, for tests of all launchers
PROGRAMS += launch_app
launch_app_SRCS  := tests/integration/launch_app.c
launch_app_NEEDS := dsm
launch_app_DIR   := tests/integration

SCRIPT_TESTS += $(addprefix tests/integration/,mpirun.sh mpirun_hosts.sh mpirun_each.sh srun.sh hosts.sh hosts_ipv6.sh hosts_lossy.sh hosts_cable.sh \
	hosts_monitor.sh)

# False sharing between hosts
PROGRAMS += split
split_SRCS  := tests/integration/split.c
split_NEEDS := dsm
split_DIR   := tests/integration

TESTS += unit/frame_test
unit/frame_test_SRCS := tests/unit/frame_test.c dsmcore/launch/frame.c
unit/frame_test_LIBS := -lcmocka

TESTS += unit/address_test
unit/address_test_SRCS := tests/unit/address_test.c $(addprefix dsmcore/launch/,address.c address_find.c options.c)
unit/address_test_LIBS := -lcmocka

TESTS += unit/place_test
unit/place_test_SRCS := tests/unit/place_test.c $(addprefix dsmcore/launch/,dsmrun_place.c address.c address_find.c)
unit/place_test_LDFLAGS := -Wl,--wrap=strdup,--wrap=realloc
unit/place_test_LIBS := -lcmocka

FUZZERS += fuzz_address
fuzz_address_SRCS := tests/fuzz/fuzz_address.c $(addprefix dsmcore/launch/,address.c address_find.c options.c)

FUZZERS += fuzz_frame
fuzz_frame_SRCS := tests/fuzz/fuzz_frame.c dsmcore/launch/frame.c
