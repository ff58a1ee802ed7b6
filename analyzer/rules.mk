# analyzer: parts declared for the Makefile at the top
include analyzer/gate.mk

ARCHIVES += analyzer
analyzer_SRCS := $(addprefix analyzer/, mem.c table.c byteset.c model.c objects.c homes.c symbols.c layout.c decode.c \
	verdict.c place.c window.c evidence.c meeting.c met.c waits.c loops.c promise.c quiet.c gather.c standin.c usage.c tally.c rows.c charge.c cores.c ingest.c ending.c joined.c replay.c replay_fetches.c again.c turns.c range.c advice.c advice_layout.c advice_predict.c advice_source.c advice_struct.c advice_waits.c advice_loops.c advice_promise.c advice_text.c \
	names.c report.c report_text.c report_warnings.c report_advice.c report_meetings.c report_sureness.c report_waits.c report_homes.c report_json.c report_plan.c json.c report_dot.c graph.c outfile.c proof.c)
# Zydis decodes instructions; without it an access of unknown size is widened to its field.
ifneq ($(wildcard /usr/include/Zydis/Zydis.h /usr/local/include/Zydis/Zydis.h),)
EXTRA_analyzer/decode.c := -DHAVE_ZYDIS
zydis_LIBS := -lZydis
endif
analyzer_LIBS := -ldw -lelf -ljson-c -lzstd -lxxhash $(zydis_LIBS) -lm

PROGRAMS += dsmreport
dsmreport_SRCS  := analyzer/dsmreport.c
dsmreport_NEEDS := analyzer trace
dsmreport_LIBS  := $(analyzer_LIBS)
