# collector: parts declared for the Makefile at the top
ARCHIVES   += trace
trace_SRCS := collector/trace_write.c collector/trace_read.c collector/trace_sane.c
