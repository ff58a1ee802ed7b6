# dsmcheck: what this machine lacks
PROGRAMS      += dsmcheck
dsmcheck_SRCS := $(addprefix dsmcore/launch/,dsmcheck.c dsmcheck_child.c dsmcheck_memory.c dsmcheck_bpf.c \
	dsmcheck_elf.c dsmcheck_tools.c dsmcheck_fabric.c dsmcheck_tls.c dsmcheck_apps.c options.c plain.c) \
	dsmcore/transport/tls_load.c dsmcore/transport/fabric_load.c dsmcore/transport/plugin.c
dsmcheck_LIBS := -lbpf -ldw -lelf -lz -ljson-c -ldl
