/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/https.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"

#define PRIORITY 5u
#define CONNECTIONS_MAX 2L
#define CONNECTION_AGE_S 300L /* at least twice the heartbeat */

struct https_call {
	struct https *https;
	struct https_call *next;
	CURL *easy;
	struct curl_slist *headers;
	https_done_fn fn;
	void *ctx;
	uint64_t started_ns;
	size_t header_bytes;
	bool is_too_large;
	struct buf body;
	char error[CURL_ERROR_SIZE];
};

struct https {
	struct loop *loop;
	struct loop_source *timer;
	CURLM *multi;
	struct https_call *calls;
	size_t n_calls;
};

/* A socket of libcurl's in our loop. */
struct socket_watch {
	struct https *https;
	struct loop_source *source;
	curl_socket_t fd;
};

static void call_free(struct https_call *c)
{
	if (c == NULL)
		return;
	curl_easy_cleanup(c->easy);
	curl_slist_free_all(c->headers);
	buf_done(&c->body);
	free(c);
}

DEFINE_CLEANUP(struct https_call *, call, call_free)

static void call_unlink(struct https_call *c)
{
	struct https *h = c->https;

	for (struct https_call **p = &h->calls; *p != NULL; p = &(*p)->next) {
		if (*p != c)
			continue;
		*p = c->next;
		h->n_calls--;
		(void)curl_multi_remove_handle(h->multi, c->easy);
		return;
	}
}

/* What libcurl found out, as far as it makes a difference; its words say the rest. */
static int error_of(CURLcode code, bool is_too_large)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_PEER_FAILED_VERIFICATION:
		return -EKEYREJECTED;
	case CURLE_FILESIZE_EXCEEDED:
		return -EMSGSIZE;
	case CURLE_WRITE_ERROR:
		return is_too_large ? -EMSGSIZE : -ENOMEM;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return -EPROTO;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

/* Tells the caller; the call is out of all lists and is freed behind the callback. */
static void call_finish(struct https_call *taken, CURLcode code)
{
	cleanup_(call_cleanup) struct https_call *c = taken;
	char *type = NULL;
	long status = 0;
	curl_off_t retry_after_s = 0;
	struct https_result result = {
		.error = error_of(code, c->is_too_large),
		.body = buf_str(&c->body),
		.elapsed_ns = clock_mono_ns() - c->started_ns,
		.reason = "",
	};

	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(c->easy, CURLINFO_CONTENT_TYPE, &type);
	/* Zero or below: absent, not readable, or a time that is past. */
	(void)curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	if (retry_after_s > 0)
		result.retry_after_s = (uint64_t)retry_after_s;
	if (result.error == 0 && (status < 100 || status > 999))
		result.error = -EPROTO;
	result.status = result.error == 0 ? (unsigned int)status : 0;
	result.type = str_of(type);
	if (result.error < 0)
		result.reason = c->error[0] != '\0' ? c->error : curl_easy_strerror(code);
	c->fn(c->ctx, &result);
}

/* Each callback may start and cancel calls, so the list is looked at anew. */
static void calls_collect(struct https *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
		struct https_call *c = NULL;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
		call_unlink(c);
		call_finish(c, code);
	}
}

static int on_socket_ready(void *ctx, uint32_t epoll_events)
{
	struct socket_watch *w = ctx;
	struct https *h = w->https; /* w may be gone after the next call */
	int running, mask = 0;

	if ((epoll_events & EPOLLIN) != 0)
		mask |= CURL_CSELECT_IN;
	if ((epoll_events & EPOLLOUT) != 0)
		mask |= CURL_CSELECT_OUT;
	if ((epoll_events & (EPOLLERR | EPOLLHUP)) != 0)
		mask |= CURL_CSELECT_ERR;
	(void)curl_multi_socket_action(h->multi, w->fd, mask, &running);
	calls_collect(h);
	return 0;
}

static int on_timer(void *ctx, uint64_t now_ns)
{
	struct https *h = ctx;
	int running;

	(void)now_ns;
	(void)curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	calls_collect(h);
	return 0;
}

static void watch_free(struct socket_watch *w)
{
	if (w == NULL)
		return;
	loop_source_free(w->source);
	free(w);
}

/* CURLMOPT_SOCKETFUNCTION(3): libcurl says what it waits for on a socket. A failure here could
 * be told by -1, but that ends all transfers without a word, those to come too; not told, the
 * one transfer runs into its time limit. */
static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *watch)
{
	struct https *h = ctx;
	struct socket_watch *w = watch;
	uint32_t events = (what == CURL_POLL_IN || what == CURL_POLL_INOUT ? EPOLLIN : 0u) |
			  (what == CURL_POLL_OUT || what == CURL_POLL_INOUT ? EPOLLOUT : 0u);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		watch_free(w);
		(void)curl_multi_assign(h->multi, fd, NULL);
		return 0;
	}
	if (w != NULL) {
		loop_source_set_events(w->source, events);
		return 0;
	}
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return 0;
	*w = (struct socket_watch){ .https = h, .fd = fd };
	if (loop_add_fd(h->loop, fd, events, on_socket_ready, w, &w->source) < 0 ||
	    curl_multi_assign(h->multi, fd, w) != CURLM_OK) {
		watch_free(w);
		return 0;
	}
	loop_source_set_priority(w->source, PRIORITY);
	return 0;
}

/* CURLMOPT_TIMERFUNCTION(3): -1 means no timer. */
static int on_curl_timer(CURLM *multi, long timeout_ms, void *ctx)
{
	struct https *h = ctx;

	(void)multi;
	loop_timer_set(h->timer, timeout_ms < 0
					 ? UINT64_MAX
					 : clock_mono_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC);
	return 0;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct https_call *c = ctx;

	buf_add(&c->body, data, size * n);
	if (buf_error(&c->body) == 0)
		return size * n;
	c->is_too_large = buf_error(&c->body) == -EMSGSIZE;
	return 0;
}

/* One header line with its end; also what comes before the answer or behind its body. */
/* NOLINTNEXTLINE(readability-non-const-parameter): libcurl's callback type */
static size_t on_header(unused_ char *data, size_t size, size_t n, void *ctx)
{
	struct https_call *c = ctx;

	c->header_bytes += size * n;
	if (c->header_bytes <= HTTPS_HEADERS_MAX)
		return size * n;
	c->is_too_large = true;
	return 0;
}

static CURLcode option_blob(CURL *easy, CURLoption option, struct str pem)
{
	struct curl_blob blob = { .len = pem.n, .flags = CURL_BLOB_COPY };

	memcpy(&blob.data, &pem.p, sizeof(blob.data)); /* libcurl's type lacks the const */
	return curl_easy_setopt(easy, option, &blob);
}

/* The first thing that went wrong; both calls are made. */
static CURLcode first(CURLcode a, CURLcode b)
{
	return a != CURLE_OK ? a : b;
}

/* What is the same for every request. */
static const struct {
	CURLoption option;
	long value;
} options_fixed[] = {
	{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
	{ CURLOPT_FOLLOWLOCATION, 0 },
	{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
	{ CURLOPT_NOSIGNAL, 1 },
	{ CURLOPT_CONNECTTIMEOUT_MS, HTTPS_CONNECT_MS },
	{ CURLOPT_TIMEOUT_MS, HTTPS_TOTAL_MS },
	{ CURLOPT_LOW_SPEED_LIMIT, HTTPS_SLOW_BYTES },
	{ CURLOPT_LOW_SPEED_TIME, HTTPS_SLOW_S },
	{ CURLOPT_MAXFILESIZE, HTTPS_BODY_MAX },
	{ CURLOPT_MAXAGE_CONN, CONNECTION_AGE_S },
	{ CURLOPT_POST, 1 },
	{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
	{ CURLOPT_SSL_VERIFYPEER, 1 },
	{ CURLOPT_SSL_VERIFYHOST, 2 },
#if LIBCURL_VERSION_NUM >= 0x075700
	/* A name server that does not answer: the resolver's thread is left to itself and
	 * not waited for in our loop. */
	{ CURLOPT_QUICK_EXIT, 1 },
#endif
#if LIBCURL_VERSION_NUM < 0x075500
	{ CURLOPT_PROTOCOLS, CURLPROTO_HTTPS },
#endif
};

/* Who is trusted and who we are. The paths of the distribution's CA bundle, which
 * libcurl has as its default, are taken out: the given certificates are the only trust. */
static CURLcode options_tls(CURL *easy, const struct https_tls *tls)
{
	CURLcode code = curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);

	code = first(code, curl_easy_setopt(easy, CURLOPT_CAPATH, NULL));
	code = first(code, option_blob(easy, CURLOPT_CAINFO_BLOB, tls->ca));
	if (tls->cert.n == 0)
		return code;
	code = first(code, curl_easy_setopt(easy, CURLOPT_SSLCERTTYPE, "PEM"));
	code = first(code, curl_easy_setopt(easy, CURLOPT_SSLKEYTYPE, "PEM"));
	code = first(code, option_blob(easy, CURLOPT_SSLCERT_BLOB, tls->cert));
	return first(code, option_blob(easy, CURLOPT_SSLKEY_BLOB, tls->key));
}

static CURLcode options_request(CURL *easy, const struct https_request *r, struct https_call *c)
{
	CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, r->url);
	const char *body = r->body.n > 0 ? r->body.p : "";

	for (size_t i = 0; i < ARRAY_LEN(options_fixed); i++)
		code = first(code, curl_easy_setopt(easy, options_fixed[i].option,
						    options_fixed[i].value));
#if LIBCURL_VERSION_NUM >= 0x075500
	code = first(code, curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https"));
#endif
	/* An empty proxy also shuts out what the environment says. */
	code = first(code, curl_easy_setopt(easy, CURLOPT_PROXY, ""));
	code = first(code, curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, r->is_fresh ? 1L : 0L));
	code = first(code, curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, r->is_fresh ? 1L : 0L));
	code = first(code,
		     curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.n));
	code = first(code, curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body));
	code = first(code, curl_easy_setopt(easy, CURLOPT_HTTPHEADER, c->headers));
	code = first(code, curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body));
	code = first(code, curl_easy_setopt(easy, CURLOPT_WRITEDATA, c));
	code = first(code, curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header));
	code = first(code, curl_easy_setopt(easy, CURLOPT_HEADERDATA, c));
	code = first(code, curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, c->error));
	code = first(code, curl_easy_setopt(easy, CURLOPT_PRIVATE, c));
	return first(code, options_tls(easy, &r->tls));
}

static int header_add(struct https_call *c, struct str line)
{
	char text[HTTPS_HEADER_MAX + 1];
	int r = str_copy(line, text, sizeof(text));

	if (r < 0)
		return r;

	struct curl_slist *list = curl_slist_append(c->headers, text);

	explicit_bzero(text, sizeof(text)); /* one of them carries a secret */
	if (list == NULL)
		return -ENOMEM;
	c->headers = list;
	return 0;
}

static int headers_copy(struct https_call *c, struct str lines)
{
	/* An empty value removes what libcurl would send by itself. */
	int r = header_add(c, STR("Expect:"));

	if (r == 0)
		r = header_add(c, STR("Accept:"));
	while (r == 0 && lines.n > 0)
		r = header_add(c, str_split(&lines, '\n'));
	return r;
}

int https_post(struct https *h, const struct https_request *request, https_done_fn fn, void *ctx,
	       struct https_call **ret_call)
{
	if (h->n_calls >= HTTPS_CALLS_MAX)
		return -EBUSY;

	cleanup_(call_cleanup) struct https_call *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	*c = (struct https_call){ .https = h, .fn = fn, .ctx = ctx, .started_ns = clock_mono_ns() };
	buf_init(&c->body, HTTPS_BODY_MAX);
	c->easy = curl_easy_init();
	if (c->easy == NULL)
		return -ENOMEM;

	int r = headers_copy(c, request->headers);

	if (r < 0)
		return r;

	CURLcode code = options_request(c->easy, request, c);

	if (code != CURLE_OK)
		return error_of(code, false);
	if (curl_multi_add_handle(h->multi, c->easy) != CURLM_OK)
		return -EIO;
	c->next = h->calls;
	h->calls = c;
	h->n_calls++;
	*ret_call = take_ptr(c);
	return 0;
}

void https_cancel(struct https_call *call)
{
	if (call == NULL)
		return;
	call_unlink(call);
	call_free(call);
}

int https_new(struct loop *l, struct https **ret_https)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -EIO;

	cleanup_(https_cleanup) struct https *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return -ENOMEM;
	h->loop = l;

	int r = loop_add_timer(l, on_timer, h, &h->timer);

	if (r < 0)
		return r;
	h->multi = curl_multi_init();
	if (h->multi == NULL)
		return -ENOMEM;
	if (curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket) != CURLM_OK ||
	    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h) != CURLM_OK ||
	    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer) != CURLM_OK ||
	    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h) != CURLM_OK ||
	    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX) != CURLM_OK ||
	    curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) != CURLM_OK)
		return -EIO;
	*ret_https = take_ptr(h);
	return 0;
}

void https_free(struct https *h)
{
	if (h == NULL)
		return;
	while (h->calls != NULL) {
		struct https_call *c = h->calls;

		h->calls = c->next;
		(void)curl_multi_remove_handle(h->multi, c->easy);
		call_free(c);
	}
	if (h->multi != NULL)
		(void)curl_multi_cleanup(h->multi);
	loop_source_free(h->timer);
	free(h);
}
