/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plan.h - the plan: which objects dsm_new() shall lay out differently, and how many iterations loops shall give a
 * transaction (docs/plan.md).
 *
 * Pure: reads a file and answers questions; no DSM, no globals. dsmrun may use it to check a plan before
 * it starts any node.
 */
#ifndef DSM_MEMORY_PLAN_H
#define DSM_MEMORY_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_SCHEMA	      "procope.plan/1"
#define PLAN_FRAMES	      8
#define PLAN_BUILD_ID	      24
#define PLAN_RULES_MAX	      4096
#define PLAN_ARENAS_MAX	      250 /* strided rules in one plan */
#define PLAN_FILE_MAX	      (16u << 20)
#define PLAN_STRIDE_MAX	      (64u << 20)
#define PLAN_BLOCK_MAX	      (1u << 31)
#define PLAN_BLOCK_STRIDE_MAX (2u << 30)
#define PLAN_CHUNK_MAX	      1000000000u

struct plan_frame {
	uint8_t build_id[PLAN_BUILD_ID];
	uint32_t build_id_len;
	uint64_t offset; /* in the module's file */
};

/* Element i lies at (block ? (i / block) * block_stride + (i % block) * stride : i * stride). */
struct plan_layout {
	uint32_t elem_size;
	uint32_t stride, block, block_stride; /* stride == elem_size and block == 0: natural */
};

struct plan_rule {
	char id[32];
	char type[96];
	uint32_t nframes; /* 0: any allocation of the type */
	struct plan_frame frame[PLAN_FRAMES];
	bool isolate;
	bool stale;    /* for another build: never matches (plan__retire()) */
	uint8_t arena; /* strided: 1 ..., in file order; else 0 */
	uint32_t
		chunk; /* of the loop at frame[0]: iterations in a transaction; 0: the rule is about allocations */
	struct plan_layout layout;
};

struct plan {
	char program[128];
	struct plan_rule *rules;
	uint32_t nrules;
	uint32_t narenas; /* arena 0 (natural layouts) and one for each strided rule */
};

/* Reads and checks a plan. On an error returns -errno (-EINVAL: damaged) and says in `error` what is wrong,
 * with the file's name. Any thread. */
int plan__open(struct plan **out, const char *path, char *error, size_t error_size);
void plan__close(struct plan *plan);

/* Marks each rule as stale one of whose frames lies in a module that `known` does not know (returns the
 * number marked). Stale rules keep their arena, so that all nodes compute the same addresses. */
uint32_t plan__retire(struct plan *plan, bool (*known)(void *arg, const uint8_t *build_id, uint32_t len),
		      void *arg);

/* The first rule, in file order, for an allocation of this type, element size and call chain (innermost
 * return address first), or NULL. Names longer than the contract's 95 bytes compare by those. */
const struct plan_rule *plan__match(const struct plan *plan, const char *type, uint64_t elem_size,
				    const struct plan_frame *frames, size_t nframes);
/* Iterations that a transaction of the loop at this place (return address) shall have, by the first rule that names it;
 * 0: no rule does. */
uint32_t plan__chunk(const struct plan *plan, const struct plan_frame *place);
/* Whether any rule names this type: tells cheaply that plan__match() needs no call chain. */
bool plan__has_type(const struct plan *plan, const char *type);

/* Distance of element i from the array's first byte. */
static inline uint64_t plan_layout__distance(const struct plan_layout *l, uint64_t i)
{
	return l->block ? i / l->block * l->block_stride + i % l->block * l->stride : i * l->stride;
}

#endif
