/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/api.h"

#include <stdio.h>

#define PROTOCOL_VERSION "1"

/* What a client is told to wait after a commit that failed. */
#define STORAGE_RETRY_S 10u

enum route_flags {
	ROUTE_DEVICE = 1,   /* a client certificate of a known device is required */
	ROUTE_PROTOCOL = 2, /* Agent-Protocol is required */
};

struct api_route {
	const char *method;
	const char *path; /* a "*" segment is the device's id */
	unsigned int flags;
	size_t body_max;
	void (*handle)(struct api_call *call);
};

static const struct api_route routes[] = {
	{ "GET", "/healthz", 0, 0, healthz_handle },
	{ "POST", "/v1/enroll", ROUTE_PROTOCOL, 64u * 1024u, enrol_handle },
	{ "POST", "/v1/renew", ROUTE_PROTOCOL | ROUTE_DEVICE, 64u * 1024u, renew_handle },
	{ "POST", "/v1/devices/*/events", ROUTE_PROTOCOL | ROUTE_DEVICE, HTTP_BODY_MAX,
	  ingest_handle },
	{ "POST", "/v1/devices/*/heartbeat", ROUTE_PROTOCOL | ROUTE_DEVICE, 64u * 1024u,
	  heartbeat_handle },
};

/* True when path fits the pattern; *ret_device is its "*" segment or stays empty. */
static bool path_match(const char *pattern, const char *path, struct str *ret_device)
{
	struct str want = str_of(pattern);
	struct str have = str_of(path);

	while (want.p != NULL && have.p != NULL) {
		struct str a = str_split(&want, '/');
		struct str b = str_split(&have, '/');

		if (str_eq(a, STR("*")))
			*ret_device = b;
		else if (!str_eq(a, b))
			return false;
	}
	return want.p == NULL && have.p == NULL;
}

static void fail(struct api_call *call, unsigned int status, const char *code, const char *what)
{
	struct api_error e;

	(void)api_error_set(&e, status, code, 0, "%s", what);
	api_fail(call, &e);
}

/* The route for the request, NULL after a refusal. */
static const struct api_route *route_find(struct http_request *r, struct str *ret_device)
{
	const struct api_route *other = NULL;
	struct api_error e;

	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct str device = { 0 };

		if (!path_match(routes[i].path, http_path(r), &device))
			continue;
		if (strcmp(routes[i].method, http_method(r)) == 0) {
			*ret_device = device;
			return &routes[i];
		}
		other = &routes[i];
	}
	if (other != NULL)
		(void)api_error_set(&e, 405, "method_not_allowed", 0, "this path takes %s",
				    other->method);
	else
		(void)api_error_set(&e, 404, "not_found", 0, "there is no such path");
	http_fail(r, &e);
	if (other != NULL)
		http_allow(r, other->method);
	return NULL;
}

/* The names in the certificate must be those that this server gave its holder. */
static bool names_match(const struct peer_cert *cert, const struct store_caller *caller)
{
	char uri[PEER_CERT_URI_SIZE];
	int n = snprintf(uri, sizeof(uri), "urn:endpoint-agent:%s:%s", caller->tenant_id,
			 caller->device_id);

	return n > 0 && (size_t)n < sizeof(uri) && strcmp(uri, cert->uri) == 0 &&
	       strcmp(cert->common_name, caller->device_id) == 0;
}

/* Who calls, by certificate; false after a refusal. */
static bool caller_find(struct api_call *call)
{
	struct api *api = call->api;
	struct peer_cert cert;
	int r;

	switch (http_peer(call->http, &cert)) {
	case PEER_CERT_NONE:
		fail(call, 401, "no_certificate", "a client certificate is required");
		return false;
	case PEER_CERT_EXPIRED:
		fail(call, 401, "cert_expired", "the client certificate has expired");
		return false;
	case PEER_CERT_UNTRUSTED:
		fail(call, 401, "bad_certificate", "the client certificate is not trusted");
		return false;
	case PEER_CERT_OK:
		break;
	}
	(void)pthread_mutex_lock(&api->reader_lock);
	r = store_caller_find(api->reader, cert.serial, &call->caller);
	(void)pthread_mutex_unlock(&api->reader_lock);
	api->reader_error = r == -ENOENT ? 0 : r;
	if (r < 0 && r != -ENOENT) {
		fail(call, 503, "storage", "the server cannot read its state");
		http_retry_after(call->http, STORAGE_RETRY_S);
	} else if (r == -ENOENT || !names_match(&cert, &call->caller)) {
		fail(call, 401, "unknown_device", "the client certificate names no device here");
	} else if (call->caller.is_revoked) {
		fail(call, 401, "revoked", "the client certificate was revoked");
	} else {
		return true;
	}
	return false;
}

/* The path and the header must name the device that the certificate names. */
static bool device_matches(struct api_call *call, struct str path_device)
{
	struct str own = str_of(call->caller.device_id);
	struct str header = http_header(call->http, "Agent-Device");

	if ((path_device.p == NULL || str_eq(path_device, own)) &&
	    (header.n == 0 || str_eq(header, own)))
		return true;
	fail(call, 403, "wrong_device", "the request names another device than the certificate");
	return false;
}

static void call_free(void *data)
{
	struct api_call *call = data;

	if (call->data_free != NULL)
		call->data_free(call->data);
	free(call);
}

static void on_begin(void *ctx, struct http_request *r)
{
	struct str path_device = { 0 };
	const struct api_route *route = route_find(r, &path_device);
	struct api_call *call;

	if (route == NULL)
		return;
	call = calloc(1, sizeof(*call));
	if (call == NULL) {
		struct api_error e;

		(void)api_error_oom(&e);
		http_fail(r, &e);
		return;
	}
	call->api = ctx;
	call->http = r;
	call->route = route;
	http_attach(r, call, call_free);
	if ((route->flags & ROUTE_PROTOCOL) != 0 &&
	    !str_eq(http_header(r, "Agent-Protocol"), STR(PROTOCOL_VERSION))) {
		fail(call, 426, "protocol", "Agent-Protocol must be " PROTOCOL_VERSION);
		return;
	}
	if ((route->flags & ROUTE_DEVICE) != 0 &&
	    (!caller_find(call) || !device_matches(call, path_device)))
		return;
	http_body_allow(r, route->body_max);
}

static void on_handle(void *ctx, struct http_request *r)
{
	struct api_call *call = http_attached(r);

	(void)ctx;
	call->route->handle(call);
}

int api_storage_error(struct api *api)
{
	struct committer_counters commits;

	committer_counters(api->committer, &commits);
	return commits.last_error != 0 ? commits.last_error : api->reader_error;
}

const struct http_ops api_ops = { .begin = on_begin, .handle = on_handle };

void api_reply_begin(struct api_call *call, unsigned int status, struct jsonw *ret_writer)
{
	jsonw_init(ret_writer, http_reply(call->http, status));
	jsonw_object_begin(ret_writer);
}

void api_fail(struct api_call *call, const struct api_error *e)
{
	http_fail(call->http, e);
}

static struct api_call *job_call(struct commit_job *job)
{
	return (struct api_call *)((char *)job - offsetof(struct api_call, job));
}

static int job_apply(struct commit_job *job, struct store *store)
{
	struct api_call *call = job_call(job);

	return call->run(call, store);
}

static void job_done(struct commit_job *job, int error)
{
	struct api_call *call = job_call(job);

	/* -EBADMSG: run() refused and said why. */
	if (error < 0 && error != -EBADMSG) {
		fail(call, 503, "storage", "the server cannot store this now");
		http_retry_after(call->http, STORAGE_RETRY_S);
	}
	http_resume(call->http);
}

void api_commit(struct api_call *call, size_t bytes,
		int (*run)(struct api_call *call, struct store *store))
{
	call->run = run;
	call->job = (struct commit_job){ .bytes = bytes, .apply = job_apply, .done = job_done };
	if (http_suspend(call->http))
		committer_submit(call->api->committer, &call->job);
}
