/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/health.h"

#include "tests/test.h"

static void table_is_whole(void)
{
	for (size_t i = 0; i < HEALTH_ROWS; i++) {
		CHECK(health_defs[i].human != NULL && health_defs[i].json != NULL);
		CHECK(health_defs[i].doc != NULL);
		CHECK(health_defs[i].section < HEALTH_SECTIONS);
		for (size_t j = 0; j < i; j++) {
			CHECK(strcmp(health_defs[i].human, health_defs[j].human) != 0);
			CHECK(strcmp(health_defs[i].json, health_defs[j].json) != 0);
		}
	}
	for (size_t i = 0; i < HEALTH_SECTIONS; i++)
		CHECK(health_section_names[i] != NULL);
	CHECK_STR(health_section_names[HEALTH_SECTION_LICENSE], "license");
	CHECK_INT(health_defs[HEALTH_LICENSE_PLAN].flags, HEALTH_FLAG_WRAP | HEALTH_FLAG_HIDE);
}

static void put_some(struct buf *b)
{
	health_put_bool(b, HEALTH_CLOUD_ENABLED, true);
	health_put_str(b, HEALTH_ISSUES, STR("a"));
	health_put_str(b, HEALTH_ISSUES, STR(""));
	health_put_u64(b, HEALTH_LAST_ACK_TIME, UINT64_MAX);
	health_put_str(b, HEALTH_ORG_ID, STR("x\0\xff"));
}

static void rows_come_back_in_order(void)
{
	cleanup_(buf_cleanup) struct buf b;
	struct health_value v;
	struct msg_reader r;

	buf_init(&b, 1000);
	put_some(&b);
	CHECK_INT(buf_error(&b), 0);
	msg_reader_init(&r, b.data, b.len);
	CHECK_INT(health_next(&r, &v), 1);
	CHECK_INT(v.row, HEALTH_CLOUD_ENABLED);
	CHECK_INT(v.type, HEALTH_TYPE_BOOL);
	CHECK_INT(v.u64, 1);
	CHECK_INT(health_next(&r, &v), 1);
	CHECK_INT(v.row, HEALTH_ISSUES);
	CHECK_INT(v.type, HEALTH_TYPE_STRS);
	CHECK_STRN(v.str, "a");
	CHECK_INT(health_next(&r, &v), 1);
	CHECK_STRN(v.str, "");
	CHECK_INT(health_next(&r, &v), 1);
	CHECK_INT(v.type, HEALTH_TYPE_TIME);
	CHECK(v.u64 == UINT64_MAX);
	CHECK_INT(health_next(&r, &v), 1);
	CHECK_INT(v.str.n, 3);
	CHECK_INT(health_next(&r, &v), 0);
	CHECK_INT(health_next(&r, &v), 0);
}

static void every_truncation_is_refused(void)
{
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, 1000);
	put_some(&b);
	for (size_t n = 0; n < b.len; n++) {
		struct health_value v = { .u64 = 42 };
		struct msg_reader r;
		size_t whole = 0;
		int more;

		msg_reader_init(&r, b.data, n);
		while ((more = health_next(&r, &v)) == 1)
			whole++;
		CHECK(more == 0 || more == -EPROTO);
		CHECK(whole < 5);
		CHECK(whole > 0 || v.u64 == 42); /* untouched on failure */
		if (more < 0 && r.failed)
			CHECK_INT(health_next(&r, &v), -EPROTO);
	}
}

static int next_of(unsigned int row, unsigned int type, struct str value)
{
	cleanup_(buf_cleanup) struct buf b;
	struct health_value v;
	struct msg_reader r;

	buf_init(&b, 1000);
	msg_put_u16(&b, (uint16_t)row);
	msg_put_u8(&b, (uint8_t)type);
	buf_add_str(&b, value);
	msg_reader_init(&r, b.data, b.len);
	return health_next(&r, &v);
}

static void hostile_rows_are_refused(void)
{
	CHECK_INT(next_of(HEALTH_HEALTHY, HEALTH_TYPE_BOOL, STR("\1")), 1);
	CHECK_INT(next_of(HEALTH_HEALTHY, HEALTH_TYPE_BOOL, STR("\2")), -EPROTO);
	CHECK_INT(next_of(HEALTH_HEALTHY, HEALTH_TYPE_U64, STR("12345678")), -EPROTO);
	CHECK_INT(next_of(HEALTH_HEALTHY, 255, STR("\1")), -EPROTO);
	CHECK_INT(next_of(HEALTH_ROWS, HEALTH_TYPE_BOOL, STR("\1")), -EPROTO);
	CHECK_INT(next_of(UINT16_MAX, HEALTH_TYPE_BOOL, STR("\1")), -EPROTO);
	CHECK_INT(next_of(HEALTH_ORG_ID, HEALTH_TYPE_STR, STR("\xff\xff\xff\xffx")), -EPROTO);
}

TEST_MAIN({ "table_is_whole", table_is_whole },
	  { "rows_come_back_in_order", rows_come_back_in_order },
	  { "every_truncation_is_refused", every_truncation_is_refused },
	  { "hostile_rows_are_refused", hostile_rows_are_refused })
