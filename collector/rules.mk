# collector: parts declared for the Makefile at the top
ARCHIVES   += trace collect
trace_SRCS := collector/trace_write.c collector/trace_read.c collector/trace_sane.c collector/shown.c \
	collector/number.c collector/room.c collector/lost_time.c collector/clockfit.c collector/hostclocks.c
collect_SRCS := collector/table.c collector/aggregate.c collector/aggregate_names.c collector/nodes.c \
	collector/source_ring.c collector/source_bpf.c collector/usdt.c collector/live.c collector/live_json.c \
	collector/collect.c collector/collect_samples.c collector/collect_senders.c collector/collect_json.c collector/jsonout.c \
	collector/merge.c collector/merge_survey.c collector/merge_clocks.c collector/merge_json.c collector/follow.c collector/each.c collector/each_parts.c \
	dsmcore/launch/shm_find.c
collect_LIBS := -lbpf -lelf -lz -ljson-c -lzstd -lxxhash -lm

PROGRAMS   += dsmcollect
dsmcollect_SRCS  := collector/dsmcollect.c
dsmcollect_NEEDS := collect trace
dsmcollect_LIBS  := $(collect_LIBS)

# The BPF object: compiled freestanding, since the C library's headers know no 64-bit BPF; -idirafter finds
# the kernel's asm/ headers of this machine behind clang's own. bpftool drops the debug sections that only a
# debugger reads.
BPF_ARCH   := $(subst x86_64,x86,$(subst aarch64,arm64,$(shell uname -m)))
BPF_CFLAGS := -target bpf -O2 -g -std=gnu17 -ffreestanding -Wall -Wextra -Werror -D__TARGET_ARCH_$(BPF_ARCH) \
	-Idsmcore/include -I. -idirafter /usr/include/$(shell $(CC) -print-multiarch)

$(BUILD)/gen/dsm.bpf.o: collector/dsm.bpf.c collector/dsm_bpf.h collector/dsm_bpf_logic.h \
		dsmcore/include/dsm_events.h | $(DEPS_STAMP)
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c $< -o $(@:.bpf.o=.bpf.raw.o)
	$(Q)$(BPFTOOL) gen object $@ $(@:.bpf.o=.bpf.raw.o)
$(BUILD)/gen/dsm.skel.h: $(BUILD)/gen/dsm.bpf.o
	$(call say,SKEL,$<)
	$(Q){ echo '/* NOLINTBEGIN: generated */'; $(BPFTOOL) gen skeleton $< name dsm_bpf; echo '/* NOLINTEND */'; } > $@
$(BUILD)/obj/collector/source_bpf.o: | $(BUILD)/gen/dsm.skel.h
