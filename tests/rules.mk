# tests: each part declares its tests in a file of its own beside this one.
SCRIPT_TESTS :=
include $(filter-out tests/rules.mk,$(sort $(wildcard tests/*.mk)))
