# viewer: parts declared for the Makefile at the top
