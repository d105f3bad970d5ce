/* SPDX-License-Identifier: GPL-2.0-or-later */
/* { u8 message, payload }: everything that other programs send to store and hunt. */
#include <assert.h>

#include "agent/store/wire.h"

static void events(const struct msg *m)
{
	struct event_record rec = { 0 };
	struct wire_events w;

	if (wire_events_begin(m, &w) < 0)
		return;
	while (wire_events_next(&w, &rec) == 1)
		assert(rec.kind < EVENT_KINDS && rec.body.n >= 2 && str_find(rec.body, '\n') < 0);
}

static void questions(const struct msg *m)
{
	struct wire_hunt_sql sql;
	struct wire_hunt_events ev;

	if (wire_hunt_sql_get(m, &sql) == 0)
		assert(str_find(sql.sql, '\0') < 0);
	if (wire_hunt_events_get(m, &ev) == 0)
		assert(str_find(ev.table, '\0') < 0 && ev.after_seq <= INT64_MAX);
}

static void numbers(const struct msg *m)
{
	uint32_t query;
	uint32_t credit;

	assert((wire_hunt_cancel_get(m, &query) == 0) == (m->len == 4));
	assert((wire_hunt_credit_get(m, &query, &credit) == 0) == (m->len == 8));
}

static void reporter(const struct msg *m)
{
	struct wire_fetch fetch;
	struct wire_cursor cursor;
	struct wire_epoch epoch;

	if (wire_fetch_get(m, &fetch) == 0)
		assert(m->len == 16 && fetch.max_events > 0 && fetch.max_bytes > 0);
	if (wire_cursor_get(m, &cursor) == 0)
		assert(m->len == 16);
	if (wire_epoch_get(m, &epoch) == 0)
		assert(epoch.device_id.n == m->len - 12);
}

static void organisations(const struct msg *m)
{
	struct wire_orgs orgs;

	if (wire_orgs_get(m, &orgs) == 0)
		assert(orgs.n > 0 && orgs.n <= ARRAY_LEN(orgs.ids) && m->len >= 5 * orgs.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const fns[])(const struct msg *m) = { events, questions, reporter, numbers,
							    organisations };

	if (size > 0)
		fns[data[0] % ARRAY_LEN(fns)](
			&(struct msg){ .data = data + 1, .len = (uint32_t)size - 1, .fd = -1 });
	return 0;
}
