# The simulator: real cores in a deterministic world (tests/sim), and the same with a broken core.
SIM_SRCS := $(addprefix tests/sim/,core.c world.c port.c program.c check.c cover.c)

TESTS += sim/sim sim/mutants
sim/sim_SRCS      := tests/sim/main.c $(SIM_SRCS)
sim/sim_NEEDS     := verify
sim/mutants_SRCS  := tests/sim/mutants.c $(SIM_SRCS)
sim/mutants_NEEDS := verify
