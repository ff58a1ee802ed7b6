/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diff_plain_test.c - diff_test.c once more, without the processor's vectors.
 */
#define SUPPORTS(feature) false
#include "dsmcore/memory/diff.c"  /* NOLINT(bugprone-suspicious-include) */
#include "tests/unit/diff_test.c" /* NOLINT(bugprone-suspicious-include) */
