/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queries of clients at the hunting program: hands them over, turns its lines
 * into row frames, and lets it send more only as the client reads (credit), so
 * that at most QUERIES_CREDIT messages wait for a slow reader. What comes back is
 * checked line by line before it is passed on. One query a client.
 */
#pragma once

#include "agent/base/peer.h"
#include "agent/control/request.h"
#include "agent/control/server.h"

/* messages.def: the credit a query starts with. */
#define QUERIES_CREDIT 8u
/* Beyond a query's own time: how long the hunting program may say nothing. */
#define QUERIES_GRACE_NS (5 * NSEC_PER_SEC)

struct queries;

/* grace_ns: QUERIES_GRACE_NS. -ENOMEM or the loop's errno. */
must_check int queries_new(struct loop *l, uint64_t grace_ns, struct queries **ret_queries);
void queries_free(struct queries *qs);
DEFINE_CLEANUP(struct queries *, queries, queries_free)

/* The link to the hunting program (borrowed), NULL while there is none: then
 * running queries end with an error. */
void queries_set_peer(struct queries *qs, struct peer *hunt);

/* Starts a query for cl, which has been sent its begin frame. All outcomes end
 * in frames to cl. */
void queries_sql(struct queries *qs, struct client *cl, const struct request *q, uint32_t max_rows,
		 uint32_t max_ms);
void queries_events(struct queries *qs, struct client *cl, const struct request *q);

/* The client has read all it was sent, or has gone. */
void queries_drained(struct queries *qs, struct client *cl);
void queries_gone(struct queries *qs, struct client *cl);

/* Messages of the hunting program; those of a query that is over are dropped.
 * -EPROTO when malformed. */
must_check int queries_on_rows(struct queries *qs, const struct msg *m);
must_check int queries_on_end(struct queries *qs, const struct msg *m);
