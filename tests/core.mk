# The protocol core and the checker of histories, one rule at a time.
core_TESTS := core_test core_prefetch_test core_rows_test core_carried_test core_independent_test core_update_test core_hand_test \
	core_migrate_test core_loss_test core_rc_test core_rc_sync_test core_sc_test core_sc_bring_test \
	core_locks_test core_message_test core_memory_test copyset_test
define core_unit
unit/$(1)_SRCS  := tests/unit/$(1).c
unit/$(1)_NEEDS := core
unit/$(1)_LIBS  := -lcmocka
endef
$(foreach t,$(core_TESTS),$(eval $(call core_unit,$(t))))
unit/core_memory_test_LDFLAGS := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
TESTS += $(core_TESTS:%=unit/%)

TESTS += unit/verify_test
unit/verify_test_SRCS  := tests/unit/verify_test.c
unit/verify_test_NEEDS := verify
unit/verify_test_LIBS  := -lcmocka

FUZZERS += fuzz_core_msg fuzz_history
fuzz_core_msg_SRCS := tests/fuzz/fuzz_core_msg.c $(core_SRCS)
fuzz_history_SRCS  := tests/fuzz/fuzz_history.c $(verify_SRCS)
