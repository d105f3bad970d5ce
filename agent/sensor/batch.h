/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Batches of encoded events on their way to the store: filled, numbered, sent, and kept
 * until acknowledged, so that a store that dies or refuses gets them again. The window is
 * bounded: when it is full the caller stops making events, they wait as records in the
 * ring. Memory: what the window holds, at most BATCH_HARD_MAX messages.
 */
#pragma once

#include "agent/base/peer.h"
#include "agent/event/encode.h"
#include "probes/audit/ring.h"

#define BATCH_EVENTS_MAX 256u
#define BATCH_WINDOW 24u   /* unacknowledged batches; fewer bytes than PEER_QUEUE_MAX */
#define BATCH_HARD_MAX 56u /* events of the record in hand may need more */

struct batches;

/* -ENOMEM. */
must_check int batches_new(struct batches **ret_batches);
void batches_free(struct batches *b);
DEFINE_CLEANUP(struct batches *, batches, batches_free)

/* What an acknowledgement of a batch settles. */
struct batch_mark {
	uint64_t ring_pos;	       /* everything before it is in this batch or before */
	uint64_t losses[AUDIT_LOSSES]; /* told of by then */
};

/* True while the caller should make no more events. */
bool batches_is_full(const struct batches *b);

/* Adds an event to the open batch. -EAGAIN: it has no room, seal it first; -ENOBUFS: no
 * further batch may be opened; -ENOMEM. */
must_check int batches_add(struct batches *b, const struct event_record *rec);

/* Events in the open batch, and when the first of them came (0 when there is none). */
uint32_t batches_open_events(const struct batches *b);

/* Closes the open batch; nothing happens when it is empty. */
void batches_seal(struct batches *b, const struct batch_mark *mark);

/* Sends what is sealed and not sent, in order, as far as the peer takes it. */
void batches_send(struct batches *b, struct peer *store);

/* The store is another one, or refused a batch: everything is to be sent again. */
void batches_unsend(struct batches *b);

/* The store has all batches up to number. *ret_mark is the last one's. Returns how many
 * were settled; -EPROTO for a number that was never sent. */
must_check int batches_ack(struct batches *b, uint64_t number, struct batch_mark *ret_mark);

uint32_t batches_waiting(const struct batches *b); /* sealed, not acknowledged */
