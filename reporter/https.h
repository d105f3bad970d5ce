/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTPS requests of the reporter, driven by its loop: the only user of libcurl.
 * TLS 1.2 or newer, the given CA certificates are the only trust, names are
 * always verified, no redirect is followed, no proxy or credential comes from
 * the environment. At most HTTPS_CALLS_MAX requests at a time; connections are
 * kept alive. Answers are bounded by HTTPS_BODY_MAX and HTTPS_HEADERS_MAX.
 */
#pragma once

#include "agent/base/buf.h"
#include "agent/base/loop.h"

#define HTTPS_CALLS_MAX 4u
#define HTTPS_BODY_MAX 1048576u
#define HTTPS_HEADERS_MAX 16384u
#define HTTPS_HEADER_MAX 255u	/* of a request */
#define HTTPS_CONNECT_MS 20000L /* 10 s for the connection, 10 s for TLS */
#define HTTPS_TOTAL_MS 30000L
#define HTTPS_SLOW_BYTES 100L /* a transfer below this many bytes a second .. */
#define HTTPS_SLOW_S 30L      /* .. for this long is cut */

/* PEM texts, copied. cert and key empty: no client certificate. */
struct https_tls {
	struct str ca;
	struct str cert;
	struct str key;
};

struct https_request {
	const char *url;    /* https:// only */
	struct str headers; /* lines "Name: value\n", each up to HTTPS_HEADER_MAX; copied */
	struct str body;    /* borrowed until the call is done or cancelled */
	struct https_tls tls;
	bool is_fresh; /* on a connection of its own */
};

struct https_result {
	int error;		/* 0: there is an answer; else why there is none (https_post()) */
	unsigned int status;	/* of the answer */
	struct str type;	/* Content-Type, "" when absent */
	struct str body;	/* both borrowed for the time of the callback */
	uint64_t retry_after_s; /* Retry-After, also from its date; 0: not said, or past */
	uint64_t elapsed_ns;
	const char *reason; /* words for an error, "" without one */
};

struct https;
struct https_call;

/* The call is over and freed when this returns; new calls may be made in it. */
typedef void (*https_done_fn)(void *ctx, const struct https_result *result);

/* Initialises libcurl: to be called before the cage closes. -ENOMEM, -EIO. */
must_check int https_new(struct loop *l, struct https **ret_https);

/* Ends all calls without their callbacks. */
void https_free(struct https *h);
DEFINE_CLEANUP(struct https *, https, https_free)

/* Starts a POST; fn is called once from the loop, with result->error -EKEYREJECTED for the
 * server's certificate, -EMSGSIZE over the limits, -EPROTO not HTTP, -ENOMEM, -EIO no answer for
 * any other reason. Returns -EBUSY at HTTPS_CALLS_MAX, -EMSGSIZE for a header over
 * HTTPS_HEADER_MAX, -ENOMEM, -EIO: fn is then not called. */
must_check int https_post(struct https *h, const struct https_request *request, https_done_fn fn,
			  void *ctx, struct https_call **ret_call);

/* Ends a call without its callback; NULL is allowed. */
void https_cancel(struct https_call *call);
