# tests of the example programs and of the whole chain on them
SCRIPT_TESTS += tests/integration/sor_checksum.sh tests/integration/world_consistent.sh \
	tests/integration/world_bad_input.sh tests/integration/world_interrupt.sh tests/integration/world_history.sh \
	tests/integration/demo_proof.sh tests/integration/demo_readme.sh tests/integration/generated_helps.sh
# They compare rates.
ALONE += tests/integration/demo_proof.sh tests/integration/demo_readme.sh tests/integration/generated_helps.sh
