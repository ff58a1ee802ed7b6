# tests of encrypted connections
ifeq ($(WITH_openssl),yes)
TESTS += unit/stream_tls_test unit/stream_tls_threads_test
tls_parts := tests/unit/stream_tls_cable.c dsmcore/transport/stream_tls.c dsmcore/transport/tls_identity.c
unit/stream_tls_test_SRCS := tests/unit/stream_tls_test.c $(tls_parts)
unit/stream_tls_test_LIBS := -lcmocka -lpthread $(openssl_LIBS)
unit/stream_tls_threads_test_SRCS := tests/unit/stream_tls_threads_test.c $(tls_parts)
unit/stream_tls_threads_test_LIBS := -lcmocka -lpthread $(openssl_LIBS)
TSAN_TESTS += unit/stream_tls_test unit/stream_tls_threads_test
endif

# The mesh needs libdsm-tls.so, if it is built at all
TESTS += unit/mesh_test unit/mesh_key_test
unit/mesh_test_SRCS := tests/unit/mesh_test.c tests/unit/mesh_member.c $(addprefix dsmcore/launch/,mesh.c mesh_prove.c mesh_socket.c mesh_key.c address.c) \
	dsmcore/transport/stream_socket.c dsmcore/transport/tls_load.c dsmcore/transport/plugin.c
unit/mesh_test_LIBS := -lcmocka -lpthread -ldl
TSAN_TESTS += unit/mesh_test
unit/mesh_key_test_SRCS := tests/unit/mesh_key_test.c dsmcore/launch/mesh_key.c
unit/mesh_key_test_LIBS := -lcmocka

# Strangers at real runs
PROGRAMS      += stranger secret
stranger_SRCS := tests/integration/stranger.c $(addprefix dsmcore/launch/,mesh.c mesh_prove.c mesh_socket.c mesh_key.c address.c) \
	dsmcore/transport/stream_socket.c dsmcore/transport/tls_load.c dsmcore/transport/plugin.c
stranger_LIBS := -lpthread -ldl
stranger_DIR  := tests/integration
secret_SRCS   := tests/integration/secret.c
secret_NEEDS  := dsm
secret_DIR    := tests/integration
SCRIPT_TESTS  += $(addprefix tests/integration/,strangers.sh strangers_ipv6.sh hosts_strangers.sh)

FUZZERS += fuzz_key fuzz_proto fuzz_greeting fuzz_options
fuzz_greeting_SRCS := tests/fuzz/fuzz_greeting.c $(addprefix dsmcore/launch/,mesh.c mesh_prove.c mesh_socket.c mesh_key.c address.c) \
	dsmcore/transport/stream_socket.c dsmcore/transport/tls_load.c dsmcore/transport/plugin.c
fuzz_greeting_LIBS := -ldl
fuzz_options_SRCS  := tests/fuzz/fuzz_options.c $(addprefix dsmcore/launch/,options.c address.c address_find.c)
fuzz_key_SRCS   := tests/fuzz/fuzz_key.c dsmcore/launch/mesh_key.c
fuzz_proto_SRCS := tests/fuzz/fuzz_proto.c $(addprefix dsmcore/launch/,proto.c options.c address.c)
ifeq ($(WITH_openssl),yes)
FUZZERS += fuzz_tls
fuzz_tls_SRCS := tests/fuzz/fuzz_tls.c dsmcore/transport/stream_tls.c dsmcore/transport/tls_identity.c
fuzz_tls_LIBS := $(openssl_LIBS)
endif
