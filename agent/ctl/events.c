/* SPDX-License-Identifier: GPL-2.0-or-later */
/* agentctl events */
#include "agent/ctl/ctl.h"

#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/jsonr.h"
#include "agent/base/jsonw.h"
#include "agent/ctl/event_row.h"
#include "agent/ctl/exchange.h"
#include "agent/ctl/since.h"
#include "agent/ctl/text.h"

#define LIMIT_MAX 1000000000u
#define LIMIT_DEFAULT 1000u
#define FLUSH_BYTES ((size_t)64 * 1024)

enum { OPT_FOLLOW, OPT_SINCE, OPT_TABLE, OPT_LIMIT };

static const struct ctl_option options[] = {
	[OPT_FOLLOW] = { "--follow", "-f", NULL, "Go on with new events until interrupted." },
	[OPT_SINCE] = { "--since", NULL, "TIME",
			"Only events from TIME on: an age such as 10m, 2h or 1d, or a date such as "
			"2026-05-01T10:00:00Z." },
	[OPT_TABLE] = { "--table", NULL, "NAME",
			"Only one table, such as DeviceProcessEvents, or one kind, such as "
			"ProcessCreated." },
	[OPT_LIMIT] = { "--limit", NULL, "N",
			"The newest N events; 1000 when neither a time nor a number is given." },
};

static int events_begin(void *ctx, const struct frame *f)
{
	struct ctl *c = ctx;

	ctl_attention(c, f->licensed);
	if (!c->is_json)
		event_row_heading(c->columns, &c->out);
	return ctl_flush(c);
}

static int on_event(void *ctx, const struct jsonr_member *m)
{
	struct ctl *c = ctx;

	if (c->is_json) {
		text_add_json(&c->out, m->raw);
		buf_add_char(&c->out, '\n');
	} else if (event_row_format(m->raw, c->columns, &c->out) < 0) {
		return -EPROTO;
	}
	/* A negative value ends the scan; the message has been printed then. */
	return c->out.len >= FLUSH_BYTES && ctl_flush(c) != 0 ? -EIO : 0;
}

static int events_rows(void *ctx, const struct frame *f)
{
	static const struct jsonr_limits limits = { .max_bytes = CONTROL_FRAME_MAX,
						    .max_depth = JSONR_DEPTH_MAX };
	struct ctl *c = ctx;
	int r = jsonr_scan_array(f->rows, &limits, on_event, c);

	if (r == -EIO)
		return CONTROL_FAILED;
	if (r < 0)
		return ctl_fail(c, CONTROL_FAILED, "an event cannot be read");
	return ctl_flush(c);
}

static int request_format(struct ctl *c, const struct ctl_args *a, struct buf *out)
{
	uint64_t now_us = clock_real_us();
	uint64_t value;
	struct jsonw w;

	jsonw_init(&w, out);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "command", STR("events"));
	jsonw_key(&w, STR("args"));
	jsonw_object_begin(&w);
	if (a->given[OPT_SINCE]) {
		if (since_parse(str_of(a->values[OPT_SINCE]), now_us, &value) < 0)
			return ctl_fail(c, CONTROL_USAGE,
					"--since \"%.64s\" is neither an age such as 10m, 2h, 1d "
					"nor a date such as 2026-05-01T10:00:00Z",
					a->values[OPT_SINCE]);
		jsonw_kv_u64(&w, "since", value);
	}
	if (a->given[OPT_TABLE])
		jsonw_kv_str(&w, "table", str_of(a->values[OPT_TABLE]));
	if (a->given[OPT_LIMIT]) {
		if (parse_u64(str_of(a->values[OPT_LIMIT]), 1, LIMIT_MAX, &value) < 0)
			return ctl_fail(c, CONTROL_USAGE, "--limit is a number from 1 to %u",
					LIMIT_MAX);
		jsonw_kv_u64(&w, "limit", value);
	} else if (!a->given[OPT_SINCE] && !a->given[OPT_FOLLOW]) {
		jsonw_kv_u64(&w, "limit", LIMIT_DEFAULT);
	}
	if (a->given[OPT_FOLLOW])
		jsonw_kv_bool(&w, "follow", true);
	jsonw_object_end(&w);
	jsonw_object_end(&w);
	return 0;
}

static int events_run(struct ctl *c, const struct ctl_args *a)
{
	cleanup_(buf_cleanup) struct buf request = { 0 };
	const struct exchange x = { .begin = events_begin, .rows = events_rows, .ctx = c };

	buf_init(&request, CONTROL_REQUEST_MAX);
	int r = request_format(c, a, &request);
	if (r != 0)
		return r;
	if (buf_error(&request) != 0)
		return ctl_fail(c, CONTROL_USAGE, "a request has at most %zu bytes",
				CONTROL_REQUEST_MAX);
	return exchange_run(c, buf_str(&request), &x);
}

const struct ctl_command ctl_events = {
	.name = "events",
	.summary = "Show what happened on this host, oldest first.",
	.text = "One line an event: time, what happened, the user, the program and the details. "
		"With --output json one JSON object a line. Needs root: events hold what users "
		"typed.",
	.options = options,
	.n_options = ARRAY_LEN(options),
	.run = events_run,
};
