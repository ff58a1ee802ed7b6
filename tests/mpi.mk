# Hand-written MPI twins of some apps, where there is an MPI to build them with. They lie beside the apps, so that they
# find the same scenes, and are not installed.
ifeq ($(WITH_ompi-c),yes)
MPI_TWINS := sor mgs raytracer
define mpi_twin
PROGRAMS += $(1)-mpi
$(1)-mpi_DIR  := apps
$(1)-mpi_SRCS := tests/bench/$(1)_mpi.c $$($(1)_KERNEL) $$(app_ALONE)
$(1)-mpi_LIBS := -lm $$($(1)_KERNEL_LIBS) $$(ompi-c_LIBS)
EXTRA_tests/bench/$(1)_mpi.c := $$(ompi-c_CFLAGS)
endef
$(foreach a,$(MPI_TWINS),$(eval $(call mpi_twin,$(a))))
endif
