/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tests of the reporter's requests share: a loop, a session, an onboarding file's content. */
#pragma once

#include "reporter/session.h"
#include "tests/folder.h"
#include "tests/tls_server.h"

struct endpoint {
	struct blob_pki pki;
	struct loop *loop;
	struct https *https;
	struct session *session;
	struct onboarding onboarding;
	struct identity identity;
	struct tls_server server;
};

/* A whole answer with its length. */
static inline void endpoint_answer(char *out, size_t out_size, const char *status,
				   const char *extra, const char *body)
{
	(void)snprintf(out, out_size,
		       "HTTP/1.1 %s\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n"
		       "\r\n%s",
		       status, extra, strlen(body), body);
}

static inline void endpoint_make(struct endpoint *e)
{
	char *pem;

	*e = (struct endpoint){ 0 };
	blob_made_s = (long)time(NULL);
	blob_pki_init(&e->pki, 365);
	pem = blob_pem(e->pki.root);
	e->onboarding = (struct onboarding){ .org_id = "01234567-89ab-cdef-0123-456789abcdef",
					     .tenant_id = "t-1",
					     .plan = PLAN_P2,
					     .enroll_token = "00112233445566778899aabbccddeeff"
							     "00112233445566778899aabbccddeeff",
					     .n_endpoints = 1 };
	buf_init(&e->onboarding.ca_pem, POLICY_CA_MAX);
	buf_add_str(&e->onboarding.ca_pem, str_of(pem));
	free(pem);
	identity_init(&e->identity);
	CHECK_INT(loop_new(&e->loop), 0);
	CHECK_INT(https_new(e->loop, &e->https), 0);
	CHECK_INT(session_new(e->https, "1.2.3", &e->session), 0);
}

/* Answers come from there on; the session knows nothing of another one. */
static inline void endpoint_serve(struct endpoint *e, const char *const *answers)
{
	tls_server_stop(&e->server);
	tls_server_start(&e->server, &e->pki, &(struct tls_options){ .answers = answers });
	CHECK_INT(str_copy(str_of(e->server.url), e->onboarding.endpoints[0],
			   sizeof(e->onboarding.endpoints[0])),
		  0);
	session_set(e->session, &e->onboarding, &e->identity);
}

static inline void endpoint_done(struct endpoint *e)
{
	tls_server_stop(&e->server);
	https_free(e->https);
	session_free(e->session);
	loop_free(e->loop);
	identity_done(&e->identity);
	buf_done(&e->onboarding.ca_pem);
	blob_pki_done(&e->pki);
}

static inline void endpoint_run(struct endpoint *e, const bool *flag)
{
	tls_run(e->loop, flag);
}
