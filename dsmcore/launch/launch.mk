# launch: the node's side of the line to the launcher, and the launcher
control_SRCS := dsmcore/launch/control.c dsmcore/launch/options.c dsmcore/launch/mesh.c
