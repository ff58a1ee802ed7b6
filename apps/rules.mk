# apps: example programs. No app knows about plans or probes; they use dsm.h only.
app_COMMON   := $(addprefix apps/common/,app.c options.c)
app_PARALLEL := $(app_COMMON) $(addprefix apps/common/,sequential.c rows.c parts.c)
app_ALONE    := $(app_COMMON) apps/common/rows.c

# Where they find libdsm once they are installed: in lib, of which they are in lib/procope/examples.
app_LINK     := -Wl,-rpath,'$$$$ORIGIN/../..'

# An app NAME is two programs: NAME with the DSM, and NAME-sequential, the yardstick: the same kernel, the same
# object files, no DSM. NAME_KERNEL is what they share.
define app
PROGRAMS += $(1) $(1)-sequential
$(1)_DIR   := apps
$(1)_SRCS  := apps/$(1)/$(1).c $$($(1)_KERNEL) $$(app_PARALLEL)
$(1)_NEEDS := dsm
$(1)_LIBS  := -lm $$($(1)_KERNEL_LIBS) $$(app_LINK)
$(1)-sequential_DIR  := apps
$(1)-sequential_SRCS := apps/$(1)/sequential.c $$($(1)_KERNEL) $$(app_ALONE)
$(1)-sequential_LIBS := -lm $$($(1)_KERNEL_LIBS)
endef
APPS := sor mgs raytracer kmeans tsp lu hashmap
sor_KERNEL := apps/sor/options.c apps/sor/grid.c apps/common/random.c
mgs_KERNEL := apps/mgs/options.c apps/mgs/vectors.c apps/common/random.c
raytracer_KERNEL := $(addprefix apps/raytracer/,options.c scene.c trace.c picture.c) apps/common/lines.c
kmeans_KERNEL  := $(addprefix apps/kmeans/,options.c points.c) apps/common/random.c
tsp_KERNEL     := $(addprefix apps/tsp/,options.c tour.c) apps/common/random.c
lu_KERNEL      := $(addprefix apps/lu/,options.c blocks.c) apps/common/random.c
hashmap_KERNEL := $(addprefix apps/hashmap/,options.c table.c)
ifeq ($(WITH_libpng),yes)
raytracer_KERNEL_LIBS := $(libpng_LIBS)
EXTRA_apps/raytracer/picture.c := -DWITH_LIBPNG $(libpng_CFLAGS)
endif
$(foreach a,$(APPS),$(eval $(call app,$(a))))
# An app and its twins share machine code; it shall also lie alike in all of them. A loop of 33 bytes that begins just before
# a line of the instruction cache takes twice as long as one that begins with it (lu on Zen 4).
$(foreach f,$(sort $(foreach a,$(APPS),$($(a)_KERNEL))),$(eval EXTRA_$(f) += -falign-functions=64 -falign-loops=64))
hashmap_SRCS += apps/hashmap/batch.c
raytracer_SRCS += apps/raytracer/deal.c

PROGRAMS += world world-sequential
world_DIR   := apps
world_SRCS  := apps/world/world.c apps/world/options.c apps/world/scene.c apps/world/walk.c \
	apps/world/avatar.c apps/world/show.c apps/world/picture.c apps/world/terminal.c apps/common/app.c apps/common/lines.c \
	apps/common/sequential.c
world_NEEDS := dsm
world_LIBS  := -lm $(app_LINK)
ifeq ($(WITH_ncursesw),yes)
world_LIBS  += $(ncursesw_LIBS)
EXTRA_apps/world/terminal.c := -DWITH_NCURSES $(ncursesw_CFLAGS)
endif

world-sequential_DIR  := apps
world-sequential_SRCS := $(addprefix apps/world/,sequential.c options.c scene.c walk.c avatar.c) apps/common/app.c apps/common/lines.c
world-sequential_LIBS := -lm

# Scenes lie beside the program, or in PREFIX/share/procope/scenes when it is installed (apps/common/app.c).
SCENES := $(patsubst apps/%,$(BUILD)/apps/%,$(wildcard apps/scenes/*.scene))
$(SCENES): $(BUILD)/apps/%: apps/%
	@mkdir -p $(@D)
	$(Q)cp $< $@
$(BUILD)/apps/world $(BUILD)/apps/world-sequential $(BUILD)/apps/raytracer: | $(SCENES)

# The main job, from a run to its proof; build/demo holds all it makes.
.PHONY: demo
demo: all
	$(Q)BUILD=$(BUILD) apps/demo.sh

# The consistency models on the example programs, beside their sequential and MPI twins: build/compare.
#   make compare [QUICK=1] [COMPARE="--apps sor,mgs --nodes 2"]
.PHONY: compare
compare: all
	$(Q)BUILD=$(BUILD) apps/compare/compare.sh $(if $(QUICK),--quick) $(COMPARE)
