/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/session.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/base/clock.h"
#include "agent/base/rand.h"

#define HEADERS_SIZE 1024u
#define URL_SIZE 512u
#define JITTER_PERCENT 20u

/* A slower answer says nothing about the endpoint's clock. */
#define CLOCK_RTT_MAX_NS (10 * NSEC_PER_SEC)

struct session {
	struct https *https;
	const char *version;
	const struct onboarding *onboarding;
	const struct identity *identity;
	char org_id[POLICY_GUID_SIZE]; /* whose endpoint the rest is about */
	size_t endpoint;	       /* index of the one in use */
	uint64_t closed_until_ns;
	int64_t clock_offset_ms;
	struct session_stats stats;
	char error[SESSION_TEXT_SIZE];
};

struct session_call {
	struct session *session;
	struct https_call *https;
	struct backoff *backoff;
	session_done_fn fn;
	void *ctx;
};

int session_new(struct https *h, const char *version, struct session **ret_session)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->https = h;
	s->version = version;
	*ret_session = s;
	return 0;
}

void session_free(struct session *s)
{
	free(s);
}

void session_set(struct session *s, const struct onboarding *o, const struct identity *id)
{
	s->onboarding = o;
	s->identity = id;
	if (o == NULL || strcmp(s->org_id, o->org_id) == 0)
		return;
	memcpy(s->org_id, o->org_id, sizeof(s->org_id));
	s->endpoint = 0;
	s->closed_until_ns = 0;
	s->clock_offset_ms = 0;
	s->stats.failing_since_ns = 0;
	s->stats.failing_count = 0;
	s->error[0] = '\0';
}

static const char *endpoint_get(const struct session *s)
{
	const struct onboarding *o = s->onboarding;

	return o == NULL ? "" : o->endpoints[s->endpoint < o->n_endpoints ? s->endpoint : 0];
}

/* The pause until the same kind of request should be sent again. */
static uint64_t pause_of(struct session *s, enum answer_verdict verdict,
			 const struct https_result *result, struct backoff *b)
{
	uint64_t pause;

	switch (verdict) {
	case ANSWER_OK:
		backoff_reset(b);
		return 0;
	case ANSWER_MISMATCH:
		return backoff_jitter_ns(SESSION_MISMATCH_NS, JITTER_PERCENT, rand_u64());
	case ANSWER_FORBIDDEN:
		return backoff_jitter_ns(SESSION_FORBIDDEN_NS, JITTER_PERCENT, rand_u64());
	case ANSWER_WAIT:
		/* "Now" would make us ask as fast as the endpoint refuses. */
		if (result->retry_after_s > 0)
			pause = backoff_retry_after_ns(result->retry_after_s, rand_u64());
		else
			pause = backoff_next_ns(b, rand_u64());
		s->closed_until_ns = clock_mono_ns() + pause;
		return pause;
	default:
		return backoff_next_ns(b, rand_u64());
	}
}

/* Whether the endpoint is there and speaks our protocol, apart from what it says. */
static void reach_count(struct session *s, bool is_reached)
{
	if (is_reached) {
		s->stats.failing_since_ns = 0;
		s->stats.failing_count = 0;
		return;
	}
	if (s->stats.failing_since_ns == 0)
		s->stats.failing_since_ns = clock_mono_ns();
	if (s->stats.failing_count < UINT32_MAX)
		s->stats.failing_count++;
}

static void stats_update(struct session *s, const struct https_result *result,
			 const struct session_answer *a)
{
	enum answer_verdict v = a->verdict;

	s->stats.last_status = result->status;
	reach_count(s, v != ANSWER_RETRY && v != ANSWER_NOT_PROTOCOL && v != ANSWER_MISMATCH);
	if (a->has_answer && v != ANSWER_NOT_PROTOCOL)
		s->stats.last_contact_us = clock_real_us();
	if (v == ANSWER_OK) {
		s->error[0] = '\0';
		return;
	}
	s->stats.failures++;
	if (v == ANSWER_NOT_PROTOCOL)
		s->stats.refused++;
	if (result->error < 0)
		(void)snprintf(s->error, sizeof(s->error), "%s", result->reason);
	else if (v == ANSWER_NOT_PROTOCOL)
		(void)snprintf(s->error, sizeof(s->error), "answer %u is not the protocol's",
			       result->status);
	else
		(void)snprintf(s->error, sizeof(s->error), "%u%s%s%s%s", result->status,
			       a->error.code[0] != '\0' ? " " : "", a->error.code,
			       a->error.message[0] != '\0' ? ": " : "", a->error.message);
}

static void on_done(void *ctx, const struct https_result *result)
{
	struct session_call call = *(struct session_call *)ctx;
	struct session *s = call.session;
	struct session_answer a = {
		.verdict = answer_judge(result),
		.body = result->body,
		.elapsed_ns = result->elapsed_ns,
		.has_answer = result->error == 0,
	};

	free(ctx);
	a.pause_ns = pause_of(s, a.verdict, result, call.backoff);
	if (a.verdict != ANSWER_OK && a.verdict != ANSWER_NOT_PROTOCOL && a.has_answer)
		answer_error_parse(result->body, &a.error);
	stats_update(s, result, &a);
	/* Nobody answers there: the next address of the file is tried. */
	if (!a.has_answer && s->onboarding != NULL)
		s->endpoint = (s->endpoint + 1) % s->onboarding->n_endpoints;
	call.fn(call.ctx, &a);
}

static void headers_format(const struct session *s, const struct session_request *r,
			   struct buf *out)
{
	char uuid[37], date[64];
	time_t now = (time_t)(clock_real_us() / USEC_PER_SEC);
	struct tm tm = { 0 };

	rand_uuid(uuid);
	(void)gmtime_r(&now, &tm);
	/* IMF-fixdate (RFC 9110, section 5.6.7). */
	(void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	buf_printf(out, "Agent-Protocol: 1\nAgent-Version: %s\nRequest-Id: %s\nDate: %s\n",
		   s->version, uuid, date);
	if (!r->is_enrolment && s->identity != NULL)
		buf_printf(out, "Agent-Device: %s\n", s->identity->device_id);
	buf_add_str(out, r->headers);
}

int session_post(struct session *s, const struct session_request *r, session_done_fn fn, void *ctx,
		 struct session_call **ret_call)
{
	char url[URL_SIZE], text[HEADERS_SIZE];
	struct buf headers;
	int n = snprintf(url, sizeof(url), "%s%s", endpoint_get(s), r->path);

	if (s->onboarding == NULL)
		return -ENOTCONN;
	if (n < 0 || (size_t)n >= sizeof(url))
		return -EMSGSIZE;

	cleanup_(free_cleanup) struct session_call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	*c = (struct session_call){ .session = s, .backoff = r->backoff, .fn = fn, .ctx = ctx };
	buf_init_fixed(&headers, text, sizeof(text));
	headers_format(s, r, &headers);
	if (buf_error(&headers) < 0)
		return buf_error(&headers);

	struct https_request request = {
		.url = url,
		.headers = buf_str(&headers),
		.body = r->body,
		.tls = { .ca = buf_str(&s->onboarding->ca_pem) },
		.is_fresh = r->is_enrolment,
	};

	if (!r->is_enrolment && s->identity != NULL) {
		request.tls.cert = buf_str(&s->identity->certificate);
		request.tls.key = buf_str(&s->identity->key);
	}

	int e = https_post(s->https, &request, on_done, c, &c->https);

	explicit_bzero(text, sizeof(text)); /* an enrolment's has a secret in it */
	if (e < 0)
		return e;
	*ret_call = take_ptr(c);
	return 0;
}

void session_cancel(struct session_call *call)
{
	if (call == NULL)
		return;
	https_cancel(call->https);
	free(call);
}

uint64_t session_closed_ns(const struct session *s, uint64_t now_ns)
{
	return s->closed_until_ns > now_ns ? s->closed_until_ns - now_ns : 0;
}

void session_refused(struct session *s, const char *what)
{
	reach_count(s, false);
	s->stats.failures++;
	s->stats.refused++;
	(void)snprintf(s->error, sizeof(s->error), "answer refused: %s", what);
}

void session_clock(struct session *s, uint64_t server_time_us, uint64_t elapsed_ns)
{
	if (server_time_us == 0 || elapsed_ns > CLOCK_RTT_MAX_NS)
		return;

	/* The endpoint read its clock about half a round trip ago. */
	uint64_t there_us = server_time_us + elapsed_ns / 2 / NSEC_PER_USEC;
	int64_t offset_ms = ((int64_t)there_us - (int64_t)clock_real_us()) / 1000;

	if (offset_ms > IDENTITY_CLOCK_OFFSET_MAX_MS)
		offset_ms = IDENTITY_CLOCK_OFFSET_MAX_MS;
	if (offset_ms < -IDENTITY_CLOCK_OFFSET_MAX_MS)
		offset_ms = -IDENTITY_CLOCK_OFFSET_MAX_MS;
	s->clock_offset_ms = offset_ms;
}

int64_t session_clock_offset_ms(const struct session *s)
{
	return s->clock_offset_ms;
}

void session_stats(const struct session *s, struct session_stats *ret_stats)
{
	*ret_stats = s->stats;
	ret_stats->endpoint = endpoint_get(s);
	ret_stats->error = s->error;
}
