// SPDX-License-Identifier: BSD-2-Clause
/*
 * fabric_open.c - a node's endpoint: the provider asked by name, buffers, and the joining of all nodes.
 *
 * Joining. Every node says HELLO to every other until it has been heard, and says so itself: it goes on when
 * all have told it that they have heard it. So whoever goes on can be reached by all and reaches all, and a
 * provider that connects lazily has done it.
 */
#include "dsmcore/transport/fabric_parts.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "dsmcore/transport/signals_held.h"

#define WINDOW_MOST  64u
#define WINDOW_LEAST 4u
#define PIECES	     1024u /* on their way to this node, or from it, divided among the streams */
#define SPARE	     4u	   /* buffers a stream for pieces that are not data */
#define PATIENCE_NS  200000

/* What libfabric's providers install handlers for (to remove their files). The program's must survive; until
 * all have joined and the files' names are gone, theirs stay. */
static const int taken_signals[FABRIC_SIGNALS] = {SIGBUS, SIGSEGV, SIGINT, SIGTERM};

static void put_signals_back(struct fabric *f)
{
	for (size_t i = 0; f->signals_taken && i < FABRIC_SIGNALS; i++)
		sigaction(taken_signals[i], &f->signals[i], NULL);
	f->signals_taken = false;
}

/* ---- the provider ---- */

static struct fi_info *hints_for(const char *provider)
{
	struct fi_info *h = fi_allocinfo();

	if (!h)
		return NULL;
	h->caps = FI_MSG;
	h->mode = FI_CONTEXT | FI_CONTEXT2;
	h->ep_attr->type = FI_EP_RDM;
	h->domain_attr->threading = FI_THREAD_DOMAIN;
	h->domain_attr->resource_mgmt = FI_RM_ENABLED;
	h->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
	h->tx_attr->msg_order = FI_ORDER_SAS;
	h->rx_attr->msg_order = FI_ORDER_SAS;
	if (provider) {
		h->fabric_attr->prov_name = strdup(provider);
		if (!h->fabric_attr->prov_name) {
			fi_freeinfo(h);
			return NULL;
		}
	}
	return h;
}

static int ask(const char *provider, const char *source, struct fi_info **out)
{
	struct fi_info *hints = hints_for(provider);
	int rc;

	*out = NULL;
	if (!hints)
		return -ENOMEM;
	rc = fi_getinfo(FI_VERSION(1, 9), source, NULL, source ? FI_SOURCE : 0, hints, out);
	fi_freeinfo(hints);
	return rc;
}

static bool has_name(const char *list, const char *name, size_t n)
{
	for (const char *at = list; (at = strstr(at, name)); at++)
		if ((at == list || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
			return true;
	return false;
}

static void list_held(char *providers, size_t size, char version[16])
{
	struct fi_info *all;
	uint32_t v = fi_version();

	snprintf(version, 16, "%u.%u", FI_MAJOR(v), FI_MINOR(v));
	*providers = 0;
	if (ask(NULL, NULL, &all))
		return;
	for (const struct fi_info *i = all; i; i = i->next) {
		char name[FABRIC_NAME_MAX];
		size_t at = strlen(providers), n;

		/* "tcp;ofi_rxm" is asked for as "tcp" */
		n = (size_t)snprintf(name, sizeof(name), "%.*s", (int)strcspn(i->fabric_attr->prov_name, ";"),
				     i->fabric_attr->prov_name);
		if (n < sizeof(name) && at + n + 2 < size && !has_name(providers, name, n))
			snprintf(providers + at, size - at, "%s%s", at ? " " : "", name);
	}
	fi_freeinfo(all);
}

/* The provider's best endpoint. Errors: -ENODATA, -ENOMEM. */
static int find_provider(const char *name, struct fi_info **info, char *why, size_t size)
{
	char others[512], version[16];
	int rc = ask(name, NULL, info);

	if (rc == 0)
		return 0;
	list_held(others, sizeof(others), version);
	snprintf(why, size,
		 "fabric provider '%s': libfabric %s offers it no reliable, ordered endpoint here (%s); it "
		 "has: %s "
		 "(fi_info -l lists all)",
		 name, version, fi_strerror(-rc), *others ? others : "none");
	return rc == -FI_ENOMEM ? -ENOMEM : -ENODATA;
}

/* Those who only ask are no nodes: providers' handlers are nothing to them. */
static int check_provider(const char *name, char *why, size_t size)
{
	struct signals_held held;
	struct fi_info *info;
	int rc;

	signals__hold(&held);
	rc = find_provider(name, &info, why, size);
	if (rc == 0)
		fi_freeinfo(info);
	signals__release(&held);
	return rc;
}

static void list_providers(char *providers, size_t size, char version[16])
{
	struct signals_held held;

	signals__hold(&held);
	list_held(providers, size, version);
	signals__release(&held);
}

/* Where a provider speaks IP, it listens at the address that was asked for, and nowhere else. */
static int settle_source(struct fabric *f)
{
	struct fi_info *there;
	uint32_t format = f->info->addr_format;

	if (!f->config.source ||
	    (format != FI_SOCKADDR_IN && format != FI_SOCKADDR_IN6 && format != FI_SOCKADDR))
		return 0;
	if (ask(f->config.provider, f->config.source, &there)) /* a card has no loopback */
		return strcmp(f->config.source, "127.0.0.1") && strcmp(f->config.source, "::1")
			       ? -FI_EADDRNOTAVAIL
			       : 0;
	fi_freeinfo(f->info);
	f->info = there;
	return 0;
}

/* ---- the endpoint ---- */

static int open_queue(struct fabric *f, unsigned pieces)
{
	struct fi_cq_attr attr = {.format = FI_CQ_FORMAT_MSG, .wait_obj = FI_WAIT_FD, .size = pieces};

	f->cq_waits = fi_cq_open(f->domain, &attr, &f->cq, NULL) == 0;
	if (f->cq_waits)
		return 0;
	attr.wait_obj = FI_WAIT_NONE;
	return fi_cq_open(f->domain, &attr, &f->cq, NULL);
}

static int open_endpoint(struct fabric *f, unsigned pieces)
{
	struct fi_av_attr av = {.type = FI_AV_TABLE, .count = f->config.nodes};
	int rc = fi_fabric(f->info->fabric_attr, &f->fabric, NULL);

	if (!rc)
		rc = fi_domain(f->fabric, f->info, &f->domain, NULL);
	if (!rc)
		rc = fi_av_open(f->domain, &av, &f->av, NULL);
	if (!rc)
		rc = open_queue(f, pieces);
	if (!rc)
		rc = fi_endpoint(f->domain, f->info, &f->ep, NULL);
	if (!rc)
		rc = fi_ep_bind(f->ep, &f->av->fid, 0);
	if (!rc)
		rc = fi_ep_bind(f->ep, &f->cq->fid, FI_TRANSMIT | FI_RECV);
	return rc ? rc : fi_enable(f->ep);
}

/* ---- buffers ---- */

static void cut(struct fabric *f, unsigned receiving, unsigned sending)
{
	for (unsigned i = 0; i < receiving + sending; i++) {
		struct slot *s = &f->slots[i], **list = i < receiving ? &f->idle_recv : &f->idle_send;

		s->data = f->arena + (size_t)i * f->piece_bytes;
		s->sending = i >= receiving;
		s->next = *list;
		*list = s;
	}
}

static int open_buffers(struct fabric *f, unsigned receiving, unsigned sending)
{
	void *at;
	int rc;

	f->arena_bytes = (size_t)(receiving + sending) * f->piece_bytes;
	at = mmap(NULL, f->arena_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		  -1, 0);
	f->slots = calloc(receiving + sending, sizeof(*f->slots));
	if (at != MAP_FAILED)
		f->arena = at;
	if (!f->arena || !f->slots)
		return -ENOMEM;
	cut(f, receiving, sending);
	if (f->info->domain_attr->mr_mode & FI_MR_LOCAL) {
		rc = fi_mr_reg(f->domain, f->arena, f->arena_bytes, FI_SEND | FI_RECV, 0, 0, 0, &f->mr, NULL);
		if (rc)
			return rc;
	}
	return fabric__post(f);
}

static void choose_sizes(struct fabric *f, unsigned streams)
{
	unsigned window = streams ? PIECES / streams : WINDOW_MOST;
	size_t inject = f->info->tx_attr->inject_size, most = f->info->ep_attr->max_msg_size;

	f->window = window > WINDOW_MOST ? WINDOW_MOST : window < WINDOW_LEAST ? WINDOW_LEAST : window;
	/* A provider that injects much does that best (shm: half the time of a larger piece). */
	f->piece_bytes = inject >= PIECE_MOST / 2 && inject < PIECE_MOST ? (uint32_t)inject : PIECE_MOST;
	if (most < f->piece_bytes)
		f->piece_bytes = (uint32_t)most;
	f->inject_bytes = inject < f->piece_bytes ? inject : f->piece_bytes;
}

/* ---- opening ---- */

void fabric__free(struct fabric *f)
{
	struct fid *all[] = {
		f->ep ? &f->ep->fid : NULL,	    f->mr ? &f->mr->fid : NULL,
		f->cq ? &f->cq->fid : NULL,	    f->av ? &f->av->fid : NULL,
		f->domain ? &f->domain->fid : NULL, f->fabric ? &f->fabric->fid : NULL,
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i])
			fi_close(all[i]);
	wait__close(f);
	put_signals_back(f);
	if (f->info)
		fi_freeinfo(f->info);
	if (f->arena)
		munmap(f->arena, f->arena_bytes);
	pthread_mutex_destroy(&f->lock);
	free(f->slots);
	free(f->peers);
	free(f->lanes);
	free(f);
}

static int tell_address(struct fabric *f, const struct card *card, struct fabric_address *mine)
{
	size_t room = FABRIC_ADDRESS_MAX - sizeof(*card);
	int rc = fi_getname(&f->ep->fid, mine->data + sizeof(*card), &room);

	memcpy(mine->data, card, sizeof(*card));
	mine->bytes = (uint32_t)(sizeof(*card) + room);
	return rc;
}

static int set_up(struct fabric *f, struct fabric_address *mine, char *why, size_t size)
{
	unsigned streams = (f->config.nodes - 1u) * CHANNELS, receiving, sending;
	struct card card;
	int rc = find_provider(f->config.provider, &f->info, why, size);

	if (rc)
		return rc;
	rc = settle_source(f);
	choose_sizes(f, streams);
	receiving = streams * (f->window + SPARE) + SPARE;
	sending = f->piece_bytes > f->inject_bytes ? streams * f->window + SPARE : SPARE;
	if (!rc && f->piece_bytes < 2 * sizeof(struct piece))
		rc = -FI_EMSGSIZE;
	if (!rc)
		rc = open_endpoint(f, receiving + sending);
	if (!rc)
		rc = open_buffers(f, receiving, sending);
	if (!rc)
		rc = wait__open(f, &card);
	if (!rc)
		rc = tell_address(f, &card, mine);
	if (rc)
		snprintf(why, size,
			 "fabric provider '%s': no endpoint at %s: %s (fi_info -p %s shows what it has)",
			 f->config.provider, f->config.source ? f->config.source : "the provider's address",
			 fi_strerror(rc < 0 ? -rc : rc), f->config.provider);
	return rc > 0 ? -EIO : rc;
}

static int open_fabric(struct fabric **out, const struct fabric_config *config, struct fabric_address *mine,
		       char *why, size_t size)
{
	struct fabric *f = calloc(1, sizeof(*f));
	sigset_t all, mask;
	int rc = -ENOMEM;

	snprintf(why, size, "fabric: out of memory");
	if (!f)
		return rc;
	*f = (struct fabric){.engine = {&fabric__engine_ops, -1},
			     .config = *config,
			     .timer = -1,
			     .page = -1,
			     .bell = {-1, -1},
			     .lock = PTHREAD_MUTEX_INITIALIZER};
	snprintf(f->provider, sizeof(f->provider), "%s", config->provider);
	f->config.provider = f->provider;
	f->peers = calloc(config->nodes, sizeof(*f->peers));
	f->lanes = calloc(config->nodes * CHANNELS, sizeof(*f->lanes));
	for (unsigned i = 0; f->peers && i < config->nodes; i++)
		f->peers[i] = (struct peer){.address = FI_ADDR_UNSPEC, .process = -1, .bell = -1};
	for (size_t i = 0; i < FABRIC_SIGNALS; i++)
		sigaction(taken_signals[i], NULL, &f->signals[i]);
	f->signals_taken = true;
	/* A provider's own threads are not to take the program's signals. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	if (f->peers && f->lanes) {
		fabric__setup_lanes(f);
		rc = set_up(f, mine, why, size);
	}
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (rc)
		fabric__free(f);
	else
		*out = f;
	return rc;
}

/* ---- joining ---- */

static int insert_peer(struct fabric *f, unsigned peer, const struct fabric_address *his,
		       const struct card *mine, char *why, size_t size)
{
	struct card card;

	if (his->bytes <= sizeof(card) || his->bytes > FABRIC_ADDRESS_MAX) {
		snprintf(why, size, "fabric: the address of node %u makes no sense", peer);
		return -EPROTO;
	}
	memcpy(&card, his->data, sizeof(card));
	if (card.piece_bytes != f->piece_bytes) {
		snprintf(why, size,
			 "fabric provider '%s': node %u sends pieces of %u bytes, this one of %u: do all "
			 "hosts "
			 "have the same libfabric?",
			 f->provider, peer, card.piece_bytes, f->piece_bytes);
		return -EPROTO;
	}
	if (fi_av_insert(f->av, his->data + sizeof(card), 1, &f->peers[peer].address, 0, NULL) != 1) {
		snprintf(why, size, "fabric provider '%s': the address of node %u is refused", f->provider,
			 peer);
		return -EADDRNOTAVAIL;
	}
	wait__meet(f, peer, mine, &card);
	return 0;
}

/* True: this peer and we know of each other. */
static bool greet(struct fabric *f, unsigned peer)
{
	struct peer *p = &f->peers[peer];
	uint32_t mute = f->asleep && !p->asleep ? HELLO_MUTE : 0;

	if (p->greeted < 1 && fabric__say(f, peer, 0, PIECE_HELLO, mute) == 0)
		p->greeted = 1;
	if (p->heard && p->greeted == 1 && fabric__say(f, peer, 0, PIECE_HELLO, mute | HELLO_HEARD) == 0)
		p->greeted = 2;
	return p->greeted == 2 && p->answered;
}

static int greet_all(struct fabric *f, int64_t deadline, char *why, size_t size)
{
	for (;;) {
		unsigned missing = 0, first = 0;

		f->now = wait__clock();
		fabric__progress(f);
		for (unsigned i = f->config.nodes; i-- > 0;) {
			if (i == f->config.node)
				continue;
			if (f->peers[i].lost) {
				snprintf(why, size,
					 "fabric provider '%s': node %u cannot be reached, or has died",
					 f->provider, i);
				return -ECONNREFUSED;
			}
			if (!greet(f, i)) {
				missing++;
				first = i;
			}
		}
		if (!missing)
			return 0;
		if (f->now > deadline) {
			char others[64] = "";

			if (missing > 1)
				snprintf(others, sizeof(others), " and %u others", missing - 1);
			snprintf(why, size,
				 "fabric provider '%s': no answer from node %u%s; does the network between "
				 "the "
				 "hosts let this provider through?",
				 f->provider, first, others);
			return -ETIMEDOUT;
		}
		nanosleep(&(struct timespec){.tv_nsec = PATIENCE_NS}, NULL);
	}
}

/* The shm provider keeps each endpoint in a file of /dev/shm. All peers have mapped it by now; without the
 * name it goes when they do, however they end. */
static void drop_name(const struct fabric_address *mine)
{
	static const char prefix[] = "fi_shm://";
	char name[FABRIC_ADDRESS_MAX] = "/";
	size_t bytes = mine->bytes - sizeof(struct card);

	if (bytes < sizeof(prefix) || bytes >= sizeof(name) ||
	    strncmp((const char *)mine->data + sizeof(struct card), prefix, sizeof(prefix) - 1) != 0)
		return;
	memcpy(name + 1, mine->data + sizeof(struct card) + sizeof(prefix) - 1, bytes - (sizeof(prefix) - 1));
	shm_unlink(name);
}

static int join(struct fabric *f, const struct fabric_address *of, int seconds, char *why, size_t size)
{
	int64_t deadline = wait__clock() + seconds * 1000000000ll;
	struct card mine;
	int rc = 0;

	memcpy(&mine, of[f->config.node].data, sizeof(mine));
	for (unsigned i = 0; i < f->config.nodes && !rc; i++)
		if (i != f->config.node)
			rc = insert_peer(f, i, &of[i], &mine, why, size);
	if (!rc)
		rc = greet_all(f, deadline, why, size);
	return rc;
}

static int connect_fabric(struct fabric *f, const struct fabric_address *of, uint64_t key, int seconds,
			  struct links *links, char *why, size_t size)
{
	sigset_t all, mask;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	f->key = key;
	rc = join(f, of, seconds, why, size);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (rc)
		return rc;
	put_signals_back(f);
	drop_name(&of[f->config.node]);
	for (unsigned i = 0; i < f->config.nodes * CHANNELS; i++) {
		f->peers[i / CHANNELS].in_ns = f->now;
		if (i / CHANNELS != f->config.node)
			links->stream[i / CHANNELS][i % CHANNELS] = &f->lanes[i].stream;
	}
	links->engine = &f->engine;
	return 0;
}

__attribute__((visibility("default"))) const struct fabric_api dsm_fabric_api = {
	.version = FABRIC_VERSION,
	.check = check_provider,
	.open = open_fabric,
	.connect = connect_fabric,
	.close = fabric__free,
	.list = list_providers,
};
