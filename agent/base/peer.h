/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other end of a message socket, served by the loop: a table of the messages
 * it may send, a bounded queue for what the socket does not take yet. An unknown
 * type, a wrong length, a missing or unexpected descriptor, or a handler's
 * negative return ends the peer; nothing is ever answered to such a message.
 */
#pragma once

#include "agent/base/loop.h"
#include "agent/base/msg.h"

#define PEER_QUEUE_MAX 4194304u /* bytes waiting for a slow reader */

struct peer;

/* Negative ends the peer with that reason. */
typedef int (*peer_msg_fn)(void *ctx, struct peer *p, struct msg *m);

enum peer_row_flags {
	PEER_FD = 1,	      /* must carry a descriptor; without the flag it must not */
	PEER_FD_OPTIONAL = 2, /* may carry one */
};

struct peer_row {
	uint16_t type;
	uint16_t flags;
	uint32_t min_len;
	uint32_t max_len;
	peer_msg_fn fn;
};

/* A row of a message of agent/event/messages.def: PEER_ROW(MSG_PING, on_ping). */
#define PEER_ROW(type_, fn_)                                                                       \
	{                                                                                          \
		.type = (type_), .flags = type_##_FLAGS, .min_len = type_##_MIN,                   \
		.max_len = type_##_MAX, .fn = (fn_)                                                \
	}

struct peer_table {
	const char *name; /* of the other end, for logs */
	const struct peer_row *rows;
	size_t n_rows;
	unsigned int priority; /* of its descriptor in the loop */
	/* Told once when the peer is over, behind all that it had sent (unless reading is
	 * paused): 0 at end of stream, else the reason.
	 * The callee frees the peer (peer_free) or keeps it for its counters. */
	void (*closed)(void *ctx, struct peer *p, int reason);
};

/* Serves fd (taken, also on failure). -ENOMEM or the loop's errno. */
must_check int peer_new(struct loop *l, int fd_taken, const struct peer_table *table, void *ctx,
			struct peer **ret_peer);
void peer_free(struct peer *p);
DEFINE_CLEANUP(struct peer *, peer, peer_free)

/* Sends or queues. fd (-1 for none) stays the caller's (a queued one is dup'ed).
 * -ENOBUFS when PEER_QUEUE_MAX is reached (what is dropped is the caller's to count),
 * -EMSGSIZE, -EPIPE, -ENOMEM, errno of sendmsg(2) or of the dup. */
must_check int peer_send(struct peer *p, uint16_t type, struct str head, struct str tail, int fd);

/* peer_send() without descriptor and tail. */
must_check int peer_send_buf(struct peer *p, uint16_t type, const struct buf *payload);

/* Bytes that wait in the queue. */
size_t peer_queued(const struct peer *p);

/* Stops or resumes reading, for back pressure. */
void peer_pause(struct peer *p, bool paused);

/* Tries to hand all queued bytes to the kernel within timeout_ms; for a clean stop. */
int peer_flush(struct peer *p, int timeout_ms);

bool peer_is_open(const struct peer *p);
int peer_fd(const struct peer *p);
