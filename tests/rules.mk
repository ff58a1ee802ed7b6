# tests: parts declared for the Makefile at the top
