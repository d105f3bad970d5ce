/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol of <run>/control.sock, between agentctl and agent-control: a
 * stream of frames, each a u32 length in network order and one JSON object.
 *
 *   request   {"command":"health","args":{...}}      one at a time
 *   answer    {"type":"begin","licensed":true,"version":"0.1.0"}
 *             {"type":"data","data":{...}}           a document (health)
 *             {"type":"columns","columns":[...]}     names, before SQL rows
 *             {"type":"rows","rows":[...]}           any number
 *             {"type":"wait"}                        still at it, every CONTROL_WAIT_MS
 *             {"type":"end","rows":N,"truncated":b}  done; the next request may come
 *        or   {"type":"error","code":N,"message":s}  done, code of enum control_code
 *
 * Readers skip types and members they do not know, so that an agentctl of
 * another version works. A client that hangs up ends its command.
 */
#pragma once

#include "agent/base/buf.h"

#define CONTROL_SOCKET_NAME "control.sock"
#define CONTROL_REQUEST_MAX ((size_t)64 * 1024) /* bytes of one request's JSON */
#define CONTROL_FRAME_MAX ((size_t)512 * 1024)	/* bytes of one answer frame's JSON */
#define CONTROL_WAIT_MS 1500u
#define CONTROL_CLIENT_LIMIT_MS 5000u /* silence after which a client gives up */

/* Exit statuses of agentctl, and the codes of error frames. */
enum control_code {
	CONTROL_OK = 0,
	CONTROL_FAILED = 1,
	CONTROL_USAGE = 2,
	CONTROL_NEEDS_ROOT = 3,
	CONTROL_UNREACHABLE = 4,
	CONTROL_MANAGED = 5,
	CONTROL_NOT_LICENSED = 6,
	CONTROL_NOT_FOUND = 7,
	CONTROL_BUSY = 8,
	CONTROL_UNHEALTHY = 9, /* health --exit-code only */
};

/* A frame is written in place: begin() leaves room for the length and returns
 * where, end() fills it in. Errors stick to `out`: -EMSGSIZE also when the JSON
 * is empty or longer than `max`. */
size_t control_frame_begin(struct buf *out);
void control_frame_end(struct buf *out, size_t at, size_t max);

/* Looks for a whole frame at the start of `bytes`. Its JSON in *ret_json and 1;
 * 0 when more bytes are needed; -EPROTO when the length is 0 or over `max`. The
 * frame takes CONTROL_HEADER_SIZE + ret_json->n bytes. */
#define CONTROL_HEADER_SIZE 4u
must_check int control_frame_get(struct str bytes, size_t max, struct str *ret_json);
