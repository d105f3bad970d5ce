/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/mark.h"

#include "tests/unit/store_help.h"

static void reads_what_it_wrote(void)
{
	const struct mark want = {
		.reserved = 2000000, .last = 1500000, .cursor = 3, .epoch = UINT64_MAX
	};
	struct dir d = dir_make("/tmp");
	struct mark got = { 0 };

	CHECK_INT(mark_read(d.path, &got), -ENOENT);
	CHECK_INT(mark_write(d.path, &want), 0);
	CHECK_INT(mark_write(d.path, &want), 0);
	CHECK_INT(mark_read(d.path, &got), 0);
	CHECK(memcmp(&got, &want, sizeof(got)) == 0);
	CHECK_INT(dir_count(&d, "journal.mark"), 1);
	dir_remove(&d);
}

static void refuses_everything_else(void)
{
	static const char *const bad[] = {
		"",
		"\n",
		"reserved 1\nlast 1\ncursor 1\nepoch 1",	    /* cut */
		"reserved 1\nlast 1\ncursor 1\nepoch 1\n\n",	    /* longer */
		"reserved 1\nlast 1\ncursor 1\nepoch 1\nepoch 1\n", /* twice */
		"reserved 1\nlast 2\ncursor 1\nepoch 1\n",	    /* out of order */
		"reserved 2\nlast 1\ncursor 2\nepoch 1\n",
		"reserved -1\nlast 1\ncursor 1\nepoch 1\n",
		"reserved  1\nlast 1\ncursor 1\nepoch 1\n",
		"reserved 18446744073709551615\nlast 1\ncursor 1\nepoch 1\n", /* beyond SQLite */
		"reserved 18446744073709551616\nlast 1\ncursor 1\nepoch 1\n",
		"last 1\nreserved 1\ncursor 1\nepoch 1\n",
		"\xff\xfe\n",
	};
	struct mark m = { .reserved = 7 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(mark_parse(str_of(bad[i]), &m), -EINVAL);
	CHECK_INT(mark_parse(STR("reserved 1\0\nlast 1\ncursor 1\nepoch 1\n"), &m), -EINVAL);
	CHECK_INT(m.reserved, 7);
}

static void refuses_an_oversized_file(void)
{
	struct dir d = dir_make("/tmp");
	char path[128];
	char big[MARK_TEXT_MAX + 1];
	struct mark m;

	memset(big, '1', sizeof(big));
	dir_file(&d, MARK_NAME, path);
	CHECK_INT(fs_write_file_atomic(-1, path, (struct str){ .p = big, .n = sizeof(big) }, 0600),
		  0);
	CHECK_INT(mark_read(d.path, &m), -EINVAL);
	dir_remove(&d);
}

TEST_MAIN({ "reads_what_it_wrote", reads_what_it_wrote },
	  { "refuses_everything_else", refuses_everything_else },
	  { "refuses_an_oversized_file", refuses_an_oversized_file })
