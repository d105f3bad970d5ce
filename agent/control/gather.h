/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks every program for its health at the same time and waits for all of them,
 * at most GATHER_LIMIT_NS in total; who has not answered by then is reported as
 * such. One gathering at a time: clients that come while it runs get the next
 * one, so that a crowd of them costs the programs no more than a few, and none
 * is shown what was true before it asked.
 */
#pragma once

#include "agent/base/loop.h"
#include "agent/base/peer.h"
#include "agent/control/report.h"

#define GATHER_LIMIT_NS NSEC_PER_SEC
#define GATHER_PAUSE_NS (50 * NSEC_PER_MSEC) /* between the ends and starts of two */

struct gather;

struct gather_ops {
	/* Sends MSG_HEALTH_GET to a source; negative when it cannot be asked. */
	int (*ask)(void *ctx, unsigned int source, uint32_t request);
	/* A fresh report to be filled. */
	int (*begin)(void *ctx, struct report **ret_report);
	/* The report of all, to be finished; NULL when begin() failed. Borrowed. */
	void (*done)(void *ctx, struct report *r);
};

/* `sources`: bit per source (report.h) to be asked. -ENOMEM, the loop's errno. */
must_check int gather_new(struct loop *l, unsigned int sources, const struct gather_ops *ops,
			  void *ctx, struct gather **ret_gather);
void gather_free(struct gather *g);
DEFINE_CLEANUP(struct gather *, gather, gather_free)

/* Wants one more gathering that starts after now. */
void gather_want(struct gather *g);

/* The number of the gathering that a want of now is answered by; done() of an
 * earlier one is not meant for it. */
uint32_t gather_next(const struct gather *g);

/* The number of the gathering that runs or has just ended. */
uint32_t gather_current(const struct gather *g);

/* A MSG_HEALTH_ROWS of a source. Late ones are dropped. -EPROTO when malformed. */
must_check int gather_answer(struct gather *g, unsigned int source, const void *data, size_t len);

/* The link to a source has gone: nobody waits for it any longer. */
void gather_lost(struct gather *g, unsigned int source);
