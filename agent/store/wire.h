/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The payloads that agent-store and agent-hunt receive (agent/event/messages.def),
 * taken apart. Pure functions, total: 0, or -EPROTO on anything that is short,
 * long or out of range. Strings are borrowed from the message.
 */
#pragma once

#include "agent/config/policy.h"
#include "agent/event/encode.h"
#include "agent/event/messages.h"

/* MSG_EVENTS_PUT. */
struct wire_events {
	uint64_t batch;
	uint32_t count; /* records announced */
	uint32_t seen;
	struct msg_reader reader;
};

must_check int wire_events_begin(const struct msg *m, struct wire_events *ret_events);

/* The next record: 1, 0 at the end, -EPROTO. A body is one line of valid JSON:
 * the program that made it reads what attackers write, and one malformed row
 * would spoil every hunting query that meets it. */
must_check int wire_events_next(struct wire_events *w, struct event_record *ret_rec);

struct wire_fetch {
	uint32_t request;
	uint32_t max_events;
	uint32_t max_bytes;
	uint32_t linger_ms;
};

must_check int wire_fetch_get(const struct msg *m, struct wire_fetch *ret_fetch);

/* MSG_CURSOR_SET; its answer has the same layout. */
struct wire_cursor {
	uint64_t epoch;
	uint64_t seq;
};

must_check int wire_cursor_get(const struct msg *m, struct wire_cursor *ret_cursor);

struct wire_epoch {
	uint64_t epoch;
	struct str device_id;
};

must_check int wire_epoch_get(const struct msg *m, struct wire_epoch *ret_epoch);

/* MSG_ORG_SET: the organisation, then those whose events it may have too. */
struct wire_orgs {
	size_t n; /* at least one */
	char ids[1 + POLICY_PREVIOUS_MAX][POLICY_GUID_SIZE];
};

must_check int wire_orgs_get(const struct msg *m, struct wire_orgs *ret_orgs);

struct wire_hunt_sql {
	uint32_t query;
	uint32_t max_rows;
	uint32_t max_ms;
	struct str sql; /* holds no NUL */
};

must_check int wire_hunt_sql_get(const struct msg *m, struct wire_hunt_sql *ret_sql);

struct wire_hunt_events {
	uint32_t query;
	uint64_t since_real_us;
	uint64_t after_seq;
	uint32_t limit;
	bool is_follow;
	struct str table; /* table or ActionType, empty for all; holds no NUL */
};

must_check int wire_hunt_events_get(const struct msg *m, struct wire_hunt_events *ret_events);

/* MSG_HUNT_CANCEL, MSG_HUNT_CREDIT. */
must_check int wire_hunt_cancel_get(const struct msg *m, uint32_t *ret_query);
must_check int wire_hunt_credit_get(const struct msg *m, uint32_t *ret_query, uint32_t *ret_credit);

/* MSG_HUNT_END. */
struct wire_hunt_end {
	uint32_t query;
	uint32_t rows;
	bool is_truncated;
	int error;
	struct str message; /* cut to WIRE_MESSAGE_MAX */
};
#define WIRE_MESSAGE_MAX 512u

void wire_hunt_end_put(const struct wire_hunt_end *end, struct buf *out);
