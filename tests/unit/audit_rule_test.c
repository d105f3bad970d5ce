/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/rule.h"

#include "tests/test.h"

#define KERNEL_SIZE sizeof(struct audit_rule_data)

static struct audit_rule sample(void)
{
	struct audit_rule r;

	audit_rule_init(&r, AUDIT_FILTER_EXIT, AUDIT_ALWAYS);
	CHECK_INT(audit_rule_add_syscall(&r, 0), 0);
	CHECK_INT(audit_rule_add_syscall(&r, 257), 0);
	CHECK_INT(audit_rule_add_syscall(&r, 2047), 0);
	CHECK_INT(audit_rule_add_field(&r, AUDIT_ARCH, AUDIT_EQUAL, 0xc000003e), 0);
	CHECK_INT(audit_rule_add_text(&r, AUDIT_DIR, STR("/etc")), 0);
	CHECK_INT(audit_rule_add_field(&r, AUDIT_PERM, AUDIT_EQUAL, 10), 0);
	CHECK_INT(audit_rule_add_text(&r, AUDIT_FILTERKEY, STR("agentd:file")), 0);
	return r;
}

static void bounds_of_building(void)
{
	char longer[AUDIT_RULE_STRINGS_MAX + 1];
	struct audit_rule r;

	memset(longer, 'x', sizeof(longer));
	audit_rule_init(&r, AUDIT_FILTER_EXIT, AUDIT_ALWAYS);
	CHECK_INT(audit_rule_add_syscall(&r, 2048), -ERANGE);
	CHECK_INT(audit_rule_add_syscall(&r, UINT32_MAX), -ERANGE);
	CHECK_INT(audit_rule_add_text(&r, AUDIT_DIR, STR("")), -EINVAL);
	CHECK_INT(audit_rule_add_text(&r, AUDIT_DIR, STR("/a\0b")), -EINVAL);
	CHECK_INT(audit_rule_add_text(&r, AUDIT_DIR, (struct str){ longer, sizeof(longer) }),
		  -E2BIG);
	CHECK_INT(r.field_count, 0);
	CHECK_INT(audit_rule_add_text(&r, AUDIT_DIR, (struct str){ longer, sizeof(longer) - 1 }),
		  0);
	CHECK_INT(audit_rule_add_text(&r, AUDIT_FILTERKEY, STR("k")), -E2BIG);
	for (uint32_t i = 1; i < AUDIT_MAX_FIELDS; i++)
		CHECK_INT(audit_rule_add_field(&r, AUDIT_PID, AUDIT_NOT_EQUAL, i), 0);
	CHECK_INT(audit_rule_add_field(&r, AUDIT_PID, AUDIT_NOT_EQUAL, 1), -E2BIG);
}

static void binary_form_is_the_kernels(void)
{
	struct audit_rule r = sample(), back;
	struct audit_rule_data k;

	CHECK_INT(audit_rule_size(&r), KERNEL_SIZE + 4 + 11);
	memcpy(&k, &r, sizeof(k));
	CHECK_INT(k.flags, AUDIT_FILTER_EXIT);
	CHECK_INT(k.field_count, 4);
	CHECK_INT(k.mask[257 / 32], 1u << (257 % 32));
	CHECK_INT(k.fields[1], AUDIT_DIR);
	CHECK_INT(k.values[1], 4);
	CHECK_INT(k.buflen, 15);
	CHECK_INT(audit_rule_read(&r, audit_rule_size(&r), &back), 0);
	CHECK(audit_rule_equal(&r, &back));
	CHECK_STRN(audit_rule_text(&back, AUDIT_DIR), "/etc");
	CHECK_STRN(audit_rule_text(&back, AUDIT_FILTERKEY), "agentd:file");
	CHECK_STRN(audit_rule_text(&back, AUDIT_WATCH), "");
	CHECK_STRN(audit_rule_text(&back, AUDIT_PERM), "");
}

static void hostile_listings_are_refused(void)
{
	struct audit_rule r = sample(), back;
	char big[KERNEL_SIZE + AUDIT_RULE_STRINGS_MAX + 64] = { 0 };
	struct audit_rule bad;

	memset(&back, 0x5a, sizeof(back));
	for (size_t n = 0; n < audit_rule_size(&r); n++)
		CHECK_INT(audit_rule_read(&r, n, &back), -EPROTO);
	bad = r;
	bad.field_count = AUDIT_MAX_FIELDS + 1;
	CHECK_INT(audit_rule_read(&bad, sizeof(bad), &back), -EPROTO);
	bad.field_count = UINT32_MAX;
	CHECK_INT(audit_rule_read(&bad, sizeof(bad), &back), -EPROTO);
	bad = r;
	bad.values[1] = UINT32_MAX; /* string lengths that do not sum up */
	CHECK_INT(audit_rule_read(&bad, sizeof(bad), &back), -EPROTO);
	bad.values[1] = 3;
	CHECK_INT(audit_rule_read(&bad, sizeof(bad), &back), -EPROTO);
	bad = r;
	bad.buflen = UINT32_MAX;
	CHECK_INT(audit_rule_read(&bad, sizeof(bad), &back), -EPROTO);

	/* A foreign rule that is well-formed and longer than any of ours. */
	bad = r;
	bad.buflen = AUDIT_RULE_STRINGS_MAX + 1;
	memcpy(big, &bad, KERNEL_SIZE);
	CHECK_INT(audit_rule_read(big, sizeof(big), &back), -E2BIG);
	CHECK_INT(back.flags, 0x5a5a5a5a);
}

static void equality_sees_every_part(void)
{
	struct audit_rule a = sample(), b = sample();

	CHECK(audit_rule_equal(&a, &b));
	b.flags |= AUDIT_FILTER_PREPEND;
	CHECK(audit_rule_equal(&a, &b));
	b.values[60] = 1; /* behind field_count */
	CHECK(audit_rule_equal(&a, &b));
	b = a, b.flags = AUDIT_FILTER_TASK;
	CHECK(!audit_rule_equal(&a, &b));
	b = a, b.action = AUDIT_NEVER;
	CHECK(!audit_rule_equal(&a, &b));
	b = a, b.mask[63] ^= 1;
	CHECK(!audit_rule_equal(&a, &b));
	b = a, b.fieldflags[2] = AUDIT_NOT_EQUAL;
	CHECK(!audit_rule_equal(&a, &b));
	b = a, b.values[2] = 2;
	CHECK(!audit_rule_equal(&a, &b));
	b = a, b.strings[14] = 'f';
	CHECK(!audit_rule_equal(&a, &b));
	b = a, b.field_count = 3;
	CHECK(!audit_rule_equal(&a, &b));
}

static void a_line_of_text_round_trips(void)
{
	cleanup_(buf_cleanup) struct buf b;
	struct audit_rule r = sample(), back;

	buf_init(&b, 4096);
	audit_rule_format(&r, &b);
	CHECK_STR(buf_cstr(&b), "4 2 0,257,2047 b:40000000:c000003e,6b:40000000:4,6a:40000000:a,"
				"d2:40000000:b 2f6574636167656e74643a66696c65");
	CHECK_INT(audit_rule_parse(buf_str(&b), &back), 0);
	CHECK(audit_rule_equal(&r, &back));

	audit_rule_init(&r, AUDIT_RULE_LIST_URING, AUDIT_NEVER);
	buf_clear(&b);
	audit_rule_format(&r, &b);
	CHECK_STR(buf_cstr(&b), "7 0 - - -");
	CHECK_INT(audit_rule_parse(buf_str(&b), &back), 0);
	CHECK(audit_rule_equal(&r, &back));
}

static void hostile_lines_are_refused(void)
{
	static const char *const lines[] = {
		"",
		" ",
		"4",
		"4 2 - -",
		"4 2 - - ",
		"4 2 - - - ",
		"4 2 - - - -",
		"4  2 - - -",
		"-4 2 - - -",
		"4294967296 2 - - -",
		"4 2 2048 - -",
		"4 2 1, - -",
		"4 2 ,1 - -",
		"4 2 1,,2 - -",
		"4 2 x - -",
		"4 2 - b:40000000 -",
		"4 2 - b:40000000:1:2 -",
		"4 2 - b:40000000:100000000 -",
		"4 2 - :: -",
		"4 2 - b:40000000:1, -",
		"4 2 - - 61",
		"4 2 - - 6",
		"4 2 - - zz",
		"4 2 - d2:40000000:2 61",
		"4 2 - d2:40000000:1 -",
		"4 2 - d2:40000000:ffffffff,d2:40000000:2 61",
	};
	cleanup_(buf_cleanup) struct buf b;
	struct audit_rule r = sample(), back;

	memset(&back, 0x5a, sizeof(back));
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (audit_rule_parse(str_of(lines[i]), &back) != -EINVAL)
			TEST_BAIL("\"%s\" is not refused", lines[i]);
	CHECK_INT(audit_rule_parse(STR("4 2 - - \0"), &back), -EINVAL);
	CHECK_INT(audit_rule_parse(STR("4 2 - - \xff\xff"), &back), -EINVAL);

	buf_init(&b, 65536);
	audit_rule_format(&r, &b);
	for (size_t n = 0; n < b.len; n++)
		CHECK_INT(audit_rule_parse((struct str){ b.data, n }, &back), -EINVAL);
	buf_clear(&b);
	buf_add_str(&b, STR("4 2 - 0:0:0"));
	for (size_t i = 0; i < AUDIT_MAX_FIELDS; i++) /* one too many */
		buf_add_str(&b, STR(",0:0:0"));
	buf_add_str(&b, STR(" -"));
	CHECK_INT(audit_rule_parse(buf_str(&b), &back), -EINVAL);
	buf_clear(&b);
	buf_add_str(&b, STR("4 2 - - "));
	for (size_t i = 0; i <= AUDIT_RULE_STRINGS_MAX; i++)
		buf_add_str(&b, STR("61"));
	CHECK_INT(audit_rule_parse(buf_str(&b), &back), -EINVAL);
	CHECK_INT(back.flags, 0x5a5a5a5a);
}

TEST_MAIN({ "bounds_of_building", bounds_of_building },
	  { "binary_form_is_the_kernels", binary_form_is_the_kernels },
	  { "hostile_listings_are_refused", hostile_listings_are_refused },
	  { "equality_sees_every_part", equality_sees_every_part },
	  { "a_line_of_text_round_trips", a_line_of_text_round_trips },
	  { "hostile_lines_are_refused", hostile_lines_are_refused })
