/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/str.h"

#include "tests/test.h"

static const struct str empty = { 0 };

static void compares(void)
{
	CHECK(str_eq(STR("a\0b"), STR("a\0b")));
	CHECK(!str_eq(STR("a\0b"), STR("a\0c")));
	CHECK(!str_eq(STR("a"), STR("ab")));
	CHECK(str_eq(empty, STR("")));
	CHECK(str_starts(STR("abc"), STR("ab")));
	CHECK(!str_starts(STR("ab"), STR("abc")));
	CHECK(str_starts(empty, empty));
	CHECK(str_ends(STR("abc"), STR("bc")));
	CHECK(!str_ends(STR("bc"), STR("abc")));
	CHECK(str_ends(empty, empty));
	CHECK_INT(str_of(NULL).n, 0);
}

static void finds_and_splits(void)
{
	struct str rest = STR("a:b::");

	CHECK_INT(str_find(STR("abc"), 'c'), 2);
	CHECK_INT(str_find(STR("abc"), 'x'), -1);
	CHECK_INT(str_find(empty, 'x'), -1);
	CHECK_STRN(str_split(&rest, ':'), "a");
	CHECK_STRN(str_split(&rest, ':'), "b");
	CHECK_STRN(str_split(&rest, ':'), "");
	CHECK(rest.p != NULL); /* one more, empty, part is left */
	CHECK_STRN(str_split(&rest, ':'), "");
	CHECK(rest.p == NULL);
	CHECK_INT(str_split(&rest, ':').n, 0);
	CHECK_STRN(str_basename(STR("/usr/bin/id")), "id");
	CHECK_STRN(str_basename(STR("/usr/")), "");
	CHECK_STRN(str_basename(STR("id")), "id");
	CHECK_INT(str_basename(empty).n, 0);
}

static void parses_unsigned(void)
{
	uint64_t v = 7;

	CHECK_INT(parse_u64(STR("0"), 0, 9, &v), 0);
	CHECK_INT(v, 0);
	CHECK_INT(parse_u64(STR("18446744073709551615"), 0, UINT64_MAX, &v), 0);
	CHECK(v == UINT64_MAX);
	CHECK_INT(parse_u64(STR("18446744073709551616"), 0, UINT64_MAX, &v), -ERANGE);
	CHECK_INT(parse_u64(STR("99999999999999999999999"), 0, UINT64_MAX, &v), -ERANGE);
	CHECK_INT(parse_u64(STR("99999999999999999999999x"), 0, UINT64_MAX, &v), -EINVAL);
	CHECK_INT(parse_u64(STR("10"), 0, 9, &v), -ERANGE);
	CHECK_INT(parse_u64(STR("1"), 2, 9, &v), -ERANGE);
	CHECK_INT(parse_u64(STR(""), 0, 9, &v), -EINVAL);
	CHECK_INT(parse_u64(empty, 0, 9, &v), -EINVAL);
	CHECK_INT(parse_u64(STR("+1"), 0, 9, &v), -EINVAL);
	CHECK_INT(parse_u64(STR("-1"), 0, 9, &v), -EINVAL);
	CHECK_INT(parse_u64(STR(" 1"), 0, 9, &v), -EINVAL);
	CHECK_INT(parse_u64(STR("1\0"), 0, 9, &v), -EINVAL);
	CHECK_INT(parse_u64(STR("0x1"), 0, 9, &v), -EINVAL);
	CHECK(v == UINT64_MAX); /* an out parameter is untouched on failure */
}

static void parses_signed(void)
{
	int64_t v = 7;

	CHECK_INT(parse_i64(STR("-9223372036854775808"), INT64_MIN, INT64_MAX, &v), 0);
	CHECK(v == INT64_MIN);
	CHECK_INT(parse_i64(STR("9223372036854775807"), INT64_MIN, INT64_MAX, &v), 0);
	CHECK(v == INT64_MAX);
	CHECK_INT(parse_i64(STR("-0"), -1, 1, &v), 0);
	CHECK_INT(v, 0);
	CHECK_INT(parse_i64(STR("9223372036854775808"), INT64_MIN, INT64_MAX, &v), -ERANGE);
	CHECK_INT(parse_i64(STR("-9223372036854775809"), INT64_MIN, INT64_MAX, &v), -ERANGE);
	CHECK_INT(parse_i64(STR("-2"), -1, 1, &v), -ERANGE);
	CHECK_INT(parse_i64(STR("-"), -1, 1, &v), -EINVAL);
	CHECK_INT(parse_i64(STR("--1"), -1, 1, &v), -EINVAL);
	CHECK_INT(parse_i64(STR(""), -1, 1, &v), -EINVAL);
}

static void parses_hex(void)
{
	uint64_t v = 0;
	uint8_t bytes[3] = { 0 };
	char hex[7];

	CHECK_INT(parse_hex_u64(STR("fFfFfFfFfFfFfFfF"), &v), 0);
	CHECK(v == UINT64_MAX);
	CHECK_INT(parse_hex_u64(STR("00000000000000000"), &v), -EINVAL);
	CHECK_INT(parse_hex_u64(STR("0x1"), &v), -EINVAL);
	CHECK_INT(parse_hex_u64(STR(""), &v), -EINVAL);
	CHECK_INT(hex_decode(STR("00aBfF"), bytes, sizeof(bytes)), 3);
	CHECK_INT(bytes[1], 0xab);
	CHECK_INT(hex_decode(STR("00aBfF00"), bytes, sizeof(bytes)), -ENOSPC);
	CHECK_INT(hex_decode(STR("00a"), bytes, sizeof(bytes)), -EINVAL);
	CHECK_INT(hex_decode(STR("0g"), bytes, sizeof(bytes)), -EINVAL);
	CHECK_INT(hex_decode(empty, bytes, sizeof(bytes)), 0);
	hex_encode(bytes, sizeof(bytes), hex);
	CHECK_STR(hex, "00abff");
}

static void copies_what_fits(void)
{
	char out[4] = "xyz";

	CHECK_INT(str_copy(STR("abcd"), out, sizeof(out)), -ENAMETOOLONG);
	CHECK_INT(str_copy(STR("a\0b"), out, sizeof(out)), -EINVAL);
	CHECK_STR(out, "xyz");
	CHECK_INT(str_copy(STR("abc"), out, sizeof(out)), 0);
	CHECK_STR(out, "abc");
	CHECK_INT(str_copy(empty, out, sizeof(out)), 0);
	CHECK_STR(out, "");
	CHECK_INT(str_copy(empty, out, 0), -ENAMETOOLONG);
}

TEST_MAIN({ "compares", compares }, { "finds_and_splits", finds_and_splits },
	  { "parses_unsigned", parses_unsigned }, { "parses_signed", parses_signed },
	  { "parses_hex", parses_hex }, { "copies_what_fits", copies_what_fits })
