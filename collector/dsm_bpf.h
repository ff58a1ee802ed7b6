/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dsm_bpf.h - what the BPF programs and dsmcollect share.
 */
#ifndef PROCOPE_DSM_BPF_H
#define PROCOPE_DSM_BPF_H

/* stdint.h comes from the includer: the BPF compiler has no C library headers of the host's word size. */

#define DSM_BPF_FOREIGN 0x80000000u

/* A sample in the ring buffer; it may be longer than 8 + size. */
struct dsm_bpf_sample {
	uint32_t pid;  /* in the collector's pid namespace, or DSM_BPF_FOREIGN with one that it cannot use */
	uint16_t size; /* of what follows */
	uint16_t entries; /* 0: that is a record; else a batch of so many */
};

struct dsm_bpf_page_key {
	uint64_t page;
	uint32_t pid;
	uint16_t node;
	uint16_t zero;
};

struct dsm_bpf_page { /* the counts of struct trace_page_stat, never reset */
	uint64_t fetches, fetch_ns;
	uint64_t transfers, bytes;
	uint64_t invalidations, updates;
	uint64_t aborts, wasted_ns;
};

struct dsm_bpf_loss_key {
	uint32_t pid;
	uint32_t type;
};

/* How a BPF program gets the arguments of the probe site that it was called from. */
enum { DSM_BPF_ARG_CONST, DSM_BPF_ARG_REGISTER, DSM_BPF_ARG_MEMORY };

struct dsm_bpf_arg {
	int64_t value; /* the constant, or the distance from the register's address */
	uint16_t reg;  /* offset in struct pt_regs */
	uint8_t kind;
	uint8_t shift; /* 64 - bits of the argument */
	uint8_t is_signed;
	uint8_t zero[3];
};

#define DSM_BPF_ARGS 5 /* record, size, node, page, value */
struct dsm_bpf_site {
	struct dsm_bpf_arg arg[DSM_BPF_ARGS];
};

#define DSM_BPF_SITES  256
#define DSM_BPF_PAGES  262144 /* (page, node, process) that can be counted */
#define DSM_BPF_LOSSES 65536  /* (process, type) */
#define DSM_BPF_TOLD   16384  /* processes */

#endif
