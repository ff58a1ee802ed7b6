# Tests of dsmcheck: it finds what is there, and what is taken away from it on purpose.
SCRIPT_TESTS += tests/integration/check_test.sh
# What make install puts where.
SCRIPT_TESTS += tests/integration/install.sh
# What make fuzz takes for a time.
SCRIPT_TESTS += tests/integration/fuzz_limits.sh
