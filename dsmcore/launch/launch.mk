# launch: the node's side of the line to the launcher, and the launchers
member_SRCS := $(addprefix dsmcore/launch/,proto.c control.c pmix_node.c options.c address.c address_find.c mesh.c mesh_prove.c mesh_socket.c mesh_key.c \
	fabric_node.c plain.c)

PROGRAMS    += dsmrun
dsmrun_SRCS := $(addprefix dsmcore/launch/,dsmrun.c dsmrun_check.c dsmrun_loop.c dsmrun_output.c dsmrun_spawn.c \
	dsmrun_monitor.c dsmrun_stats.c put_file.c beside.c dsmrun_place.c dsmrun_names.c dsmrun_hosts.c dsmrun_agent.c dsmrun_traces.c dsmrun_spool.c \
	frame.c address.c address_find.c \
	report.c where.c plain.c shm_find.c proto.c options.c mesh_key.c) dsmcore/memory/plan.c \
	$(addprefix dsmcore/transport/,tls_load.c fabric_load.c plugin.c)
dsmrun_LIBS := -ldw -lelf -ljson-c

# Where there is PMIx, a helper beside libdsm speaks it for the nodes, so that libdsm itself does not need it.
ifdef WITH_pmix
PROGRAMS      += dsm-pmix
dsm-pmix_SRCS := $(addprefix dsmcore/launch/,pmix_helper.c pmix_local.c report.c where.c proto.c options.c \
	mesh_key.c plain.c address.c address_find.c)
dsm-pmix_LIBS := $(pmix_LIBS) -ldw -lelf
dsm-pmix_DIR  := lib/procope
EXTRA_dsmcore/launch/pmix_helper.c := $(pmix_CFLAGS)
endif
