/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client's end of the control socket. Blocking, with a deadline on every
 * wait: a daemon that does not answer never hangs the caller.
 */
#pragma once

#include "agent/config/control.h"

struct conn;

enum frame_type {
	FRAME_OTHER, /* of a newer daemon: to be skipped */
	FRAME_BEGIN,
	FRAME_DATA,
	FRAME_COLUMNS,
	FRAME_ROWS,
	FRAME_WAIT,
	FRAME_END,
	FRAME_ERROR,
};

/* One answer frame. Texts are raw JSON values, borrowed until the next call. */
struct frame {
	enum frame_type type;
	bool licensed;
	bool truncated;
	unsigned int code;
	struct str data;
	struct str rows;
	struct str columns;
	struct str message; /* a string's inside, escapes not resolved */
};

/* Takes one frame's JSON apart. -EPROTO. */
must_check int frame_parse(struct str json, struct frame *ret_frame);

/* Connects to <run_dir>/control.sock within limit_ms. -ENOENT, -ECONNREFUSED: no
 * agentd runs; -EAGAIN: it does not take connections; other errno. */
must_check int conn_open(const char *run_dir, unsigned int limit_ms, struct conn **ret_conn);
void conn_free(struct conn *c);
DEFINE_CLEANUP(struct conn *, conn, conn_free)

/* Sends one request. -EMSGSIZE over CONTROL_REQUEST_MAX, errno of send. */
must_check int conn_request(struct conn *c, struct str json);

/* Waits for the next frame until deadline_ns (CLOCK_MONOTONIC). -ETIMEDOUT,
 * -EPIPE when the daemon hung up, -EPROTO, errno of recv. */
must_check int conn_next(struct conn *c, uint64_t deadline_ns, struct frame *ret_frame);
