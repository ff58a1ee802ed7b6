# analyzer: parts declared for the Makefile at the top
include analyzer/gate.mk
