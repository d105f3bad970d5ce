/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clients of the control socket: takes connections, asks the kernel who they
 * are (unix(7), SO_PEERCRED), cuts their bytes into requests and queues answers.
 * It knows nothing of commands. Nothing here waits: a client that does not read
 * fills its own bounded queue and is dropped, others go on. Slots are shared out
 * so that no user but root can keep root or other users away.
 */
#pragma once

#include "agent/base/jsonw.h"
#include "agent/base/loop.h"
#include "agent/config/control.h"

#define SERVER_CLIENTS_MAX 32u
#define SERVER_ROOT_SLOTS 8u			 /* of those, kept for uid 0 */
#define SERVER_UID_SLOTS 8u			 /* that one other uid may hold */
#define SERVER_OUT_MAX ((size_t)3 * 1024 * 1024) /* bytes that wait for one client */

/* Deadlines; tests have shorter ones. */
struct server_limits {
	uint64_t idle_ns;  /* for a whole request to arrive */
	uint64_t stall_ns; /* without the client reading a byte */
	uint64_t wait_ns;  /* between two signs of life */
	uint64_t tick_ns;  /* how often all this is looked at */
};

/* 10 s, 30 s, CONTROL_WAIT_MS, 250 ms. */
extern const struct server_limits server_limits;

struct server;
struct client;

struct server_ops {
	/* A whole request. The answer ends with client_done(), now or later; until
	 * then nothing more is read from this client. `json` lives for the call. */
	void (*request)(void *ctx, struct client *cl, struct str json);
	/* The client has read everything; only while its command runs. */
	void (*drained)(void *ctx, struct client *cl);
	/* The client is over while its command runs; cl is freed after the call. */
	void (*gone)(void *ctx, struct client *cl);
};

/* Serves the listening, non-blocking stream socket (taken, also on failure).
 * limits and ops are borrowed. -ENOMEM or the loop's errno. */
must_check int server_new(struct loop *l, int listen_fd_taken, const struct server_limits *limits,
			  const struct server_ops *ops, void *ctx, struct server **ret_server);

/* Closes all clients (gone() is told of running commands) and the socket. */
void server_free(struct server *s);
DEFINE_CLEANUP(struct server *, server, server_free)

unsigned int server_client_count(const struct server *s);

uid_t client_uid(const struct client *cl);

/* What the command keeps with its client; NULL at the start of each command. */
void client_set_data(struct client *cl, void *data);
void *client_data(const struct client *cl);

/* A follower waits for events of the future: it may stop reading for ever. */
void client_set_follower(struct client *cl);

/* One answer frame: the JSON value is written to the writer that begin() gives,
 * end() queues it. At SERVER_OUT_MAX, out of memory or after a hang-up the
 * client is dropped soon (gone() will say so); later frames go nowhere. */
struct jsonw *client_frame_begin(struct client *cl);
void client_frame_end(struct client *cl);

/* Shorthand for an error frame and client_done(). */
void client_error(struct client *cl, enum control_code code, const char *fmt, ...)
	printf_like(3, 4);

/* The command is over; the next request may come. */
void client_done(struct client *cl);

/* Bytes that the client has not read yet. */
size_t client_queued(const struct client *cl);
