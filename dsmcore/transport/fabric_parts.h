/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric_parts.h - what the files of the fabric plugin share: fabric_open.c (endpoint, buffers, joining),
 * fabric.c (streams, sending, engine), fabric_hear.c (what comes), fabric_wait.c (sleeping, waking, and the
 * death of peers).
 *
 * One mutex a fabric guards everything, libfabric's calls included (the domain is opened FI_THREAD_DOMAIN),
 * so that any thread may use any stream. The engine calls ready() without the mutex.
 */
#ifndef DSM_TRANSPORT_FABRIC_PARTS_H
#define DSM_TRANSPORT_FABRIC_PARTS_H

#include <pthread.h>
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>
#include <rdma/fi_errno.h>
#include <signal.h>

#include "dsmcore/transport/fabric.h"
#include "dsmcore/transport/stream.h"

#define PIECE_MAGIC 0x31465344u /* "DSF1" */
#define PIECE_MOST  8192u	/* bytes of a piece where the provider does not suggest less */
#define CHANNELS    2u

#define FABRIC_SIGNALS 4

enum piece_kind {
	PIECE_HELLO = 1, /* joining; number: enum hello */
	PIECE_DATA,	 /* of a stream; number: its place in it */
	PIECE_CREDIT,	 /* only tells `taken` */
	PIECE_BYE,	 /* the stream ends; number: how many pieces it had */
	PIECE_ALIVE,	 /* nothing to say for a while */
};

enum hello {
	HELLO_HEARD = 1, /* the sender has heard the receiver */
	HELLO_MUTE = 2,	 /* the sender cannot wake the receiver */
};

/* The head of all that travels. Bytes follow it. */
struct piece {
	uint32_t magic;
	uint32_t generation;
	uint64_t key;
	uint16_t from, to;
	uint8_t kind, channel;
	uint16_t window; /* the sender's, in pieces */
	uint32_t number;
	uint32_t taken; /* pieces that the sender has taken off this stream, all in all */
	uint32_t bytes;
	uint32_t zero;
};

/* A buffer that libfabric has, or that waits for its turn. */
struct slot {
	struct fi_context2 context; /* libfabric's; first, to find the slot by it */
	struct slot *next;
	uint8_t *data;
	uint32_t at, end; /* received: what recv() has not taken yet */
	uint16_t peer;	  /* sending: to whom */
	bool sending;
};

/* One stream. */
struct lane {
	struct stream stream; /* first */
	struct fabric *fabric;
	uint16_t peer;
	uint8_t channel;
	bool open;	 /* handed out and not closed */
	bool listed;	 /* in fabric.ready */
	bool starved;	 /* send() has said -EAGAIN for want of credit or of a buffer */
	bool refused;	 /* the provider did not take a piece or a credit: try again after a while */
	bool owes;	 /* a credit is to be sent as soon as the provider takes it */
	bool writable;	 /* not starved any more, to be reported */
	bool ended;	 /* no more pieces will come; */
	int error;	 /* why, 0: properly */
	uint32_t sent;	 /* pieces, all in all */
	uint32_t passed; /* of those, taken by the peer */
	uint32_t next;	 /* number of the next piece that comes */
	uint32_t taken;	 /* pieces that recv() has finished */
	uint32_t told;	 /* of those, known to the peer */
	struct slot *head, **tail;
	struct lane *next_ready;
};

struct peer {
	fi_addr_t address;
	bool lost;
	bool heard;	       /* its HELLO has come */
	bool answered;	       /* ... and one which says that it has ours */
	uint8_t greeted;       /* HELLOs that went out: the first, the answer */
	int process;	       /* pidfd, -1: on another host, or unknown */
	int64_t in_ns, out_ns; /* when the last piece came, and went */
	int64_t verdict_ns;    /* its process has ended: when to give up what may still come, 0: it lives */
	uint32_t *asleep;      /* the peer wants to be woken; NULL: it cannot be, or need not */
	int bell;	       /* a byte here wakes it, -1 */
};

struct fabric {
	struct engine engine; /* first */
	struct fabric_config config;
	char provider[FABRIC_NAME_MAX];
	uint64_t key;
	pthread_mutex_t lock;
	/* libfabric's */
	struct fi_info *info;
	struct fid_fabric *fabric;
	struct fid_domain *domain;
	struct fid_av *av;
	struct fid_cq *cq;
	struct fid_ep *ep;
	struct fid_mr *mr;
	bool cq_waits; /* its completion queue was opened with a descriptor to wait for */
	uint64_t came; /* completions and errors that it has given us */
	struct sigaction signals[FABRIC_SIGNALS]; /* as they were before libfabric came */
	bool signals_taken;
	/* buffers */
	uint32_t piece_bytes, window;
	size_t inject_bytes;
	uint8_t *arena;
	size_t arena_bytes;
	struct slot *slots, *idle_send, *idle_recv;
	unsigned sending;	   /* slots that libfabric has not given back yet */
	uint8_t small[PIECE_MOST]; /* what goes out by injection is put together here */
	/* peers and streams */
	struct peer *peers;
	struct lane *lanes; /* [nodes * CHANNELS] */
	struct lane *ready, **ready_tail;
	unsigned starving, refusals; /* lanes */
	uint64_t strangers;	     /* pieces that were not of this run */
	/* waiting (fabric_wait.c); engine.fd is an epoll instance over all there is to wake us */
	int64_t now, beat_ns, retry_ns; /* the clock when last read; when to look at peers, at refusals */
	int cq_fd;			/* -1: it has none, or one that cannot be trusted */
	unsigned lies;			/* times that it was readable for nothing, in a row */
	int timer;
	int64_t timer_ns; /* when it fires, 0: not set */
	bool armed;	  /* the receiving thread may be asleep */
	uint32_t *asleep; /* in a page that peers on this host can map */
	int page, bell[2];
	bool naps; /* some peer cannot wake us: sleep for a short time only */
	unsigned nap_us;
	unsigned verdicts; /* peers that have one coming */
};

static inline struct lane *fabric__lane(struct fabric *f, unsigned peer, unsigned channel)
{
	return &f->lanes[peer * CHANNELS + channel];
}

/* fabric.c. The caller holds the lock. */
extern const struct engine_ops fabric__engine_ops;
void fabric__setup_lanes(struct fabric *f);
/* Gives a received slot back. */
void fabric__repost(struct fabric *f, struct slot *s);
/* A buffer for sending is free again. */
void fabric__put_back(struct fabric *f, struct slot *s);
/* This stream may have something to report. */
void fabric__list(struct fabric *f, struct lane *l);
/* A stream that starved may send again; all that wait for a buffer may. */
void fabric__feed(struct fabric *f, struct lane *l);
void fabric__feed_all(struct fabric *f);
/* Gives libfabric the receive buffers that are free. Errors: negative errno. */
int fabric__post(struct fabric *f);
/* Sends a piece without bytes. -EAGAIN or another negative errno. */
int fabric__say(struct fabric *f, unsigned peer, unsigned channel, enum piece_kind kind, uint32_t number);
/* Nothing comes from this peer any more. */
void fabric__lose(struct fabric *f, unsigned peer, int error);
/* Has some stream something to report? Takes those that have not off the list. */
bool fabric__any_ready(struct fabric *f);

/* fabric_hear.c. The caller holds the lock. Hands all that has completed to its stream. */
void fabric__progress(struct fabric *f);

/* fabric_open.c */
void fabric__free(struct fabric *f);

/* fabric_wait.c. The caller holds the lock, but for open() and close(). */
/* Of an address the part that tells which process this is. */
struct card {
	uint8_t boot[16]; /* of the host */
	uint64_t space;	  /* of process numbers */
	uint32_t pid;
	int32_t page, bell; /* its descriptors, -1: needs no waking */
	uint32_t piece_bytes;
};
int64_t wait__clock(void);
int wait__open(struct fabric *f, struct card *mine);
/* Learns from its card how to wake a peer and how to notice its death. */
void wait__meet(struct fabric *f, unsigned peer, const struct card *mine, const struct card *his);
/* Something was sent to the peer: wakes it if it sleeps. */
void wait__ring(struct peer *p);
/* engine_ops.arm(). */
bool wait__arm(struct fabric *f);
/* The begin of poll(): handles what has come. Looks at peers and clocks when it is time. */
void wait__poll(struct fabric *f);
/* Lets the receiving thread look again after a while, wherever it is. */
void wait__retry(struct fabric *f);
void wait__forget(struct fabric *f, struct peer *p);
void wait__close(struct fabric *f);

#endif
