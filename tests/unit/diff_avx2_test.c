/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diff_avx2_test.c - diff_test.c once more, as on a processor with AVX2 and no more.
 */
#include <string.h>

#define SUPPORTS(feature) (strncmp(feature, "avx512", 6) && __builtin_cpu_supports(feature))
#include "dsmcore/memory/diff.c"  /* NOLINT(bugprone-suspicious-include) */
#include "tests/unit/diff_test.c" /* NOLINT(bugprone-suspicious-include) */
