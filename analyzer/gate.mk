# dsmgate: included by analyzer/rules.mk
ARCHIVES += gate
gate_SRCS := analyzer/gate_stats.c analyzer/gate_run.c analyzer/gate_report.c analyzer/ending.c analyzer/outfile.c analyzer/mem.c

PROGRAMS += dsmgate
dsmgate_SRCS  := analyzer/gate.c
dsmgate_NEEDS := gate trace
dsmgate_LIBS  := -ljson-c -lzstd -lxxhash -lm
