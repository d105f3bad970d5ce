/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Batches from a peer, and events of any shape: every body is JSON within its limit. */
#include <assert.h>

#include "agent/base/jsonr.h"
#include "agent/event/encode.h"

static void set_field(struct event *e, enum event_field f, struct str s)
{
	switch (event_fields[f].type) {
	case EVENT_TYPE_STR:
		event_set_str(e, f, s);
		break;
	case EVENT_TYPE_U64:
	case EVENT_TYPE_TIME:
		event_set_u64(e, f, s.n);
		break;
	case EVENT_TYPE_BOOL:
		event_set_bool(e, f, s.n > 0);
		break;
	case EVENT_TYPE_STRS:
		event_add_str(e, f, s);
		break;
	case EVENT_TYPE_PROCS:
		event_add_proc(e, f, &(struct event_proc){ .pid = s.n, .path = s });
		break;
	}
}

/* Steps of { u8 field, u8 repetitions, u8 length, bytes }. */
static void encode_any(struct msg_reader r)
{
	const struct jsonr_limits limits = { .max_bytes = EVENT_BODY_MAX, .max_depth = 4 };
	cleanup_(event_cleanup) struct event *e = NULL;
	cleanup_(buf_cleanup) struct buf out;

	buf_init(&out, EVENT_BODY_MAX);
	if (event_new(&e) < 0)
		return;
	event_reset(e, EVENT_KIND_PROCESS_CREATED, 0, 0, 0);
	while (r.left > 3) {
		enum event_field f = msg_get_u8(&r) % EVENT_FIELDS;
		unsigned int times = msg_get_u8(&r);
		size_t n = msg_get_u8(&r);
		struct str s = { .p = (const char *)r.p, .n = n < r.left ? n : r.left };

		for (unsigned int i = 0; i <= times; i++)
			set_field(e, f, s);
		r.p += s.n;
		r.left -= s.n;
	}
	event_encode(e, &out);
	assert(buf_error(&out) == 0);
	assert(jsonr_scan(buf_str(&out), &limits, NULL, NULL, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_(buf_cleanup) struct buf out;
	struct event_record rec;
	struct msg_reader r;

	buf_init(&out, size);
	msg_reader_init(&r, data, size);
	encode_any(r);
	while (event_record_get(&r, &rec) == 0)
		event_record_put(&out, &rec);
	assert(out.error == 0 && (out.len == 0 || memcmp(out.data, data, out.len) == 0));
	return 0;
}
