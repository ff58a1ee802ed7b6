# dsmcore: the DSM itself. Each folder declares its part; together they are libdsm.so.
include $(sort $(wildcard dsmcore/*/*.mk))

LIBDSM := $(BUILD)/lib/libdsm.so
libdsm_SRCS := $(core_SRCS) $(memory_SRCS) $(heap_SRCS) $(transport_SRCS) $(member_SRCS) $(runtime_SRCS)
libdsm_OBJS = $(call picobj,$(libdsm_SRCS))

# The probes' semaphores and __libc_start_main are found by name; all else is hidden.
define libdsm_rule
$(LIBDSM): $(libdsm_OBJS) dsmcore/libdsm.map
	$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libdsm.so -Wl,-z,now -Wl,--version-script=dsmcore/libdsm.map \
		-o $$@ $(libdsm_OBJS) $(heap_LIBS) -lpthread -ldl -lm
-include $(patsubst %.o,%.d,$(libdsm_OBJS))
endef
