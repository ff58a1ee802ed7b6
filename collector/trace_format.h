/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace_format.h - the trace file in bytes, shared by writer and reader (docs/trace.md).
 *
 * Every chunk header carries its own checksum, so a reader can trust its lengths before it believes
 * them, and begins with a word that is unlikely in other data, so that a reader who lost its place
 * can find the next chunk. Integers are little-endian, as in the records themselves.
 */
#ifndef PROCOPE_TRACE_FORMAT_H
#define PROCOPE_TRACE_FORMAT_H

#include <stdint.h>

/* As in PNG, the bytes tell a file mangled by a text-mode copy from a sound one. */
#define TRACE_MAGIC                                                                                          \
	"\x89"                                                                                               \
	"DSMT\r\n\x1a"
#define TRACE_SYNC                                                                                           \
	"\xd5"                                                                                               \
	"DSMCK1\n"

struct trace_file_header {
	char magic[8];
	uint32_t version;      /* TRACE_VERSION */
	uint32_t header_bytes; /* of this struct as written; a reader skips what it does not know */
	uint64_t created_ns;   /* wall clock */
	uint64_t hash;	       /* xxh64 of the 24 bytes before */
};

/* Chunk types; a reader skips those it does not know. */
enum trace_chunk_type {
	TRACE_CHUNK_RECORDS = 1,
	TRACE_CHUNK_PAGES = 2,
	TRACE_CHUNK_COUNTERS = 3,
	TRACE_CHUNK_LOSSES = 4,
	TRACE_CHUNK_INFO = 5,
	TRACE_CHUNK_SUMMARY = 6,
	TRACE_CHUNK_END = 7, /* empty; its absence means that the file was cut */
};

#define TRACE_CHUNK_ZSTD 0x1u /* the payload is one zstd frame; else raw */

struct trace_chunk_header {
	char sync[8];
	uint16_t type;	       /* enum trace_chunk_type */
	uint16_t flags;	       /* TRACE_CHUNK_*; unknown bits: the payload cannot be understood */
	uint32_t items;	       /* records, or elements of raw_bytes / items bytes each */
	uint32_t stored_bytes; /* of the payload in the file */
	uint32_t raw_bytes;    /* of the payload once decompressed */
	uint64_t lost;	       /* records lost so far in the run, all types */
	uint64_t payload_hash; /* xxh64 of the stored payload */
	uint64_t header_hash;  /* xxh64 of the 40 bytes before */
};

#define TRACE_RAW_TARGET 262144u  /* the writer ends a records chunk when it would grow past this */
#define TRACE_RAW_MAX	 4194304u /* no reader accepts more: bounds what a hostile file can make us allocate */
/* zstd's bound for TRACE_RAW_MAX is raw + raw/256 + a little */
#define TRACE_STORED_MAX (TRACE_RAW_MAX + TRACE_RAW_MAX / 128)

_Static_assert(sizeof(struct trace_file_header) == 32, "file format");
_Static_assert(sizeof(struct trace_chunk_header) == 48, "file format");

#endif
