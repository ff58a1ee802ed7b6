# The protocol core and the checker of histories, one rule at a time.
TESTS += unit/core_test unit/core_prefetch_test unit/core_rows_test unit/core_carried_test unit/core_update_test unit/core_hand_test unit/core_migrate_test unit/core_loss_test unit/core_rc_test unit/core_rc_sync_test unit/core_sc_test unit/core_sc_bring_test unit/core_locks_test unit/core_message_test unit/core_memory_test unit/copyset_test unit/verify_test

unit/core_rows_test_SRCS  := tests/unit/core_rows_test.c
unit/core_rows_test_NEEDS := core
unit/core_rows_test_LIBS  := -lcmocka
unit/core_carried_test_SRCS  := tests/unit/core_carried_test.c
unit/core_carried_test_NEEDS := core
unit/core_carried_test_LIBS  := -lcmocka
unit/core_test_SRCS  := tests/unit/core_test.c
unit/core_test_NEEDS := core
unit/core_test_LIBS  := -lcmocka

unit/core_prefetch_test_SRCS  := tests/unit/core_prefetch_test.c
unit/core_prefetch_test_NEEDS := core
unit/core_prefetch_test_LIBS  := -lcmocka

unit/copyset_test_SRCS  := tests/unit/copyset_test.c
unit/copyset_test_NEEDS := core
unit/copyset_test_LIBS  := -lcmocka

unit/core_loss_test_SRCS  := tests/unit/core_loss_test.c
unit/core_loss_test_NEEDS := core
unit/core_loss_test_LIBS  := -lcmocka

unit/core_update_test_SRCS  := tests/unit/core_update_test.c
unit/core_update_test_NEEDS := core
unit/core_update_test_LIBS  := -lcmocka

unit/core_sc_test_SRCS  := tests/unit/core_sc_test.c
unit/core_sc_test_NEEDS := core
unit/core_sc_test_LIBS  := -lcmocka

unit/core_sc_bring_test_SRCS  := tests/unit/core_sc_bring_test.c
unit/core_sc_bring_test_NEEDS := core
unit/core_sc_bring_test_LIBS  := -lcmocka

unit/core_locks_test_SRCS  := tests/unit/core_locks_test.c
unit/core_locks_test_NEEDS := core
unit/core_locks_test_LIBS  := -lcmocka

unit/core_rc_test_SRCS  := tests/unit/core_rc_test.c
unit/core_rc_test_NEEDS := core
unit/core_rc_test_LIBS  := -lcmocka

unit/core_rc_sync_test_SRCS  := tests/unit/core_rc_sync_test.c
unit/core_rc_sync_test_NEEDS := core
unit/core_rc_sync_test_LIBS  := -lcmocka

unit/core_hand_test_SRCS  := tests/unit/core_hand_test.c
unit/core_hand_test_NEEDS := core
unit/core_hand_test_LIBS  := -lcmocka

unit/core_migrate_test_SRCS  := tests/unit/core_migrate_test.c
unit/core_migrate_test_NEEDS := core
unit/core_migrate_test_LIBS  := -lcmocka

unit/core_message_test_SRCS  := tests/unit/core_message_test.c
unit/core_message_test_NEEDS := core
unit/core_message_test_LIBS  := -lcmocka

unit/core_memory_test_SRCS    := tests/unit/core_memory_test.c
unit/core_memory_test_NEEDS   := core
unit/core_memory_test_LIBS    := -lcmocka
unit/core_memory_test_LDFLAGS := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

unit/verify_test_SRCS  := tests/unit/verify_test.c
unit/verify_test_NEEDS := verify
unit/verify_test_LIBS  := -lcmocka

FUZZERS += fuzz_core_msg fuzz_history
fuzz_core_msg_SRCS := tests/fuzz/fuzz_core_msg.c $(core_SRCS)
fuzz_history_SRCS  := tests/fuzz/fuzz_history.c $(verify_SRCS)
