/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reporter's dealings with one endpoint: where it is, what every request
 * carries (cloud protocol, section 1), what an answer means for the next request
 * (section 3.3), and the numbers that health shows. Enrolment, heartbeat and
 * shipping send through it.
 */
#pragma once

#include "agent/config/policy.h"
#include "reporter/answer.h"
#include "reporter/backoff.h"
#include "reporter/https.h"
#include "reporter/identity.h"

#define SESSION_MISMATCH_NS (900 * NSEC_PER_SEC)
#define SESSION_FORBIDDEN_NS (3600 * NSEC_PER_SEC)
#define SESSION_CLOSED_HEARTBEAT_NS (300 * NSEC_PER_SEC)
#define SESSION_TEXT_SIZE 200u

struct session;
struct session_call; /* a request on its way */

/* version is borrowed for ever. -ENOMEM. */
must_check int session_new(struct https *h, const char *version, struct session **ret_session);
void session_free(struct session *s);
DEFINE_CLEANUP(struct session *, session, session_free)

/* Which endpoint and who we are, both borrowed until the next call; NULL: none. Another
 * onboarding file forgets what was learnt of the old endpoint. */
void session_set(struct session *s, const struct onboarding *o, const struct identity *id);

struct session_request {
	const char *path;	 /* "/v1/..." */
	struct str headers;	 /* its own, as https_post() takes them */
	struct str body;	 /* borrowed until the answer */
	bool is_enrolment;	 /* no client certificate, a connection of its own */
	struct backoff *backoff; /* of this kind of request */
};

struct session_answer {
	enum answer_verdict verdict;
	struct str body;
	struct answer_error error; /* of an answer that is no success */
	uint64_t pause_ns;	   /* before this kind of request should be tried again */
	uint64_t elapsed_ns;
	bool has_answer; /* an endpoint said something */
};

/* The call is over and freed when this returns; new ones may be made in it. */
typedef void (*session_done_fn)(void *ctx, const struct session_answer *a);

/* Sends. -ENOTCONN without an endpoint, else as https_post(): fn is then not called. */
must_check int session_post(struct session *s, const struct session_request *r, session_done_fn fn,
			    void *ctx, struct session_call **ret_call);

/* Ends a call without its callback; NULL is allowed. */
void session_cancel(struct session_call *call);

/* How long from now_ns until the endpoint takes requests again (Retry-After); 0: now. */
uint64_t session_closed_ns(const struct session *s, uint64_t now_ns);

/* An answer of 200 whose body broke the protocol: counted, and so told in health. */
void session_refused(struct session *s, const char *what);

/* The endpoint's clock, from an answer that took elapsed_ns. */
void session_clock(struct session *s, uint64_t server_time_us, uint64_t elapsed_ns);
int64_t session_clock_offset_ms(const struct session *s);

struct session_stats {
	uint64_t last_contact_us;  /* realtime; 0: never */
	uint64_t failures;	   /* requests without a success */
	uint64_t refused;	   /* answers that broke the protocol */
	uint64_t failing_since_ns; /* monotonic; 0: the endpoint can be reached */
	uint32_t failing_count;	   /* in a row */
	unsigned int last_status;  /* HTTP; 0: no answer */
	const char *endpoint;	   /* "" without one */
	const char *error;	   /* words for the last failure, "" when the last went well */
};
void session_stats(const struct session *s, struct session_stats *ret_stats);
