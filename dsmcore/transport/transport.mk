# transport: frames and sockets between the nodes
transport_SRCS := dsmcore/transport/wire.c dsmcore/transport/queue.c dsmcore/transport/transport.c dsmcore/transport/turns.c \
	dsmcore/transport/stream_socket.c dsmcore/transport/stream_ring.c dsmcore/transport/plugin.c dsmcore/transport/tls_load.c \
	dsmcore/transport/fabric_load.c

# TLS: what needs OpenSSL
ifeq ($(WITH_openssl),yes)
PLUGINS      += dsm-tls
dsm-tls_SRCS := dsmcore/transport/stream_tls.c dsmcore/transport/tls_identity.c
dsm-tls_LIBS := $(openssl_LIBS)
endif
