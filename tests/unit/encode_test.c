/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/event/encode.h"

#include "agent/base/jsonr.h"
#include "agent/base/utf8.h"
#include "tests/test.h"

#define REAL_US UINT64_C(1777629600123456) /* 2026-05-01T10:00:00.123456Z */

static const struct jsonr_limits limits = { .max_bytes = EVENT_LINE_MAX, .max_depth = 8 };

static struct event *event_fresh(enum event_kind kind)
{
	struct event *e = NULL;

	CHECK_INT(event_new(&e), 0);
	event_reset(e, kind, 0, REAL_US, 5);
	return e;
}

/* Encodes and proves what holds for every body. */
static void encode_checked(const struct event *e, struct buf *out)
{
	buf_init(out, EVENT_BODY_MAX); /* more than the limit would be an error */
	event_encode(e, out);
	CHECK_INT(buf_error(out), 0);
	CHECK_INT(jsonr_scan(buf_str(out), &limits, NULL, NULL, NULL), 0);
	CHECK(memchr(out->data, '\n', out->len) == NULL);
}

static bool has_text(const struct buf *b, const char *text)
{
	return memmem(b->data, b->len, text, strlen(text)) != NULL;
}

static void empty_event_has_the_head_only(void)
{
	cleanup_(event_cleanup) struct event *e = event_fresh(EVENT_KIND_LOGOFF);
	cleanup_(buf_cleanup) struct buf out;

	encode_checked(e, &out);
	CHECK_STRN(buf_str(&out), "{\"Table\":\"DeviceLogonEvents\","
				  "\"Timestamp\":\"2026-05-01T10:00:00.123456Z\","
				  "\"ActionType\":\"Logoff\",\"SchemaVersion\":1}");
}

static void order_is_that_of_the_table(void)
{
	cleanup_(event_cleanup) struct event *e = event_fresh(EVENT_KIND_PROCESS_CREATED);
	cleanup_(buf_cleanup) struct buf out;

	event_set_str(e, EVENT_SYSCALL, STR("execve"));
	event_set_bool(e, EVENT_PARTIAL, true);
	event_set_str(e, EVENT_AUDIT_ID, STR("1.002:3"));
	event_add_str(e, EVENT_AUDIT_KEYS, STR("exec"));
	event_add_str(e, EVENT_PROCESS_ARGS, STR("sh"));
	event_add_str(e, EVENT_PROCESS_ARGS, STR(""));
	event_set_u64(e, EVENT_PROCESS_ID, UINT64_MAX);
	event_set_u64(e, EVENT_PROCESS_CREATION_TIME, REAL_US);
	event_add_proc(e, EVENT_INITIATING_PROCESS_ANCESTORS,
		       &(struct event_proc){ .pid = 2, .path = STR("/usr/bin/bash") });
	event_add_proc(e, EVENT_INITIATING_PROCESS_ANCESTORS, &(struct event_proc){ .pid = 1 });
	event_set_bool(e, EVENT_INITIATED, false);
	encode_checked(e, &out);
	CHECK_STRN(buf_str(&out),
		   "{\"Table\":\"DeviceProcessEvents\","
		   "\"Timestamp\":\"2026-05-01T10:00:00.123456Z\","
		   "\"ActionType\":\"ProcessCreated\","
		   "\"InitiatingProcessAncestors\":[{\"FileName\":\"bash\","
		   "\"FolderPath\":\"/usr/bin/bash\",\"Id\":2},{\"Id\":1}],"
		   "\"ProcessId\":18446744073709551615,\"ProcessArgs\":[\"sh\",\"\"],"
		   "\"ProcessCreationTime\":\"2026-05-01T10:00:00.123456Z\","
		   "\"Initiated\":false,"
		   "\"AdditionalFields\":{\"AuditId\":\"1.002:3\",\"AuditKeys\":[\"exec\"],"
		   "\"Syscall\":\"execve\",\"Partial\":true},\"SchemaVersion\":1}");
}

static void appends_behind_what_is_there(void)
{
	cleanup_(event_cleanup) struct event *e = event_fresh(EVENT_KIND_LOGOFF);
	cleanup_(buf_cleanup) struct buf out;

	buf_init(&out, 1000);
	buf_add_str(&out, STR("x"));
	event_encode(e, &out);
	CHECK_INT(buf_error(&out), 0);
	CHECK(str_starts(buf_str(&out), STR("x{\"Table\":")));
}

static void small_buffer_gives_an_error(void)
{
	cleanup_(event_cleanup) struct event *e = event_fresh(EVENT_KIND_LOGOFF);
	cleanup_(buf_cleanup) struct buf out;

	buf_init(&out, 40);
	event_encode(e, &out);
	CHECK_INT(buf_error(&out), -EMSGSIZE);
}

static void hostile_bytes_stay_json(void)
{
	cleanup_(event_cleanup) struct event *e = event_fresh(EVENT_KIND_FILE_CREATED);
	cleanup_(buf_cleanup) struct buf out;

	event_set_str(e, EVENT_FILE_NAME, STR("a\0\"\\\n\x1b\x7f\xff\xc3"));
	event_add_proc(e, EVENT_INITIATING_PROCESS_ANCESTORS,
		       &(struct event_proc){ .pid = 1, .path = STR("/\xed\xa0\x80\"") });
	encode_checked(e, &out);
	CHECK(has_text(&out, "\"FileName\":\"a\\u0000\\\"\\\\\\n\\u001b"));
	CHECK(has_text(&out, "\xef\xbf\xbd\xef\xbf\xbd\",")); /* one per bad byte */
}

static void fill(char *p, size_t n, char c)
{
	memset(p, c, n);
}

static void long_event_loses_its_arguments_first(void)
{
	static char text[EVENT_STR_MAX];
	cleanup_(event_cleanup) struct event *e = event_fresh(EVENT_KIND_PROCESS_CREATED);
	cleanup_(buf_cleanup) struct buf out;
	const struct str whole = { .p = text, .n = sizeof(text) };

	fill(text, sizeof(text), 'a');
	event_set_str(e, EVENT_PROCESS_COMMAND_LINE, whole);
	event_add_str(e, EVENT_PROCESS_ARGS, whole);
	event_set_str(e, EVENT_FILE_NAME, STR("prog"));
	event_set_str(e, EVENT_AUDIT_ID, STR("1.002:3"));
	CHECK(!event_is_truncated(e));
	encode_checked(e, &out);
	CHECK(out.len > EVENT_STR_MAX);
	CHECK(!has_text(&out, "ProcessArgs"));
	CHECK(memmem(out.data, out.len, text, sizeof(text)) != NULL);
	CHECK(has_text(&out, "\"FileName\":\"prog\""));
	CHECK(has_text(&out, "\"AuditId\":\"1.002:3\""));
	CHECK(has_text(&out, "\"truncated\":true,\"SchemaVersion\":1}"));
}

static void long_strings_are_cut_and_short_ones_kept(void)
{
	static char text[EVENT_STR_MAX];
	cleanup_(event_cleanup) struct event *e = event_fresh(EVENT_KIND_PROCESS_CREATED);
	cleanup_(buf_cleanup) struct buf out;
	const struct str whole = { .p = text, .n = sizeof(text) };

	fill(text, sizeof(text), '\x01'); /* six bytes each */
	event_set_str(e, EVENT_PROCESS_COMMAND_LINE, whole);
	event_set_str(e, EVENT_INITIATING_PROCESS_COMMAND_LINE, whole);
	event_set_str(e, EVENT_FILE_NAME, STR("prog"));
	event_add_str(e, EVENT_AUDIT_KEYS, STR("exec"));
	encode_checked(e, &out);
	CHECK(has_text(&out, "\"FileName\":\"prog\""));
	CHECK(has_text(&out, "\"AuditKeys\":[\"exec\"]"));
	CHECK(has_text(&out, "\"truncated\":true"));
	CHECK(out.len > EVENT_BODY_MAX * 9 / 10); /* no more than needed is lost */
}

static void cut_strings_stay_characters(void)
{
	static char text[EVENT_STR_MAX];
	cleanup_(event_cleanup) struct event *e = event_fresh(EVENT_KIND_PROCESS_CREATED);
	cleanup_(buf_cleanup) struct buf out;

	for (size_t i = 0; i + 3 <= sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	for (size_t shift = 0; shift < 3; shift++) {
		const struct str s = { .p = text, .n = sizeof(text) - 3 };

		event_reset(e, EVENT_KIND_PROCESS_CREATED, 0, REAL_US, 0);
		event_set_str(e, EVENT_FILE_NAME, (struct str){ .p = "xxx", .n = shift + 1 });
		event_set_str(e, EVENT_PROCESS_COMMAND_LINE, s);
		event_set_str(e, EVENT_INITIATING_PROCESS_COMMAND_LINE, s);
		encode_checked(e, &out);
		CHECK(utf8_is_valid(buf_str(&out)));
		CHECK(!has_text(&out, "\xef\xbf\xbd"));
		buf_done(&out);
	}
	buf_init(&out, 0);
}

static void long_lists_are_cut_too(void)
{
	static char path[4000];
	cleanup_(event_cleanup) struct event *e = event_fresh(EVENT_KIND_PROCESS_CREATED);
	cleanup_(buf_cleanup) struct buf out;

	fill(path, sizeof(path), '\xff');
	for (size_t i = 0; i < 20; i++)
		event_add_proc(
			e, EVENT_INITIATING_PROCESS_ANCESTORS,
			&(struct event_proc){ .pid = i, .path = { .p = path, .n = sizeof(path) } });
	encode_checked(e, &out);
	CHECK(has_text(&out, "\"Id\":0}"));
	CHECK(has_text(&out, "\"truncated\":true"));
	CHECK(!has_text(&out, "\"Id\":19}"));
}

static void event_cut_when_it_was_set_says_so(void)
{
	static char text[EVENT_STR_MAX + 1];
	cleanup_(event_cleanup) struct event *e = event_fresh(EVENT_KIND_PROCESS_CREATED);
	cleanup_(buf_cleanup) struct buf out;

	fill(text, sizeof(text), 'a');
	event_set_str(e, EVENT_FILE_NAME, (struct str){ .p = text, .n = sizeof(text) });
	encode_checked(e, &out);
	CHECK(has_text(&out, "\"truncated\":true"));
}

/* Every field at once, at sizes around the limit, with every kind of byte. */
static void set_all_fields(struct event *e, struct str s)
{
	for (size_t i = 0; i < EVENT_FIELDS; i++) {
		enum event_field f = (enum event_field)i;

		switch (event_fields[i].type) {
		case EVENT_TYPE_STR:
			event_set_str(e, f, s);
			break;
		case EVENT_TYPE_U64:
		case EVENT_TYPE_TIME:
			event_set_u64(e, f, UINT64_MAX);
			break;
		case EVENT_TYPE_BOOL:
			event_set_bool(e, f, false);
			break;
		case EVENT_TYPE_STRS:
			event_add_str(e, f, s);
			event_add_str(e, f, s);
			break;
		case EVENT_TYPE_PROCS:
			event_add_proc(e, f, &(struct event_proc){ .pid = UINT64_MAX, .path = s });
			break;
		}
	}
}

static void every_size_and_byte_fits(void)
{
	static char text[3000];
	const char *const samples[] = { "a", "\x01", "\"",	 "\xff", "\xe2\x82\xac",
					"/", "\x7f", "\xc2\x9b", "\n",	 "\xc2" };
	cleanup_(event_cleanup) struct event *e = event_fresh(EVENT_KIND_PROCESS_CREATED);
	cleanup_(buf_cleanup) struct buf out;

	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		size_t len = strlen(samples[i]);

		for (size_t at = 0; at < sizeof(text); at++)
			text[at] = samples[i][at % len];
		for (size_t n = 1; n < sizeof(text); n += 1 + n / 8) {
			event_reset(e, EVENT_KIND_AGENT_EVENTS_DROPPED, 0, UINT64_MAX, 0);
			set_all_fields(e, (struct str){ .p = text, .n = n });
			encode_checked(e, &out);
			buf_done(&out);
		}
	}
	buf_init(&out, 0);
}

static void record_comes_back(void)
{
	const struct event_record rec = { .kind = EVENT_KIND_LOGOFF,
					  .origin = UINT64_MAX,
					  .real_us = 1,
					  .mono_us = 2,
					  .body = STR("{\"a\":1}") };
	cleanup_(buf_cleanup) struct buf b;
	struct event_record got;
	struct msg_reader r;

	buf_init(&b, 1000);
	event_record_put(&b, &rec);
	event_record_put(&b, &rec);
	msg_reader_init(&r, b.data, b.len);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(event_record_get(&r, &got), 0);
		CHECK_INT(got.kind, EVENT_KIND_LOGOFF);
		CHECK(got.origin == UINT64_MAX);
		CHECK_INT(got.real_us, 1);
		CHECK_INT(got.mono_us, 2);
		CHECK_STRN(got.body, "{\"a\":1}");
	}
	CHECK_INT(msg_reader_end(&r), 0);
	CHECK_INT(event_record_get(&r, &got), -EPROTO);

	for (size_t n = 0; n < b.len / 2; n++) { /* every truncation */
		msg_reader_init(&r, b.data, n);
		CHECK_INT(event_record_get(&r, &got), -EPROTO);
	}
}

static int record_try(uint16_t kind, struct str body)
{
	const struct event_record rec = { .kind = kind, .body = body };
	cleanup_(buf_cleanup) struct buf b;
	struct event_record got = { .origin = 42 };
	struct msg_reader r;

	buf_init(&b, MSG_PAYLOAD_MAX);
	event_record_put(&b, &rec);
	CHECK_INT(buf_error(&b), 0);
	msg_reader_init(&r, b.data, b.len);
	int err = event_record_get(&r, &got);
	CHECK(err == 0 || got.origin == 42); /* untouched on failure */
	return err;
}

static void bad_records_are_refused(void)
{
	static char big[EVENT_BODY_MAX + 1];

	fill(big, sizeof(big), ' ');
	big[0] = '{';
	big[EVENT_BODY_MAX - 1] = '}';
	big[EVENT_BODY_MAX] = '}';
	CHECK_INT(record_try(0, (struct str){ .p = big, .n = EVENT_BODY_MAX }), 0);
	CHECK_INT(record_try(0, (struct str){ .p = big, .n = EVENT_BODY_MAX + 1 }), -EPROTO);
	CHECK_INT(record_try(EVENT_KINDS, STR("{}")), -EPROTO);
	CHECK_INT(record_try(UINT16_MAX, STR("{}")), -EPROTO);
	CHECK_INT(record_try(0, STR("")), -EPROTO);
	CHECK_INT(record_try(0, STR("{")), -EPROTO);
	CHECK_INT(record_try(0, STR("[]")), -EPROTO);
	CHECK_INT(record_try(0, STR("{}")), 0);
}

static void line_has_the_device_in_front(void)
{
	const struct event_line_device device = { .device_id = STR("ab"),
						  .device_name = STR("h\"\n\xff") };
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, 1000);
	event_line_format(&b, 3, 4, 5, &device, STR("{\"Table\":\"T\"}"));
	CHECK_STRN(buf_str(&b), "{\"seq\":3,\"ts\":4,\"mono\":5,\"ReportId\":3,\"DeviceId\":\"ab\","
				"\"DeviceName\":\"h\\\"\\n\xef\xbf\xbd\",\"Table\":\"T\"}");
	buf_clear(&b);
	event_line_format(&b, 3, 4, 5, &(struct event_line_device){ .device_name = STR("h") },
			  STR("{\"Table\":\"T\"}"));
	CHECK_STRN(buf_str(&b), "{\"seq\":3,\"ts\":4,\"mono\":5,\"ReportId\":3,"
				"\"DeviceName\":\"h\",\"Table\":\"T\"}");
}

/* sethostname(2) takes any bytes. */
static void longest_line_keeps_its_limit(void)
{
	static char name[64], id[40], body[EVENT_BODY_MAX];
	const struct event_line_device device = { .device_id = { .p = id, .n = sizeof(id) },
						  .device_name = { .p = name, .n = sizeof(name) } };
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, (size_t)2 * EVENT_LINE_MAX);
	memset(name, 1, sizeof(name));
	memset(id, 'f', sizeof(id));
	memset(body, ' ', sizeof(body));
	body[0] = '{';
	body[sizeof(body) - 1] = '}';
	event_line_format(&b, UINT64_MAX, UINT64_MAX, UINT64_MAX, &device,
			  (struct str){ .p = body, .n = sizeof(body) });
	CHECK_INT(buf_error(&b), 0);
	CHECK(b.len <= EVENT_LINE_MAX);
}

static void damaged_body_still_gives_a_line(void)
{
	const struct str bodies[] = { STR(""), STR("{"), STR("{}"), STR("x}") };
	const struct event_line_device device = { 0 };
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, 1000);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		buf_clear(&b);
		event_line_format(&b, 1, 2, 3, &device, bodies[i]);
		CHECK_STRN(buf_str(&b), "{\"seq\":1,\"ts\":2,\"mono\":3,\"ReportId\":1}");
	}
}

TEST_MAIN({ "empty_event_has_the_head_only", empty_event_has_the_head_only },
	  { "order_is_that_of_the_table", order_is_that_of_the_table },
	  { "appends_behind_what_is_there", appends_behind_what_is_there },
	  { "small_buffer_gives_an_error", small_buffer_gives_an_error },
	  { "hostile_bytes_stay_json", hostile_bytes_stay_json },
	  { "long_event_loses_its_arguments_first", long_event_loses_its_arguments_first },
	  { "long_strings_are_cut_and_short_ones_kept", long_strings_are_cut_and_short_ones_kept },
	  { "cut_strings_stay_characters", cut_strings_stay_characters },
	  { "long_lists_are_cut_too", long_lists_are_cut_too },
	  { "event_cut_when_it_was_set_says_so", event_cut_when_it_was_set_says_so },
	  { "every_size_and_byte_fits", every_size_and_byte_fits },
	  { "record_comes_back", record_comes_back },
	  { "bad_records_are_refused", bad_records_are_refused },
	  { "line_has_the_device_in_front", line_has_the_device_in_front },
	  { "longest_line_keeps_its_limit", longest_line_keeps_its_limit },
	  { "damaged_body_still_gives_a_line", damaged_body_still_gives_a_line })
