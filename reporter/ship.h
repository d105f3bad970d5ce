/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries events from the store to the cloud (cloud protocol, section 3): fetch a
 * batch, send it, and move the cursor only as far as the endpoint says it has the
 * events on disk. One batch at a time, kept until it is acknowledged, so that a
 * retry repeats the same bytes. At least once on the wire; (device, epoch, seq)
 * makes it once in the store.
 *
 * A state machine without I/O: what it wants done goes through struct ship_ops,
 * what happened comes in by the ship_on_* functions.
 */
#pragma once

#include "reporter/answer.h"
#include "reporter/compress.h"
#include "reporter/parcel.h"
#include "reporter/session.h"

struct ship_post {
	struct str headers; /* as https_post() takes them */
	struct str body;    /* stays until the answer or ship_stop() */
};

struct ship_ops {
	/* Asks the store (MSG_FETCH); answered by ship_on_dropped() and ship_on_rows(). */
	void (*fetch)(void *ctx, uint32_t request, uint32_t max_events, uint32_t max_bytes);
	/* Sends; answered by ship_on_answer(). Negative: it could not be sent. */
	int (*post)(void *ctx, const struct ship_post *post, struct backoff *backoff);
	/* MSG_CURSOR_SET; answered by ship_on_cursor(). */
	void (*cursor_set)(void *ctx, uint64_t epoch, uint64_t seq);
	/* Begins the session `epoch` on disk and in the store. Negative: it could not. */
	int (*epoch_set)(void *ctx, uint64_t epoch);
	/* ship_on_wake() at that time, instead of any earlier wish; UINT64_MAX: never. */
	void (*wake_at)(void *ctx, uint64_t at_ns);
	/* Keeps an event that the endpoint refuses. */
	void (*dead_letter)(void *ctx, struct str line);
	/* The endpoint does not know this device (any more). */
	void (*unauthorised)(void *ctx, const struct answer_error *error);
	/* An answer that broke the protocol in its body. */
	void (*refused)(void *ctx, const char *what);
	/* Nothing is on its way: what the header line says may change now, and only now. */
	void (*settled)(void *ctx);
	/* What the header line says. */
	void (*header)(void *ctx, struct parcel_header *ret_header);
	/* The endpoint's clock. */
	void (*clock)(void *ctx, uint64_t server_time_us, uint64_t elapsed_ns);
};

struct ship_limits {
	uint32_t max_events;
	uint32_t max_bytes;
};

struct ship;

/* ops is borrowed for ever. -ENOMEM. */
must_check int ship_new(const struct ship_ops *ops, void *ctx, struct ship **ret_ship);
void ship_free(struct ship *s);
DEFINE_CLEANUP(struct ship *, ship, ship_free)

/* Ships as the session `epoch` of the device; begins or, with another epoch or limits,
 * goes on. Harmless when it runs already. */
void ship_start(struct ship *s, uint64_t epoch, const struct ship_limits *limits, uint64_t now_ns);

/* Lets go of everything; the caller cancels the request that is on its way. */
void ship_stop(struct ship *s);

/* What the store says. Negative: it broke the contract, its link should end. */
must_check int ship_on_dropped(struct ship *s, uint32_t request, const struct parcel_dropped *d);
must_check int ship_on_rows(struct ship *s, uint32_t request, const struct parcel_part *part,
			    uint64_t now_ns);
void ship_on_cursor(struct ship *s, uint64_t epoch, uint64_t seq, uint64_t now_ns);

void ship_on_answer(struct ship *s, const struct session_answer *a, uint64_t now_ns);
void ship_on_wake(struct ship *s, uint64_t now_ns);

/* Another request got an answer: what only waits for the endpoint goes at once. */
void ship_on_reachable(struct ship *s, uint64_t now_ns);

/* The endpoint takes nothing until then (another request was told so). */
void ship_hold(struct ship *s, uint64_t until_ns);

struct ship_stats {
	uint64_t sent;	       /* events sent, repeats included */
	uint64_t acked;	       /* events acknowledged */
	uint64_t dead_letters; /* events the endpoint refused */
	uint64_t acked_seq;
	uint32_t in_flight; /* events in the batch in hand */
	bool is_running;
};
void ship_stats(const struct ship *s, struct ship_stats *ret_stats);
