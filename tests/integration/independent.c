/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * independent MODE ARGUMENTS...: programs with DSM_TX_FOR_INDEPENDENT that keep its promise, and some that break it.
 *	mix SEED PHASES [sc]	random data of all nodes, next to each other in the same pages; sc: so is the memory
 *
 *	rows COUNT ROUNDS	rows of pages that change hands
 *
 * The bytes of a few pages are cut into pieces of random lengths. In each phase a piece is written by one node, or read by
 * all, or it is a number that all count up in ordinary transactions. Who does what follows from the seed, so each node
 * knows what every byte must be, and checks whatever it reads. Nothing of this model lies in the DSM.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <dsm.h>

#define LONGEST 700
#define BYTES	(1u << 16)
#define PIECES	4000
#define TURNS	3 /* at most so often a piece is written in a phase */

static uint8_t noise[BYTES + LONGEST]; /* what pieces are filled with; the same bytes are in a file: */
static int noise_fd;
static uint64_t seed, state;
static uint32_t nodes, self;
static bool sc;

static void fail(const char *what, long a, long b)
{
	char text[200];
	int n = snprintf(text, sizeof(text), "independent: node %d: %s: %ld, %ld\n", dsm_node(), what, a, b);

	_exit(write(STDERR_FILENO, text, (size_t)n) == n ? 3 : 4);
}

static uint64_t mix(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t z = (a * 0x9e3779b97f4a7c15ull) ^ (b * 0xc2b2ae3d27d4eb4full) ^ (c * 0x165667b19e3779f9ull) ^
		     seed << 20;

	for (int i = 0; i < 2; i++) {
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	}
	return z ^ (z >> 31);
}

/* Of this node alone; never inside of a block, which may run again. */
static uint32_t draw(uint32_t limit)
{
	return (uint32_t)(mix(++state, self, 77) >> 32) % limit;
}

/* ---- the model ---- */

struct piece {
	uint32_t at, bytes;
	bool counter;
	uint64_t now; /* its number, if it is a counter, else where in the noise its bytes begin */
	bool zero;    /* nobody has written it yet */
};

static struct piece pieces[PIECES];
static uint32_t npieces;
static uint8_t *base;
static size_t all_bytes;
static uint64_t phase;

enum kind { EVERYBODY_READS, ONE_WRITES, ALL_COUNT };

static enum kind kind_of(uint32_t p)
{
	uint64_t h = mix(p, phase, 1);

	if (h % 3 == 0)
		return EVERYBODY_READS;
	return pieces[p].counter ? ALL_COUNT : ONE_WRITES;
}

/* Mostly somebody else than in the last phase. */
static uint32_t owner_of(uint32_t p)
{
	return (uint32_t)(phase % 5 == 4 ? p + phase : mix(p, phase, 2) % nodes) % nodes;
}

static uint32_t turns_of(uint32_t p)
{
	return 1 + (uint32_t)(mix(p, phase, 3) % TURNS);
}

static uint32_t counts_of(uint32_t p, uint32_t node)
{
	return (uint32_t)(mix(p, phase, 100 + node) % 3);
}

static uint64_t filled_with(uint32_t p, uint32_t turn)
{
	return mix(p, phase, 10 + turn) % BYTES;
}

/* ---- objects that go from hand to hand ---- */

struct slot {
	uint8_t *object;
	uint64_t bytes, from;
};

static struct slot *slots;
static uint32_t nslots;

static uint32_t slot_owner(uint32_t s)
{
	return (uint32_t)(mix(s, phase, 4) % nodes);
}

static void pass_on(uint32_t s, uint32_t turn)
{
	struct slot *t = &slots[s];
	uint64_t h = mix(s, phase, 20 + turn), bytes = 1 + h % LONGEST, from = (h >> 20) % BYTES;
	char *scratch = malloc(LONGEST);

	if (!scratch)
		fail("out of memory", 0, 0);
	if (t->object && memcmp(t->object, noise + t->from, t->bytes) != 0)
		fail("another object in a slot", s, turn);
	dsm_free(t->object);
	t->object = dsm_new_flat(uint8_t, bytes);
	for (uint64_t i = 0; i < bytes; i++)
		if (t->object[i])
			fail("a new object is not zero", s, (long)i);
	memcpy(scratch, noise + from, bytes);
	memcpy(t->object, scratch, bytes);
	t->bytes = bytes;
	t->from = from;
	free(scratch);
}

/* ---- work ---- */

enum what { LOOK, FILL, COUNT, PASS };

struct task {
	enum what what;
	uint32_t piece, turn;
};

static struct task tasks[2 * PIECES * TURNS];
static long ntasks;
static long ran, to_run; /* by dsm_defer() */

static void deferred(void *arg)
{
	(void)arg;
	ran++;
}

static bool right(const struct piece *p, uint64_t from, bool zero)
{
	const uint8_t *at = base + p->at;

	for (uint32_t i = 0; zero && i < p->bytes; i++)
		if (at[i])
			return false;
	return zero || !memcmp(at, noise + from, p->bytes);
}

static void fill(const struct piece *p, uint64_t from, uint32_t how)
{
	uint8_t *at = base + p->at;
	ssize_t n;

	switch (sc ? how % 2 * 3
		   : how % 4) { /* pages that are sc may be closed at any time, also for the kernel */
	case 0:
		memcpy(at, noise + from, p->bytes);
		return;
	case 1:
		if (dsm_touch(at, p->bytes, DSM_WRITE))
			fail("dsm_touch", 0, 0);
		/* fall through */
	case 2:
		n = pread(noise_fd, at, p->bytes, (off_t)from);
		if (n != (ssize_t)p->bytes)
			fail("pread", (long)n, p->bytes);
		return;
	default:
		for (uint32_t i = 0; i < p->bytes; i++)
			((volatile uint8_t *)at)[i] = noise[from + i];
	}
}

static bool has_deferred(const struct task *t)
{
	return mix(t->piece, t->turn, 5) % 16 == 0;
}

static void work(const struct task *t)
{
	const struct piece *p = &pieces[t->piece];
	uint64_t was, h = mix(t->piece, t->turn, phase);

	if (has_deferred(t))
		dsm_defer(deferred, NULL, 0);
	switch (t->what) {
	case LOOK:
		if (p->counter) {
			memcpy(&was, base + p->at, sizeof(was));
			if (was != p->now)
				fail("a wrong number", t->piece, (long)was - (long)p->now);
		} else if (!right(p, p->now, p->zero)) {
			fail("a wrong piece", t->piece, (long)phase);
		}
		return;
	case FILL:
		was = t->turn ? filled_with(t->piece, t->turn - 1) : p->now;
		if (!right(p, was, p->zero && !t->turn))
			fail("what was written is not there", t->piece, t->turn);
		fill(p, filled_with(t->piece, t->turn), (uint32_t)h);
		if (!right(p, filled_with(t->piece, t->turn), false))
			fail("what is written is not there", t->piece, t->turn);
		return;
	case COUNT:
		DSM_TX_ON(base) {
			memcpy(&was, base + p->at, sizeof(was));
			was++;
			memcpy(base + p->at, &was, sizeof(was));
		}
		return;
	case PASS:
		pass_on(t->piece, t->turn);
	}
}

static void linger(void)
{
	if (!draw(16))
		usleep(draw(300));
}

/* ---- ways to do it ---- */

/* Leaves the loop in its middle; returns where. */
static long leave_by_return(long from, long to, long until)
{
	DSM_TX_FOR_INDEPENDENT(i, from, to) {
		work(&tasks[i]);
		if (i == until)
			return i + 1;
	}
	return to;
}

static long leave_by_goto(long from, long to, long until)
{
	long at = from;

	DSM_TX_FOR_INDEPENDENT(i, from, to) {
		work(&tasks[i]);
		at = i + 1;
		if (i == until)
			goto out;
	}
out:
	return at;
}

static long leave_by_break(long from, long to, long until)
{
	long at = from;

	DSM_TX_FOR_INDEPENDENT(i, from, to) {
		work(&tasks[i]);
		at = i + 1;
		if (i == until)
			break;
	}
	return at;
}

static void independently(long from, long to)
{
	long until = from + draw((uint32_t)(to - from));

	switch (draw(8)) {
	case 0:
		DSM_TX_INDEPENDENT
			for (long i = from; i < to; i++)
				work(&tasks[i]);
		return;
	case 1:
		from = leave_by_return(from, to, until);
		break;
	case 2:
		from = leave_by_goto(from, to, until);
		break;
	case 3:
		from = leave_by_break(from, to, until);
		break;
	case 4:
		DSM_TX_FOR_INDEPENDENT(i, from, to) {
			dsm_irrevocable();
			DSM_TX
				work(&tasks[i]);
		}
		return;
	case 5:
		DSM_TX_INDEPENDENT
			DSM_TX_FOR(i, from, to)
				work(&tasks[i]);
		return;
	default:
		break;
	}
	DSM_TX_FOR_INDEPENDENT(i, from, to)
		work(&tasks[i]);
}

static void ordinarily(long from, long to)
{
	switch (draw(4)) {
	case 0:
		DSM_TX
			for (long i = from; i < to; i++)
				work(&tasks[i]);
		return;
	case 1:
		DSM_TX_FOR(i, from, to)
			work(&tasks[i]);
		return;
	case 2:
		DSM_TX
			DSM_TX_FOR_INDEPENDENT(i, from, to)
				work(&tasks[i]);
		return;
	default:
		for (long i = from; i < to; i++)
			DSM_TX
				work(&tasks[i]);
	}
}

static void peek(long from, long to)
{
	uint8_t found[LONGEST];
	const struct piece *p;

	for (long i = from; i < to && i < from + 4; i++) {
		p = &pieces[tasks[i].piece];
		if (tasks[i].what != LOOK)
			continue;
		dsm_peek(found, base + p->at, p->bytes);
		if (!p->counter && !p->zero && memcmp(found, noise + p->now, p->bytes) != 0)
			fail("dsm_peek", tasks[i].piece, 0);
	}
}

static void add(enum what what, uint32_t piece, uint32_t turn)
{
	tasks[ntasks++] = (struct task){what, piece, turn};
	to_run += has_deferred(&tasks[ntasks - 1]);
}

static void shuffle(long from)
{
	for (long i = ntasks - 1; i > from; i--) {
		long j = from + draw((uint32_t)(i - from + 1));
		struct task t = tasks[i];

		tasks[i] = tasks[j];
		tasks[j] = t;
	}
}

/* All that this node has to do, a turn after the other. */
static void plan(void)
{
	ntasks = 0;
	for (uint32_t turn = 0; turn < TURNS; turn++) {
		long from = ntasks;

		for (uint32_t p = 0; p < npieces; p++)
			switch (kind_of(p)) {
			case EVERYBODY_READS:
				if (!draw(4))
					add(LOOK, p, turn);
				break;
			case ONE_WRITES:
				if (owner_of(p) == self && turn < turns_of(p))
					add(FILL, p, turn);
				break;
			case ALL_COUNT:
				if (turn < counts_of(p, self))
					add(COUNT, p, turn);
			}
		for (uint32_t s = 0; s < nslots; s++)
			if (slot_owner(s) == self)
				add(PASS, s, turn);
		shuffle(from);
	}
}

/* What the phase has made of it. */
static void advance(void)
{
	for (uint32_t p = 0; p < npieces; p++)
		switch (kind_of(p)) {
		case EVERYBODY_READS:
			break;
		case ONE_WRITES:
			pieces[p].now = filled_with(p, turns_of(p) - 1);
			pieces[p].zero = false;
			break;
		case ALL_COUNT:
			for (uint32_t n = 0; n < nodes; n++)
				pieces[p].now += counts_of(p, n);
		}
}

static void work_off(void)
{
	for (long at = 0, end; at < ntasks; at = end) {
		bool counts = tasks[at].what == COUNT;
		long most = at + 1 + draw(draw(3) ? 20 : 400);

		for (end = at; end < ntasks && end < most && (tasks[end].what == COUNT) <= counts; end++)
			;
		if (counts || !draw(6))
			ordinarily(at, end);
		else
			independently(at, end);
		if (!draw(10))
			peek(at, end);
		linger();
	}
}

static void check_all(void)
{
	ntasks = 0;
	for (uint32_t p = 0; p < npieces; p++)
		add(LOOK, p, 0);
	DSM_TX_FOR_INDEPENDENT(i, 0, ntasks)
		work(&tasks[i]);
}

static void cut(void)
{
	uint32_t longest = 1 + (uint32_t)(mix(1, 2, 3) % (mix(4, 5, 6) % 2 ? 24 : LONGEST)), at = 0;

	while (npieces < PIECES && at < all_bytes - LONGEST) {
		struct piece *p = &pieces[npieces];

		p->at = at;
		p->bytes = 1 + (uint32_t)(mix(npieces, 1, 9) % longest);
		p->counter = mix(npieces, 2, 9) % 10 == 0;
		if (p->counter)
			p->bytes = sizeof(uint64_t);
		p->zero = true;
		at += p->bytes;
		npieces++;
	}
}

static volatile long alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

/* Handlers of the program, at any moment. */
static void set_alarms(void)
{
	struct itimerval often = {{0, 700}, {0, 700}};
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

static void mixed(long phases)
{
	if (seed % 3 == 0)
		set_alarms();
	for (uint32_t i = 0; i < sizeof(noise); i++)
		noise[i] = (uint8_t)(mix(i, 1, 1) | 1);
	noise_fd = memfd_create("noise", 0);
	if (noise_fd < 0 || write(noise_fd, noise, sizeof(noise)) != sizeof(noise))
		fail("noise", 0, 0);
	all_bytes = DSM_PAGE_SIZE * (1 + mix(7, 7, 7) % 24);
	nslots = 4 * nodes;
	if (!self) {
		dsm_root_set("base", dsm_new_flat(uint8_t, all_bytes));
		dsm_root_set("slots", dsm_new_flat(struct slot, nslots));
	}
	dsm_barrier();
	base = dsm_root("base");
	slots = dsm_root("slots");
	cut();
	for (phase = 1; (long)phase <= phases; phase++) {
		plan();
		work_off();
		dsm_barrier();
		advance();
		if (phase % 4 == 0) {
			check_all();
			dsm_barrier();
		}
	}
	check_all();
	if (ran != to_run)
		fail("deferred", ran, to_run);
}

/* ---- many pages ---- */

#define ROW 1500 /* longs: nearly three pages, so that neighbours share pages */

static long expected(long round, long row, long i)
{
	return round < 0 ? 0 : (round + 1) * 1000003 + row * 1009 + i;
}

/* Rows go over to another node every few rounds, and the last number of the row above is read, too, which was written before. */
static void rows(long count, long rounds)
{
	if (!self)
		dsm_root_set("rows", dsm_new_rows(long, count, ROW));
	dsm_barrier();
	long *x = dsm_root("rows"), near = (count + nodes - 1) / nodes;

	for (long round = 0; round < rounds; round++) {
		long first = (self + round / 3) % nodes * near,
		     end = first + near < count ? first + near : count;

		for (long half = 0; half < 2; half++) { /* even rows, then odd ones */
			DSM_TX_FOR_INDEPENDENT(r, first, end) {
				if (r % 2 != half)
					continue;
				long seen = half || !r ? round : round - 1, above = r ? r - 1 : 0;

				if (r && x[above * ROW + ROW - 1] != expected(seen, above, ROW - 1))
					fail("the row above", r, round);
				for (long i = 0; i < ROW; i++) {
					if (x[r * ROW + i] != expected(round - 1, r, i))
						fail("a row", r, i);
					x[r * ROW + i] = expected(round, r, i);
				}
			}
			dsm_barrier();
		}
	}
	for (long r = 0; r < count; r++)
		DSM_TX_READ
			for (long i = 0; i < ROW; i++)
				if (x[r * ROW + i] != expected(rounds - 1, r, i))
					fail("a row at the end", r, i);
}

int main(int argc, char **argv)
{
	nodes = (uint32_t)dsm_nodes();
	self = (uint32_t)dsm_node();
	if (argc >= 4 && !strcmp(argv[1], "mix")) {
		seed = strtoull(argv[2], NULL, 0);
		sc = argc == 5 && !strcmp(argv[4], "sc");
		mixed(strtol(argv[3], NULL, 0));
	} else if (argc == 4 && !strcmp(argv[1], "rows")) {
		rows(strtol(argv[2], NULL, 0), strtol(argv[3], NULL, 0));
	} else {
		fprintf(stderr, "independent: mix SEED PHASES [sc] or rows COUNT ROUNDS\n");
		return 2;
	}
	return 0;
}
