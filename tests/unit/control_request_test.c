/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/control/request.h"

#include "agent/config/control.h"
#include "tests/test.h"

static const struct command commands[] = {
	{ "health", false, FEATURE_HEALTH, 0, 0, NULL },
	{ "events", true, FEATURE_HUNTING,
	  REQUEST_SINCE | REQUEST_TABLE | REQUEST_LIMIT | REQUEST_FOLLOW, 0, NULL },
	{ "hunt", true, FEATURE_HUNTING, REQUEST_SQL, REQUEST_SQL, NULL },
};

static int parse(const char *json, struct request *q, struct diag *diag)
{
	*diag = (struct diag){ 0 };
	return request_parse(str_of(json), commands, ARRAY_LEN(commands), q, diag);
}

static void reads_a_command_and_its_arguments(void)
{
	struct request q = { 0 };
	struct diag diag;

	CHECK_INT(parse("{\"command\":\"health\"}", &q, &diag), 0);
	CHECK(q.command == &commands[0]);
	CHECK_INT(q.given, 0);
	request_done(&q);

	CHECK_INT(parse("{\"command\":\"events\",\"args\":{\"since\":1700000000000000,"
			"\"table\":\"DeviceFileEvents\",\"limit\":7,\"follow\":true}}",
			&q, &diag),
		  0);
	CHECK(q.command == &commands[1]);
	CHECK_INT(q.since_us, 1700000000000000);
	CHECK_STRN(q.table, "DeviceFileEvents");
	CHECK_INT(q.limit, 7);
	CHECK(q.follow);
	request_done(&q);

	CHECK_INT(
		parse("{\"args\":{\"sql\":\"SELECT '\\u00e9'\"},\"command\":\"hunt\"}", &q, &diag),
		0);
	CHECK_STRN(q.sql, "SELECT '\xc3\xa9'");
	request_done(&q);
}

/* Each is refused, and the words name what is wrong. */
static void refuses_with_words(void)
{
	static const struct {
		const char *json;
		const char *word;
	} cases[] = {
		{ "", "line 1" },
		{ "{", "line 1" },
		{ "[]", "object" },
		{ "\"health\"", "object" },
		{ "{}", "command" },
		{ "{\"command\":7}", "command" },
		{ "{\"command\":null}", "command" },
		{ "{\"command\":\"healthy\"}", "unknown command \"healthy\"" },
		{ "{\"command\":\"\"}", "unknown command" },
		{ "{\"command\":\"health\",\"command\":\"hunt\"}", "line 1" },
		{ "{\"command\":\"health\",\"uid\":0}", "unknown member \"uid\"" },
		{ "{\"command\":\"health\",\"args\":[]}", "args" },
		{ "{\"command\":\"health\",\"args\":{\"sql\":\"x\"}}", "unknown argument \"sql\"" },
		{ "{\"command\":\"hunt\"}", "sql is missing" },
		{ "{\"command\":\"hunt\",\"args\":{}}", "sql is missing" },
		{ "{\"command\":\"hunt\",\"args\":{\"sql\":\"\"}}", "sql must be" },
		{ "{\"command\":\"hunt\",\"args\":{\"sql\":1}}", "sql must be" },
		{ "{\"command\":\"hunt\",\"args\":{\"sql\":\"a\\u0000b\"}}", "line 1" },
		{ "{\"command\":\"hunt\",\"args\":{\"sql\":\"\xff\"}}", "line 1" },
		{ "{\"command\":\"events\",\"args\":{\"since\":-1}}", "since must be" },
		{ "{\"command\":\"events\",\"args\":{\"since\":1.5}}", "since must be" },
		{ "{\"command\":\"events\",\"args\":{\"since\":1e300}}", "since must be" },
		{ "{\"command\":\"events\",\"args\":{\"since\":\"1\"}}", "since must be" },
		{ "{\"command\":\"events\",\"args\":{\"limit\":1000000001}}", "limit must be" },
		{ "{\"command\":\"events\",\"args\":{\"follow\":1}}", "follow must be" },
		{ "{\"command\":\"events\",\"args\":{\"table\":\"sqlite_master\"}}",
		  "table must be" },
		{ "{\"command\":\"events\",\"args\":{\"table\":{\"a\":1}}}", "table must be" },
		{ "{\"command\":\"events\",\"args\":{\"a\":{\"b\":{\"c\":1}}}}", "line 1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct request q = { .limit = 42 };
		struct diag diag;

		if (parse(cases[i].json, &q, &diag) != -EINVAL)
			TEST_BAIL("%s was taken", cases[i].json);
		if (strstr(diag.text, cases[i].word) == NULL)
			TEST_BAIL("%s: \"%s\"", cases[i].json, diag.text);
		CHECK_INT(q.limit, 42); /* an out parameter is untouched on failure */
	}
}

static void refuses_what_is_too_large(void)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };
	struct request q;
	struct diag diag = { 0 };

	buf_init(&b, CONTROL_REQUEST_MAX * 2);
	buf_add_str(&b, STR("{\"command\":\"hunt\",\"args\":{\"sql\":\""));
	while (b.len < CONTROL_REQUEST_MAX && buf_error(&b) == 0)
		buf_add_char(&b, 'x');
	buf_add_str(&b, STR("\"}}"));
	CHECK_INT(request_parse(buf_str(&b), commands, ARRAY_LEN(commands), &q, &diag), -EINVAL);
	CHECK(diag.text[0] != '\0');
}

static void words_of_the_sender_stay_short(void)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };
	struct request q;
	struct diag diag = { 0 };

	buf_init(&b, CONTROL_REQUEST_MAX);
	buf_add_str(&b, STR("{\"command\":\""));
	for (size_t i = 0; i < 5000; i++)
		buf_add_str(&b, STR("\\u001b"));
	buf_add_str(&b, STR("\"}"));
	CHECK_INT(request_parse(buf_str(&b), commands, ARRAY_LEN(commands), &q, &diag), -EINVAL);
	for (const char *p = diag.text; *p != '\0'; p++)
		CHECK(*p >= ' ');
}

TEST_MAIN({ "reads_a_command_and_its_arguments", reads_a_command_and_its_arguments },
	  { "refuses_with_words", refuses_with_words },
	  { "refuses_what_is_too_large", refuses_what_is_too_large },
	  { "words_of_the_sender_stay_short", words_of_the_sender_stay_short })
