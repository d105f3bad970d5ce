/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/parcel.h"

#include "tests/test.h"

#define LINES "{\"seq\":11,\"a\":1}\n{\"seq\":12,\"a\":2}\n{\"seq\":15,\"a\":3}\n"

static struct parcel_part part(const char *lines, uint32_t count, bool is_last)
{
	return (struct parcel_part){ .epoch = 3,
				     .first = 10,
				     .last = 15,
				     .count = count,
				     .is_last = is_last,
				     .lines = str_of(lines) };
}

static int add(struct parcel *p, const char *lines, uint32_t count, bool is_last)
{
	struct parcel_part given = part(lines, count, is_last);

	return parcel_add_rows(p, &given);
}

static const struct parcel_header header = { .tenant = { "t-1", 3 },
					     .boot_id = { "b", 1 },
					     .clock_offset_ms = -7 };

static void seals_header_and_lines(void)
{
	cleanup_(parcel_done) struct parcel p;
	struct str body;

	parcel_init(&p);
	CHECK_INT(parcel_add_dropped(&p, STR("FILE_CREATED"), 1, 10, 10), 0);
	CHECK_INT(parcel_add_dropped(&p, STR("LOGOFF"), 2, 13, 14), 0);
	CHECK_INT(add(&p, "{\"seq\":11,\"a\":1}\n", 3, false), 0);
	CHECK(!p.is_complete);
	CHECK_INT(add(&p, "{\"seq\":12,\"a\":2}\n{\"seq\":15,\"a\":3}\n", 3, true), 0);
	CHECK(p.is_complete);
	CHECK_INT(parcel_seal(&p, &header, &body), 0);
	CHECK_STRN(body, "{\"v\":1,\"schema\":\"event/1\",\"tenant\":\"t-1\",\"boot_id\":\"b\","
			 "\"clock_offset_ms\":-7,\"dropped\":["
			 "{\"kind\":\"FILE_CREATED\",\"n\":1,\"first\":10,\"last\":10},"
			 "{\"kind\":\"LOGOFF\",\"n\":2,\"first\":13,\"last\":14}]}\n" LINES);
	CHECK_INT(p.epoch, 3);
	CHECK_INT(p.count, 3);
}

static void same_bytes_when_sealed_again(void)
{
	cleanup_(parcel_done) struct parcel p;
	struct str a, b;

	parcel_init(&p);
	CHECK_INT(add(&p, LINES, 3, true), 0);
	CHECK_INT(parcel_seal(&p, &header, &a), 0);

	cleanup_(free_cleanup) char *copy = strndup(a.p, a.n);

	CHECK(copy != NULL);
	CHECK_INT(parcel_seal(&p, &header, &b), 0);
	CHECK_STRN(b, copy);
}

static void takes_lines_out_and_tells_them(void)
{
	cleanup_(parcel_done) struct parcel p;
	struct str body;

	parcel_init(&p);
	CHECK_INT(add(&p, LINES, 3, true), 0);
	CHECK_STRN(parcel_line(&p, 1), "{\"seq\":12,\"a\":2}");
	CHECK_INT(parcel_remove_line(&p, 1, STR("dead_letter")), 0);
	CHECK_INT(p.count, 2);
	CHECK_STRN(parcel_line(&p, 1), "{\"seq\":15,\"a\":3}");
	CHECK_INT(parcel_remove_line(&p, 2, STR("dead_letter")), -ENOENT);
	CHECK_INT(parcel_remove_line(&p, 1, STR("dead_letter")), 0);
	CHECK_INT(parcel_remove_line(&p, 0, STR("dead_letter")), 0);
	CHECK_INT(p.count, 0);
	CHECK_INT(parcel_seal(&p, &header, &body), 0);
	CHECK(memmem(body.p, body.n, "\"n\":1,\"first\":12,\"last\":12", 24) != NULL);
	CHECK(body.p[body.n - 1] == '\n');
	CHECK(memchr(body.p, '\n', body.n) == body.p + body.n - 1);
}

static int lines_only(const char *lines, uint32_t count)
{
	cleanup_(parcel_done) struct parcel p;

	parcel_init(&p);
	return add(&p, lines, count, true);
}

static void refuses_lines_that_do_not_fit(void)
{
	CHECK_INT(lines_only(LINES, 2), -EPROTO);
	CHECK_INT(lines_only(LINES, 4), -EPROTO);
	CHECK_INT(lines_only("{\"seq\":11}", 1), -EPROTO);
	CHECK_INT(lines_only("\n", 1), -EPROTO);
	CHECK_INT(lines_only("{\"a\":1,\"seq\":11}\n", 1), -EPROTO);
	CHECK_INT(lines_only("{\"seq\":-1,\"a\":1}\n", 1), -EPROTO);
	CHECK_INT(lines_only("{\"seq\":9,\"a\":1}\n", 1), -EPROTO);
	CHECK_INT(lines_only("{\"seq\":16,\"a\":1}\n", 1), -EPROTO);
	CHECK_INT(lines_only("{\"seq\":12,\"a\":1}\n{\"seq\":12,\"a\":1}\n", 2), -EPROTO);
	CHECK_INT(lines_only("{\"seq\":99999999999999999999,\"a\":1}\n", 1), -EPROTO);
	CHECK_INT(lines_only("", PARCEL_EVENTS_MAX + 1), -EPROTO);
}

static void refuses_parts_of_another_batch(void)
{
	cleanup_(parcel_done) struct parcel p;
	struct parcel_part other = part(LINES, 3, true);

	parcel_init(&p);
	CHECK_INT(add(&p, "{\"seq\":11,\"a\":1}\n", 3, false), 0);
	other.epoch = 4;
	CHECK_INT(parcel_add_rows(&p, &other), -EPROTO);
	other = part(LINES, 2, true);
	CHECK_INT(parcel_add_rows(&p, &other), -EPROTO);
	other = part("", 3, true);
	other.first = 0;
	CHECK_INT(parcel_add_rows(&p, &other), -EPROTO);

	parcel_done(&p);
	CHECK_INT(add(&p, LINES, 3, true), 0);
	CHECK_INT(add(&p, LINES, 3, true), -EPROTO); /* it was complete */

	parcel_done(&p);
	other = part("", 0, true);
	other.last = 9;
	CHECK_INT(parcel_add_rows(&p, &other), -EPROTO);
}

static void refuses_impossible_ranges(void)
{
	cleanup_(parcel_done) struct parcel p;

	parcel_init(&p);
	CHECK_INT(parcel_add_dropped(&p, STR("x"), 0, 1, 1), -EPROTO);
	CHECK_INT(parcel_add_dropped(&p, STR("x"), 2, 1, 1), -EPROTO);
	CHECK_INT(parcel_add_dropped(&p, STR("x"), 1, 2, 1), -EPROTO);
	CHECK_INT(parcel_add_dropped(&p, STR("x"), 1, 0, 1), -EPROTO);
	CHECK_INT(parcel_add_dropped(&p, STR("x"), 1, 1, UINT64_MAX), -EPROTO);
	for (unsigned int i = 0; i < PARCEL_DROPPED_MAX; i++)
		CHECK_INT(parcel_add_dropped(&p, STR("0123456789012345678901234567890123456\n"), 1,
					     10, 10),
			  0);
	CHECK_INT(parcel_add_dropped(&p, STR("x"), 1, 10, 10), -E2BIG);

	/* As many ranges as there may be, with kinds that grow when escaped. */
	struct str body;

	CHECK_INT(add(&p, LINES, 3, true), 0);
	CHECK_INT(parcel_seal(&p, &header, &body), 0);
	CHECK(body.n > PARCEL_DROPPED_MAX * 60);

	/* A range outside of its batch. */
	parcel_done(&p);
	CHECK_INT(parcel_add_dropped(&p, STR("x"), 1, 9, 9), 0);
	CHECK_INT(add(&p, LINES, 3, true), -EPROTO);
}

TEST_MAIN({ "seals_header_and_lines", seals_header_and_lines },
	  { "same_bytes_when_sealed_again", same_bytes_when_sealed_again },
	  { "takes_lines_out_and_tells_them", takes_lines_out_and_tells_them },
	  { "refuses_lines_that_do_not_fit", refuses_lines_that_do_not_fit },
	  { "refuses_parts_of_another_batch", refuses_parts_of_another_batch },
	  { "refuses_impossible_ranges", refuses_impossible_ranges })
