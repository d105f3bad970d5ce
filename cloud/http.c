/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/http.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "agent/base/clock.h"
#include "agent/base/jsonw.h"
#include "agent/base/rand.h"

/* Of each connection: all of its request line and headers must fit in. */
#define CONNECTION_MEMORY (16u * 1024u)

#define REPLY_MAX (64u * 1024u)

/* Longest refused body that is read to its end. */
#define DISCARD_MAX (16u * 1024u * 1024u)

/* How long a stop waits for answers to leave. */
#define DRAIN_ANSWERS_S 2

#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

enum phase { PHASE_FIRST, PHASE_BODY, PHASE_WAITING, PHASE_ANSWER, PHASE_IDLE };

/* Seconds; 0: no deadline, the wait for a commit is ours. */
static const unsigned int phase_seconds[] = {
	[PHASE_FIRST] = HTTP_FIRST_REQUEST_S, [PHASE_BODY] = HTTP_BODY_S, [PHASE_WAITING] = 0,
	[PHASE_ANSWER] = HTTP_ANSWER_S,	      [PHASE_IDLE] = HTTP_IDLE_S,
};

struct connection {
	struct connection *next; /* list and phase: under http.lock */
	struct connection **link;
	int fd;
	enum phase phase;
	uint64_t since_ns;
	bool is_cut;
};

struct http {
	const struct http_ops *ops;
	void *ctx;
	struct MHD_Daemon *daemon;
	pthread_mutex_t lock;
	pthread_cond_t idle; /* suspended or live became 0 */
	struct connection *connections;
	uint64_t n_connections;
	uint64_t suspended; /* requests that wait for another thread */
	uint64_t live;	    /* requests not yet answered to their end */
	uint64_t late;
	bool is_stopping;
	atomic_size_t held; /* bytes of the budget in use */
	atomic_uint_fast64_t requests;
	atomic_uint_fast64_t refused;
	atomic_uint_fast64_t failed;
};

struct http_request {
	struct http *http;
	struct MHD_Connection *mhd;
	struct connection *connection;
	const char *method; /* MHD's, as path is */
	const char *path;
	char id[HTTP_REQUEST_ID_SIZE];
	struct buf body;
	size_t charged;
	bool is_handled;
	bool is_suspended;
	unsigned int status; /* 0: no answer yet */
	struct buf reply;
	unsigned int retry_after_s;
	const char *allow;
	void *data;
	void (*data_free)(void *data);
};

/* --- connections --- */

static void phase_set(struct http *h, struct connection *c, enum phase phase)
{
	(void)pthread_mutex_lock(&h->lock);
	c->phase = phase;
	c->since_ns = clock_mono_ns();
	(void)pthread_mutex_unlock(&h->lock);
}

static void connection_open(struct http *h, struct MHD_Connection *mhd, void **context)
{
	const union MHD_ConnectionInfo *info;
	struct connection *c = calloc(1, sizeof(*c));

	/* Without a record the requests of this connection are refused. */
	*context = c;
	if (c == NULL)
		return;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	c->fd = info == NULL ? -1 : info->connect_fd;
	c->phase = PHASE_FIRST;
	c->since_ns = clock_mono_ns();
	(void)pthread_mutex_lock(&h->lock);
	c->next = h->connections;
	if (c->next != NULL)
		c->next->link = &c->next;
	c->link = &h->connections;
	h->connections = c;
	h->n_connections++;
	(void)pthread_mutex_unlock(&h->lock);
}

/* Comes before the descriptor is closed, so http_sweep() never meets a reused one. */
static void connection_close(struct http *h, struct connection *c)
{
	if (c == NULL)
		return;
	(void)pthread_mutex_lock(&h->lock);
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
	h->n_connections--;
	(void)pthread_mutex_unlock(&h->lock);
	free(c);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		connection_open(cls, mhd, context);
	else
		connection_close(cls, *context);
}

void http_sweep(struct http *h, uint64_t now_ns)
{
	(void)pthread_mutex_lock(&h->lock);
	for (struct connection *c = h->connections; c != NULL; c = c->next) {
		uint64_t limit_ns = phase_seconds[c->phase] * NSEC_PER_SEC;

		if (limit_ns == 0 || c->is_cut || c->fd < 0 || now_ns < c->since_ns ||
		    now_ns - c->since_ns < limit_ns)
			continue;
		/* The thread of the connection sees the end of the stream and closes. */
		(void)shutdown(c->fd, SHUT_RDWR);
		c->is_cut = true;
		h->late++;
	}
	(void)pthread_mutex_unlock(&h->lock);
}

/* --- the request --- */

/* An id that a client chose is echoed only when it looks like a UUID. */
static void request_id_set(struct http_request *r)
{
	struct str id = http_header(r, "Request-Id");

	if (id.n == HTTP_REQUEST_ID_SIZE - 1 &&
	    strspn(id.p, "0123456789abcdefABCDEF-") == HTTP_REQUEST_ID_SIZE - 1)
		memcpy(r->id, id.p, HTTP_REQUEST_ID_SIZE);
	else
		rand_uuid(r->id);
}

static struct http_request *request_new(struct http *h, struct MHD_Connection *mhd,
					const char *method, const char *path)
{
	const union MHD_ConnectionInfo *info;
	struct http_request *r;

	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	if (info == NULL || info->socket_context == NULL)
		return NULL;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->http = h;
	r->mhd = mhd;
	r->connection = info->socket_context;
	r->method = method;
	r->path = path;
	buf_init(&r->body, 0);
	buf_init(&r->reply, REPLY_MAX);
	request_id_set(r);
	(void)atomic_fetch_add(&h->requests, 1);
	(void)pthread_mutex_lock(&h->lock);
	h->live++;
	(void)pthread_mutex_unlock(&h->lock);
	return r;
}

static void request_free(struct http_request *r)
{
	struct http *h = r->http;

	if (r->data_free != NULL)
		r->data_free(r->data);
	(void)atomic_fetch_sub(&h->held, r->charged);
	(void)pthread_mutex_lock(&h->lock);
	if (--h->live == 0)
		(void)pthread_cond_broadcast(&h->idle);
	(void)pthread_mutex_unlock(&h->lock);
	buf_done(&r->body);
	buf_done(&r->reply);
	free(r);
}

struct http *http_server(const struct http_request *r)
{
	return r->http;
}

const char *http_method(const struct http_request *r)
{
	return r->method;
}

const char *http_path(const struct http_request *r)
{
	return r->path;
}

const char *http_request_id(const struct http_request *r)
{
	return r->id;
}

struct str http_header(const struct http_request *r, const char *name)
{
	return str_of(MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name));
}

enum peer_cert_state http_peer(const struct http_request *r, struct peer_cert *ret_cert)
{
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (info == NULL || info->tls_session == NULL)
		return PEER_CERT_NONE;
	return peer_cert_read(info->tls_session, ret_cert);
}

static void fail(struct http_request *r, unsigned int status, const char *code, const char *what)
{
	struct api_error e;

	(void)api_error_set(&e, status, code, 0, "%s", what);
	http_fail(r, &e);
}

/* True when the announced body is longer than max. */
static bool is_announced_over(const struct http_request *r, size_t max)
{
	struct str length = http_header(r, "Content-Length");
	uint64_t n = 0;

	return length.n > 0 && parse_u64(length, 0, max, &n) < 0;
}

void http_body_allow(struct http_request *r, size_t max)
{
	r->body.max = max;
	if (is_announced_over(r, max))
		fail(r, 413, "too_large", "the body is longer than this endpoint takes");
}

struct str http_body(const struct http_request *r)
{
	return buf_str(&r->body);
}

void http_body_drop(struct http_request *r)
{
	http_uncharge(r, r->body.len);
	buf_done(&r->body);
	buf_init(&r->body, 0);
}

bool http_charge(struct http_request *r, size_t n)
{
	if (atomic_fetch_add(&r->http->held, n) + n > HTTP_BUDGET_BYTES) {
		(void)atomic_fetch_sub(&r->http->held, n);
		fail(r, 503, "overloaded", "too many bytes are in flight");
		http_retry_after(r, 0);
		return false;
	}
	r->charged += n;
	return true;
}

void http_uncharge(struct http_request *r, size_t n)
{
	r->charged -= n;
	(void)atomic_fetch_sub(&r->http->held, n);
}

void http_attach(struct http_request *r, void *data, void (*data_free)(void *data))
{
	r->data = data;
	r->data_free = data_free;
}

void *http_attached(const struct http_request *r)
{
	return r->data;
}

/* --- answers --- */

struct buf *http_reply(struct http_request *r, unsigned int status)
{
	r->status = status;
	r->retry_after_s = 0;
	r->allow = NULL;
	buf_clear(&r->reply);
	return &r->reply;
}

void http_fail(struct http_request *r, const struct api_error *e)
{
	struct jsonw w;

	jsonw_init(&w, http_reply(r, e->status));
	jsonw_object_begin(&w);
	api_error_write(e, r->id, &w);
	jsonw_object_end(&w);
}

void http_retry_after(struct http_request *r, unsigned int seconds)
{
	r->retry_after_s = seconds > 0 ? seconds : 5 + (unsigned int)(rand_u64() % 56);
}

void http_allow(struct http_request *r, const char *methods)
{
	r->allow = methods;
}

static void count_status(struct http *h, unsigned int status)
{
	if (status >= 500)
		(void)atomic_fetch_add(&h->failed, 1);
	else if (status >= 400)
		(void)atomic_fetch_add(&h->refused, 1);
}

static void headers_add(struct MHD_Response *response, const struct http_request *r)
{
	char seconds[16];

	(void)MHD_add_response_header(response, "Content-Type", "application/json");
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	(void)MHD_add_response_header(response, "Request-Id", r->id);
	if (r->allow != NULL)
		(void)MHD_add_response_header(response, "Allow", r->allow);
	if (r->retry_after_s > 0 && snprintf(seconds, sizeof(seconds), "%u", r->retry_after_s) > 0)
		(void)MHD_add_response_header(response, "Retry-After", seconds);
}

static enum MHD_Result answer(struct http_request *r)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	if (r->status == 0 || buf_error(&r->reply) < 0)
		fail(r, 500, "internal", "the server has no answer");
	response =
		MHD_create_response_from_buffer(r->reply.len, r->reply.data, MHD_RESPMEM_MUST_COPY);
	if (response == NULL)
		return MHD_NO;
	headers_add(response, r);
	count_status(r->http, r->status);
	phase_set(r->http, r->connection, PHASE_ANSWER);
	result = MHD_queue_response(r->mhd, r->status, response);
	MHD_destroy_response(response);
	return result;
}

/* --- libmicrohttpd's callbacks --- */

static enum MHD_Result request_begin(struct http_request *r)
{
	struct http *h = r->http;
	bool is_stopping;

	(void)pthread_mutex_lock(&h->lock);
	is_stopping = h->is_stopping;
	(void)pthread_mutex_unlock(&h->lock);
	phase_set(h, r->connection, PHASE_BODY);
	if (is_stopping) {
		fail(r, 503, "stopping", "the server is stopping");
		http_retry_after(r, 0);
	} else if (MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, NULL, NULL) >
		   (int)HTTP_HEADERS_MAX) {
		fail(r, 431, "too_many_headers", "too many header lines");
	} else {
		h->ops->begin(h->ctx, r);
	}
	/* A refused body is read to its end and forgotten: closing with bytes unread
	 * would reset the connection under the answer. One that waits to be asked for or is
	 * very long is answered at once. */
	if (r->status != 0 && (http_header(r, "Expect").n > 0 || is_announced_over(r, DISCARD_MAX)))
		return answer(r);
	return MHD_YES;
}

/* More of the body. What a refused request brought is given back at once, not when the
 * client has sent the rest: else a crowd that fills the budget together is refused together. */
static void request_data(struct http_request *r, const char *data, size_t n)
{
	if (r->status != 0)
		return;
	if (n > r->body.max - r->body.len) {
		fail(r, 413, "too_large", "the body is longer than this endpoint takes");
	} else if (http_charge(r, n)) {
		buf_add(&r->body, data, n);
		if (buf_error(&r->body) < 0)
			fail(r, 503, "overloaded", "the server is short of memory");
	}
	if (r->status != 0)
		http_body_drop(r);
}

/* Called with the headers, then with each part of the body, then with none, and
 * once more after a suspended request was resumed. */
/* NOLINTNEXTLINE(readability-function-size): microhttpd gives eight parameters */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **context)
{
	struct http *h = cls;
	struct http_request *r = *context;

	(void)version;
	if (r == NULL) {
		r = request_new(h, mhd, method, url);
		*context = r;
		return r == NULL ? MHD_NO : request_begin(r);
	}
	if (*upload_size > 0) {
		request_data(r, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	if (!r->is_handled) {
		r->is_handled = true;
		if (r->status == 0)
			h->ops->handle(h->ctx, r);
		if (r->is_suspended)
			return MHD_YES;
	}
	return answer(r);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **context,
			 enum MHD_RequestTerminationCode code)
{
	struct http_request *r = *context;

	(void)mhd;
	(void)code;
	if (r == NULL)
		return;
	phase_set(cls, r->connection, PHASE_IDLE);
	request_free(r);
	*context = NULL;
}

bool http_suspend(struct http_request *r)
{
	struct http *h = r->http;
	bool ok;

	(void)pthread_mutex_lock(&h->lock);
	ok = !h->is_stopping;
	if (ok) {
		h->suspended++;
		r->connection->phase = PHASE_WAITING;
	}
	(void)pthread_mutex_unlock(&h->lock);
	if (!ok) {
		fail(r, 503, "stopping", "the server is stopping");
		http_retry_after(r, 0);
		return false;
	}
	r->is_suspended = true;
	MHD_suspend_connection(r->mhd);
	return true;
}

void http_resume(struct http_request *r)
{
	struct http *h = r->http;

	/* After this line r may be answered and freed by its own thread. */
	MHD_resume_connection(r->mhd);
	(void)pthread_mutex_lock(&h->lock);
	if (--h->suspended == 0)
		(void)pthread_cond_broadcast(&h->idle);
	(void)pthread_mutex_unlock(&h->lock);
}

/* --- the server --- */

/* libmicrohttpd must not be stopped while a request is suspended. */
static void drain(struct http *h)
{
	struct timespec until = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += DRAIN_ANSWERS_S;
	(void)pthread_mutex_lock(&h->lock);
	h->is_stopping = true;
	/* Commits end in any case; that a client takes its answer is only hoped for. */
	while (h->suspended > 0)
		(void)pthread_cond_wait(&h->idle, &h->lock);
	while (h->live > 0 && pthread_cond_timedwait(&h->idle, &h->lock, &until) == 0)
		;
	(void)pthread_mutex_unlock(&h->lock);
}

void http_free(struct http *h)
{
	if (h == NULL)
		return;
	if (h->daemon != NULL) {
		drain(h);
		MHD_stop_daemon(h->daemon);
	}
	(void)pthread_cond_destroy(&h->idle);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}

int http_new(const struct http_config *config, struct http **ret_http)
{
	struct http *h = calloc(1, sizeof(*h));
	pthread_condattr_t monotonic;

	if (h == NULL)
		return -ENOMEM;
	h->ops = config->ops;
	h->ctx = config->ctx;
	(void)pthread_mutex_init(&h->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&h->idle, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	h->daemon = MHD_start_daemon(
		MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME, 0, NULL,
		NULL, on_request, h, MHD_OPTION_LISTEN_SOCKET, config->listen_fd,
		MHD_OPTION_HTTPS_MEM_CERT, config->certificate_pem, MHD_OPTION_HTTPS_MEM_KEY,
		config->key_pem, MHD_OPTION_HTTPS_MEM_TRUST, config->client_ca_pem,
		MHD_OPTION_HTTPS_PRIORITIES, TLS_PRIORITIES, MHD_OPTION_THREAD_POOL_SIZE,
		config->threads, MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, HTTP_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, h, MHD_OPTION_END);
	if (h->daemon == NULL) {
		http_free(h);
		return -EIO;
	}
	*ret_http = h;
	return 0;
}

void http_counters(struct http *h, struct http_counters *ret_counters)
{
	struct http_counters c = {
		.requests = atomic_load(&h->requests),
		.refused = atomic_load(&h->refused),
		.failed = atomic_load(&h->failed),
		.body_bytes = atomic_load(&h->held),
	};

	(void)pthread_mutex_lock(&h->lock);
	c.connections = h->n_connections;
	c.late = h->late;
	(void)pthread_mutex_unlock(&h->lock);
	*ret_counters = c;
}
