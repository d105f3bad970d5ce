/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/report.h"

#include "agent/base/msg.h"
#include "agent/event/messages.h"
#include "tests/test.h"

static struct audit_report sample(void)
{
	struct audit_report r = {
		.mode = AUDIT_MODE_UNICAST,
		.enabled = 1,
		.failure = 2,
		.owner_pid = 3,
		.rate_limit = 4,
		.backlog_limit = 65536,
		.lost = 6,
		.backlog = 7,
		.backlog_wait_time = 8,
		.backlog_wait_time_actual = UINT32_MAX,
		.rules_wanted = 30,
		.rules_loaded = 28,
		.owner_exe = "/usr/sbin/auditd",
	};

	audit_report_add_missing(&r, STR("file: dir=/etc/ssh: No such file or directory"), 2);
	audit_report_add_missing(&r, STR("\xff\xfe not UTF-8"), 2);
	return r;
}

static void what_is_put_is_read(void)
{
	cleanup_(buf_cleanup) struct buf b, again;
	struct audit_report in = sample(), out = { 0 };

	buf_init(&b, MSG_AUDIT_REPORT_MAX);
	buf_init(&again, MSG_AUDIT_REPORT_MAX);
	audit_report_put(&in, &b);
	CHECK_INT(buf_error(&b), 0);
	CHECK_INT(audit_report_get(b.data, b.len, &out), 0);
	CHECK_STR(out.missing[1], "\xff\xfe not UTF-8");
	CHECK_STR(out.owner_exe, "/usr/sbin/auditd");
	audit_report_put(&out, &again);
	CHECK(str_eq(buf_str(&b), buf_str(&again)));
}

static void field_order_is_the_contract(void)
{
	cleanup_(buf_cleanup) struct buf b;
	struct audit_report in = sample();
	struct msg_reader r;

	buf_init(&b, MSG_AUDIT_REPORT_MAX);
	audit_report_put(&in, &b);
	msg_reader_init(&r, b.data, b.len);
	CHECK_INT(msg_get_u8(&r), AUDIT_MODE_UNICAST);
	for (uint32_t want = 1; want <= 4; want++)
		CHECK_INT(msg_get_u32(&r), want);
	CHECK_INT(msg_get_u32(&r), 65536);
	for (uint32_t want = 6; want <= 8; want++)
		CHECK_INT(msg_get_u32(&r), want);
	CHECK_INT(msg_get_u32(&r), UINT32_MAX);
	CHECK_INT(msg_get_u32(&r), 30);
	CHECK_INT(msg_get_u32(&r), 28);
	CHECK_INT(msg_get_u32(&r), 2);
}

static void every_cut_and_every_tail_is_refused(void)
{
	cleanup_(buf_cleanup) struct buf b;
	struct audit_report in = sample(), out;

	memset(&out, 0x5a, sizeof(out));
	buf_init(&b, MSG_AUDIT_REPORT_MAX + 1);
	audit_report_put(&in, &b);
	for (size_t n = 0; n < b.len; n++)
		CHECK_INT(audit_report_get(b.data, n, &out), -EPROTO);
	buf_add_char(&b, '\0');
	CHECK_INT(audit_report_get(b.data, b.len, &out), -EPROTO);
	for (size_t i = 0; i < sizeof(out); i++) /* an out parameter is untouched on failure */
		CHECK_INT(((const unsigned char *)&out)[i], 0x5a);
}

/* A report with chosen mode, count and one text; the rest is zero. */
static int read_crafted(uint8_t mode, uint32_t n_missing, struct str text, struct str exe)
{
	cleanup_(buf_cleanup) struct buf b;
	struct audit_report out;

	buf_init(&b, MSG_PAYLOAD_MAX);
	msg_put_u8(&b, mode);
	for (int i = 0; i < 11; i++)
		msg_put_u32(&b, 0);
	msg_put_u32(&b, n_missing);
	for (uint32_t i = 0; i < n_missing && i < 64; i++)
		msg_put_str(&b, text);
	msg_put_str(&b, exe);
	CHECK_INT(buf_error(&b), 0);
	return audit_report_get(b.data, b.len, &out);
}

static void bad_values_are_refused(void)
{
	char longer[AUDIT_REPORT_EXE_MAX + 1];
	struct str s = { .p = longer, .n = AUDIT_REPORT_TEXT_MAX };

	memset(longer, 'x', sizeof(longer));
	CHECK_INT(read_crafted(AUDIT_MODE_MULTICAST, 1, STR("ok"), STR("")), 0);
	CHECK_INT(read_crafted(AUDIT_MODE_MULTICAST + 1, 1, STR("ok"), STR("")), -EPROTO);
	CHECK_INT(read_crafted(0, AUDIT_REPORT_MISSING_MAX, STR("ok"), STR("")), 0);
	CHECK_INT(read_crafted(0, AUDIT_REPORT_MISSING_MAX + 1, STR("ok"), STR("")), -EPROTO);
	CHECK_INT(read_crafted(0, UINT32_MAX, STR("ok"), STR("")), -EPROTO);
	CHECK_INT(read_crafted(0, 1, s, STR("")), -EPROTO);
	CHECK_INT(read_crafted(0, 1, STR("a\0b"), STR("")), -EPROTO);
	CHECK_INT(read_crafted(0, 0, STR(""), STR("a\0b")), -EPROTO);
	s.n = AUDIT_REPORT_EXE_MAX;
	CHECK_INT(read_crafted(0, 0, STR(""), s), -EPROTO);
	s.n = AUDIT_REPORT_EXE_MAX - 1;
	CHECK_INT(read_crafted(0, 0, STR(""), s), 0);
}

static void a_full_table_says_how_many_more(void)
{
	cleanup_(buf_cleanup) struct buf b;
	struct audit_report r = { 0 }, out;
	char text[AUDIT_REPORT_TEXT_MAX * 2];

	memset(text, 'y', sizeof(text));
	memset(r.owner_exe, 'z', sizeof(r.owner_exe) - 1);
	for (uint32_t i = 0; i < 40; i++)
		audit_report_add_missing(&r, (struct str){ text, sizeof(text) }, 40);
	CHECK_INT(r.n_missing, AUDIT_REPORT_MISSING_MAX);
	CHECK_INT(strlen(r.missing[0]), AUDIT_REPORT_TEXT_MAX - 1);
	CHECK_STR(r.missing[AUDIT_REPORT_MISSING_MAX - 1], "and 25 more");

	buf_init(&b, MSG_AUDIT_REPORT_MAX);
	audit_report_put(&r, &b);
	CHECK_INT(buf_error(&b), 0); /* the largest report fits its message */
	CHECK_INT(audit_report_get(b.data, b.len, &out), 0);
}

TEST_MAIN({ "what_is_put_is_read", what_is_put_is_read },
	  { "field_order_is_the_contract", field_order_is_the_contract },
	  { "every_cut_and_every_tail_is_refused", every_cut_and_every_tail_is_refused },
	  { "bad_values_are_refused", bad_values_are_refused },
	  { "a_full_table_says_how_many_more", a_full_table_says_how_many_more })
