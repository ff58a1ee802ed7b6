# apps: example programs. No app knows about plans or probes; they use dsm.h only.
PROGRAMS += sor sor-sequential world
sor_DIR   := apps
sor_SRCS  := apps/sor/sor.c apps/sor/sor_options.c apps/sor/grid.c apps/common/app.c
sor_NEEDS := dsm
sor_LIBS  := -lm

# The yardstick: the same arithmetic, the same object file, no DSM.
sor-sequential_DIR  := apps
sor-sequential_SRCS := apps/sor/sequential.c apps/sor/sor_options.c apps/sor/grid.c apps/common/app.c
sor-sequential_LIBS := -lm

world_DIR   := apps
world_SRCS  := apps/world/world.c apps/world/options.c apps/world/scene.c apps/world/walk.c apps/common/app.c
world_NEEDS := dsm
world_LIBS  := -lm

# Scenes lie beside the program, or in PREFIX/share/procope/scenes when it is installed.
SCENES := $(patsubst apps/%,$(BUILD)/apps/%,$(wildcard apps/scenes/*.scene))
$(SCENES): $(BUILD)/apps/%: apps/%
	@mkdir -p $(@D)
	$(Q)cp $< $@
$(BUILD)/apps/world: | $(SCENES)

# The main job, from a run to its proof; build/demo holds all it makes.
.PHONY: demo
demo: all
	$(Q)BUILD=$(BUILD) apps/demo.sh
