# tests of the example programs and of the whole chain on them
SCRIPT_TESTS += tests/ui/world_show_test.sh tests/integration/apps.sh tests/integration/apps_bad.sh tests/integration/results.sh tests/integration/compare.sh tests/integration/raytracer_scene.sh \
	tests/integration/sor_checksum.sh tests/integration/world_consistent.sh \
	tests/integration/world_bad_input.sh tests/integration/world_interrupt.sh tests/integration/world_history.sh tests/integration/history_cut.sh \
	tests/integration/demo_proof.sh tests/integration/demo_readme.sh tests/integration/generated_helps.sh tests/integration/generated_intervals.sh
# They compare rates.
ALONE += tests/integration/demo_proof.sh tests/integration/demo_readme.sh tests/integration/generated_helps.sh tests/integration/generated_intervals.sh

FUZZERS += fuzz_scene
fuzz_scene_SRCS := tests/fuzz/fuzz_scene.c $(addprefix apps/,raytracer/scene.c raytracer/trace.c common/lines.c common/app.c)
fuzz_scene_LIBS := -lm
FUZZERS += fuzz_world_scene
fuzz_world_scene_SRCS := tests/fuzz/fuzz_world_scene.c $(addprefix apps/,world/scene.c common/lines.c common/app.c)

TESTS += unit/apps_test
unit/apps_test_SRCS := tests/unit/apps_test.c $(addprefix apps/,common/app.c common/rows.c common/random.c common/lines.c \
	sor/grid.c mgs/vectors.c raytracer/trace.c raytracer/scene.c tsp/tour.c lu/blocks.c hashmap/table.c)
unit/apps_test_LIBS := -lcmocka -lm
