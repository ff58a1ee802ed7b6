# viewer: parts declared for the Makefile at the top
# Everything but source, screen and loop is pure; the archive is what the unit tests link.
ARCHIVES += view
view_SRCS := viewer/text.c viewer/canvas.c viewer/live.c viewer/model.c viewer/ui.c viewer/view.c viewer/view_rows.c \
	viewer/source.c collector/shown.c

PROGRAMS += dsmtop
dsmtop_SRCS  := viewer/dsmtop.c viewer/loop.c viewer/screen.c viewer/replay.c
dsmtop_NEEDS := view collect trace
dsmtop_LIBS  := -lncursesw -ltinfo -ljson-c -lzstd -lxxhash -lm
