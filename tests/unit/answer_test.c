/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/answer.h"

#include "tests/test.h"

#define DEVICE "0123456789abcdef0123456789abcdef01234567"

static enum answer_verdict judge(unsigned int status, const char *type)
{
	const struct https_result r = { .status = status, .type = str_of(type), .reason = "" };

	return answer_judge(&r);
}

static void judges_status_codes(void)
{
	static const struct {
		unsigned int status;
		enum answer_verdict json, html;
	} rows[] = {
		{ 200, ANSWER_OK, ANSWER_NOT_PROTOCOL },
		{ 201, ANSWER_OK, ANSWER_NOT_PROTOCOL },
		{ 204, ANSWER_NOT_PROTOCOL, ANSWER_NOT_PROTOCOL },
		{ 301, ANSWER_NOT_PROTOCOL, ANSWER_NOT_PROTOCOL },
		{ 307, ANSWER_NOT_PROTOCOL, ANSWER_NOT_PROTOCOL },
		{ 400, ANSWER_BAD_REQUEST, ANSWER_NOT_PROTOCOL },
		{ 401, ANSWER_UNAUTHORISED, ANSWER_NOT_PROTOCOL },
		{ 403, ANSWER_FORBIDDEN, ANSWER_NOT_PROTOCOL },
		{ 404, ANSWER_MISMATCH, ANSWER_MISMATCH },
		{ 405, ANSWER_MISMATCH, ANSWER_MISMATCH },
		{ 407, ANSWER_NOT_PROTOCOL, ANSWER_NOT_PROTOCOL },
		{ 408, ANSWER_RETRY, ANSWER_RETRY },
		{ 409, ANSWER_CONFLICT, ANSWER_NOT_PROTOCOL },
		{ 413, ANSWER_TOO_LARGE, ANSWER_TOO_LARGE },
		{ 415, ANSWER_ENCODING, ANSWER_ENCODING },
		{ 425, ANSWER_RETRY, ANSWER_RETRY },
		{ 426, ANSWER_MISMATCH, ANSWER_MISMATCH },
		{ 429, ANSWER_WAIT, ANSWER_WAIT },
		{ 500, ANSWER_RETRY, ANSWER_RETRY },
		{ 502, ANSWER_RETRY, ANSWER_RETRY },
		{ 503, ANSWER_WAIT, ANSWER_WAIT },
		{ 504, ANSWER_RETRY, ANSWER_RETRY },
		{ 600, ANSWER_NOT_PROTOCOL, ANSWER_NOT_PROTOCOL },
		{ 0, ANSWER_NOT_PROTOCOL, ANSWER_NOT_PROTOCOL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_INT(judge(rows[i].status, "Application/JSON; charset=utf-8"), rows[i].json);
		CHECK_INT(judge(rows[i].status, "application/json"), rows[i].json);
		CHECK_INT(judge(rows[i].status, "text/html"), rows[i].html);
		CHECK_INT(judge(rows[i].status, "application/jsonx"), rows[i].html);
		CHECK_INT(judge(rows[i].status, ""), rows[i].html);
	}
}

static void judges_silence(void)
{
	struct https_result r = { .error = -ECONNREFUSED, .status = 200 };

	CHECK_INT(answer_judge(&r), ANSWER_RETRY);
	r.error = -EPROTO;
	CHECK_INT(answer_judge(&r), ANSWER_NOT_PROTOCOL);
	r.error = -EMSGSIZE;
	CHECK_INT(answer_judge(&r), ANSWER_NOT_PROTOCOL);
}

static void reads_errors(void)
{
	struct answer_error e;
	char text[512];

	answer_error_parse(STR("{\"error\":{\"code\":\"bad_batch\",\"message\":\"no\",\"line\":7,"
			       "\"request_id\":\"x\"}}"),
			   &e);
	CHECK_STR(e.code, "bad_batch");
	CHECK_STR(e.message, "no");
	CHECK_INT(e.line, 7);

	/* What cannot be read is empty, never half. */
	static const char *const bad[] = { "",
					   "{",
					   "[]",
					   "{}",
					   "{\"error\":1}",
					   "{\"error\":{\"code\":1,\"message\":[],\"line\":-1}}",
					   "{\"error\":{\"line\":1.5}}",
					   "{\"error\":{\"code\":\"\\u0000\"}}" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		answer_error_parse(str_of(bad[i]), &e);
		CHECK_STR(e.code, "");
		CHECK_STR(e.message, "");
		CHECK_INT(e.line, 0);
	}

	/* A long message is cut between characters; a long code is none of ours. */
	(void)snprintf(text, sizeof(text),
		       "{\"error\":{\"code\":\"%060d\",\"message\":\"%0126d%s\"}}", 0, 0,
		       "\xc3\xa4\xc3\xa4");
	answer_error_parse(str_of(text), &e);
	CHECK_STR(e.code, "");
	CHECK_INT(strlen(e.message), 126);
}

static int enrol(const char *text, bool is_renewal, struct answer_enrol *ret_answer)
{
	struct answer_enrol a = { .epoch = 99 };
	int r = answer_enrol_parse(str_of(text), is_renewal, &a);

	if (r < 0)
		CHECK_INT(a.epoch, 99); /* untouched */
	else if (ret_answer != NULL)
		*ret_answer = a;
	else
		answer_enrol_done(&a);
	return r;
}

static void reads_enrolments(void)
{
	struct answer_enrol a;

	CHECK_INT(enrol("{\"device_id\":\"" DEVICE "\",\"certificate\":\"CERT\",\"chain\":\"CA\","
			"\"session_epoch\":3,\"plan\":\"P2\",\"policy_version\":42,"
			"\"server_time\":\"2026-05-01T10:00:00.123Z\",\"limits\":{"
			"\"max_batch_bytes\":1048576,\"max_events\":1000,\"max_line\":65536},"
			"\"next_heartbeat_s\":60,\"new\":[]}",
			false, &a),
		  0);
	CHECK_STR(a.device_id, DEVICE);
	CHECK_INT(a.epoch, 3);
	CHECK_INT(a.max_events, 1000);
	CHECK_INT(a.max_batch_bytes, 1048576);
	CHECK_INT(a.server_time_us, 1777629600123000);
	CHECK_STRN(buf_str(&a.certificate), "CERT\nCA");
	answer_enrol_done(&a);
	CHECK_INT(enrol("{\"device_id\":\"" DEVICE "\",\"certificate\":\"CERT\"}", true, NULL), 0);
	CHECK_INT(enrol("{\"device_id\":\"" DEVICE "\",\"certificate\":\"CERT\"}", false, NULL),
		  -EPROTO);
}

static void refuses_bad_enrolments(void)
{
#define GOOD "\"session_epoch\":3,\"plan\":\"P2\"}"
	static const char *const bad[] = {
		"",
		"null",
		"[]",
		"{}",
		"{\"device_id\":\"" DEVICE "\"," GOOD,
		"{\"device_id\":\"" DEVICE "\",\"certificate\":\"\"," GOOD,
		"{\"device_id\":\"" DEVICE "\",\"certificate\":1," GOOD,
		"{\"device_id\":\"" DEVICE "\",\"certificate\":\"C\",\"chain\":[]," GOOD,
		"{\"device_id\":\"" DEVICE "0\",\"certificate\":\"C\"," GOOD,
		"{\"device_id\":\"0123456789ABCDEF0123456789abcdef01234567\","
		"\"certificate\":\"C\"," GOOD,
		"{\"device_id\":\"../../../../../../../../etc/passwd#01234567\","
		"\"certificate\":\"C\"," GOOD,
		"{\"device_id\":\"" DEVICE "\",\"certificate\":\"C\",\"limits\":[]," GOOD,
		"{\"device_id\":\"" DEVICE
		"\",\"certificate\":\"C\",\"limits\":{\"max_events\":0}," GOOD,
		"{\"device_id\":\"" DEVICE "\",\"certificate\":\"C\",\"server_time\":\"now\"," GOOD,
		"{\"device_id\":\"" DEVICE
		"\",\"certificate\":\"C\",\"session_epoch\":0,\"plan\":\"P2\"}",
		"{\"device_id\":\"" DEVICE "\",\"device_id\":\"" DEVICE
		"\",\"certificate\":\"C\"," GOOD,
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(enrol(bad[i], false, NULL), -EPROTO);

	/* A certificate without end. */
	cleanup_(buf_cleanup) struct buf big;

	buf_init(&big, 1u << 20);
	buf_add_str(&big, STR("{\"device_id\":\"" DEVICE "\",\"certificate\":\""));
	while (big.len < ANSWER_CERT_MAX + 100)
		buf_add_char(&big, 'A');
	buf_add_str(&big, STR("\"," GOOD));
	CHECK_INT(enrol(buf_cstr(&big), false, NULL), -EPROTO);
}

static void reads_acknowledgements(void)
{
	struct answer_events a;

	CHECK_INT(answer_events_parse(STR("{\"acked\":{\"epoch\":1,\"seq\":18100},"
					  "\"duplicate\":true,"
					  "\"server_time\":\"2026-05-01T10:00:00Z\","
					  "\"min_interval_ms\":250}"),
				      &a),
		  0);
	CHECK_INT(a.epoch, 1);
	CHECK_INT(a.seq, 18100);
	CHECK_INT(a.min_interval_ms, 250);
	CHECK_INT(a.server_time_us, 1777629600000000);
	CHECK_INT(answer_events_parse(STR("{\"acked\":{\"epoch\":1,\"seq\":0}}"), &a), 0);
	CHECK(a.min_interval_ms == 0 && a.server_time_us == 0);

	static const char *const bad[] = {
		"{}",
		"{\"acked\":5}",
		"{\"acked\":{\"epoch\":1}}",
		"{\"acked\":{\"seq\":1}}",
		"{\"acked\":{\"epoch\":0,\"seq\":1}}",
		"{\"acked\":{\"epoch\":1,\"seq\":-1}}",
		"{\"acked\":{\"epoch\":1,\"seq\":1.5}}",
		"{\"acked\":{\"epoch\":1,\"seq\":\"1\"}}",
		"{\"acked\":{\"epoch\":1,\"seq\":1e300}}",
		"{\"acked\":{\"epoch\":1,\"seq\":1},\"min_interval_ms\":99999999}",
		"{\"acked\":{\"epoch\":1,\"seq\":1},\"acked\":{\"epoch\":1,\"seq\":9}}",
		"{\"acked\":{\"epoch\":1,\"seq\":1}} trailing",
	};

	a.seq = 77;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(answer_events_parse(str_of(bad[i]), &a), -EPROTO);
	CHECK_INT(a.seq, 77);
}

static void reads_heartbeats(void)
{
	struct answer_heartbeat a;

	CHECK_INT(answer_heartbeat_parse(STR("{\"server_time\":\"2026-05-01T10:00:00Z\","
					     "\"policy_version\":1,\"commands\":0,"
					     "\"next_heartbeat_s\":120}"),
					 &a),
		  0);
	CHECK_INT(a.next_s, 120);
	CHECK_INT(answer_heartbeat_parse(STR("{}"), &a), 0);
	CHECK_INT(a.next_s, 0);
	CHECK_INT(answer_heartbeat_parse(STR("{\"next_heartbeat_s\":29}"), &a), -EPROTO);
	CHECK_INT(answer_heartbeat_parse(STR("{\"next_heartbeat_s\":901}"), &a), -EPROTO);
	CHECK_INT(answer_heartbeat_parse(STR("{\"server_time\":0}"), &a), -EPROTO);
	CHECK_INT(answer_heartbeat_parse(STR("[]"), &a), -EPROTO);
	CHECK_INT(answer_heartbeat_parse(STR("\xff"), &a), -EPROTO);
}

TEST_MAIN({ "judges_status_codes", judges_status_codes }, { "judges_silence", judges_silence },
	  { "reads_errors", reads_errors }, { "reads_enrolments", reads_enrolments },
	  { "refuses_bad_enrolments", refuses_bad_enrolments },
	  { "reads_acknowledgements", reads_acknowledgements },
	  { "reads_heartbeats", reads_heartbeats })
