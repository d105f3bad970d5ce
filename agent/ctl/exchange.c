/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/exchange.h"

#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/jsonr.h"

#define LIMIT_NS (CONTROL_CLIENT_LIMIT_MS * NSEC_PER_MSEC)
#define MESSAGE_MAX 1024u

/* Scripts look for the first half of this. */
static int unreachable(struct ctl *c, const struct exchange *x, int error)
{
	const char *why = strerrordesc_np(-error);

	if (x->is_quiet)
		return CONTROL_UNREACHABLE;
	if (error == -ENOENT || error == -ECONNREFUSED || error == -ENOTDIR)
		why = "agentd is not running";
	else if (error == -ETIMEDOUT || error == -EAGAIN)
		why = "no answer";
	else if (error == -EPIPE || error == -ECONNRESET)
		why = "the connection was closed";
	else if (error == -EPROTO)
		why = "its answer cannot be read";
	return ctl_fail(c, CONTROL_UNREACHABLE, "Could not connect to the daemon: %s (%s/%s)", why,
			c->paths.run, CONTROL_SOCKET_NAME);
}

static int refused(struct ctl *c, const struct exchange *x, const struct frame *f)
{
	char text[MESSAGE_MAX];
	ssize_t n = jsonr_unescape(f->message, text, sizeof(text) - 1);

	if (x->is_quiet)
		return (int)f->code;
	if (n < 0)
		n = 0;
	text[n] = '\0';
	return ctl_fail(c, (enum control_code)f->code, "%s", n > 0 ? text : "refused");
}

static int serve(const struct exchange *x, const struct frame *f)
{
	int (*fn)(void *, const struct frame *) = NULL;

	switch (f->type) {
	case FRAME_BEGIN:
		fn = x->begin;
		break;
	case FRAME_DATA:
		fn = x->data;
		break;
	case FRAME_COLUMNS:
		fn = x->columns;
		break;
	case FRAME_ROWS:
		fn = x->rows;
		break;
	case FRAME_END:
		fn = x->end;
		break;
	case FRAME_OTHER:
	case FRAME_WAIT:
	case FRAME_ERROR:
		break;
	}
	return fn == NULL ? 0 : fn(x->ctx, f);
}

int exchange_run(struct ctl *c, struct str request, const struct exchange *x)
{
	cleanup_(conn_cleanup) struct conn *conn = NULL;
	uint64_t deadline_ns = clock_mono_ns() + LIMIT_NS;
	int r = conn_open(c->paths.run, CONTROL_CLIENT_LIMIT_MS, &conn);

	if (r == 0)
		r = conn_request(conn, request);
	if (r == -EMSGSIZE)
		return ctl_fail(c, CONTROL_USAGE, "longer than %zu bytes", CONTROL_REQUEST_MAX);
	/* A daemon that has no room for us says so before it reads: look. */
	if (conn == NULL || (r < 0 && r != -EPIPE && r != -ECONNRESET))
		return unreachable(c, x, r);
	for (;;) {
		struct frame f = { 0 };

		r = conn_next(conn, deadline_ns, &f);
		if (r < 0)
			return unreachable(c, x, r);
		if (f.type == FRAME_ERROR)
			return refused(c, x, &f);
		r = serve(x, &f);
		if (r != 0 || f.type == FRAME_END)
			return r;
		if (!x->is_short)
			deadline_ns = clock_mono_ns() + LIMIT_NS;
	}
}
