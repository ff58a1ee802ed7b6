/* SPDX-License-Identifier: BSD-2-Clause */
#include "feed.h"

#include <stdio.h>
#include <string.h>

void feed__start(struct feed *f, unsigned nodes, uint64_t seed)
{
	memset(f, 0, sizeof(*f));
	f->nodes = nodes;
	f->random = seed * 0x9e3779b97f4a7c15ull + 1;
	f->time_ns = 1000000000;
	f->run_id = 0x1234 + seed;
	f->program = "planted";
	f->consistency = DSM_EV_TX;
}

void feed__free(struct feed *f)
{
	for (size_t i = 0; i < f->records.n; i++)
		mem__free(f->records.at[i]);
	VEC_FREE(&f->records);
}

uint32_t feed__random(struct feed *f, uint32_t below)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return (uint32_t)((f->random >> 16) % below);
}

static void *add(struct feed *f, unsigned node, uint16_t type, size_t size)
{
	struct dsm_ev_hdr *h = mem__alloc(size);

	f->time_ns += 1000;
	*h = (struct dsm_ev_hdr){.size = (uint16_t)size,
				 .type = type,
				 .version = DSM_EV_VERSION,
				 .node = (uint16_t)node,
				 .generation = 1,
				 .flags = f->intervals && type >= DSM_EV_BEGIN ? DSM_EV_F_INTERVAL : 0,
				 .weight = 1,
				 .seq = ++f->seq[node],
				 .time_ns = f->time_ns};
	*VEC_ADD(&f->records) = h;
	return h;
}

void feed__nodes(struct feed *f)
{
	for (unsigned i = 0; i < f->nodes; i++) {
		struct dsm_ev_node *n = add(f, i, DSM_EV_NODE, sizeof(*n));

		n->pid = 100 + i;
		n->nodes = (uint16_t)f->nodes;
		n->page_log2 = FEED_LOG2;
		n->consistency = f->consistency;
		n->region_bytes = 1 << 28;
		n->run_id = f->run_id;
		snprintf(n->host, sizeof(n->host), "here");
		snprintf(n->program, sizeof(n->program), "%s", f->program);
	}
}

void feed__module(struct feed *f, unsigned node, uint32_t id, const char *path, const void *build_id,
		  uint32_t len)
{
	struct dsm_ev_module *m = add(f, node, DSM_EV_MODULE, sizeof(*m));

	m->id = id;
	m->build_id_len = len;
	memcpy(m->build_id, build_id, len);
	snprintf(m->path, sizeof(m->path), "%s", path);
}

void feed__site(struct feed *f, unsigned node, uint32_t id, uint32_t module, const uint32_t *offsets,
		uint32_t n)
{
	struct dsm_ev_site *s = add(f, node, DSM_EV_SITE, sizeof(*s));

	s->id = id;
	s->nframes = n;
	for (uint32_t i = 0; i < n; i++)
		s->frame[i] = (struct dsm_ev_ip){module, offsets[i]};
}

void feed__type(struct feed *f, unsigned node, uint32_t id, const char *name, uint32_t size, uint32_t module)
{
	struct dsm_ev_typedesc *t = add(f, node, DSM_EV_TYPE, sizeof(*t));

	t->id = id;
	t->size = size;
	t->module = module;
	snprintf(t->name, sizeof(t->name), "%s", name);
}

void feed__object(struct feed *f, unsigned node, uint64_t offset, uint64_t count, uint32_t elem,
		  uint32_t type, uint32_t site, uint32_t flags)
{
	struct dsm_ev_object *o = add(f, node, DSM_EV_OBJECT, sizeof(*o));

	o->offset = offset;
	o->bytes = count * elem;
	o->count = count;
	o->elem_size = o->stride = elem;
	o->type = type;
	o->site = site;
	o->flags = flags;
}

void feed__root(struct feed *f, unsigned node, uint64_t offset, const char *name)
{
	struct dsm_ev_root *r = add(f, node, DSM_EV_ROOT, sizeof(*r));

	r->offset = offset;
	snprintf(r->name, sizeof(r->name), "%s", name);
}

static struct dsm_ev_interval interval(struct feed_iv iv)
{
	return (struct dsm_ev_interval){iv.number, iv.attempt, iv.site};
}

static uint8_t flags_of(struct feed_iv iv, bool microscope)
{
	return (iv.attempt ? DSM_EV_F_RETRY : 0) | (microscope ? DSM_EV_F_MICROSCOPE : 0);
}

void feed__writes(struct feed *f, struct feed_iv iv, unsigned page, const struct byteset *set, bool committed)
{
	size_t from = 0;

	do {
		size_t n = set->n - from < DSM_EV_RUNS ? set->n - from : DSM_EV_RUNS;
		size_t size = (sizeof(struct dsm_ev_writes) + n * sizeof(struct dsm_ev_run) + 7) & ~(size_t)7;
		struct dsm_ev_writes *w = add(f, iv.node, DSM_EV_WRITES, size);

		w->interval = interval(iv);
		w->page = FEED_PAGE(page);
		w->flags = committed ? DSM_EV_WRITES_COMMITTED : 0;
		w->basis = DSM_EV_BASIS_CHANGED;
		w->nruns = (uint16_t)n;
		for (size_t i = 0; i < n; i++) {
			w->run[i].offset = (uint16_t)set->at[from + i].from;
			w->run[i].length = (uint16_t)(set->at[from + i].to - set->at[from + i].from);
		}
		from += n;
	} while (from < set->n);
}

static size_t cut_up(const struct byteset *set, unsigned access, struct dsm_ev_ip ip,
		     struct dsm_ev_access *out, size_t n, size_t max)
{
	for (size_t i = 0; i < set->n; i++) {
		for (uint32_t at = set->at[i].from; at < set->at[i].to && n < max;) {
			uint32_t size = set->at[i].to - at < 8 ? set->at[i].to - at : 8;

			out[n++] = (struct dsm_ev_access){(uint16_t)at, (uint8_t)size, (uint8_t)access, ip};
			at += size;
		}
	}
	return n;
}

void feed__accesses(struct feed *f, struct feed_iv iv, unsigned page, const struct byteset *read,
		    const struct byteset *wrote, bool complete, struct dsm_ev_ip ip)
{
	static struct dsm_ev_access all[8192];
	size_t n = cut_up(read, DSM_EV_ACCESS_READ, ip, all, 0, 8192), from = 0;

	n = cut_up(wrote, DSM_EV_ACCESS_WRITE, ip, all, n, 8192);
	do {
		size_t part = n - from < DSM_EV_ACCESS_LIST ? n - from : DSM_EV_ACCESS_LIST;
		size_t size = (sizeof(struct dsm_ev_accesses) + part * sizeof(all[0]) + 7) & ~(size_t)7;
		struct dsm_ev_accesses *a = add(f, iv.node, DSM_EV_ACCESSES, size);

		a->hdr.flags |= flags_of(iv, true);
		a->interval = interval(iv);
		a->page = FEED_PAGE(page);
		a->flags = complete ? DSM_EV_ACCESSES_COMPLETE : 0;
		a->basis = DSM_EV_BASIS_OPERAND;
		a->naccesses = (uint16_t)part;
		memcpy(a->access, all + from, part * sizeof(all[0]));
		from += part;
	} while (from < n);
}

struct dsm_ev_commit *feed__add_commit(struct feed *f, struct feed_iv iv, bool microscope)
{
	struct dsm_ev_commit *c = add(f, iv.node, DSM_EV_COMMIT, sizeof(*c));

	c->hdr.flags = flags_of(iv, microscope);
	c->interval = interval(iv);
	c->duration_ns = 100000;
	f->counters[iv.node].commits++;
	f->counters[iv.node].begins++;
	f->counters[iv.node].committed_ns += c->duration_ns;
	f->counters[iv.node].work++;
	return c;
}

void feed__commit(struct feed *f, struct feed_iv iv, bool microscope)
{
	feed__add_commit(f, iv, microscope);
}

void feed__rebase(struct feed *f, struct feed_iv iv, uint64_t rebase_ns, bool microscope)
{
	struct dsm_ev_commit *c = feed__add_commit(f, iv, microscope);

	c->rebase_ns = rebase_ns;
	c->duration_ns += rebase_ns;
	f->counters[iv.node].committed_ns += rebase_ns;
	f->counters[iv.node].rebase_ns += rebase_ns;
	f->counters[iv.node].rebased++;
}

void feed__loop_commit(struct feed *f, struct feed_iv iv, uint32_t iterations, uint16_t pieces,
		       uint64_t between_ns, uint64_t work_ns)
{
	struct dsm_ev_commit *c = feed__add_commit(f, iv, false);

	c->flags = DSM_EV_COMMIT_LOCAL | DSM_EV_COMMIT_GIVEN;
	c->iterations = iterations;
	c->pieces = pieces;
	c->between_ns = between_ns;
	c->work_ns = work_ns;
}

void feed__abort(struct feed *f, struct feed_iv loser, struct feed_iv winner, uint32_t cause,
		 uint64_t wasted_ns, const struct feed_meeting *m, unsigned n, bool microscope)
{
	struct dsm_ev_abort *a = add(f, loser.node, DSM_EV_ABORT, sizeof(*a));

	a->hdr.flags = flags_of(loser, microscope);
	a->interval = interval(loser);
	a->winner.interval = interval(winner);
	a->winner.generation = 1;
	a->winner.node = (uint16_t)winner.node;
	a->wasted_ns = wasted_ns;
	a->cause = cause;
	a->nmeetings = a->total = (uint16_t)n;
	for (unsigned i = 0; i < n; i++) {
		a->meeting[i].page = FEED_PAGE(m[i].page);
		a->meeting[i].access = (uint8_t)m[i].access;
		a->meeting[i].tracked = (uint8_t)m[i].tracked;
		a->meeting[i].winner_version = m[i].winner_version;
	}
	f->counters[loser.node].aborts++;
	f->counters[loser.node].begins++;
	f->counters[loser.node].wasted_ns += wasted_ns;
}

void feed__wait(struct feed *f, struct feed_iv iv, unsigned page, unsigned offset, unsigned access,
		unsigned home, uint64_t wait_ns, struct dsm_ev_ip ip)
{
	struct dsm_ev_fault *x = add(f, iv.node, DSM_EV_FAULT, sizeof(*x));

	x->interval = interval(iv);
	x->page = FEED_PAGE(page);
	x->offset = (uint16_t)offset;
	x->access = (uint8_t)access;
	x->kind = DSM_EV_FAULT_FETCH;
	x->ip = ip;
	x->home = (uint16_t)home;
	x->wait_ns = wait_ns;
	f->counters[iv.node].faults_fetch++;
	f->counters[iv.node].fetch_ns += x->wait_ns;
}

void feed__fault(struct feed *f, struct feed_iv iv, unsigned page, unsigned offset, unsigned access,
		 struct dsm_ev_ip ip)
{
	feed__wait(f, iv, page, offset, access, 0, 20000, ip);
}

void feed__local_fault(struct feed *f, struct feed_iv iv, unsigned page, uint32_t weight, uint64_t wait_ns)
{
	struct dsm_ev_fault *x = add(f, iv.node, DSM_EV_FAULT, sizeof(*x));

	x->hdr.weight = weight;
	x->interval = interval(iv);
	x->page = FEED_PAGE(page);
	x->access = DSM_EV_ACCESS_WRITE;
	x->kind = DSM_EV_FAULT_UPGRADE;
	x->wait_ns = wait_ns;
	f->counters[iv.node].faults_upgrade += weight;
	f->counters[iv.node].local_ns += weight * wait_ns;
}

void feed__barrier(struct feed *f, uint64_t number)
{
	for (unsigned n = 0; n < f->nodes; n++) {
		struct dsm_ev_barrier *b = add(f, n, DSM_EV_BARRIER, sizeof(*b));

		b->number = number;
		f->counters[n].barriers++;
	}
}

void feed__meet(struct feed *f, struct feed_iv holder, struct feed_iv other, unsigned page, unsigned access,
		unsigned wanted, uint64_t since)
{
	struct dsm_ev_meet *m = add(f, holder.node, DSM_EV_MEET, sizeof(*m) + sizeof(m->met[0]));

	m->interval = interval(holder);
	m->other.interval = interval(other);
	m->other.generation = 1;
	m->other.node = (uint16_t)other.node;
	m->nmet = m->total = 1;
	m->model = f->consistency;
	m->met[0] = (struct dsm_ev_met){.page = FEED_PAGE(page),
					.since = since,
					.opened = access & DSM_EV_ACCESS_WRITE ? since : 0,
					.access = (uint8_t)access,
					.wanted = (uint8_t)wanted};
	f->counters[holder.node].meets++;
}

struct dsm_ev_ended *feed__interval(struct feed *f, struct feed_iv iv, uint64_t flush_ns, bool microscope)
{
	struct dsm_ev_ended *e = add(f, iv.node, DSM_EV_INTERVAL, sizeof(*e));

	e->hdr.flags |= flags_of(iv, microscope);
	e->interval = interval(iv);
	e->duration_ns = 100000 + flush_ns;
	e->flush_ns = flush_ns;
	f->counters[iv.node].intervals++;
	f->counters[iv.node].flush_ns += flush_ns;
	f->counters[iv.node].work++;
	return e;
}

struct dsm_ev_lock *feed__lock(struct feed *f, struct feed_iv iv, uint64_t name, unsigned flags,
			       uint64_t wait_ns)
{
	struct dsm_ev_lock *l = add(f, iv.node, DSM_EV_LOCK, sizeof(*l));

	l->interval = interval(iv);
	l->name = name;
	l->flags = (uint16_t)flags;
	l->wait_ns = wait_ns;
	f->counters[iv.node].locks++;
	f->counters[iv.node].locks_remote++;
	f->counters[iv.node].lock_ns += wait_ns;
	return l;
}

void feed__move(struct feed *f, unsigned node, unsigned page, uint64_t version, unsigned to, unsigned birth)
{
	struct dsm_ev_move *x = add(f, node, DSM_EV_MOVE, sizeof(*x));

	x->page = FEED_PAGE(page);
	x->version = version;
	x->to = (uint16_t)to;
	x->birth = (uint16_t)birth;
	f->counters[node].homes_moved++;
}

void feed__shuffle(struct feed *f)
{
	for (size_t pass = 0; pass < 4; pass++) {
		for (size_t i = 0; i + 1 < f->records.n; i++) {
			struct dsm_ev_hdr *a = f->records.at[i], *b = f->records.at[i + 1];

			if (a->node == b->node || a->type < DSM_EV_BEGIN || b->type < DSM_EV_BEGIN ||
			    feed__random(f, 2))
				continue;
			f->records.at[i] = b;
			f->records.at[i + 1] = a;
		}
	}
}

int feed__write(struct feed *f, const char *path, const struct trace_loss *losses, size_t nlosses)
{
	struct trace_counters c[FEED_NODES];
	struct trace_writer *w;
	int err = trace_writer__open(&w, path);

	if (err)
		return err;
	trace_writer__info(w, "{\"source\":\"test\"}");
	for (size_t i = 0; i < f->records.n; i++)
		trace_writer__record(w, f->records.at[i]);
	for (unsigned i = 0; i < f->nodes; i++)
		c[i] = (struct trace_counters){
			.time_ns = f->time_ns + 20000000, .node = (uint16_t)i, .counters = f->counters[i]};
	trace_writer__counters(w, c, f->nodes);
	if (nlosses)
		trace_writer__losses(w, losses, nlosses);
	trace_writer__summary(w, "{}");
	return trace_writer__close(w);
}
