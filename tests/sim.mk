# The simulator: real cores in a deterministic world (tests/sim), and the same with a broken core.
# The protocol's files are compiled once more for it, with the places where they can be broken.
SIM_CORE := $(patsubst dsmcore/protocol/%,tests/sim/core/%,$(core_SRCS))
$(BUILD)/obj/tests/sim/core/%.o: dsmcore/protocol/%.c | $(DEPS_STAMP)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -DCORE_MUTANTS -MMD -MP -c $< -o $@

SIM_SRCS := $(SIM_CORE) $(addprefix tests/sim/,core.c world.c port.c profile.c program.c check.c check_history.c cover.c cover_tx.c cover_sync.c death.c program_sync.c check_sync.c blocks.c) dsmcore/bench/agenda.c

TESTS += sim/sim sim/mutants
ALONE += sim/sim sim/mutants
sim/sim_SRCS      := tests/sim/main.c tests/sim/pool.c $(SIM_SRCS)
sim/sim_NEEDS     := verify
sim/mutants_SRCS  := tests/sim/mutants.c $(SIM_SRCS)
sim/mutants_NEEDS := verify

# make sim SEEDS=100000 (or a range, SEEDS=7000-9000); JOBS=1 keeps it to one core
SEEDS ?= 10000
.PHONY: sim
sim: $(BUILD)/tests/sim/sim
	@$< --seeds $(if $(findstring -,$(SEEDS)),$(SEEDS),1-$(SEEDS)) $(if $(JOBS),--jobs $(JOBS))
