# runtime: what turns a process into a node
runtime_SRCS := $(addprefix dsmcore/runtime/,await.c batch.c caller.c clocks.c contention.c cputime.c dispatch.c events.c evidence.c fault.c history.c loop.c microscope.c \
	modules.c pages.c node.c notes.c phase.c probes.c safepoint.c section.c intervals.c snapshot.S standing.c start.c strict.c syscalls.c syscalls_files.c thread_end.c tx.c tx_control.c txlog.c)
memory_SRCS := $(addprefix dsmcore/memory/,region.c coarse.c diff.c shadow.c written.c)
