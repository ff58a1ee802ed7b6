# The checker of histories: archive `verify` for the simulator, program dsmverify for real runs.
verify_SRCS := $(addprefix dsmcore/verify/,verify.c graph.c history.c) dsmcore/launch/plain.c
ARCHIVES    += verify
PROGRAMS    += dsmverify

dsmverify_SRCS  := dsmcore/verify/dsmverify.c
dsmverify_NEEDS := verify
