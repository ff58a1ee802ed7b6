// SPDX-License-Identifier: BSD-2-Clause
#include "collector/hostclocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/room.h"

#define NODES	 65536u
#define NEAR	 512	 /* measurements kept of one part's nodes against one node */
#define BARRIERS 65536	 /* kept of a part */
#define SHORT_NS 2000000 /* a barrier that bounds more loosely than this tells nothing */
#define BARRIER_LATE                                                                                         \
	200	   /* the record is made so long after the wait, unless the node was held up just there */
#define MARKS 1024 /* barriers under way at once, at most */

struct barrier { /* of one node */
	uint64_t number;
	uint32_t generation;
	int64_t arrive, leave;
};

struct part {
	struct clockfit_samples *of; /* [nodes], by peer */
	size_t peers;
	struct barrier *barrier; /* short ones, whose number is a multiple of `stride` */
	size_t barriers, room;
	uint64_t stride;
	struct hostclock about;
	size_t parent; /* its neighbour on the way to the reference */
	struct clockfit fit;
	bool turned; /* the fit is the neighbour's against this one */
};

struct mark { /* of a barrier, on the clock of the result */
	uint64_t number;
	uint32_t generation;
	bool any;
	int64_t arrive, leave; /* the last, the first so far */
	size_t arrive_part, leave_part;
};

struct hostclocks {
	struct part *part;
	size_t parts;
	uint16_t *of_node; /* [NODES]: part + 1 */
	struct mark *mark; /* [MARKS], by number */
	struct hostclocks_causes causes;
};

int hostclocks__new(struct hostclocks **out, size_t parts)
{
	struct hostclocks *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->parts = parts;
	c->part = calloc(parts ? parts : 1, sizeof(*c->part));
	c->of_node = calloc(NODES, sizeof(*c->of_node));
	if (!c->part || !c->of_node) {
		hostclocks__free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void hostclocks__free(struct hostclocks *c)
{
	if (!c)
		return;
	for (size_t i = 0; c->part && i < c->parts; i++) {
		struct part *p = &c->part[i];

		for (size_t n = 0; n < p->peers; n++)
			clockfit__forget(&p->of[n]);
		free(p->of);
		free(p->barrier);
		clockfit__free(&p->fit);
	}
	free(c->part);
	free(c->of_node);
	free(c->mark);
	free(c);
}

int hostclocks__part_of(const struct hostclocks *c, uint16_t node)
{
	return (int)c->of_node[node] - 1;
}

/* ---- what was measured ---- */

/* The answer was given somewhere in the round trip: that bounds the difference, whatever the two ways took. */
static bool bounds_of(const struct dsm_ev_clock *r, struct clockfit_sample *s)
{
	int64_t half;

	if (!r->rtt_ns || r->rtt_ns > INT64_MAX / 8 || r->hdr.time_ns > INT64_MAX / 8 ||
	    llabs(r->offset_ns / 2) > INT64_MAX / 8)
		return false;
	half = (int64_t)(r->rtt_ns / 2) + 1;
	*s = (struct clockfit_sample){(int64_t)r->hdr.time_ns - half, r->offset_ns - half,
				      r->offset_ns + half};
	return true;
}

static int take_clock(struct part *p, const struct dsm_ev_clock *r)
{
	struct clockfit_sample s;

	if (!bounds_of(r, &s))
		return 0;
	if (r->peer >= p->peers) {
		struct clockfit_samples *more = reallocarray(p->of, r->peer + 1u, sizeof(*more));

		if (!more)
			return -ENOMEM;
		memset(more + p->peers, 0, (r->peer + 1u - p->peers) * sizeof(*more));
		p->of = more;
		p->peers = r->peer + 1u;
	}
	p->of[r->peer].most = NEAR;
	return clockfit__add(&p->of[r->peer], s.at, s.lo, s.hi);
}

static bool times_of(const struct dsm_ev_barrier *r, int64_t *arrive, int64_t *leave)
{
	if (r->hdr.time_ns > INT64_MAX / 8 || r->wait_ns > r->hdr.time_ns)
		return false;
	*leave = (int64_t)r->hdr.time_ns;
	*arrive = (int64_t)(r->hdr.time_ns - r->wait_ns);
	return true;
}

/* Fewer, and of all parts the same, whenever there are too many. */
static void thin(struct part *p)
{
	size_t kept = 0;

	p->stride *= 2;
	for (size_t i = 0; i < p->barriers; i++)
		if (p->barrier[i].number % p->stride == 0)
			p->barrier[kept++] = p->barrier[i];
	p->barriers = kept;
}

static int take_barrier(struct part *p, const struct dsm_ev_barrier *r)
{
	struct barrier b = {.number = r->number, .generation = r->hdr.generation};

	p->stride = p->stride ? p->stride : 1;
	if (r->wait_ns > SHORT_NS || !times_of(r, &b.arrive, &b.leave) || r->number % p->stride)
		return 0;
	for (unsigned i = 0; p->barriers >= BARRIERS && i < 64; i++)
		thin(p);
	if (p->barriers >= BARRIERS)
		return 0;
	if (room__for((void **)&p->barrier, &p->room, p->barriers + 1, sizeof(*p->barrier)))
		return -ENOMEM;
	p->barrier[p->barriers++] = b;
	return 0;
}

int hostclocks__take(struct hostclocks *c, size_t part, const struct dsm_ev_hdr *record)
{
	c->of_node[record->node] = (uint16_t)(part + 1);
	if (record->type == DSM_EV_CLOCK)
		return take_clock(&c->part[part], (const void *)record);
	if (record->type == DSM_EV_BARRIER)
		return take_barrier(&c->part[part], (const void *)record);
	return 0;
}

/* ---- two parts ---- */

/* What one part's nodes have measured of the other's, as part `a` sees it. */
static int add_measured(const struct hostclocks *c, size_t from, size_t to, bool turn,
			struct clockfit_samples *out)
{
	const struct part *p = &c->part[from];
	int rc = 0;

	for (size_t n = 0; n < p->peers; n++) {
		const struct clockfit_samples *s = &p->of[n];

		for (size_t i = 0; i < s->n && c->of_node[n] == to + 1 && !rc; i++) {
			struct clockfit_sample x = s->at[i];

			rc = turn ? clockfit__add(out, x.at + x.lo + (x.hi - x.lo) / 2, -x.hi, -x.lo)
				  : clockfit__add(out, x.at, x.lo, x.hi);
		}
	}
	return rc;
}

static int compare(const struct barrier *x, const struct barrier *y)
{
	if (x->generation != y->generation)
		return x->generation < y->generation ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static int by_number(const void *a, const void *b)
{
	return compare(a, b);
}

/* The nodes of a part that have left one barrier: the last that came, the first that left. */
static size_t together(const struct barrier *b, size_t n, struct barrier *out)
{
	size_t i = 1;

	*out = b[0];
	for (; i < n && !compare(b, &b[i]); i++) {
		out->arrive = b[i].arrive > out->arrive ? b[i].arrive : out->arrive;
		out->leave = b[i].leave < out->leave ? b[i].leave : out->leave;
	}
	return i;
}

/* Nobody of one part left before the last of the other came: two bounds, and narrow ones if nobody waited long. */
static int add_barriers(struct part *a, struct part *b, struct clockfit_samples *out)
{
	size_t i = 0, j = 0;
	int rc = 0;

	while (i < a->barriers && j < b->barriers && !rc) {
		struct barrier x, y;
		int order = compare(&a->barrier[i], &b->barrier[j]);

		if (order < 0)
			i++;
		if (order > 0)
			j++;
		if (order)
			continue;
		i += together(&a->barrier[i], a->barriers - i, &x);
		j += together(&b->barrier[j], b->barriers - j, &y);
		int64_t lo = y.arrive - x.leave - BARRIER_LATE, hi = y.leave - x.arrive + BARRIER_LATE;

		if (hi - lo <= SHORT_NS)
			rc = clockfit__add(out, x.leave, lo, hi);
	}
	return rc;
}

/* How b's clock runs against a's. -ENODATA: nothing is known of it. */
static int relate(struct hostclocks *c, size_t a, size_t b, bool barriers, struct clockfit *fit)
{
	struct clockfit_samples s = {0};
	int rc = add_measured(c, a, b, false, &s);

	if (!rc)
		rc = add_measured(c, b, a, true, &s);
	if (!rc && barriers && c->part[a].barriers && c->part[b].barriers)
		rc = add_barriers(&c->part[a], &c->part[b], &s);
	if (!rc)
		rc = clockfit__solve(fit, &s);
	clockfit__forget(&s);
	return rc;
}

/* ---- all parts ---- */

struct pair { /* of parts, a < b */
	size_t a, b;
	struct clockfit fit;
};

struct pairs {
	struct pair *at;
	size_t n, room;
};

static int add_pair(struct pairs *all, size_t x, size_t y)
{
	if (x == y)
		return 0;
	if (room__for((void **)&all->at, &all->room, all->n + 1, sizeof(*all->at)))
		return -ENOMEM;
	all->at[all->n++] = (struct pair){.a = x < y ? x : y, .b = x < y ? y : x};
	return 0;
}

static int in_order(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return x->a != y->a ? (x->a > y->a) - (x->a < y->a) : (x->b > y->b) - (x->b < y->b);
}

/* Those that have measured one another, and the reference with each, for all meet at barriers. */
static int find_pairs(const struct hostclocks *c, size_t reference, struct pairs *all)
{
	size_t kept = 0;
	int rc = 0;

	for (size_t i = 0; i < c->parts && !rc; i++) {
		const struct part *p = &c->part[i];

		rc = add_pair(all, i, reference);
		for (size_t n = 0; n < p->peers && !rc; n++)
			if (p->of[n].n && c->of_node[n])
				rc = add_pair(all, i, c->of_node[n] - 1u);
	}
	if (all->n)
		qsort(all->at, all->n, sizeof(*all->at), in_order);
	for (size_t i = 0; i < all->n; i++)
		if (!kept || in_order(&all->at[i], &all->at[kept - 1]))
			all->at[kept++] = all->at[i];
	all->n = kept;
	return rc;
}

/* One more part, by the narrowest bounds to one that is known. False: none can be reached. */
static bool reach(struct hostclocks *c, struct pairs *all)
{
	struct pair *best = NULL;
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < all->n; i++) {
		struct pair *x = &all->at[i];
		const struct hostclock *a = &c->part[x->a].about, *b = &c->part[x->b].about;
		uint64_t error = x->fit.error_ns + (a->known ? a->error_ns : b->error_ns);

		if (!x->fit.n || a->known == b->known || error >= least)
			continue;
		best = x;
		least = error;
	}
	if (!best)
		return false;
	bool turned = c->part[best->b].about.known;
	struct part *p = &c->part[turned ? best->a : best->b];

	p->parent = turned ? best->b : best->a;
	p->turned = turned;
	p->fit = best->fit;
	best->fit = (struct clockfit){0};
	p->about = (struct hostclock){.known = true, .error_ns = least, .fit = &p->fit};
	p->about.drift = c->part[p->parent].about.drift + (turned ? -p->fit.rate : p->fit.rate);
	return true;
}

int hostclocks__solve(struct hostclocks *c, size_t reference)
{
	struct pairs all = {0};
	int rc = find_pairs(c, reference, &all);

	for (size_t i = 0; i < c->parts; i++) {
		struct part *p = &c->part[i];

		clockfit__free(&p->fit);
		p->about = (struct hostclock){.own = i == reference, .known = i == reference};
		if (p->barriers)
			qsort(p->barrier, p->barriers, sizeof(*p->barrier), by_number);
	}
	for (size_t i = 0; i < all.n && !rc; i++) {
		struct pair *x = &all.at[i];

		rc = relate(c, x->a, x->b, x->a == reference || x->b == reference, &x->fit);
		rc = rc == -ENODATA ? 0 : rc;
	}
	while (!rc && reach(c, &all))
		;
	for (size_t i = 0; i < all.n; i++)
		clockfit__free(&all.at[i].fit);
	free(all.at);
	return rc;
}

const struct hostclock *hostclocks__about(const struct hostclocks *c, size_t part)
{
	return &c->part[part].about;
}

static int64_t on_one(const struct hostclocks *c, size_t part, int64_t t)
{
	const struct part *p = &c->part[part];

	for (; p->about.fit; p = &c->part[p->parent])
		t = p->turned ? clockfit__other(&p->fit, t) : clockfit__own(&p->fit, t);
	return t;
}

uint64_t hostclocks__time(const struct hostclocks *c, size_t part, uint64_t time_ns)
{
	int64_t t;

	if (!c->part[part].about.fit)
		return time_ns;
	t = on_one(c, part, time_ns > INT64_MAX ? INT64_MAX : (int64_t)time_ns);
	return t < 0 ? 0 : (uint64_t)t; /* no clock shows it, but a damaged trace may */
}

bool hostclocks__step(const struct hostclocks *c, size_t part, unsigned i, struct hostclock_step *step)
{
	const struct part *p = &c->part[part];
	size_t own = p->turned ? part : p->parent, other = p->turned ? p->parent : part;

	if (!p->about.fit || i >= p->fit.steps || i >= CLOCKFIT_STEPS)
		return false;
	const struct clockfit_step *s = &p->fit.step[i];

	/* Nothing sets these clocks, but in a sleeping host they stand. */
	*step = (struct hostclock_step){.at_ns = hostclocks__time(c, own, (uint64_t)s->at),
					.span_ns = (uint64_t)s->span_ns,
					.ns = (uint64_t)llabs(s->ns),
					.part = s->ns < 0 ? other : own,
					.other = s->ns < 0 ? own : other};
	return true;
}

unsigned hostclocks__steps(const struct hostclocks *c)
{
	unsigned n = 0;

	for (size_t i = 0; i < c->parts; i++)
		n += c->part[i].about.fit ? c->part[i].fit.steps : 0;
	return n;
}

uint64_t hostclocks__error(const struct hostclocks *c, size_t *hosts)
{
	uint64_t first = 0, second = 0;
	size_t n = 0;

	for (size_t i = 0; i < c->parts; i++) {
		uint64_t e = c->part[i].about.error_ns;

		if (!c->part[i].about.known)
			continue;
		n++;
		second = e > first ? first : e > second ? e : second;
		first = e > first ? e : first;
	}
	*hosts = n;
	return first + second;
}

/* ---- is every effect behind its cause? ---- */

static void note(struct hostclocks *c, int64_t late)
{
	c->causes.checked++;
	if (late <= 0)
		return;
	c->causes.violated++;
	if ((uint64_t)late > c->causes.worst_ns)
		c->causes.worst_ns = (uint64_t)late;
}

static void check_barrier(struct hostclocks *c, size_t part, const struct dsm_ev_barrier *r)
{
	struct mark *m = &c->mark[r->number % MARKS];
	int64_t arrive, leave;

	if (!times_of(r, &arrive, &leave))
		return;
	arrive = on_one(c, part, arrive);
	leave = on_one(c, part, leave) + BARRIER_LATE;
	if (!m->any || m->number != r->number || m->generation != r->hdr.generation) {
		*m = (struct mark){r->number, r->hdr.generation, true, arrive, leave, part, part};
		return;
	}
	if (m->arrive_part != part)
		note(c, m->arrive - leave);
	if (m->leave_part != part)
		note(c, arrive - m->leave);
	if (arrive > m->arrive) {
		m->arrive = arrive;
		m->arrive_part = part;
	}
	if (leave < m->leave) {
		m->leave = leave;
		m->leave_part = part;
	}
}

static void check_clock(struct hostclocks *c, size_t part, const struct dsm_ev_clock *r)
{
	int peer = hostclocks__part_of(c, r->peer);
	struct clockfit_sample s;
	int64_t left, error;

	if (peer < 0 || (size_t)peer == part || !c->part[peer].about.known || !bounds_of(r, &s))
		return;
	left = on_one(c, (size_t)peer, s.at + s.lo + (s.hi - s.lo) / 2) - on_one(c, part, s.at);
	error = (s.hi - s.lo) / 2 + 1;
	note(c, (left < 0 ? -left : left) - error);
}

int hostclocks__check(struct hostclocks *c, size_t part, const struct dsm_ev_hdr *record)
{
	if (!c->part[part].about.known)
		return 0;
	if (!c->mark)
		c->mark = calloc(MARKS, sizeof(*c->mark));
	if (!c->mark)
		return -ENOMEM;
	if (record->type == DSM_EV_BARRIER)
		check_barrier(c, part, (const void *)record);
	else if (record->type == DSM_EV_CLOCK)
		check_clock(c, part, (const void *)record);
	return 0;
}

const struct hostclocks_causes *hostclocks__causes(const struct hostclocks *c)
{
	return &c->causes;
}
