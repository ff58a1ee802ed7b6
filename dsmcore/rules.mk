# dsmcore: the DSM itself. Each folder declares its part.
include $(sort $(wildcard dsmcore/*/*.mk))
