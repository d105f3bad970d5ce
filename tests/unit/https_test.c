/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/https.h"

#include "tests/tls_server.h"

static struct blob_pki pki, other;
static char *ca, *other_ca;

/* What a call came to. */
struct outcome {
	bool is_done;
	int error;
	unsigned int status;
	char type[64];
	uint64_t retry_after_s;
	char reason[256];
	size_t body_n;
	char body[64];
};

static void on_done(void *ctx, const struct https_result *r)
{
	struct outcome *o = ctx;

	CHECK(!o->is_done);
	*o = (struct outcome){ .is_done = true, .error = r->error, .status = r->status };
	(void)snprintf(o->type, sizeof(o->type), "%.*s", (int)r->type.n, r->type.p);
	o->retry_after_s = r->retry_after_s;
	(void)snprintf(o->body, sizeof(o->body), "%.*s", (int)r->body.n, r->body.p);
	(void)snprintf(o->reason, sizeof(o->reason), "%s", r->reason);
	o->body_n = r->body.n;
}

struct client {
	struct loop *loop;
	struct https *https;
};

static void client_make(struct client *c)
{
	CHECK_INT(loop_new(&c->loop), 0);
	CHECK_INT(https_new(c->loop, &c->https), 0);
}

static void client_done(struct client *c)
{
	https_free(c->https);
	loop_free(c->loop);
}

static void post(struct client *c, const struct https_request *r, struct outcome *o)
{
	struct https_call *call = NULL;

	*o = (struct outcome){ 0 };
	CHECK_INT(https_post(c->https, r, on_done, o, &call), 0);
	tls_run(c->loop, &o->is_done);
}

/* One request to a server that gives this answer. */
static void exchange(const char *answer, struct outcome *o)
{
	const char *const answers[] = { answer, NULL };
	cleanup_(client_done) struct client c;
	cleanup_(tls_server_stop) struct tls_server s;

	tls_server_start(&s, &pki, &(struct tls_options){ .answers = answers });
	client_make(&c);
	post(&c, &(struct https_request){ .url = s.url, .tls.ca = str_of(ca), .body = STR("x") },
	     o);
}

static void posts_and_reads_the_answer(void)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		"Retry-After:  17 \r\nContent-Length: 4\r\n\r\n{ }\n",
		NULL
	};
	cleanup_(client_done) struct client c;
	cleanup_(tls_server_stop) struct tls_server s;
	char asked[4096], url[128];
	struct outcome o;

	tls_server_start(&s, &pki, &(struct tls_options){ .answers = answers });
	client_make(&c);
	(void)snprintf(url, sizeof(url), "%s/v1/x", s.url);
	for (int i = 0; i < 2; i++) { /* the second time on the same connection */
		post(&c,
		     &(struct https_request){ .url = url,
					      .headers = STR("X-One: 1\n"),
					      .body = STR("{\"a\":1}"),
					      .tls.ca = str_of(ca) },
		     &o);
		CHECK_INT(o.error, 0);
		CHECK_INT(o.status, 200);
		CHECK_STR(o.type, "application/json");
		CHECK_INT(o.retry_after_s, 17);
		CHECK_STR(o.body, "{ }\n");
		CHECK_STR(o.reason, "");
		tls_asked(&s, asked, sizeof(asked));
		CHECK(strstr(asked, "[-] POST /v1/x HTTP/1.1\r\n") == asked);
		CHECK(strstr(asked, "\r\nX-One: 1\r\n") != NULL);
		CHECK(strstr(asked, "\r\nContent-Length: 7\r\n") != NULL);
		CHECK(strstr(asked, "\r\n\r\n{\"a\":1}") != NULL);
		CHECK(strcasestr(asked, "expect:") == NULL);
	}
}

static void shows_its_certificate(void)
{
	static const char *const answers[] = { "HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n",
					       NULL };
	cleanup_(client_done) struct client c;
	cleanup_(tls_server_stop) struct tls_server s;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = blob_certificate(key, "device-1", pki.ca, pki.ca_key, false, 10);
	cleanup_(free_cleanup) char *pem = blob_pem(cert);
	BIO *bio = BIO_new(BIO_s_mem());
	char asked[4096], *key_pem;
	struct outcome o;

	CHECK(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);

	size_t key_n = (size_t)BIO_get_mem_data(bio, &key_pem);
	struct https_request r = { .tls = { .ca = str_of(ca),
					    .cert = str_of(pem),
					    .key = { .p = key_pem, .n = key_n } } };

	tls_server_start(&s, &pki, &(struct tls_options){ .answers = answers });
	client_make(&c);
	r.url = s.url;
	post(&c, &r, &o);
	CHECK_INT(o.status, 204);
	tls_asked(&s, asked, sizeof(asked));
	CHECK(strstr(asked, "[device-1] POST / ") == asked);
	/* A connection of one identity never carries the request of another. */
	r.tls.cert.n = 0;
	tls_server_stop(&s);
	tls_server_start(&s, &pki, &(struct tls_options){ .answers = answers });
	r.url = s.url;
	post(&c, &r, &o);
	tls_asked(&s, asked, sizeof(asked));
	CHECK(strstr(asked, "[-] POST / ") == asked);
	BIO_free(bio);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static void trusts_only_what_it_is_given(void)
{
	static const char *const answers[] = { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
					       NULL };
	cleanup_(client_done) struct client c;
	struct tls_server s;
	struct outcome o;

	client_make(&c);
	tls_server_start(&s, &pki, &(struct tls_options){ .answers = answers });
	post(&c, &(struct https_request){ .url = s.url, .tls.ca = str_of(other_ca) }, &o);
	CHECK_INT(o.error, -EKEYREJECTED);
	CHECK_INT(o.status, 0);
	CHECK(o.reason[0] != '\0');
	tls_server_stop(&s);

	/* The right root, another host's certificate. */
	tls_server_start(&s, &pki,
			 &(struct tls_options){ .answers = answers, .host = "127.0.0.2" });
	post(&c, &(struct https_request){ .url = s.url, .tls.ca = str_of(ca) }, &o);
	CHECK_INT(o.error, -EKEYREJECTED);
	tls_server_stop(&s);

	tls_server_start(&s, &pki, &(struct tls_options){ .answers = answers, .is_expired = true });
	post(&c, &(struct https_request){ .url = s.url, .tls.ca = str_of(ca) }, &o);
	CHECK_INT(o.error, -EKEYREJECTED);
	tls_server_stop(&s);

	tls_server_start(&s, &pki, &(struct tls_options){ .answers = answers, .is_tls11 = true });
	post(&c, &(struct https_request){ .url = s.url, .tls.ca = str_of(ca) }, &o);
	CHECK_INT(o.error, -EIO);

	/* No request in the clear, whatever the address says. */
	char url[sizeof(s.url) + 8];

	(void)snprintf(url, sizeof(url), "http%s", s.url + 5);
	post(&c, &(struct https_request){ .url = url, .tls.ca = str_of(ca) }, &o);
	CHECK_INT(o.error, -EPROTO);
	tls_server_stop(&s);
}

static void follows_nobody(void)
{
	struct outcome o;

	exchange("HTTP/1.1 307 Go\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
		 &o);
	CHECK_INT(o.error, 0);
	CHECK_INT(o.status, 307);
}

static uint64_t retry_after(const char *value)
{
	char answer[256];
	struct outcome o;

	(void)snprintf(answer, sizeof(answer),
		       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 X\r\nretry-after:%s\r\n"
		       "Content-Length: 0\r\n\r\n",
		       value);
	exchange(answer, &o);
	CHECK_INT(o.error, 0);
	CHECK_INT(o.status, 503);
	return o.retry_after_s;
}

static void reads_retry_after(void)
{
	static const char *const not_said[] = { "", " 0", " -5", " soon",
						" Sun, 06 Nov 1994 08:49:37 GMT" };
	struct tm tm = { 0 };
	time_t soon = time(NULL) + 100;
	char date[64];

	CHECK_INT(retry_after(" 5"), 5);
	CHECK_INT(retry_after("  86400 "), 86400);
	CHECK(strftime(date, sizeof(date), " %a, %d %b %Y %H:%M:%S GMT", gmtime_r(&soon, &tm)) > 0);
	uint64_t s = retry_after(date);

	CHECK(s > 90 && s <= 100);
	for (size_t i = 0; i < ARRAY_LEN(not_said); i++)
		CHECK_INT(retry_after(not_said[i]), 0);
}

static void bounds_what_it_reads(void)
{
	cleanup_(free_cleanup) char *text = malloc(1u << 21);
	struct outcome o;
	size_t n;

	CHECK(text != NULL);
	/* A body over the limit, said or unsaid. */
	exchange("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", &o);
	CHECK_INT(o.error, -EMSGSIZE);
	n = (size_t)snprintf(text, 1u << 21, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
	memset(text + n, 'a', HTTPS_BODY_MAX + 1);
	text[n + HTTPS_BODY_MAX + 1] = '\0';
	exchange(text, &o);
	CHECK_INT(o.error, -EMSGSIZE);

	/* Headers without end. */
	n = (size_t)snprintf(text, 1u << 21, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 400; i++)
		n += (size_t)snprintf(text + n, (1u << 21) - n,
				      "X-%d: 01234567890123456789012345678901234567\r\n", i);
	(void)snprintf(text + n, (1u << 21) - n, "Content-Length: 0\r\n\r\n");
	exchange(text, &o);
	CHECK_INT(o.error, -EMSGSIZE);
}

static void names_what_goes_wrong(void)
{
	struct outcome o;
	cleanup_(client_done) struct client c;

	exchange("", &o);
	CHECK_INT(o.error, -EIO);
	exchange("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nshort", &o);
	CHECK(o.error < 0 || o.body_n == 5);
	exchange("220 mail.example ESMTP\r\n", &o);
	CHECK_INT(o.error, -EPROTO);
	client_make(&c);
	post(&c, &(struct https_request){ .url = "https://127.0.0.1:1/", .tls.ca = str_of(ca) },
	     &o);
	CHECK_INT(o.error, -EIO);
	post(&c, &(struct https_request){ .url = "https://no..body/", .tls.ca = str_of(ca) }, &o);
	CHECK_INT(o.error, -EIO);
	post(&c, &(struct https_request){ .url = "https://127.0.0.1:1/", .tls.ca = STR("no PEM") },
	     &o);
	CHECK(o.error < 0);
}

static void cancels_and_bounds_calls(void)
{
	static const char *const answers[] = { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
					       NULL };
	cleanup_(client_done) struct client c;
	cleanup_(tls_server_stop) struct tls_server s;
	struct https_call *calls[HTTPS_CALLS_MAX], *more = NULL;
	struct outcome never = { 0 }, o = { 0 };

	tls_server_start(&s, &pki, &(struct tls_options){ .answers = answers });
	client_make(&c);

	const struct https_request r = { .url = s.url, .tls.ca = str_of(ca) };

	for (size_t i = 0; i < HTTPS_CALLS_MAX; i++)
		CHECK_INT(https_post(c.https, &r, on_done, &never, &calls[i]), 0);
	CHECK_INT(https_post(c.https, &r, on_done, &never, &more), -EBUSY);
	CHECK(more == NULL);
	for (size_t i = 1; i < HTTPS_CALLS_MAX; i++)
		https_cancel(calls[i]);
	https_cancel(NULL);
	https_cancel(calls[0]);
	post(&c, &r, &o);
	CHECK_INT(o.status, 200);
	CHECK(!never.is_done);
	/* What is on its way when all ends is forgotten without a word. */
	CHECK_INT(https_post(c.https, &r, on_done, &never, &more), 0);
}

static int on_nothing(unused_ void *ctx, unused_ uint64_t now_ns)
{
	return 0;
}

/* A socket that cannot be watched costs that request, and none after it. */
static void recovers_when_the_loop_was_full(void)
{
	static const char *const answers[] = { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
					       NULL };
	static struct loop_source *full[LOOP_SOURCES_MAX];
	cleanup_(client_done) struct client c;
	cleanup_(tls_server_stop) struct tls_server s;
	struct outcome never = { 0 }, o;
	struct https_call *call = NULL;
	size_t n = 0;

	tls_server_start(&s, &pki, &(struct tls_options){ .answers = answers });
	client_make(&c);
	while (n < ARRAY_LEN(full) && loop_add_timer(c.loop, on_nothing, NULL, &full[n]) == 0)
		n++;
	CHECK(n > 0 && n < ARRAY_LEN(full));

	const struct https_request r = { .url = s.url, .tls.ca = str_of(ca) };

	CHECK_INT(https_post(c.https, &r, on_done, &never, &call), 0);
	for (int i = 0; i < 10; i++)
		CHECK_INT(loop_run_once(c.loop, 10), 0);
	CHECK(!never.is_done);
	https_cancel(call);
	while (n > 0)
		loop_source_free(full[--n]);
	post(&c, &r, &o);
	CHECK_INT(o.error, 0);
	CHECK_INT(o.status, 200);
}

static void pki_make(void)
{
	blob_made_s = (long)time(NULL);
	/* What the environment says about proxies does not count. */
	CHECK(setenv("https_proxy", "http://127.0.0.1:1", 1) == 0);
	CHECK(setenv("ALL_PROXY", "http://127.0.0.1:1", 1) == 0);
	blob_pki_init(&pki, 365);
	blob_pki_init(&other, 365);
	ca = blob_pem(pki.root);
	other_ca = blob_pem(other.root);
}

static void pki_end(void)
{
	blob_pki_done(&pki);
	blob_pki_done(&other);
	free(ca);
	free(other_ca);
}

TEST_MAIN({ "pki_make", pki_make }, { "posts_and_reads_the_answer", posts_and_reads_the_answer },
	  { "shows_its_certificate", shows_its_certificate },
	  { "trusts_only_what_it_is_given", trusts_only_what_it_is_given },
	  { "follows_nobody", follows_nobody }, { "reads_retry_after", reads_retry_after },
	  { "bounds_what_it_reads", bounds_what_it_reads },
	  { "names_what_goes_wrong", names_what_goes_wrong },
	  { "cancels_and_bounds_calls", cancels_and_bounds_calls },
	  { "recovers_when_the_loop_was_full", recovers_when_the_loop_was_full },
	  { "pki_end", pki_end })
