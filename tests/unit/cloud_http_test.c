/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/http.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/base/clock.h"
#include "tests/blob.h"

/* What a request that is held leaves of the budget. */
#define SPARE 100u

#define BODY_MAX 1000u

/* A server; a request for /hold takes nearly all of the budget and waits for the test, or
 * for a request for /release. */
struct service {
	struct blob_pki pki;
	int listen_fd;
	uint16_t port;
	struct http *http;
	_Atomic(struct http_request *) held;
};

struct client {
	int fd;
	SSL *ssl;
};

static void on_begin(void *ctx, struct http_request *r)
{
	(void)ctx;
	http_body_allow(r, BODY_MAX);
}

static void on_handle(void *ctx, struct http_request *r)
{
	struct service *s = ctx;

	buf_add_str(http_reply(r, 200), STR("{}"));
	if (strcmp(http_path(r), "/release") == 0)
		http_resume(s->held);
	if (strcmp(http_path(r), "/hold") == 0 && http_charge(r, HTTP_BUDGET_BYTES - SPARE) &&
	    http_suspend(r))
		s->held = r;
}

static void listen_on_loopback(struct service *s)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);

	s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK(bind(s->listen_fd, (struct sockaddr *)&at, n) == 0);
	CHECK(listen(s->listen_fd, 64) == 0);
	CHECK(getsockname(s->listen_fd, (struct sockaddr *)&at, &n) == 0);
	s->port = ntohs(at.sin_port);
}

/* What there is before the server's threads: a test may fork. */
static void service_prepare(struct service *s)
{
	*s = (struct service){ 0 };
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	blob_pki_init(&s->pki, 30);
	listen_on_loopback(s);
}

static void service_run(struct service *s)
{
	static const struct http_ops ops = { .begin = on_begin, .handle = on_handle };
	BIO *bio = BIO_new(BIO_s_mem());
	char *certificate = blob_pem(s->pki.leaf);
	char *key = NULL;
	long n;

	CHECK(bio != NULL &&
	      PEM_write_bio_PrivateKey(bio, s->pki.leaf_key, NULL, NULL, 0, NULL, NULL) == 1);
	CHECK(BIO_write(bio, "", 1) == 1);
	n = BIO_get_mem_data(bio, &key);
	CHECK(n > 1);
	CHECK_INT(http_new(&(struct http_config){ .listen_fd = s->listen_fd,
						  .certificate_pem = certificate,
						  .key_pem = key,
						  .client_ca_pem = certificate,
						  .threads = 2,
						  .ops = &ops,
						  .ctx = s },
			   &s->http),
		  0);
	(void)BIO_free(bio);
	free(certificate);
}

static void service_start(struct service *s)
{
	service_prepare(s);
	service_run(s);
}

static void service_stop(struct service *s)
{
	http_free(s->http);
	(void)close(s->listen_fd);
	blob_pki_done(&s->pki);
}

static uint64_t body_bytes(struct service *s)
{
	struct http_counters c;

	http_counters(s->http, &c);
	return c.body_bytes;
}

/* Waits until all requests together hold n bytes. */
static void wait_for_bytes(struct service *s, uint64_t n)
{
	const struct timespec pause = { .tv_nsec = NSEC_PER_MSEC };
	uint64_t until_ns = clock_mono_ns() + test_patience_ms() * NSEC_PER_MSEC;

	while (body_bytes(s) != n && clock_mono_ns() < until_ns)
		(void)nanosleep(&pause, NULL);
	CHECK_INT(body_bytes(s), n);
}

static void client_write(struct client *c, const char *text, size_t n)
{
	CHECK(SSL_write(c->ssl, text, (int)n) == (int)n);
}

/* Connects and sends the head of a request with a body of n bytes. */
static void client_begin(struct service *s, const char *path, size_t n, struct client *ret_client)
{
	const struct timeval patience = { .tv_sec = test_patience_ms() / 1000 + 1 };
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(s->port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	char head[200];
	int len;

	CHECK(ctx != NULL);
	ret_client->ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	ret_client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(ret_client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	CHECK(connect(ret_client->fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	CHECK(ret_client->ssl != NULL && SSL_set_fd(ret_client->ssl, ret_client->fd) == 1);
	CHECK(SSL_connect(ret_client->ssl) == 1);
	len = snprintf(head, sizeof(head),
		       "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
		       "Content-Length: %zu\r\n\r\n",
		       path, n);
	client_write(ret_client, head, (size_t)len);
}

/* Reads the answer to its end and closes; out is its text. */
static void client_end(struct client *c, char *out, size_t out_size)
{
	size_t n = 0;
	int got = 1;

	while (got > 0 && n < out_size - 1) {
		got = SSL_read(c->ssl, out + n, (int)(out_size - 1 - n));
		n += got > 0 ? (size_t)got : 0;
	}
	out[n] = '\0';
	SSL_free(c->ssl);
	(void)close(c->fd);
}

static const char body[BODY_MAX];

/* Posts n bytes; the whole answer. */
static const char *post(struct service *s, size_t n)
{
	static char answer[4096];
	struct client c;

	client_begin(s, "/", n, &c);
	if (n > 0)
		client_write(&c, body, n);
	client_end(&c, answer, sizeof(answer));
	return answer;
}

#define CHECK_STATUS(answer, status) CHECK(strncmp(answer, "HTTP/1.1 " status, 12) == 0)

/* Another request holds all but SPARE bytes until release(). */
static void wait_for_held(struct service *s, uint64_t bytes)
{
	wait_for_bytes(s, HTTP_BUDGET_BYTES - SPARE + bytes);
	while (s->held == NULL)
		(void)sched_yield();
}

static void hold(struct service *s, struct client *ret_client)
{
	client_begin(s, "/hold", 0, ret_client);
	wait_for_held(s, 0);
}

static void release(struct service *s, struct client *c)
{
	char answer[4096];

	http_resume(s->held);
	client_end(c, answer, sizeof(answer));
	CHECK_STATUS(answer, "200");
	wait_for_bytes(s, 0);
}

static void keeps_bodies_within_the_budget(void)
{
	struct service s;
	struct client holder;
	const char *answer;

	service_start(&s);
	hold(&s, &holder);
	CHECK_STATUS(post(&s, SPARE), "200");
	answer = post(&s, SPARE + 1);
	CHECK_STATUS(answer, "503");
	CHECK(strstr(answer, "\"overloaded\"") != NULL);
	CHECK(strstr(answer, "Retry-After: ") != NULL);
	CHECK_STATUS(post(&s, 0), "200");
	wait_for_bytes(&s, HTTP_BUDGET_BYTES - SPARE);
	release(&s, &holder);
	CHECK_STATUS(post(&s, SPARE + 1), "200");
	wait_for_bytes(&s, 0);
	service_stop(&s);
}

/* A body that was refused halfway must not keep others out until its client is through. */
static void gives_a_refused_body_back(void)
{
	char answer[4096];
	struct service s;
	struct client holder;
	struct client slow;

	service_start(&s);
	hold(&s, &holder);
	client_begin(&s, "/", 2 * (size_t)SPARE, &slow);
	client_write(&slow, body, SPARE);
	wait_for_bytes(&s, HTTP_BUDGET_BYTES);
	client_write(&slow, body, 1);
	wait_for_bytes(&s, HTTP_BUDGET_BYTES - SPARE);
	CHECK_STATUS(post(&s, SPARE), "200");
	client_write(&slow, body, SPARE - 1);
	client_end(&slow, answer, sizeof(answer));
	CHECK_STATUS(answer, "503");
	release(&s, &holder);
	service_stop(&s);
}

static void refuses_long_bodies(void)
{
	char answer[4096];
	struct service s;
	struct client c;

	service_start(&s);
	CHECK_STATUS(post(&s, BODY_MAX), "200");
	client_begin(&s, "/", BODY_MAX + 1, &c);
	client_write(&c, body, BODY_MAX);
	client_write(&c, body, 1);
	client_end(&c, answer, sizeof(answer));
	CHECK_STATUS(answer, "413");
	wait_for_bytes(&s, 0);
	service_stop(&s);
}

/* The deadline of a body ends its connection, but never the wait for a commit. */
static void cuts_who_is_late(void)
{
	uint64_t later_ns = clock_mono_ns() + (HTTP_BODY_S + 20) * NSEC_PER_SEC;
	struct http_counters counters;
	char answer[4096];
	struct service s;
	struct client holder;
	struct client slow;

	service_start(&s);
	hold(&s, &holder);
	client_begin(&s, "/", 20, &slow);
	client_write(&slow, body, 10);
	wait_for_bytes(&s, HTTP_BUDGET_BYTES - SPARE + 10);
	http_sweep(s.http, later_ns);
	http_counters(s.http, &counters);
	CHECK_INT(counters.late, 1);
	client_end(&slow, answer, sizeof(answer));
	CHECK_STR(answer, "");
	wait_for_bytes(&s, HTTP_BUDGET_BYTES - SPARE);
	release(&s, &holder);
	service_stop(&s);
}

/* What clients meet while the server stops; `go` ends when it begins to. */
static void meet_the_stop(struct service *s, int go)
{
	struct client holder;
	struct client late;
	char answer[4096];
	char status;

	client_begin(s, "/hold", 0, &holder);
	client_begin(s, "/release", 20, &late);
	client_write(&late, body, 10);
	CHECK(read(go, answer, 1) == 0);
	do
		status = post(s, 0)[sizeof("HTTP/1.1 ") - 1];
	while (status == '2');
	CHECK_INT(status, '5');
	client_write(&late, body, 10);
	client_end(&late, answer, sizeof(answer));
	CHECK_STATUS(answer, "200");
	client_end(&holder, answer, sizeof(answer));
	CHECK_STATUS(answer, "200");
}

/* The client failed, and nobody releases what the server waits for. */
static void on_alarm(int signo)
{
	static const char words[] = "# the stop does not end\nBail out!\n";

	(void)signo;
	(void)!write(STDOUT_FILENO, words, sizeof(words) - 1);
	_exit(1);
}

/* A stop refuses what is new and waits for what somebody else works on. */
static void stops_after_the_last_answer(void)
{
	struct service s;
	int status = 1;
	int go[2];
	pid_t pid;

	service_prepare(&s);
	(void)sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	CHECK(pipe2(go, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		(void)close(go[1]);
		meet_the_stop(&s, go[0]);
		_exit(0);
	}
	CHECK(pid > 0);
	service_run(&s);
	wait_for_held(&s, 10);
	(void)close(go[1]);
	(void)alarm(test_patience_ms() / 1000 + 1);
	service_stop(&s);
	(void)alarm(0);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK_INT(status, 0);
	(void)close(go[0]);
}

TEST_MAIN({ "keeps_bodies_within_the_budget", keeps_bodies_within_the_budget },
	  { "gives_a_refused_body_back", gives_a_refused_body_back },
	  { "refuses_long_bodies", refuses_long_bodies }, { "cuts_who_is_late", cuts_who_is_late },
	  { "stops_after_the_last_answer", stops_after_the_last_answer })
