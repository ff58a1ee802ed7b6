// SPDX-License-Identifier: BSD-2-Clause
/* fake_node_batched.c - a node that tells its records in batches. */
#define BATCHED
#include "tests/collector/fake_node.c"
