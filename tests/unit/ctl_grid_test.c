/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/grid.h"

#include "tests/test.h"

static struct grid *make(const char *columns, const char *const *rows, size_t n)
{
	struct grid *g = NULL;

	CHECK_INT(grid_new(str_of(columns), &g), 0);
	for (size_t i = 0; i < n; i++)
		CHECK_INT(grid_add(g, str_of(rows[i])), 0);
	return g;
}

static void aligns_columns(void)
{
	static const char *const rows[] = { "[\"bash\",12,null]", "[\"x\",3.5,{\"a\":[1,2]}]",
					    "[\"\\u4e2d\\u6587\",-1,\"last\"]" };
	cleanup_(grid_cleanup) struct grid *g = make("[\"name\",\"n\",\"what\"]", rows, 3);
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 4096);
	CHECK_INT(grid_format_table(g, 0, &b, NULL, NULL), 0);
	CHECK_STR(buf_cstr(&b), "name  n    what\n"
				"bash  12   \n"
				"x     3.5  {\"a\":[1,2]}\n"
				"\xe4\xb8\xad\xe6\x96\x87  -1   last\n");
}

static void cuts_the_widest_first(void)
{
	static const char *const rows[] = {
		"[\"short\",\"0123456789012345678901234567890123456789\",\"tail tail tail\"]"
	};
	cleanup_(grid_cleanup) struct grid *g = make("[\"a\",\"b\",\"c\"]", rows, 1);
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 4096);
	CHECK_INT(grid_format_table(g, 40, &b, NULL, NULL), 0);
	CHECK_STR(buf_cstr(&b), "a      b                  c\n"
				"short  0123456789012345\xe2\x80\xa6  tail tail tail\n");
	buf_clear(&b);
	/* Narrower than can be: columns keep a minimum. */
	CHECK_INT(grid_format_table(g, 1, &b, NULL, NULL), 0);
	CHECK_STR(buf_cstr(&b), "a      b         c\n"
				"short  0123456\xe2\x80\xa6  tail ta\xe2\x80\xa6\n");
}

static void shows_hostile_cells_escaped(void)
{
	static const char *const rows[] = { "[\"\\u001b[31mred\\n\",\"\\u202e\"]" };
	cleanup_(grid_cleanup) struct grid *g = make("[\"a\\u0007\",\"b\"]", rows, 1);
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 4096);
	CHECK_INT(grid_format_table(g, 0, &b, NULL, NULL), 0);
	CHECK_STR(buf_cstr(&b), "a\\x07          b\n\\x1b[31mred\\n  \\u{202E}\n");
}

static void writes_json_objects(void)
{
	static const char *const rows[] = { "[1,\"x\",null]", "[18446744073709551615,\"\",true]" };
	cleanup_(grid_cleanup) struct grid *g = make("[\"a\",\"a\",\"a_2\"]", rows, 2);
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 4096);
	CHECK_INT(grid_format_json(g, &b, NULL, NULL), 0);
	CHECK_STR(buf_cstr(&b), "[{\"a\":1,\"a_2\":\"x\",\"a_2_2\":null},\n"
				"{\"a\":18446744073709551615,\"a_2\":\"\",\"a_2_2\":true}]\n");
}

static void no_rows_is_an_answer(void)
{
	cleanup_(grid_cleanup) struct grid *g = make("[\"a\"]", NULL, 0);
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 4096);
	CHECK_INT(grid_format_json(g, &b, NULL, NULL), 0);
	CHECK_STR(buf_cstr(&b), "[]\n");
	buf_clear(&b);
	CHECK_INT(grid_format_table(g, 80, &b, NULL, NULL), 0);
	CHECK_STR(buf_cstr(&b), "a\n");
}

static void refuses_what_does_not_fit(void)
{
	cleanup_(grid_cleanup) struct grid *g = make("[\"a\",\"b\"]", NULL, 0);
	struct grid *none = NULL;

	CHECK_INT(grid_add(g, STR("[1]")), -EPROTO);
	CHECK_INT(grid_add(g, STR("[1,2,3]")), -EPROTO);
	CHECK_INT(grid_add(g, STR("{\"a\":1}")), -EPROTO);
	CHECK_INT(grid_add(g, STR("[1,")), -EPROTO);
	CHECK_INT(grid_add(g, STR("")), -EPROTO);
	CHECK_INT(grid_new(STR("[1]"), &none), -EPROTO);
	CHECK_INT(grid_new(STR("{}"), &none), -EPROTO);
	CHECK_INT(grid_new(STR("[\"\\ud800\""), &none), -EPROTO);
	CHECK(none == NULL);
}

static int flush(void *ctx)
{
	struct buf *b = ctx;

	buf_clear(b);
	return 7;
}

static void long_output_is_handed_over(void)
{
	static char row[100000];
	const char *const rows[] = { row, "[1]" };
	cleanup_(buf_cleanup) struct buf b = { 0 };

	memset(row, '1', sizeof(row) - 1);
	row[0] = '[';
	row[1] = '"';
	row[sizeof(row) - 3] = '"';
	row[sizeof(row) - 2] = ']';
	cleanup_(grid_cleanup) struct grid *g = make("[\"a\"]", rows, 2);
	buf_init(&b, 1 << 20);
	CHECK_INT(grid_format_table(g, 0, &b, flush, &b), 7);
}

TEST_MAIN({ "aligns_columns", aligns_columns }, { "cuts_the_widest_first", cuts_the_widest_first },
	  { "shows_hostile_cells_escaped", shows_hostile_cells_escaped },
	  { "writes_json_objects", writes_json_objects },
	  { "no_rows_is_an_answer", no_rows_is_an_answer },
	  { "refuses_what_does_not_fit", refuses_what_does_not_fit },
	  { "long_output_is_handed_over", long_output_is_handed_over })
