# dsmbench: each path of the DSM beside the floor of kernel and wire
PROGRAMS       += dsmbench
dsmbench_SRCS  := $(addprefix dsmcore/bench/,dsmbench.c paths.c result.c launch.c probes.c probes_windows.c probes_whole.c stats.c windows.c mute.c scale.c migrate.c bulk.c agenda.c node.c node_fault.c \
	node_paths.c node_load.c node_migrate.c node_undo.c node_bulk.c floor.c floor_memory.c floor_undo.c) $(addprefix dsmcore/launch/,put_file.c plain.c beside.c) \
	collector/usdt.c
dsmbench_NEEDS := dsm core
dsmbench_LIBS  := -ljson-c -lelf -lpthread -ldl -lm

# All of them, with the aims beside the figures: make bench, or make bench BENCH="fault barrier"
bench: dsmbench dsmrun dsmcollect
	@BUILD=$(BUILD) BENCH="$(BENCH)" BENCH_ARGS="$(BENCH_ARGS)" dsmcore/bench/bench.sh
