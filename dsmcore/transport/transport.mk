# transport: frames and sockets between the nodes
transport_SRCS := dsmcore/transport/wire.c dsmcore/transport/queue.c dsmcore/transport/transport.c \
	dsmcore/transport/stream_socket.c
