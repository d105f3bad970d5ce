/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/session.h"

#include <fnmatch.h>

#include "agent/base/clock.h"
#include "tests/endpoint.h"

#define DEVICE "0123456789abcdef0123456789abcdef01234567"

struct outcome {
	bool is_done;
	enum answer_verdict verdict;
	uint64_t pause_ns;
	bool has_answer;
	struct answer_error error;
};

static void on_done(void *ctx, const struct session_answer *a)
{
	struct outcome *o = ctx;

	*o = (struct outcome){ .is_done = true,
			       .verdict = a->verdict,
			       .pause_ns = a->pause_ns,
			       .has_answer = a->has_answer,
			       .error = a->error };
}

static struct outcome ask(struct endpoint *e, bool is_enrolment, struct backoff *b)
{
	struct outcome o = { 0 };
	struct session_call *call = NULL;
	const struct session_request r = { .path = "/v1/x",
					   .headers = STR("X-Own: 1\n"),
					   .body = STR("{}"),
					   .is_enrolment = is_enrolment,
					   .backoff = b };

	CHECK_INT(session_post(e->session, &r, on_done, &o, &call), 0);
	endpoint_run(e, &o.is_done);
	return o;
}

/* One request that gets this answer. */
static struct outcome exchange(struct endpoint *e, const char *status, const char *extra,
			       const char *body)
{
	char answer[1024];
	const char *const answers[] = { answer, NULL };
	struct backoff b = { 0 };

	endpoint_answer(answer, sizeof(answer), status, extra, body);
	endpoint_serve(e, answers);
	return ask(e, false, &b);
}

static struct session_stats stats(const struct endpoint *e)
{
	struct session_stats st;

	session_stats(e->session, &st);
	return st;
}

static void carries_what_every_request_must(void)
{
	cleanup_(endpoint_done) struct endpoint e;
	char asked[8192], answer[512];
	const char *const answers[] = { answer, NULL };
	struct backoff b = { 0 };

	endpoint_make(&e);
	endpoint_answer(answer, sizeof(answer), "200 OK", "", "{}");
	memcpy(e.identity.device_id, DEVICE, sizeof(DEVICE));
	endpoint_serve(&e, answers);
	CHECK_INT(ask(&e, true, &b).verdict, ANSWER_OK);
	tls_asked(&e.server, asked, sizeof(asked));
	CHECK(strstr(asked, "[-] POST /v1/x HTTP/1.1\r\n") == asked);
	CHECK(strstr(asked, "\r\nAgent-Protocol: 1\r\n") != NULL);
	CHECK(strstr(asked, "\r\nAgent-Version: 1.2.3\r\n") != NULL);
	CHECK(strstr(asked, "\r\nRequest-Id: ") != NULL);
	/* IMF-fixdate (RFC 9110, section 5.6.7). */
	CHECK(fnmatch("*\r\nDate: [A-Z][a-z][a-z], [0-3][0-9] [A-Z][a-z][a-z] 2[0-9][0-9][0-9] "
		      "[0-2][0-9]:[0-5][0-9]:[0-6][0-9] GMT\r\n*",
		      asked, 0) == 0);
	CHECK(strstr(asked, "\r\nX-Own: 1\r\n") != NULL);
	CHECK(strstr(asked, "Agent-Device") == NULL);
	CHECK(stats(&e).last_contact_us > 0);
	CHECK_STR(stats(&e).endpoint, e.server.url);

	session_set(e.session, NULL, NULL);

	struct session_call *call = NULL;
	const struct session_request r = { .path = "/v1/x", .backoff = &b };

	CHECK_INT(session_post(e.session, &r, on_done, NULL, &call), -ENOTCONN);
	CHECK_STR(stats(&e).endpoint, "");
}

static void closes_for_as_long_as_told(void)
{
	cleanup_(endpoint_done) struct endpoint e;
	struct outcome o;

	endpoint_make(&e);
	o = exchange(&e, "503 X", "Retry-After: 40\r\n",
		     "{\"error\":{\"code\":\"overloaded\",\"message\":\"later\"}}");
	CHECK_INT(o.verdict, ANSWER_WAIT);
	CHECK(o.pause_ns >= 40 * NSEC_PER_SEC && o.pause_ns <= 50 * NSEC_PER_SEC);
	CHECK_STR(o.error.code, "overloaded");
	CHECK(session_closed_ns(e.session, clock_mono_ns()) > 30 * NSEC_PER_SEC);
	CHECK_INT(session_closed_ns(e.session, clock_mono_ns() + 60 * NSEC_PER_SEC), 0);
	CHECK_STR(stats(&e).error, "503 overloaded: later");
	CHECK_INT(stats(&e).failing_since_ns, 0); /* it is there, only busy */

	/* Nonsense is no long pause. */
	o = exchange(&e, "429 X", "Retry-After: whenever\r\n", "{}");
	CHECK_INT(o.verdict, ANSWER_WAIT);
	CHECK(o.pause_ns <= NSEC_PER_SEC);

	/* "Now", and a time that is past: not as fast as it refuses. */
	o = exchange(&e, "429 X", "Retry-After: 0\r\n", "{}");
	CHECK(o.pause_ns >= BACKOFF_LEAST_NS);
	o = exchange(&e, "503 X", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "{}");
	CHECK(o.pause_ns >= BACKOFF_LEAST_NS);
	o = exchange(&e, "503 X", "Retry-After: -5\r\n", "{}");
	CHECK(o.pause_ns >= BACKOFF_LEAST_NS);

	/* Another organisation's endpoint starts with a clean sheet. */
	e.onboarding.org_id[0] = '9';
	session_set(e.session, &e.onboarding, &e.identity);
	CHECK_INT(session_closed_ns(e.session, clock_mono_ns()), 0);
}

static void counts_what_happens(void)
{
	cleanup_(endpoint_done) struct endpoint e;
	struct outcome o;

	endpoint_make(&e);
	o = exchange(&e, "302 Found", "Location: https://example.invalid/\r\n", "{}");
	CHECK_INT(o.verdict, ANSWER_NOT_PROTOCOL);
	CHECK_INT(stats(&e).refused, 1);
	CHECK_STR(stats(&e).error, "answer 302 is not the protocol's");
	CHECK(stats(&e).failing_since_ns != 0);
	CHECK_INT(stats(&e).last_contact_us, 0);
	o = exchange(&e, "404 Not Found", "", "{}");
	CHECK_INT(o.verdict, ANSWER_MISMATCH);
	CHECK(o.pause_ns >= 700 * NSEC_PER_SEC);
	CHECK_INT(stats(&e).failing_count, 2);
	o = exchange(&e, "403 Forbidden", "", "{\"error\":{\"code\":\"plan\"}}");
	CHECK_INT(o.verdict, ANSWER_FORBIDDEN);
	CHECK(o.pause_ns >= 2800 * NSEC_PER_SEC);
	CHECK_INT(stats(&e).failing_count, 0); /* its own word: it can be reached */
	CHECK_INT(stats(&e).failures, 3);
	CHECK_INT(stats(&e).last_status, 403);
	session_refused(e.session, "nonsense");
	CHECK_INT(stats(&e).refused, 2);
	CHECK_STR(stats(&e).error, "answer refused: nonsense");
	o = exchange(&e, "200 OK", "", "{}");
	CHECK_INT(o.verdict, ANSWER_OK);
	CHECK_INT(o.pause_ns, 0);
	CHECK_STR(stats(&e).error, "");
	CHECK_INT(stats(&e).failing_since_ns, 0);
}

static void tries_the_next_address(void)
{
	cleanup_(endpoint_done) struct endpoint e;
	struct backoff b = { 0 };
	char answer[512];
	const char *const answers[] = { answer, NULL };
	struct outcome o;

	endpoint_make(&e);
	endpoint_answer(answer, sizeof(answer), "200 OK", "", "{}");
	endpoint_serve(&e, answers);
	memcpy(e.onboarding.endpoints[1], e.onboarding.endpoints[0],
	       sizeof(e.onboarding.endpoints[0]));
	(void)snprintf(e.onboarding.endpoints[0], sizeof(e.onboarding.endpoints[0]),
		       "https://127.0.0.1:1");
	e.onboarding.n_endpoints = 2;
	o = ask(&e, false, &b);
	CHECK_INT(o.verdict, ANSWER_RETRY);
	CHECK(!o.has_answer);
	CHECK_INT(b.failures, 1);
	CHECK_INT(ask(&e, false, &b).verdict, ANSWER_OK);
	CHECK_INT(b.failures, 0);
	CHECK_STR(stats(&e).endpoint, e.server.url);
}

static void measures_the_endpoints_clock(void)
{
	cleanup_(endpoint_done) struct endpoint e;
	int64_t ms;

	endpoint_make(&e);
	session_clock(e.session, clock_real_us() + 3600 * USEC_PER_SEC, 20 * NSEC_PER_MSEC);
	ms = session_clock_offset_ms(e.session);
	CHECK(ms > 3590000 && ms < 3610000);
	session_clock(e.session, clock_real_us() - 3600 * USEC_PER_SEC, 0);
	ms = session_clock_offset_ms(e.session);
	CHECK(ms < -3590000 && ms > -3610000);
	/* Not said, or an answer that took too long to mean anything. */
	session_clock(e.session, 0, 0);
	session_clock(e.session, clock_real_us(), 20 * NSEC_PER_SEC);
	CHECK_INT(session_clock_offset_ms(e.session), ms);
	/* The year 9999: no more than what the identity's file takes. */
	session_clock(e.session, UINT64_C(253402300799) * USEC_PER_SEC, 0);
	CHECK_INT(session_clock_offset_ms(e.session), IDENTITY_CLOCK_OFFSET_MAX_MS);
}

static void cancels(void)
{
	cleanup_(endpoint_done) struct endpoint e;
	char answer[512];
	const char *const answers[] = { answer, NULL };
	struct session_call *call = NULL;
	struct outcome never = { 0 };
	struct backoff b = { 0 };
	const struct session_request r = { .path = "/v1/x", .backoff = &b };

	endpoint_make(&e);
	endpoint_answer(answer, sizeof(answer), "200 OK", "", "{}");
	endpoint_serve(&e, answers);
	CHECK_INT(session_post(e.session, &r, on_done, &never, &call), 0);
	session_cancel(call);
	session_cancel(NULL);
	CHECK_INT(ask(&e, false, &b).verdict, ANSWER_OK);
	CHECK(!never.is_done);
}

TEST_MAIN({ "carries_what_every_request_must", carries_what_every_request_must },
	  { "closes_for_as_long_as_told", closes_for_as_long_as_told },
	  { "counts_what_happens", counts_what_happens },
	  { "tries_the_next_address", tries_the_next_address },
	  { "measures_the_endpoints_clock", measures_the_endpoints_clock }, { "cancels", cancels })
