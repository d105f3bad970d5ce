/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An HTTPS endpoint for tests, in a process of its own: answers each request with
 * the next of its scripted answers (the last one again and again) and writes what
 * it was asked, with the name of the client's certificate, into a pipe.
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/base/clock.h"
#include "agent/base/loop.h"
#include "tests/blob.h"

#define TLS_REQUEST_MAX 65536u
#define TLS_DEADLINE_MS 5000

struct tls_server {
	pid_t pid;
	int asked_fd; /* requests, each as "[NAME] METHOD ...", ended by a NUL byte */
	char url[64];
};

struct tls_options {
	const char *const *answers; /* raw HTTP, ended by NULL; "": the connection is cut */
	const char *host;	    /* in the certificate; NULL: 127.0.0.1 */
	bool is_tls11;		    /* an old version only */
	bool is_expired;	    /* the certificate, since yesterday */
};

static inline X509 *tls_certificate(const struct blob_pki *p, EVP_PKEY *key,
				    const struct tls_options *opt)
{
	char names[128];
	X509 *cert = blob_certificate(key, "server", p->root, p->root_key, false,
				      opt->is_expired ? -1 : 10);

	(void)snprintf(names, sizeof(names), "IP:%s", opt->host != NULL ? opt->host : "127.0.0.1");
	blob_extension(cert, p->root, NID_subject_alt_name, names);
	CHECK(X509_sign(cert, p->root_key, EVP_sha256()) > 0);
	return cert;
}

/* Any client certificate is let in: what it names is written down. */
static inline int tls_let_in(int ok, X509_STORE_CTX *ctx)
{
	(void)ok;
	(void)ctx;
	return 1;
}

static inline SSL_CTX *tls_context(const struct blob_pki *p, const struct tls_options *opt)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = tls_certificate(p, key, opt);

	CHECK(ctx != NULL && key != NULL);
	CHECK(SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, tls_let_in);
	if (opt->is_tls11) {
		SSL_CTX_set_security_level(ctx, 0);
		CHECK(SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION) == 1);
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	return ctx;
}

/* Bytes of the body that the request announces. */
static inline size_t tls_body_length(const char *request, const char *end)
{
	static const char name[] = "\r\nContent-Length: ";
	const char *at = strstr(request, name);
	uint64_t n;

	if (at == NULL || at > end)
		return 0;
	at += sizeof(name) - 1;
	CHECK_INT(
		parse_u64((struct str){ .p = at, .n = strcspn(at, "\r") }, 0, TLS_REQUEST_MAX, &n),
		0);
	return (size_t)n;
}

/* Reads one request; false at the end of the connection. */
static inline bool tls_read(SSL *ssl, char *request, size_t *ret_n)
{
	size_t n = 0, want = 0;

	while (want == 0 || n < want) {
		int got = SSL_read(ssl, request + n, (int)(TLS_REQUEST_MAX - 1 - n));

		if (got <= 0)
			return false;
		n += (size_t)got;
		request[n] = '\0';

		const char *end = strstr(request, "\r\n\r\n");

		if (end != NULL)
			want = (size_t)(end - request) + 4 + tls_body_length(request, end);
	}
	*ret_n = n;
	return true;
}

static inline void tls_note(SSL *ssl, int fd, const char *request, size_t n)
{
	X509 *peer = SSL_get1_peer_certificate(ssl);
	char name[64] = "-", note[TLS_REQUEST_MAX + 80];

	if (peer != NULL)
		(void)X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, name,
						sizeof(name));
	X509_free(peer);

	int len = snprintf(note, sizeof(note), "[%s] ", name);

	memcpy(note + len, request, n + 1);
	if (write(fd, note, (size_t)len + n + 1) < 0)
		_exit(1);
}

/* One connection after the other, for ever. */
static inline _Noreturn void tls_serve(int sock, int fd, SSL_CTX *ctx, const char *const *answers)
{
	static char request[TLS_REQUEST_MAX];
	size_t n;

	for (;;) {
		int conn = accept(sock, NULL, NULL);
		SSL *ssl = SSL_new(ctx);
		bool is_open;

		(void)SSL_set_fd(ssl, conn);
		is_open = SSL_accept(ssl) == 1;
		while (is_open && tls_read(ssl, request, &n)) {
			tls_note(ssl, fd, request, n);
			is_open = answers[0][0] != '\0' &&
				  SSL_write(ssl, answers[0], (int)strlen(answers[0])) > 0 &&
				  strstr(answers[0], "Connection: close") == NULL;
			if (answers[1] != NULL)
				answers++;
		}
		SSL_free(ssl);
		(void)close(conn);
	}
}

static inline void tls_server_start(struct tls_server *s, const struct blob_pki *p,
				    const struct tls_options *opt)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sa);
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fds[2];

	CHECK(sock >= 0 && bind(sock, (struct sockaddr *)&sa, len) == 0 && listen(sock, 8) == 0);
	CHECK(getsockname(sock, (struct sockaddr *)&sa, &len) == 0);
	CHECK(pipe(fds) == 0);
	(void)snprintf(s->url, sizeof(s->url), "https://127.0.0.1:%u", ntohs(sa.sin_port));
	(void)fflush(stdout);
	s->pid = fork();
	CHECK(s->pid >= 0);
	if (s->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
		tls_serve(sock, fds[1], tls_context(p, opt), opt->answers);
	}
	/* As agent-reporter does: a server that hangs up is an error and not the end. */
	(void)sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	(void)close(sock);
	(void)close(fds[1]);
	s->asked_fd = fds[0];
}

static inline void tls_server_stop(struct tls_server *s)
{
	if (s->pid <= 0)
		return;
	(void)kill(s->pid, SIGKILL);
	(void)waitpid(s->pid, NULL, 0);
	(void)close(s->asked_fd);
	s->pid = 0;
}

/* The next request it got, as text; waits for it. */
static inline void tls_asked(struct tls_server *s, char *out, size_t out_size)
{
	struct pollfd pfd = { .fd = s->asked_fd, .events = POLLIN };
	size_t n = 0;

	do {
		CHECK(n < out_size);
		CHECK(poll(&pfd, 1, TLS_DEADLINE_MS) == 1);
		CHECK(read(s->asked_fd, out + n, 1) == 1);
	} while (out[n++] != '\0');
}

/* Runs the loop until *flag, for no longer than the deadline. */
static inline void tls_run(struct loop *l, const bool *flag)
{
	uint64_t end_ns = clock_mono_ns() + TLS_DEADLINE_MS * NSEC_PER_MSEC;

	while (!*flag && clock_mono_ns() < end_ns)
		CHECK_INT(loop_run_once(l, 100), 0);
	CHECK(*flag);
}
