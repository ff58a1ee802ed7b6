# libfabric: what calls it
ifeq ($(WITH_libfabric),yes)
PLUGINS         += dsm-fabric
dsm-fabric_SRCS := $(addprefix dsmcore/transport/,fabric.c fabric_hear.c fabric_open.c fabric_wait.c)
dsm-fabric_LIBS := $(libfabric_LIBS)
$(foreach s,$(dsm-fabric_SRCS),$(eval EXTRA_$(s) := $(libfabric_CFLAGS)))
endif
