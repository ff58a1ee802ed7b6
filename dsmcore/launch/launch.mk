# launch: the node's side of the line to the launcher, and the launcher
control_SRCS := dsmcore/launch/proto.c dsmcore/launch/control.c dsmcore/launch/options.c dsmcore/launch/mesh.c

PROGRAMS    += dsmrun
dsmrun_SRCS := dsmcore/launch/dsmrun.c dsmcore/launch/dsmrun_loop.c dsmcore/launch/dsmrun_spawn.c \
	dsmcore/launch/dsmrun_monitor.c dsmcore/launch/dsmrun_stats.c dsmcore/launch/where.c dsmcore/launch/shm_find.c dsmcore/memory/plan.c \
	dsmcore/launch/proto.c dsmcore/launch/options.c
dsmrun_LIBS := -ldw -lelf -ljson-c
