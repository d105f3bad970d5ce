/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/beacon.h"

#include "tests/endpoint.h"

#define DEVICE "0123456789abcdef0123456789abcdef01234567"

static void on_facts(void *ctx, struct beacon_facts *f)
{
	(void)ctx;
	*f = (struct beacon_facts){ .version = "1.2.3",
				    .boot_id = "boot",
				    .hostname = "web \"1\"",
				    .cloud_state = "connected",
				    .plan = PLAN_P1,
				    .epoch = 2,
				    .cursor_seq = 77,
				    .clock_offset_ms = -5 };
}

struct watcher {
	bool is_answered;
	enum answer_verdict verdict;
};

static void on_answered(void *ctx, const struct session_answer *a)
{
	struct watcher *w = ctx;

	w->is_answered = true;
	w->verdict = a->verdict;
}

static void writes_its_body(void)
{
	cleanup_(buf_cleanup) struct buf b;
	struct beacon_facts f;

	buf_init(&b, 4096);
	on_facts(NULL, &f);
	beacon_format(&f, &b);
	CHECK_STRN(
		buf_str(&b),
		"{\"agent_version\":\"1.2.3\",\"boot_id\":\"boot\",\"hostname\":\"web \\\"1\\\"\","
		"\"plan\":\"P1\",\"cursor\":{\"epoch\":2,\"seq\":77},\"queue\":{\"in_flight\":0},"
		"\"health\":{\"cloudState\":\"connected\",\"cloudEventsSent\":0,"
		"\"cloudEventsAcked\":0,\"cloudDeadLetters\":0,\"cloudFailures\":0,"
		"\"cloudRefusedAnswers\":0,\"clockOffsetMs\":-5}}");
}

static void beat_once(struct endpoint *e, struct beacon **ret_h, struct watcher *w)
{
	const struct beacon_env env = { .loop = e->loop,
					.session = e->session,
					.facts = on_facts,
					.answered = on_answered,
					.ctx = w };

	*w = (struct watcher){ 0 };
	CHECK_INT(beacon_new(&env, ret_h), 0);
	beacon_start(*ret_h, DEVICE, 60, false);
	beacon_start(*ret_h, DEVICE, 60, false);
	endpoint_run(e, &w->is_answered);
}

static void beats_soon(void)
{
	cleanup_(endpoint_done) struct endpoint e;
	char asked[8192], answer[512];
	const char *const answers[] = { answer, NULL };
	struct beacon *h = NULL;
	struct watcher w;

	endpoint_make(&e);
	endpoint_answer(answer, sizeof(answer), "200 OK", "", "{\"next_heartbeat_s\":30}");
	endpoint_serve(&e, answers);
	beat_once(&e, &h, &w);
	CHECK_INT(w.verdict, ANSWER_OK);
	tls_asked(&e.server, asked, sizeof(asked));
	CHECK(strstr(asked, "] POST /v1/devices/" DEVICE "/heartbeat HTTP/1.1\r\n") != NULL);
	CHECK(strstr(asked, "\r\nContent-Type: application/json\r\n") != NULL);
	CHECK(strstr(asked, "\"cursor\":{\"epoch\":2,\"seq\":77}") != NULL);
	beacon_free(h);
}

static void counts_what_it_cannot_read(void)
{
	cleanup_(endpoint_done) struct endpoint e;
	char answer[512];
	const char *const answers[] = { answer, NULL };
	struct beacon *h = NULL;
	struct session_stats st;
	struct watcher w;

	endpoint_make(&e);
	endpoint_answer(answer, sizeof(answer), "200 OK", "", "{\"next_heartbeat_s\":\"soon\"}");
	endpoint_serve(&e, answers);
	beat_once(&e, &h, &w);
	session_stats(e.session, &st);
	CHECK_INT(st.refused, 1);
	beacon_stop(h);
	beacon_free(h);
	beacon_free(NULL);
}

TEST_MAIN({ "writes_its_body", writes_its_body }, { "beats_soon", beats_soon },
	  { "counts_what_it_cannot_read", counts_what_it_cannot_read })
