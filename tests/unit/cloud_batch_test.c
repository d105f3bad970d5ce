/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/batch.h"

#include "agent/base/buf.h"
#include "tests/test.h"

#define HEADER "{\"v\":1,\"schema\":\"event/1\"}\n"
#define DIGEST "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"

static const struct batch_fields good_fields = {
	.content_type = { "application/x-ndjson; charset=utf-8", 35 },
	.content_encoding = { "zstd", 4 },
	.epoch = { "1", 1 },
	.first = { "18001", 5 },
	.last = { "18100", 5 },
	.count = { "97", 2 },
	.sha256 = { DIGEST, sizeof(DIGEST) - 1 },
};

static void reads_the_headers(void)
{
	struct batch_range range = { 0 };
	struct api_error e = { 0 };

	CHECK_INT(batch_range_parse(&good_fields, &range, &e), 0);
	CHECK_INT(range.epoch, 1);
	CHECK_INT(range.first, 18001);
	CHECK_INT(range.last, 18100);
	CHECK_INT(range.count, 97);
	CHECK_INT(range.encoding, DECODE_ZSTD);
	CHECK_INT(range.sha256[0], 0x00);
	CHECK_INT(range.sha256[10], 0xaa);
}

/* The status for good headers with one of them replaced. */
static unsigned int status_with(size_t offset, struct str value)
{
	struct batch_fields fields = good_fields;
	struct batch_range range = { .count = 12345 };
	struct api_error e = { 0 };

	memcpy((char *)&fields + offset, &value, sizeof(value));
	if (batch_range_parse(&fields, &range, &e) == 0)
		return 200;
	CHECK_INT(range.count, 12345); /* untouched on failure */
	CHECK(e.message[0] != '\0');
	return e.status;
}

static void refuses_bad_headers(void)
{
	static const struct {
		size_t offset;
		struct str value;
		unsigned int status;
	} cases[] = {
		{ offsetof(struct batch_fields, content_type), { 0 }, 400 },
		{ offsetof(struct batch_fields, content_type), { "text/html", 9 }, 400 },
		{ offsetof(struct batch_fields, content_type),
		  { "APPLICATION/X-NDJSON", 20 },
		  200 },
		{ offsetof(struct batch_fields, content_encoding), { 0 }, 200 },
		{ offsetof(struct batch_fields, content_encoding), { "br", 2 }, 415 },
		{ offsetof(struct batch_fields, epoch), { 0 }, 400 },
		{ offsetof(struct batch_fields, epoch), { "0", 1 }, 400 },
		{ offsetof(struct batch_fields, epoch), { "-1", 2 }, 400 },
		{ offsetof(struct batch_fields, epoch), { "9223372036854775807", 19 }, 200 },
		{ offsetof(struct batch_fields, epoch), { "9223372036854775808", 19 }, 400 },
		{ offsetof(struct batch_fields, first), { "0", 1 }, 400 },
		{ offsetof(struct batch_fields, first), { "18101", 5 }, 400 },
		{ offsetof(struct batch_fields, first), { "18001 ", 6 }, 400 },
		{ offsetof(struct batch_fields, first), { "1800\0", 5 }, 400 },
		{ offsetof(struct batch_fields, last), { "18000", 5 }, 400 },
		{ offsetof(struct batch_fields, last), { "99999999999999999999", 20 }, 400 },
		{ offsetof(struct batch_fields, count), { "0", 1 }, 200 },
		{ offsetof(struct batch_fields, count), { "1000", 4 }, 200 },
		{ offsetof(struct batch_fields, count), { "1001", 4 }, 413 },
		{ offsetof(struct batch_fields, count), { "x", 1 }, 400 },
		{ offsetof(struct batch_fields, sha256), { 0 }, 400 },
		{ offsetof(struct batch_fields, sha256), { DIGEST, 63 }, 400 },
		{ offsetof(struct batch_fields, sha256), { DIGEST "00", 66 }, 400 },
		{ offsetof(struct batch_fields, sha256), { "x" DIGEST, 64 }, 400 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		CHECK_INT(status_with(cases[i].offset, cases[i].value), cases[i].status);
}

/* ---- bodies ---- */

/* Parses a body whose digest is right; the status, *ret_line the line at fault. */
static unsigned int parse(struct str body, uint64_t first, uint64_t last, size_t count,
			  struct batch **ret_batch, size_t *ret_line)
{
	struct batch_range range = { .epoch = 1, .first = first, .last = last, .count = count };
	struct api_error e = { 0 };

	*ret_line = 0;
	if (sha256(body, range.sha256) < 0)
		return 503;
	if (batch_parse(&range, STR("aaaa"), body, ret_batch, &e) == 0)
		return 200;
	CHECK(e.status >= 400 && e.code != NULL && e.message[0] != '\0');
	*ret_line = e.line;
	return e.status;
}

/* The same for bodies 6..8 of three events whose result is not looked at. */
static void refuses(struct str body, size_t line)
{
	struct batch *b = NULL;
	size_t at;

	CHECK_INT(parse(body, 6, 8, 3, &b, &at), 400);
	CHECK(b == NULL);
	CHECK_INT(at, line);
}

#define EVENT(n) "{\"seq\":" #n ",\"ts\":1,\"mono\":2,\"Table\":\"T\"}\n"

static void reads_a_batch(void)
{
	cleanup_(batch_cleanup) struct batch *b = NULL;
	size_t line;
	const struct str body = STR(
		"{\"v\":1,\"schema\":\"event/1\",\"tenant\":\"t\",\"boot_id\":\"b\",\"later\":[1],"
		"\"clock_offset_ms\":-5,\"dropped\":[{\"kind\":\"file\",\"n\":2,\"first\":12,"
		"\"last\":13},{\"kind\":\"x\",\"n\":1,\"first\":11,\"last\":12}]}\n"
		"{\"seq\":10,\"ts\":1760000000000001,\"mono\":5,\"Table\":\"DeviceFileEvents\","
		"\"ActionType\":\"FileCreated\",\"DeviceId\":\"aaaa\",\"x\":{\"seq\":1}}\n"
		"{ \"Table\" : \"T\", \"mono\" : 18446744073709551615, \"ts\" : 0, \"seq\" : 14 }");

	CHECK_INT(parse(body, 10, 14, 2, &b, &line), 200);
	CHECK_STR(b->tenant, "t");
	CHECK_STR(b->boot_id, "b");
	CHECK_INT(b->clock_offset_ms, -5);
	CHECK_INT(b->n_dropped, 2);
	CHECK_INT(b->dropped[0].first, 11); /* sorted */
	CHECK_INT(b->n_events, 2);
	CHECK_INT(b->events[0].seq, 10);
	CHECK_INT(b->events[0].ts, 1760000000000001);
	CHECK_STRN(b->events[0].table, "DeviceFileEvents");
	CHECK_STRN(b->events[0].action, "FileCreated");
	CHECK_INT(b->events[1].seq, 14);
	CHECK_INT(b->events[1].action.n, 0);
	CHECK_INT(b->events[1].body.p[b->events[1].body.n - 1], '}');
}

static void takes_a_batch_of_losses_alone(void)
{
	cleanup_(batch_cleanup) struct batch *b = NULL;
	size_t line;
	const struct str body =
		STR("{\"v\":1,\"schema\":\"event/1\",\"dropped\":[{\"kind\":\"file\","
		    "\"n\":5,\"first\":1,\"last\":5}]}\n");

	CHECK_INT(parse(body, 1, 5, 0, &b, &line), 200);
	CHECK_INT(b->n_events, 0);
}

static void refuses_a_wrong_digest(void)
{
	struct batch_range range = { .epoch = 1, .first = 6, .last = 6, .count = 1 };
	struct api_error e = { 0 };
	struct batch *b = NULL;

	CHECK_INT(batch_parse(&range, STR(""), STR(HEADER EVENT(6)), &b, &e), -EBADMSG);
	CHECK_STR(e.code, "bad_digest");
}

static void refuses_bad_header_objects(void)
{
	static const char *const headers[] = {
		"",
		"\n",
		"[]",
		"1",
		"{}",
		"{\"v\":1}",
		"{\"v\":2,\"schema\":\"event/1\"}",
		"{\"v\":\"1\",\"schema\":\"event/1\"}",
		"{\"v\":1,\"schema\":\"event/2\"}",
		"{\"v\":1,\"v\":1,\"schema\":\"event/1\"}",
		"{\"v\":1,\"schema\":\"event/1\"} x",
		"{\"v\":1,\"schema\":\"event/1\",\"tenant\":5}",
		"{\"v\":1,\"schema\":\"event/1\",\"boot_id\":\""
		"0123456789012345678901234567890123456789012345678901234567890123456789\"}",
		"{\"v\":1,\"schema\":\"event/1\",\"clock_offset_ms\":\"x\"}",
		"{\"v\":1,\"schema\":\"event/1\",\"clock_offset_ms\":1.5}",
		"{\"v\":1,\"schema\":\"event/1\",\"clock_offset_ms\":99999999999999}",
		"{\"v\":1,\"schema\":\"event/1\",\"dropped\":{}}",
		"{\"v\":1,\"schema\":\"event/1\",\"dropped\":[1]}",
		"{\"v\":1,\"schema\":\"event/1\",\"dropped\":[{\"n\":1,\"first\":6,\"last\":6}]}",
		"{\"v\":1,\"schema\":\"event/1\",\"dropped\":[{\"kind\":\"x\",\"n\":0,\"first\":6,"
		"\"last\":6}]}",
		"{\"v\":1,\"schema\":\"event/1\",\"dropped\":[{\"kind\":\"x\",\"n\":2,\"first\":6,"
		"\"last\":6}]}",
		"{\"v\":1,\"schema\":\"event/1\",\"dropped\":[{\"kind\":\"x\",\"n\":1,\"first\":7,"
		"\"last\":6}]}",
		"{\"v\":1,\"schema\":\"event/1\",\"dropped\":[{\"kind\":\"x\",\"n\":1,\"first\":5,"
		"\"last\":6}]}",
		"{\"v\":1,\"schema\":\"event/1\",\"dropped\":[{\"kind\":\"x\",\"n\":1,\"first\":6,"
		"\"last\":9}]}",
		"{\"v\":1,\"schema\":\"event/1\",\"x\":[[[[[[[[[1]]]]]]]]]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		struct buf body;

		buf_init(&body, 100000);
		buf_printf(&body, "%s\n" EVENT(6) EVENT(7) EVENT(8), headers[i]);
		refuses(buf_str(&body), 0);
		buf_done(&body);
	}
	refuses(STR(""), 0);
}

static void refuses_bad_lines_with_their_number(void)
{
	/* Each stands for the second event, line 3. */
	static const struct str lines[] = {
		STR(""),
		STR("{}"),
		STR("[]"),
		STR("null"),
		STR("{\"seq\":7,\"ts\":1,\"mono\":2,\"Table\":\"T\""),
		STR("{\"seq\":7,\"ts\":1,\"mono\":2,\"Table\":\"T\"} {}"),
		STR("{\"seq\":7,\"ts\":1,\"mono\":2}"),
		STR("{\"seq\":7,\"ts\":1,\"Table\":\"T\"}"),
		STR("{\"seq\":7,\"mono\":2,\"Table\":\"T\"}"),
		STR("{\"ts\":1,\"mono\":2,\"Table\":\"T\"}"),
		STR("{\"seq\":\"7\",\"ts\":1,\"mono\":2,\"Table\":\"T\"}"),
		STR("{\"seq\":7.0,\"ts\":1,\"mono\":2,\"Table\":\"T\"}"),
		STR("{\"seq\":7e0,\"ts\":1,\"mono\":2,\"Table\":\"T\"}"),
		STR("{\"seq\":-7,\"ts\":1,\"mono\":2,\"Table\":\"T\"}"),
		STR("{\"seq\":07,\"ts\":1,\"mono\":2,\"Table\":\"T\"}"),
		STR("{\"seq\":7,\"seq\":7,\"ts\":1,\"mono\":2,\"Table\":\"T\"}"),
		STR("{\"seq\":7,\"\\u0073eq\":8,\"ts\":1,\"mono\":2,\"Table\":\"T\"}"),
		STR("{\"seq\":7,\"ts\":253402300800000000,\"mono\":2,\"Table\":\"T\"}"),
		STR("{\"seq\":7,\"ts\":1,\"mono\":18446744073709551616,\"Table\":\"T\"}"),
		STR("{\"seq\":7,\"ts\":1,\"mono\":2,\"Table\":\"\"}"),
		STR("{\"seq\":7,\"ts\":1,\"mono\":2,\"Table\":\"a b\"}"),
		STR("{\"seq\":7,\"ts\":1,\"mono\":2,\"Table\":7}"),
		STR("{\"seq\":7,\"ts\":1,\"mono\":2,\"Table\":\"T\",\"ActionType\":1}"),
		STR("{\"seq\":7,\"ts\":1,\"mono\":2,\"Table\":\"T\",\"DeviceId\":\"bbbb\"}"),
		STR("{\"seq\":7,\"ts\":1,\"mono\":2,\"Table\":\"T\",\"x\":\"\xff\"}"),
		STR("{\"seq\":7,\"ts\":1,\"mono\":2,\"Table\":\"T\",\"x\":\"\xc0\x80\"}"),
		STR("{\"seq\":7,\"ts\":1,\"mono\":2,\"Table\":\"T\",\"x\":\"a\0b\"}"),
		STR("{\"seq\":7,\"ts\":1,\"mono\":2,\"Table\":\"T\",\"x\":\"\t\"}"),
		STR("{\"seq\":7,\"ts\":1,\"mono\":2,\"Table\":\"T\",\"x\":[[[[[[[[[[[[[[[[[[[[[[[[["
		    "["
		    "[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}"),
		STR("{\"seq\":6,\"ts\":1,\"mono\":2,\"Table\":\"T\"}"),
		STR("{\"seq\":5,\"ts\":1,\"mono\":2,\"Table\":\"T\"}"),
		STR("{\"seq\":9,\"ts\":1,\"mono\":2,\"Table\":\"T\"}"),
		STR("{\"seq\":9223372036854775808,\"ts\":1,\"mono\":2,\"Table\":\"T\"}"),
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct buf body;

		buf_init(&body, 100000);
		buf_printf(&body, HEADER EVENT(6));
		buf_add_str(&body, lines[i]);
		buf_printf(&body, "\n" EVENT(8));
		refuses(buf_str(&body), 3);
		buf_done(&body);
	}
}

static void counts_lines(void)
{
	refuses(STR(HEADER), 0);
	refuses(STR(HEADER EVENT(6) EVENT(8)), 0);
	refuses(STR(HEADER EVENT(6) EVENT(7) EVENT(8) EVENT(9)), 0);
	refuses(STR(HEADER EVENT(6) EVENT(7) EVENT(8) "\n"), 0);
}

/* One event in a line of exactly n bytes. */
static unsigned int long_line(size_t n)
{
	const struct str head = STR("{\"seq\":1,\"ts\":1,\"mono\":1,\"Table\":\"T\",\"x\":\"");
	struct batch *b = NULL;
	struct buf body;
	unsigned int status;
	size_t line;

	buf_init(&body, 200000);
	buf_add_str(&body, STR(HEADER));
	buf_add_str(&body, head);
	for (size_t i = head.n + 2; i < n; i++)
		buf_add_char(&body, 'x');
	buf_add_str(&body, STR("\"}"));
	if (buf_error(&body) < 0) {
		buf_done(&body);
		test_bail(__FILE__, __LINE__, "no memory");
	}
	status = parse(buf_str(&body), 1, 1, 1, &b, &line);
	batch_free(b);
	buf_done(&body);
	return status;
}

static void bounds_a_line(void)
{
	CHECK_INT(long_line(BATCH_LINE_MAX), 200);
	CHECK_INT(long_line(BATCH_LINE_MAX + 1), 400);
}

#define DROPPED(list) "{\"v\":1,\"schema\":\"event/1\",\"dropped\":[" list "]}\n"
#define RANGE(a, b) "{\"kind\":\"k\",\"n\":1,\"first\":" #a ",\"last\":" #b "}"

static void wants_gaps_explained(void)
{
	static const struct {
		struct str body; /* events 2 and 6 of 1..9 */
		unsigned int status;
	} cases[] = {
		{ STR(DROPPED(RANGE(1, 9)) EVENT(2) EVENT(6)), 200 },
		{ STR(DROPPED(RANGE(1, 1) "," RANGE(3, 5) "," RANGE(7, 9)) EVENT(2) EVENT(6)),
		  200 },
		{ STR(DROPPED(RANGE(7, 9) "," RANGE(3, 5) "," RANGE(1, 1)) EVENT(2) EVENT(6)),
		  200 },
		{ STR(DROPPED(RANGE(1, 4) "," RANGE(2, 3) "," RANGE(4, 9)) EVENT(2) EVENT(6)),
		  200 },
		{ STR(DROPPED(RANGE(1, 1) "," RANGE(3, 4) "," RANGE(7, 9)) EVENT(2) EVENT(6)),
		  400 },
		{ STR(DROPPED(RANGE(1, 1) "," RANGE(4, 5) "," RANGE(7, 9)) EVENT(2) EVENT(6)),
		  400 },
		{ STR(DROPPED(RANGE(3, 5) "," RANGE(7, 9)) EVENT(2) EVENT(6)), 400 },
		{ STR(DROPPED(RANGE(1, 5) "," RANGE(7, 8)) EVENT(2) EVENT(6)), 400 },
		{ STR(HEADER EVENT(2) EVENT(6)), 400 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct batch *b = NULL;
		size_t line;

		CHECK_INT(parse(cases[i].body, 1, 9, 2, &b, &line), cases[i].status);
		CHECK_INT(line, 0);
		batch_free(b);
	}
}

TEST_MAIN({ "reads_the_headers", reads_the_headers },
	  { "refuses_bad_headers", refuses_bad_headers }, { "reads_a_batch", reads_a_batch },
	  { "takes_a_batch_of_losses_alone", takes_a_batch_of_losses_alone },
	  { "refuses_a_wrong_digest", refuses_a_wrong_digest },
	  { "refuses_bad_header_objects", refuses_bad_header_objects },
	  { "refuses_bad_lines_with_their_number", refuses_bad_lines_with_their_number },
	  { "counts_lines", counts_lines }, { "bounds_a_line", bounds_a_line },
	  { "wants_gaps_explained", wants_gaps_explained })
