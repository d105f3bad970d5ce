/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/wire.h"

#include <string.h>

#include "agent/base/jsonr.h"
#include "agent/base/utf8.h"

#define BODY_DEPTH_MAX 8u /* an event, its AdditionalFields, a list of objects */

int wire_events_begin(const struct msg *m, struct wire_events *ret_events)
{
	struct wire_events w = { 0 };

	msg_reader_init(&w.reader, m->data, m->len);
	w.batch = msg_get_u64(&w.reader);
	w.count = msg_get_u32(&w.reader);
	if (w.reader.failed)
		return -EPROTO;
	*ret_events = w;
	return 0;
}

static bool is_one_json_line(struct str body)
{
	static const struct jsonr_limits limits = {
		.max_bytes = EVENT_BODY_MAX,
		.max_depth = BODY_DEPTH_MAX,
		.allow_duplicates = true,
	};

	return str_find(body, '\n') < 0 && jsonr_scan(body, &limits, NULL, NULL, NULL) == 0;
}

int wire_events_next(struct wire_events *w, struct event_record *ret_rec)
{
	struct event_record rec;

	if (w->seen == w->count)
		return msg_reader_end(&w->reader);
	if (event_record_get(&w->reader, &rec) < 0 || !is_one_json_line(rec.body))
		return -EPROTO;
	w->seen++;
	*ret_rec = rec;
	return 1;
}

int wire_fetch_get(const struct msg *m, struct wire_fetch *ret_fetch)
{
	struct wire_fetch f = { 0 };
	struct msg_reader r;

	msg_reader_init(&r, m->data, m->len);
	f.request = msg_get_u32(&r);
	f.max_events = msg_get_u32(&r);
	f.max_bytes = msg_get_u32(&r);
	f.linger_ms = msg_get_u32(&r);
	if (msg_reader_end(&r) < 0 || f.max_events == 0 || f.max_bytes == 0)
		return -EPROTO;
	*ret_fetch = f;
	return 0;
}

int wire_cursor_get(const struct msg *m, struct wire_cursor *ret_cursor)
{
	struct wire_cursor c = { 0 };
	struct msg_reader r;

	msg_reader_init(&r, m->data, m->len);
	c.epoch = msg_get_u64(&r);
	c.seq = msg_get_u64(&r);
	if (msg_reader_end(&r) < 0)
		return -EPROTO;
	*ret_cursor = c;
	return 0;
}

/* Text that SQLite and C may take: no NUL. */
static bool is_text(struct str s)
{
	return str_find(s, '\0') < 0;
}

int wire_epoch_get(const struct msg *m, struct wire_epoch *ret_epoch)
{
	struct wire_epoch e = { 0 };
	struct msg_reader r;

	msg_reader_init(&r, m->data, m->len);
	e.epoch = msg_get_u64(&r);
	e.device_id = msg_get_str(&r);
	if (msg_reader_end(&r) < 0 || !is_text(e.device_id) || !utf8_is_valid(e.device_id))
		return -EPROTO;
	*ret_epoch = e;
	return 0;
}

int wire_orgs_get(const struct msg *m, struct wire_orgs *ret_orgs)
{
	struct wire_orgs o = { 0 };
	struct msg_reader r;

	msg_reader_init(&r, m->data, m->len);
	do {
		struct str id = msg_get_str(&r);

		if (o.n == ARRAY_LEN(o.ids) || id.n == 0 || !is_text(id) || !utf8_is_valid(id) ||
		    str_copy(id, o.ids[o.n++], sizeof(o.ids[0])) < 0)
			return -EPROTO;
	} while (msg_reader_end(&r) < 0); /* a short one ends with an empty id */
	*ret_orgs = o;
	return 0;
}

int wire_hunt_sql_get(const struct msg *m, struct wire_hunt_sql *ret_sql)
{
	struct wire_hunt_sql q = { 0 };
	struct msg_reader r;

	msg_reader_init(&r, m->data, m->len);
	q.query = msg_get_u32(&r);
	q.max_rows = msg_get_u32(&r);
	q.max_ms = msg_get_u32(&r);
	q.sql = msg_get_str(&r);
	if (msg_reader_end(&r) < 0 || !is_text(q.sql))
		return -EPROTO;
	*ret_sql = q;
	return 0;
}

int wire_hunt_events_get(const struct msg *m, struct wire_hunt_events *ret_events)
{
	struct wire_hunt_events q = { 0 };
	struct msg_reader r;

	msg_reader_init(&r, m->data, m->len);
	q.query = msg_get_u32(&r);
	q.since_real_us = msg_get_u64(&r);
	q.after_seq = msg_get_u64(&r);
	q.limit = msg_get_u32(&r);

	uint8_t follow = msg_get_u8(&r);

	q.is_follow = follow == 1;
	q.table = msg_get_str(&r);
	if (msg_reader_end(&r) < 0 || follow > 1 || !is_text(q.table) ||
	    q.since_real_us > INT64_MAX || q.after_seq > INT64_MAX)
		return -EPROTO;
	*ret_events = q;
	return 0;
}

int wire_hunt_cancel_get(const struct msg *m, uint32_t *ret_query)
{
	struct msg_reader r;

	msg_reader_init(&r, m->data, m->len);

	uint32_t query = msg_get_u32(&r);

	if (msg_reader_end(&r) < 0)
		return -EPROTO;
	*ret_query = query;
	return 0;
}

int wire_hunt_credit_get(const struct msg *m, uint32_t *ret_query, uint32_t *ret_credit)
{
	struct msg_reader r;

	msg_reader_init(&r, m->data, m->len);

	uint32_t query = msg_get_u32(&r);
	uint32_t credit = msg_get_u32(&r);

	if (msg_reader_end(&r) < 0)
		return -EPROTO;
	*ret_query = query;
	*ret_credit = credit;
	return 0;
}

void wire_hunt_end_put(const struct wire_hunt_end *end, struct buf *out)
{
	msg_put_u32(out, end->query);
	msg_put_u32(out, end->rows);
	msg_put_u8(out, end->is_truncated ? 1 : 0);
	msg_put_u32(out, (uint32_t)end->error);
	msg_put_str(out, (struct str){ .p = end->message.p,
				       .n = utf8_cut(end->message, WIRE_MESSAGE_MAX) });
}
