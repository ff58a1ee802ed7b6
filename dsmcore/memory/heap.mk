# The typed transactional heap: part of libdsm.so.
heap_SRCS := dsmcore/memory/heap.c dsmcore/memory/plan.c dsmcore/memory/objects_table.c \
	dsmcore/memory/objects_layout.c dsmcore/memory/objects_foreign.c dsmcore/memory/objects_place.c dsmcore/memory/objects.c \
	dsmcore/memory/roots.c dsmcore/memory/alloc_hooks.c
heap_LIBS := -ljson-c
