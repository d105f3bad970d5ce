/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/wire.h"

#include "tests/test.h"

static struct buf payload; /* of the message in hand */

static struct msg message(void)
{
	CHECK_INT(buf_error(&payload), 0);
	return (struct msg){ .data = payload.data, .len = (uint32_t)payload.len, .fd = -1 };
}

static void begin(void)
{
	buf_done(&payload);
	buf_init(&payload, MSG_PAYLOAD_MAX);
}

static void add_record(struct str body)
{
	event_record_put(&payload, &(struct event_record){ .kind = EVENT_KIND_LOGOFF,
							   .origin = 9,
							   .real_us = 1,
							   .mono_us = 2,
							   .body = body });
}

/* How many records come before the end, or the error. */
static int count_records(void)
{
	struct msg m = message();
	struct wire_events w;
	struct event_record rec;
	int n = 0;
	int e = wire_events_begin(&m, &w);

	if (e < 0)
		return e;
	while ((e = wire_events_next(&w, &rec)) == 1)
		n++;
	return e < 0 ? e : n;
}

static void takes_batches_apart(void)
{
	begin();
	msg_put_u64(&payload, 7);
	msg_put_u32(&payload, 2);
	add_record(STR("{\"a\":1}"));
	add_record(STR("{}"));
	CHECK_INT(count_records(), 2);

	struct msg m = message();
	struct wire_events w;

	CHECK_INT(wire_events_begin(&m, &w), 0);
	CHECK_INT(w.batch, 7);
	CHECK_INT(w.count, 2);
	begin();
	msg_put_u64(&payload, 1);
	msg_put_u32(&payload, 0);
	CHECK_INT(count_records(), 0);
}

static void refuses_bodies_that_are_no_line_of_json(void)
{
	static const struct str bad[] = {
		{ "", 0 },
		{ "{", 1 },
		{ "{}\n", 3 },
		{ "{\n}", 3 },
		{ "[1]", 3 },
		{ "{\"a\":1,}", 8 },
		{ "{\"a\":\"\0\"}", 9 },
		{ "{\"a\":\"\xff\"}", 9 },
		{ "{\"a\":1}{\"b\":1}", 14 },
		{ "{\"a\":[[[[[[[[[[1]]]]]]]]]]}", 26 },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		begin();
		msg_put_u64(&payload, 1);
		msg_put_u32(&payload, 1);
		add_record(bad[i]);
		CHECK_INT(count_records(), -EPROTO);
	}
}

static void refuses_counts_that_do_not_fit(void)
{
	for (uint32_t count = 0; count < 4; count++) {
		begin();
		msg_put_u64(&payload, 1);
		msg_put_u32(&payload, count);
		add_record(STR("{}"));
		add_record(STR("{}"));
		CHECK_INT(count_records(), count == 2 ? 2 : -EPROTO);
	}
	begin();
	msg_put_u64(&payload, 1);
	msg_put_u32(&payload, UINT32_MAX);
	add_record(STR("{}"));
	CHECK_INT(count_records(), -EPROTO);
}

/* Every shorter payload is an error, and so is a longer one. */
static void refuses_cut_and_long_messages(void)
{
	begin();
	msg_put_u32(&payload, 1);
	msg_put_u32(&payload, 100);
	msg_put_u32(&payload, 200);
	msg_put_u32(&payload, 5);

	struct wire_fetch f = { 0 };
	struct wire_cursor c = { 0 };
	struct msg m = message();

	CHECK_INT(wire_fetch_get(&m, &f), 0);
	CHECK_INT(f.request, 1);
	CHECK_INT(f.max_events, 100);
	CHECK_INT(f.max_bytes, 200);
	CHECK_INT(f.linger_ms, 5);
	CHECK_INT(wire_cursor_get(&m, &c), 0);
	for (m.len = 0; m.len < 16; m.len++) {
		CHECK_INT(wire_fetch_get(&m, &f), -EPROTO);
		CHECK_INT(wire_cursor_get(&m, &c), -EPROTO);
	}
	msg_put_u8(&payload, 0);
	m = message();
	CHECK_INT(wire_fetch_get(&m, &f), -EPROTO);
	CHECK_INT(wire_cursor_get(&m, &c), -EPROTO);
	begin();
	for (int i = 0; i < 4; i++)
		msg_put_u32(&payload, 0);
	m = message();
	CHECK_INT(wire_fetch_get(&m, &f), -EPROTO); /* nothing wanted */
}

static void takes_epochs_apart(void)
{
	static const struct str bad[] = { { "a\0b", 3 }, { "\xc3", 1 } };
	struct wire_epoch e = { 0 };
	struct msg m;

	begin();
	msg_put_u64(&payload, 3);
	msg_put_str(&payload, STR("0123"));
	m = message();
	CHECK_INT(wire_epoch_get(&m, &e), 0);
	CHECK_INT(e.epoch, 3);
	CHECK_STRN(e.device_id, "0123");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		begin();
		msg_put_u64(&payload, 3);
		msg_put_str(&payload, bad[i]);
		m = message();
		CHECK_INT(wire_epoch_get(&m, &e), -EPROTO);
	}
}

static int orgs_get(struct wire_orgs *orgs)
{
	struct msg m = message();

	return wire_orgs_get(&m, orgs);
}

static void takes_organisations_apart(void)
{
	struct wire_orgs orgs;

	begin();
	CHECK_INT(orgs_get(&orgs), -EPROTO);
	for (size_t i = 0; i < ARRAY_LEN(orgs.ids); i++) {
		msg_put_str(&payload, STR("11111111-1111-1111-1111-11111111111a"));
		CHECK_INT(orgs_get(&orgs), 0);
		CHECK_INT(orgs.n, i + 1);
		CHECK_STR(orgs.ids[i], "11111111-1111-1111-1111-11111111111a");
	}
	msg_put_str(&payload, STR("a")); /* one too many */
	CHECK_INT(orgs_get(&orgs), -EPROTO);
	begin();
	msg_put_str(&payload, STR("a"));
	msg_put_u8(&payload, 0); /* trailing */
	CHECK_INT(orgs_get(&orgs), -EPROTO);
	begin();
	msg_put_u32(&payload, 9); /* cut */
	msg_put_u8(&payload, 'a');
	CHECK_INT(orgs_get(&orgs), -EPROTO);
	begin();
	msg_put_str(&payload, STR(""));
	CHECK_INT(orgs_get(&orgs), -EPROTO);
	begin();
	msg_put_str(&payload, STR("a\0b"));
	CHECK_INT(orgs_get(&orgs), -EPROTO);
	begin();
	msg_put_str(&payload, STR("\xff"));
	CHECK_INT(orgs_get(&orgs), -EPROTO);
	begin();
	msg_put_str(&payload, STR("11111111-1111-1111-1111-111111111111a")); /* too long */
	CHECK_INT(orgs_get(&orgs), -EPROTO);
}

static void takes_questions_apart(void)
{
	struct wire_hunt_sql s = { 0 };
	struct wire_hunt_events v = { 0 };
	uint32_t query = 0;
	uint32_t credit = 0;
	struct msg m;

	begin();
	msg_put_u32(&payload, 5);
	msg_put_u32(&payload, 10);
	msg_put_u32(&payload, 20);
	msg_put_str(&payload, STR("SELECT 1"));
	m = message();
	CHECK_INT(wire_hunt_sql_get(&m, &s), 0);
	CHECK_INT(s.query, 5);
	CHECK_INT(s.max_rows, 10);
	CHECK_INT(s.max_ms, 20);
	CHECK_STRN(s.sql, "SELECT 1");
	begin();
	msg_put_u32(&payload, 5);
	msg_put_u32(&payload, 10);
	msg_put_u32(&payload, 20);
	msg_put_str(&payload, STR("SELECT 1\0; DELETE"));
	m = message();
	CHECK_INT(wire_hunt_sql_get(&m, &s), -EPROTO);

	for (unsigned int follow = 0; follow < 3; follow++) {
		begin();
		msg_put_u32(&payload, 6);
		msg_put_u64(&payload, 1);
		msg_put_u64(&payload, 2);
		msg_put_u32(&payload, 3);
		msg_put_u8(&payload, (uint8_t)follow);
		msg_put_str(&payload, STR("DeviceEvents"));
		m = message();
		CHECK_INT(wire_hunt_events_get(&m, &v), follow < 2 ? 0 : -EPROTO);
		if (follow == 2)
			break;
		CHECK_INT(v.since_real_us, 1);
		CHECK_INT(v.after_seq, 2);
		CHECK_INT(v.limit, 3);
		CHECK_INT(v.is_follow, follow == 1);
		CHECK_STRN(v.table, "DeviceEvents");
	}
	begin();
	msg_put_u32(&payload, 6);
	msg_put_u64(&payload, UINT64_MAX);
	msg_put_u64(&payload, 2);
	msg_put_u32(&payload, 3);
	msg_put_u8(&payload, 0);
	msg_put_str(&payload, STR(""));
	m = message();
	CHECK_INT(wire_hunt_events_get(&m, &v), -EPROTO);

	begin();
	msg_put_u32(&payload, 8);
	m = message();
	CHECK_INT(wire_hunt_cancel_get(&m, &query), 0);
	CHECK_INT(query, 8);
	CHECK_INT(wire_hunt_credit_get(&m, &query, &credit), -EPROTO);
	msg_put_u32(&payload, 9);
	m = message();
	CHECK_INT(wire_hunt_credit_get(&m, &query, &credit), 0);
	CHECK_INT(credit, 9);
	CHECK_INT(wire_hunt_cancel_get(&m, &query), -EPROTO);
}

static void cuts_long_messages_at_a_character(void)
{
	char text[WIRE_MESSAGE_MAX + 10];

	memset(text, 'x', sizeof(text));
	memcpy(text + WIRE_MESSAGE_MAX - 1, "\xc3\xa4", 2);
	begin();
	wire_hunt_end_put(&(struct wire_hunt_end){ .query = 1,
						   .rows = 2,
						   .is_truncated = true,
						   .error = -ETIMEDOUT,
						   .message = { .p = text, .n = sizeof(text) } },
			  &payload);

	struct msg m = message();
	struct msg_reader r;

	CHECK(m.len <= MSG_HUNT_END_MAX);
	msg_reader_init(&r, m.data, m.len);
	CHECK_INT(msg_get_u32(&r), 1);
	CHECK_INT(msg_get_u32(&r), 2);
	CHECK_INT(msg_get_u8(&r), 1);
	CHECK_INT((int32_t)msg_get_u32(&r), -ETIMEDOUT);
	CHECK_INT(msg_get_str(&r).n, WIRE_MESSAGE_MAX - 1);
	CHECK_INT(msg_reader_end(&r), 0);
	buf_done(&payload);
}

TEST_MAIN({ "takes_batches_apart", takes_batches_apart },
	  { "refuses_bodies_that_are_no_line_of_json", refuses_bodies_that_are_no_line_of_json },
	  { "refuses_counts_that_do_not_fit", refuses_counts_that_do_not_fit },
	  { "refuses_cut_and_long_messages", refuses_cut_and_long_messages },
	  { "takes_epochs_apart", takes_epochs_apart },
	  { "takes_organisations_apart", takes_organisations_apart },
	  { "takes_questions_apart", takes_questions_apart },
	  { "cuts_long_messages_at_a_character", cuts_long_messages_at_a_character })
