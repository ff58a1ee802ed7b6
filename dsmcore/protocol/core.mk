# The protocol core: archive `core` for tests; libdsm compiles the same sources (core_SRCS) itself.
core_SRCS := $(addprefix dsmcore/protocol/,core.c actions.c attempt.c independent.c client.c commit.c home.c lock.c holders.c loss.c \
	barrier.c rank.c message.c sticky.c doubt.c fetch.c prefetch.c ahead.c rows.c claim.c update.c \
	directory.c copyset.c migrate.c worth.c model.c copies.c sc.c sc_home.c sc_bring.c sc_lend.c rc.c rc_home.c locks.c)
ARCHIVES  += core
LINT_SRCS += $(core_SRCS)
