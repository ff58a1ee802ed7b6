/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message.c - what a message must look like before its meaning is looked at.
 *
 * core_msg__sane() looks only at the message and the configuration, so that the handlers may use page
 * numbers and node ids as indexes without a further thought. Whether the message fits the state of the
 * protocol is the handlers' business (-EPROTO).
 */
#include "dsmcore/protocol/internal.h"

#define TX    0x01u  /* tx names an attempt of a node of this cluster */
#define OTHER 0x02u  /* so does other, or nobody */
#define MANY  0x04u  /* 1 to CORE_MSG_PAGES entries, ascending; else exactly one */
#define NONE  0x08u  /* no entries at all */
#define WSET  0x10u  /* a write set may follow */
#define HOMED 0x20u  /* the pages live at the receiver, if no home ever moves */
#define HOME  0x40u  /* the pages live at the sender, likewise */
#define MINE  0x80u  /* tx is the sender's */
#define YOURS 0x100u /* tx is the receiver's */
#define BOTH  0x200u /* travels on either channel */
#define PLAIN                                                                                                \
	0x400u /* pages that are not CORE_TX; HOMED and HOME hold always, since these homes never move */
#define OF_RC 0x800u  /* pages that are CORE_RC */
#define COUNT 0x1000u /* any number of entries, or none: `page` is a node */

static const struct shape {
	const char *name;
	uint16_t rules;
	uint16_t flags; /* CORE_ENTRY_* allowed */
	uint16_t data;	/* bit by enum core_data */
} shapes[] = {
#define COMMITTED (1u << CORE_DATA_NONE | 1u << CORE_DATA_COMMITTED)
#define CHANGES	  (1u << CORE_DATA_NONE | 1u << CORE_DATA_CHANGES)
	[CORE_MSG_FETCH] = {"FETCH", TX | MINE | MANY | HOMED, CORE_ENTRY_WRITE | CORE_ENTRY_AHEAD, 1},
	[CORE_MSG_PAGE] = {"PAGE", MANY | HOME,
			   CORE_ENTRY_EXCLUSIVE | CORE_ENTRY_REFUSED | CORE_ENTRY_LOST | CORE_ENTRY_MOVED,
			   COMMITTED},
	[CORE_MSG_RECALL] = {"RECALL", HOME, CORE_ENTRY_WRITE, 1},
	[CORE_MSG_DOWNGRADE] = {"DOWNGRADE", TX | MINE | HOMED, CORE_ENTRY_WRITE, COMMITTED},
	[CORE_MSG_LOCK] = {"LOCK", TX | MINE | MANY | WSET | HOMED, CORE_ENTRY_DECIDE, CHANGES},
	[CORE_MSG_GRANT] = {"GRANT", TX | YOURS | MANY | HOME,
			    CORE_ENTRY_EXCLUSIVE | CORE_ENTRY_CONTENDED | CORE_ENTRY_DECIDE, 1},
	[CORE_MSG_DENY] = {"DENY", TX | YOURS | OTHER | MANY | HOME, CORE_ENTRY_REFUSED, 1},
	[CORE_MSG_CANCEL] = {"CANCEL", TX | MINE | NONE, 0, 1},
	[CORE_MSG_INVALIDATE] = {"INVALIDATE", TX | MANY | WSET | HOME, CORE_ENTRY_UPDATE | CORE_ENTRY_DECIDE,
				 CHANGES},
	[CORE_MSG_ACK] = {"ACK", TX | MANY | HOMED, CORE_ENTRY_UPDATE | CORE_ENTRY_DECIDE, 1},
	[CORE_MSG_REFUSE] = {"REFUSE", TX | OTHER | MANY | HOMED, 0, 1},
	[CORE_MSG_PUBLISH] = {"PUBLISH", TX | MINE | MANY | WSET | HOMED, CORE_ENTRY_EXCLUSIVE, CHANGES},
	[CORE_MSG_EXCLUSIVE] = {"EXCLUSIVE", HOME, 0, 1},
	[CORE_MSG_ARRIVE] = {"ARRIVE", MANY | COUNT, 0, 1},
	[CORE_MSG_GO] = {"GO", COUNT, 0, 1},
	[CORE_MSG_CLAIM] = {"CLAIM", NONE, 0, 1},
	[CORE_MSG_TURN] = {"TURN", NONE, 0, 1},
	[CORE_MSG_PASS] = {"PASS", NONE, 0, 1},
	[CORE_MSG_UPDATE] = {"UPDATE", TX | MANY | HOME, CORE_ENTRY_UPDATE | CORE_ENTRY_LOST, CHANGES},
	[CORE_MSG_LOSS] = {"LOSS", NONE | BOTH, 0, 1},
	[CORE_MSG_HAND] = {"HAND", MANY, CORE_ENTRY_EXCLUSIVE, COMMITTED},
	[CORE_MSG_TAKEN] = {"TAKEN", MANY, 0, 1},
	[CORE_MSG_MOVED] = {"MOVED", TX | YOURS | MANY, 0, 1},
	[CORE_MSG_ASK] = {"ASK", TX | MINE | MANY | PLAIN | HOMED, CORE_ENTRY_WRITE | CORE_ENTRY_AHEAD, 1},
	[CORE_MSG_COPY] = {"COPY", TX | MANY | PLAIN | HOME,
			   CORE_ENTRY_EXCLUSIVE | CORE_ENTRY_LOST | CORE_ENTRY_REFUSED, COMMITTED},
	[CORE_MSG_REVOKE] = {"REVOKE", TX | MANY | PLAIN | HOME, CORE_ENTRY_WRITE, 1},
	[CORE_MSG_REVOKED] = {"REVOKED", TX | MINE | MANY | PLAIN | HOMED,
			      CORE_ENTRY_WRITE | CORE_ENTRY_REFUSED | CORE_ENTRY_LENT, COMMITTED},
	[CORE_MSG_FLUSH] = {"FLUSH", TX | MINE | MANY | OF_RC | HOMED, 0, CHANGES},
	[CORE_MSG_FLUSHED] = {"FLUSHED", TX | YOURS | MANY | OF_RC | HOME, CORE_ENTRY_EXCLUSIVE, 1},
	[CORE_MSG_SPREAD] = {"SPREAD", TX | MANY | OF_RC | HOME, 0, CHANGES},
	[CORE_MSG_SEEN] = {"SEEN", TX | MANY | PLAIN | HOMED, CORE_ENTRY_REFUSED | CORE_ENTRY_LENT, 1},
	[CORE_MSG_ACQUIRE] = {"ACQUIRE", TX | MINE | NONE, 0, 1},
	[CORE_MSG_GIVE] = {"GIVE", COUNT, 0, 1},
	[CORE_MSG_WANT] = {"WANT", TX | NONE, 0, 1},
	[CORE_MSG_BACK] = {"BACK", TX | MINE | NONE, 0, 1},
	[CORE_MSG_BRING] = {"BRING", TX | MANY | PLAIN | HOME, CORE_ENTRY_LENT, COMMITTED},
};

#define NSHAPES (sizeof(shapes) / sizeof(shapes[0]))

const char *core_msg__name(unsigned type)
{
	return type < NSHAPES && shapes[type].name ? shapes[type].name : "unknown";
}

static bool sane_parties(const struct dsm_core *core, const struct core_msg *m, uint16_t rules)
{
	if (rules & TX && (m->tx.node >= core->config.nodes || !m->tx.number))
		return false;
	if (rules & MINE && m->tx.node != m->from)
		return false;
	if (rules & YOURS && m->tx.node != m->to)
		return false;
	return !(rules & OTHER) || m->other.node < core->config.nodes;
}

static bool sane_counts(const struct core_msg *m, uint16_t rules)
{
	if (rules & NONE)
		return m->npages == 0 && m->nwset == 0;
	if (rules & COUNT && !m->npages)
		return m->nwset == 0;
	if (!m->entries || m->npages < 1 || m->npages > (rules & MANY ? CORE_MSG_PAGES : 1))
		return false;
	return m->nwset <= (rules & WSET ? CORE_MSG_WSET : 0);
}

/* Each page has the messages of its model only. */
static bool sane_model(const struct dsm_core *core, uint32_t page, uint16_t rules)
{
	enum core_model model = core__model(core, page);

	return rules & OF_RC ? model == CORE_RC : rules & PLAIN ? model != CORE_TX : model == CORE_TX;
}

/* What is lent may come from any node, and is returned to that one. */
static bool is_loan(const struct dsm_core *core, const struct core_msg *m, const struct core_entry *e)
{
	return e->flags & CORE_ENTRY_LENT && (m->type == CORE_MSG_BRING || m->type == CORE_MSG_SEEN) &&
	       core__model(core, e->page) == CORE_SC;
}

/* Messages about pages of CORE_SC that name nodes. */
static bool sane_nodes(const struct dsm_core *core, const struct core_msg *m, const struct core_entry *e)
{
	return (m->type != CORE_MSG_COPY && m->type != CORE_MSG_REVOKE && m->type != CORE_MSG_REVOKED) ||
	       core__model(core, e->page) != CORE_SC || sc_lend__sane(core, m, e);
}

static bool sane_entry(const struct dsm_core *core, const struct core_msg *m, const struct shape *shape,
		       uint32_t i)
{
	const struct core_entry *e = &m->entries[i];
	uint16_t home, node = e->flags & (CORE_ENTRY_LOST | CORE_ENTRY_MOVED);

	if (shape->rules & COUNT && i < m->npages)
		return e->page < core->config.nodes && !e->flags && e->data == CORE_DATA_NONE &&
		       (i == 0 || m->entries[i - 1].page < e->page);
	if (e->page >= core->config.pages || !sane_model(core, e->page, shape->rules))
		return false;
	if (core__model(core, e->page) != core__model(core, m->entries[0].page))
		return false;
	if (i >= m->npages) /* the write set: any home */
		return e->flags == 0 && e->data == CORE_DATA_NONE;
	if (e->flags & ~shape->flags || e->data > CORE_DATA_CHANGES || !(shape->data & 1u << e->data))
		return false;
	if (node && (e->flags != node || (node & (node - 1u)) || e->data != CORE_DATA_NONE ||
		     e->version >= core->config.nodes))
		return false;
	home = core__birth(core, e->page);
	if (!sane_nodes(core, m, e))
		return false;
	if ((core->config.migrate_after == CORE_NEVER || shape->rules & (PLAIN | OF_RC)) &&
	    !is_loan(core, m, e) &&
	    ((shape->rules & HOMED && home != m->to) || (shape->rules & HOME && home != m->from)))
		return false;
	return i == 0 || m->entries[i - 1].page < e->page;
}

bool core_msg__sane(const struct dsm_core *core, const struct core_msg *msg)
{
	const struct shape *shape = &shapes[msg->type < NSHAPES ? msg->type : 0];
	bool fetch;
	uint32_t i;

	if (!shape->name || msg->generation != core->config.generation)
		return false;
	if (msg->from >= core->config.nodes || msg->from == msg->to || msg->to != core->config.node)
		return false;
	fetch = msg->type == CORE_MSG_FETCH || msg->type == CORE_MSG_PAGE;
	if (msg->channel != (fetch ? CORE_CHANNEL_FETCH : CORE_CHANNEL_MAIN) &&
	    (msg->channel != CORE_CHANNEL_FETCH || !(shape->rules & BOTH)))
		return false;
	if (!sane_parties(core, msg, shape->rules) || !sane_counts(msg, shape->rules))
		return false;
	for (i = 0; i < msg->npages + msg->nwset; i++)
		if (!sane_entry(core, msg, shape, i))
			return false;
	return true;
}
