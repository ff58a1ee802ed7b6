/* SPDX-License-Identifier: BSD-2-Clause */
#include "collector/lost_time.h"

/* A damaged file may say that more was waited in vain than in all. */
uint64_t lost_time__twice(const struct dsm_counters *c)
{
	return c->wasted_fetch_ns < c->fetch_ns ? c->wasted_fetch_ns : c->fetch_ns;
}

uint64_t lost_time__conflicts(const struct dsm_counters *c)
{
	return c->wasted_ns + c->rebase_ns;
}

uint64_t lost_time__ns(const struct dsm_counters *c)
{
	return lost_time__conflicts(c) + c->fetch_ns - lost_time__twice(c) + c->lock_ns + c->flush_ns +
	       c->changes_ns;
}
