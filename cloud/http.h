/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTPS side of cloudd, the only user of libmicrohttpd: a pool of threads,
 * each with its own epoll; requests that are collected within limits, handed to
 * two callbacks, may wait for another thread, and are answered with JSON.
 *
 * A request belongs to the thread that serves its connection; between
 * http_suspend() and http_resume() it belongs to whoever called the former.
 * Limits: connections, header bytes, body bytes, bytes in all bodies together, and
 * a deadline for every phase of a connection (http_sweep()).
 */
#pragma once

#include "agent/base/buf.h"
#include "cloud/api_error.h"
#include "cloud/peer_cert.h"

#define HTTP_CONNECTIONS_MAX 4096u
#define HTTP_HEADERS_MAX 32u
#define HTTP_BODY_MAX (2u * 1024u * 1024u)
#define HTTP_BUDGET_BYTES (256u * 1024u * 1024u)
#define HTTP_REQUEST_ID_SIZE 37u

/* Deadlines of a connection, in seconds. MHD's own timeout counts only silence, so a
 * client that drips a byte at a time would stay for ever. */
#define HTTP_FIRST_REQUEST_S 20u /* handshake and first headers */
#define HTTP_BODY_S 30u
#define HTTP_ANSWER_S 30u
#define HTTP_IDLE_S 300u /* at least two heartbeats */

struct http;
struct http_request;

struct http_ops {
	/* Headers are there. May refuse by http_fail(), else allows a body by
	 * http_body_allow(). */
	void (*begin)(void *ctx, struct http_request *r);
	/* The body is there (not called after a refusal). Answers or suspends. */
	void (*handle)(void *ctx, struct http_request *r);
};

struct http_config {
	int listen_fd; /* listening, non-blocking; stays the caller's, open until http_free() */
	const char *certificate_pem;
	const char *key_pem;
	const char *client_ca_pem; /* whom client certificates must come from */
	unsigned int threads;
	const struct http_ops *ops;
	void *ctx;
};

struct http_counters {
	uint64_t connections; /* open now */
	uint64_t requests;
	uint64_t refused;    /* answered with 4xx */
	uint64_t failed;     /* answered with 5xx */
	uint64_t late;	     /* connections cut at a deadline */
	uint64_t body_bytes; /* held by requests now */
};

/* Starts serving. -ENOMEM, -EIO when libmicrohttpd refuses. */
must_check int http_new(const struct http_config *config, struct http **ret_http);

/* Refuses new requests, waits until none is suspended and, for two seconds at
 * most, until all are answered; then ends all connections and threads. NULL is allowed. */
void http_free(struct http *h);
DEFINE_CLEANUP(struct http *, http, http_free)

/* Cuts connections that are past their deadline; to be called about each second. */
void http_sweep(struct http *h, uint64_t now_ns);

void http_counters(struct http *h, struct http_counters *ret_counters);

/* ---- a request; strings are borrowed while it lives ---- */

struct http *http_server(const struct http_request *r);
const char *http_method(const struct http_request *r);
const char *http_path(const struct http_request *r); /* decoded, without a query */
const char *http_request_id(const struct http_request *r);

/* A header by name, empty when absent. */
struct str http_header(const struct http_request *r, const char *name);

/* The client's certificate, verified at this moment. */
enum peer_cert_state http_peer(const struct http_request *r, struct peer_cert *ret_cert);

/* In begin(): accepts a body of at most max bytes (<= HTTP_BODY_MAX); refuses with
 * 413 when Content-Length announces more. */
void http_body_allow(struct http_request *r, size_t max);

struct str http_body(const struct http_request *r);

/* Gives the body's memory back before the request is over. */
void http_body_drop(struct http_request *r);

/* Takes n bytes from the budget of all requests; false (and a 503 is set) when it
 * is used up. What a request holds returns when it is over, or by http_uncharge(). */
bool http_charge(struct http_request *r, size_t n);
void http_uncharge(struct http_request *r, size_t n);

/* Something of the handlers that lives as long as the request. */
void http_attach(struct http_request *r, void *data, void (*data_free)(void *data));
void *http_attached(const struct http_request *r);

/* ---- answers: the last one set counts ---- */

/* Sets the status and returns the emptied buffer for a JSON body. */
struct buf *http_reply(struct http_request *r, unsigned int status);

/* {"error":{...}} with the request's id. */
void http_fail(struct http_request *r, const struct api_error *e);

/* Adds Retry-After to a 429 or 503; 0: drawn from 5..60 seconds. */
void http_retry_after(struct http_request *r, unsigned int seconds);

/* Adds Allow to a 405; static text. */
void http_allow(struct http_request *r, const char *methods);

/* ---- waiting for another thread ---- */

/* In handle(), as its last act on r before handing it over: true, and the request
 * waits for http_resume(). False when the server is stopping: a 503 is set. */
must_check bool http_suspend(struct http_request *r);

/* From any thread; r is not the caller's any more. */
void http_resume(struct http_request *r);
