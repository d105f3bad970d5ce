/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/view.h"

#include <time.h>

#include "tests/test.h"

/* What a daemon of another version may send: rows and sections of its own. */
static const char document[] =
	"{\"version\":9,\"sections\":["
	"{\"name\":\"main\",\"rows\":["
	"{\"key\":\"healthy\",\"json\":\"healthy\",\"type\":\"bool\",\"value\":true},"
	"{\"key\":\"licensed\",\"json\":\"licensed\",\"type\":\"bool\",\"value\":true},"
	"{\"key\":\"org_id\",\"json\":\"orgId\",\"type\":\"str\",\"value\":null},"
	"{\"key\":\"a_key_that_is_longer_than_the_forty_four_columns\",\"json\":\"zLong\","
	"\"type\":\"str\",\"value\":\"v\"},"
	"{\"key\":\"a_key_that_is_exactly_forty_four_columns____\",\"json\":\"b44\","
	"\"type\":\"u64\",\"value\":\"18446744073709551615\"},"
	"{\"key\":\"cloud_enabled\",\"json\":\"cloudEnabled\",\"type\":\"bool\",\"wrap\":true,"
	"\"managed\":true,\"value\":false},"
	"{\"key\":\"when\",\"json\":\"when\",\"type\":\"time\",\"value\":\"1712756068000\"},"
	"{\"key\":\"bad_time\",\"json\":\"badTime\",\"type\":\"time\",\"value\":\"soon\"},"
	"{\"key\":\"tags\",\"json\":\"Tags\",\"type\":\"strs\",\"value\":[\"a b\",\"c\\\"d\",7]},"
	"{\"key\":\"future\",\"json\":\"future\",\"type\":\"set\",\"value\":{\"x\":1}},"
	"{\"key\":\"hidden\",\"json\":\"hidden\",\"type\":\"str\",\"wrap\":true,\"hide\":true,"
	"\"value\":\"h\"}]},"
	"{\"name\":\"zoo\",\"rows\":[{\"key\":\"org_id\",\"json\":\"orgId\",\"type\":\"str\","
	"\"value\":\"other\"},{\"key\":\"only_here\",\"json\":\"onlyHere\",\"type\":\"u64\","
	"\"value\":\"5\"}]},"
	"{\"name\":\"ant\",\"rows\":[]}]}";

static struct view *parse(void)
{
	struct view *v = NULL;
	struct diag diag = { 0 };

	CHECK(setenv("TZ", "UTC", 1) == 0);
	tzset();
	if (view_parse(STR(document), &v, &diag) < 0)
		TEST_BAIL("%s", diag.text);
	return v;
}

static void the_table_has_44_columns(void)
{
	cleanup_(view_cleanup) struct view *v = parse();
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 65536);
	view_add_table(v, "main", &b);
	CHECK_STR(buf_cstr(&b),
		  "healthy                                     : true\n"
		  "licensed                                    : true\n"
		  "org_id                                      : unavailable\n"
		  "a_key_that_is_longer_than_the_forty_four_columns : \"v\"\n"
		  "a_key_that_is_exactly_forty_four_columns____ : "
		  "18446744073709551615\n"
		  "cloud_enabled                               : false [managed]\n"
		  "when                                        : "
		  "Apr 10, 2024 at 01:34:28 PM\n"
		  "bad_time                                    : unavailable\n"
		  "tags                                        : [\"a b\",\"c\\\"d\"]\n"
		  "future                                      : null\n");
	CHECK(view_is_healthy(v) && view_is_licensed(v));
}

static void json_has_sorted_keys_and_no_blanks(void)
{
	cleanup_(view_cleanup) struct view *v = parse();
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 65536);
	CHECK_INT(view_add_json(v, "main", "getHealthAllResult", true, &b), 0);
	CHECK_STR(buf_cstr(&b),
		  "{\"$type\":\"getHealthAllResult\",\"Tags\":[\"a b\",\"c\\\"d\"],"
		  "\"b44\":\"18446744073709551615\",\"badTime\":\"soon\","
		  "\"cloudEnabled\":{\"displayValue\":true,\"isManaged\":true,\"value\":false},"
		  "\"details\":{\"ant\":{\"$type\":\"getHealthDetailsResult\"},"
		  "\"zoo\":{\"$type\":\"getHealthDetailsResult\",\"onlyHere\":\"5\","
		  "\"orgId\":\"other\"}},"
		  "\"future\":null,\"healthy\":true,"
		  "\"hidden\":{\"displayValue\":false,\"isManaged\":false,\"value\":\"h\"},"
		  "\"licensed\":true,\"orgId\":null,\"when\":\"1712756068000\",\"zLong\":\"v\"}");
	buf_clear(&b);
	CHECK_INT(view_add_json(v, "bee", "x", false, &b), -ENOENT);
	CHECK_INT(b.len, 0);
}

static void a_field_is_found_by_either_name(void)
{
	static const struct {
		const char *name;
		const char *text;
	} cases[] = {
		{ "healthy", "true\n" },      { "org_id", "unavailable\n" },
		{ "orgId", "unavailable\n" }, { "cloudEnabled", "false [managed]\n" },
		{ "hidden", "\"h\"\n" },      { "only_here", "5\n" },
	};
	cleanup_(view_cleanup) struct view *v = parse();
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 65536);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		buf_clear(&b);
		CHECK_INT(view_add_field(v, cases[i].name, &b), 0);
		CHECK_STR(buf_cstr(&b), cases[i].text);
	}
	CHECK_INT(view_add_field(v, "nothing", &b), -ENOENT);
	CHECK_INT(view_add_field(v, "", &b), -ENOENT);
	buf_clear(&b);
	CHECK_INT(view_add_field_json(v, "tags", &b), 0);
	CHECK_STR(buf_cstr(&b),
		  "{\"$type\":\"getHealthFieldResult\",\"Tags\":[\"a b\",\"c\\\"d\"]}");
}

static void sections_are_listed(void)
{
	cleanup_(view_cleanup) struct view *v = parse();
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 65536);
	view_add_section_names(v, &b);
	CHECK_STR(buf_cstr(&b), "zoo\nant\n");
	buf_clear(&b);
	view_add_section_names_json(v, &b);
	CHECK_STR(buf_cstr(&b), "{\"$type\":\"getHealthFeaturesResult\","
				"\"features\":[\"zoo\",\"ant\"]}");
	CHECK(view_has_section(v, "zoo") && !view_has_section(v, "zo"));
	CHECK_STRN(view_text(v, "hidden"), "h");
	CHECK_STRN(view_text(v, "org_id"), "");
	CHECK_STRN(view_text(v, "nothing"), "");
}

static void refuses_other_documents(void)
{
	static const char *const cases[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"sections\":{}}",
		"{\"sections\":[]}",
		"{\"sections\":[7]}",
		"{\"sections\":[{\"name\":\"main\"}]}",
		"{\"sections\":[{\"rows\":[]}]}",
		"{\"sections\":[{\"name\":\"main\",\"rows\":[7]}]}",
		"{\"sections\":[{\"name\":\"main\",\"rows\":[{}]}]}",
		"{\"sections\":[{\"name\":\"main\",\"rows\":[{\"key\":\"a\",\"json\":\"a\"}]}]}",
		"{\"sections\":[{\"name\":\"main\",\"rows\":[{\"key\":\"\",\"json\":\"a\"}]}]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct view *v = NULL;
		struct diag diag = { 0 };

		CHECK_INT(view_parse(str_of(cases[i]), &v, &diag), -EINVAL);
		CHECK(v == NULL && diag.text[0] != '\0');
	}
}

TEST_MAIN({ "the_table_has_44_columns", the_table_has_44_columns },
	  { "json_has_sorted_keys_and_no_blanks", json_has_sorted_keys_and_no_blanks },
	  { "a_field_is_found_by_either_name", a_field_is_found_by_either_name },
	  { "sections_are_listed", sections_are_listed },
	  { "refuses_other_documents", refuses_other_documents })
