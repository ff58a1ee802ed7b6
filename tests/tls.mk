# tests of encrypted connections
ifeq ($(WITH_openssl),yes)
TESTS += unit/stream_tls_test
unit/stream_tls_test_SRCS := tests/unit/stream_tls_test.c dsmcore/transport/stream_tls.c dsmcore/transport/tls_identity.c
unit/stream_tls_test_LIBS := -lcmocka -lpthread $(openssl_LIBS)
TSAN_TESTS += unit/stream_tls_test
endif
