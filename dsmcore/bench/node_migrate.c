/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * node_migrate.c - a page that one node writes and another reads, and that was born at a third one.
 *
 * A cycle: node 1 writes the page in a transaction of its own, all meet, node 2 reads it, all meet. What is timed is
 * the transaction and the read; what is counted is all messages of all nodes, less those of as many barriers with
 * nothing between them, measured behind it. The home, node 0, does nothing but meet the others: it is asked for as
 * long as the page lives there.
 */
#include "dsmcore/bench/node.h"

#include <stdlib.h>
#include <string.h>

#include "dsm_events.h"

#define HOME	    0
#define WRITER	    1
#define READER	    2
#define WARM_CYCLES 64		  /* a home is sure that it pays to move after some four */
#define MOST_NS	    5000000000ull /* for the cycles that count; on a busy machine a barrier may take 10 ms */
#define SETTLE_US   50000u	  /* the counters are brought up to date every 20 ms */

struct tally {
	uint64_t messages, moved;
};

struct migrate {
	const struct options *o;
	struct mesh mesh;
	struct floor_server *server; /* the writer's, which answers the reader's raw requests */
	struct page *page;
	uint64_t *ns; /* shared: of each cycle, the write and the read */
	struct tally *tallies;
	size_t cycles, n; /* wanted; done */
	struct taken write, read, wire;
	uint64_t value;
};

/* What node i has counted, seen by all. */
static struct tally sum(struct migrate *m)
{
	struct dsm_counters c;
	struct tally all = {0}, each;

	dsm_barrier();
	node__pause(SETTLE_US);
	node__counters(&c);
	DSM_TX {
		m->tallies[dsm_node()] = (struct tally){c.messages_out, c.homes_moved};
	}
	dsm_barrier();
	for (int i = 0; i < dsm_nodes(); i++) {
		dsm_peek(&each, &m->tallies[i], sizeof(each));
		all.messages += each.messages;
		all.moved += each.moved;
	}
	dsm_barrier();
	return all;
}

static void write_page(struct migrate *m, bool counts)
{
	uint64_t start = floor__now();

	DSM_TX {
		m->page->word[7] = m->value;
	}
	if (counts)
		taken__add(&m->write, floor__now() - start);
}

static void read_page(struct migrate *m, bool counts)
{
	uint64_t start = floor__now(), seen = 0;

	DSM_TX {
		seen = m->page->word[7];
	}
	if (counts)
		taken__add(&m->read, floor__now() - start);
	if (seen != m->value)
		node__fail("cycle %llu: the reader saw the value of cycle %llu", (unsigned long long)m->value,
			   (unsigned long long)seen);
}

static void cycle(struct migrate *m, bool counts)
{
	m->value++;
	if (dsm_node() == WRITER)
		write_page(m, counts);
	dsm_barrier();
	if (dsm_node() == READER)
		read_page(m, counts);
	dsm_barrier();
}

/* Two raw round trips between writer and reader: what a cycle needs if the home is not asked. */
static void raw_block(struct migrate *m)
{
	static uint8_t page[FLOOR_PAGE];
	int fd = m->mesh.fds[WRITER], rc = 0;

	floor__pin(m->mesh.core);
	for (int i = 0; i <= BLOCK && !rc; i++) {
		uint64_t start = floor__now();

		rc = floor_wire__fetch(fd, page, m->mesh.separate);
		if (!rc)
			rc = floor_wire__fetch(fd, page, m->mesh.separate);
		if (i)
			taken__add(&m->wire, floor__now() - start);
	}
	if (rc || (rc = floor_wire__park(fd)))
		node__fail("raw connection: %s", strerror(-rc));
	floor__unpin();
}

static void measure(struct migrate *m)
{
	while (m->n < m->cycles) {
		for (int i = 0; i <= BLOCK; i++)
			cycle(m, i > 0);
		m->n += BLOCK;
		if (dsm_node() == READER)
			raw_block(m);
		dsm_barrier();
		if (dsm_node() == HOME)
			node__progress((double)m->n / (double)m->cycles);
	}
}

/* The home prints what the others measured. */
static void publish(struct migrate *m, const struct taken *t, size_t at)
{
	for (size_t first = 0; first < t->n; first += 512)
		DSM_TX {
			for (size_t i = first; i < t->n && i < first + 512; i++)
				m->ns[at + i] = t->ns[i];
		}
}

static void print(struct migrate *m)
{
	uint64_t *ns = malloc(3 * m->cycles * sizeof(*ns));
	struct taken all;

	if (!ns)
		node__fail("out of memory");
	dsm_peek(ns, m->ns, 3 * m->cycles * sizeof(*ns));
	taken__open(&all, m->cycles);
	for (size_t i = 0; i < m->cycles; i++)
		taken__add(&all, ns[i] + ns[m->cycles + i]);
	taken__print(&all, "migrate", "-");
	taken__print(&(struct taken){.ns = ns, .n = m->cycles}, "write", "-");
	taken__print(&(struct taken){.ns = ns + m->cycles, .n = m->cycles}, "read", "-");
	taken__print(&(struct taken){.ns = ns + 2 * m->cycles, .n = m->cycles}, "wire", "-");
	taken__close(&all);
	free(ns);
}

static void count_messages(struct migrate *m)
{
	struct tally begin = sum(m), end, idle;
	size_t cycles;

	measure(m);
	end = sum(m);
	cycles = m->n / BLOCK * (BLOCK + 1);
	/* The same again with nothing to write or read. */
	for (size_t i = 0; i < 2 * cycles + m->n / BLOCK; i++)
		dsm_barrier();
	idle = sum(m);
	if (dsm_node() != HOME)
		return;
	node__value("messages",
		    ((double)(end.messages - begin.messages) - (double)(idle.messages - end.messages)) /
			    (double)cycles);
	node__value("moved", (double)idle.moved);
}

static void prepare(struct migrate *m)
{
	if (dsm_node() == HOME) {
		dsm_root_set("page", dsm_new_flat(struct page, 1));
		dsm_root_set("ns", dsm_new_flat(uint64_t, 3 * m->cycles));
		dsm_root_set("tallies", dsm_new_flat(struct tally, (size_t)dsm_nodes()));
	}
	dsm_barrier();
	m->page = dsm_root("page");
	m->ns = dsm_root("ns");
	m->tallies = dsm_root("tallies");
	taken__open(&m->write, m->cycles);
	taken__open(&m->read, m->cycles);
	taken__open(&m->wire, m->cycles);
}

/* Where the cycles wanted would take too long, by what those before have taken here, all do fewer. */
static void agree(struct migrate *m, uint64_t warm_ns)
{
	uint64_t most = MOST_NS / (warm_ns / WARM_CYCLES + 1) / BLOCK * BLOCK, cycles;

	if (dsm_node() == HOME)
		DSM_TX {
			m->tallies[HOME].messages = most < BLOCK       ? BLOCK
						    : most < m->cycles ? most
								       : m->cycles;
		}
	dsm_barrier();
	dsm_peek(&cycles, &m->tallies[HOME].messages, sizeof(cycles));
	m->cycles = cycles;
}

int node_migrate__main(const struct options *o)
{
	uint64_t start;
	struct migrate m = {.o = o, .cycles = (o->count + BLOCK - 1) / BLOCK * BLOCK};
	int rc = 0;

	mesh__open(&m.mesh, o);
	prepare(&m);
	if (dsm_node() == WRITER) {
		rc = floor_server__start(&m.server, m.mesh.fds[READER], m.mesh.core);
		m.mesh.fds[READER] = -1;
	}
	if (rc)
		node__fail("a thread for the raw connection: %s", strerror(-rc));
	if (m.server)
		floor_server__spin(m.server, m.mesh.separate);
	start = floor__now();
	for (int i = 0; i < WARM_CYCLES; i++)
		cycle(&m, false);
	agree(&m, floor__now() - start);
	count_messages(&m);
	publish(&m, &m.write, 0);
	publish(&m, &m.read, m.cycles);
	publish(&m, &m.wire, 2 * m.cycles);
	dsm_barrier();
	if (dsm_node() == HOME)
		print(&m);
	mesh__close(&m.mesh);
	if (m.server)
		floor_server__stop(m.server);
	return 0;
}
