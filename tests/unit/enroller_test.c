/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/enroller.h"

#include "tests/endpoint.h"

#define DEVICE "0123456789abcdef0123456789abcdef01234567"

static const struct host host = {
	.machine_guid = "8f0c1111-2222-3333-4444-555566667777",
	.boot_id = "5e000000-0000-4000-8000-000000000000",
	.hostname = "web-1",
	.os_id = "debian",
	.os_version = "12",
	.kernel = "6.1.0",
	.arch = "x86_64",
};

struct enrolment {
	struct endpoint e;
	struct folder folder;
	struct enroller *enroller;
	bool is_enrolled;
	uint64_t max_events;
};

static void on_enrolled(void *ctx, const struct answer_enrol *a)
{
	struct enrolment *en = ctx;

	en->is_enrolled = true;
	en->max_events = a->max_events;
}

static void enrolment_make(struct enrolment *en)
{
	*en = (struct enrolment){ .folder = folder_make() };
	endpoint_make(&en->e);

	const struct enroller_env env = { .loop = en->e.loop,
					  .session = en->e.session,
					  .identity = &en->e.identity,
					  .cloud_fd = en->folder.fd,
					  .host = &host,
					  .version = "1.2.3",
					  .enrolled = on_enrolled,
					  .ctx = en };

	CHECK_INT(enroller_new(&env, &en->enroller), 0);
	CHECK_INT(identity_prepare(&en->e.identity, en->folder.fd, "machine"), 0);
}

static void enrolment_done(struct enrolment *en)
{
	enroller_free(en->enroller);
	endpoint_done(&en->e);
	folder_done(&en->folder);
}

/* The answer of an endpoint that knows the request; extra: members in front. */
static void answer_make(struct enrolment *en, const char *status, const char *extra, char *out,
			size_t out_size)
{
	BIO *bio = BIO_new_mem_buf(en->e.identity.csr.data, (int)en->e.identity.csr.len);
	X509_REQ *req = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
	EVP_PKEY *key = X509_REQ_get_pubkey(req);
	X509 *cert = blob_certificate(key, DEVICE, en->e.pki.ca, en->e.pki.ca_key, false, 30);
	char *pem = blob_pem(cert);
	cleanup_(buf_cleanup) struct buf body;
	struct jsonw w;

	buf_init(&body, 65536);
	buf_printf(&body, "{%s\"device_id\":\"" DEVICE "\",\"certificate\":", extra);
	jsonw_init(&w, &body);
	jsonw_str(&w, str_of(pem));
	buf_add_char(&body, '}');
	endpoint_answer(out, out_size, status, "", buf_cstr(&body));
	free(pem);
	X509_free(cert);
	EVP_PKEY_free(key);
	X509_REQ_free(req);
	BIO_free(bio);
}

/* Runs until the endpoint was asked and its answer was taken in. */
static void run_answered(struct enrolment *en, char *asked, size_t asked_size)
{
	uint64_t end_ns = clock_mono_ns() + TLS_DEADLINE_MS * NSEC_PER_MSEC;
	struct session_stats st;
	uint64_t failures;

	session_stats(en->e.session, &st);
	failures = st.failures;
	while (!en->is_enrolled && st.failures == failures && clock_mono_ns() < end_ns) {
		CHECK_INT(loop_run_once(en->e.loop, 100), 0);
		session_stats(en->e.session, &st);
	}
	tls_asked(&en->e.server, asked, asked_size);
}

static void enrols(void)
{
	cleanup_(enrolment_done) struct enrolment en;
	char asked[16384], answer[8192];
	const char *const answers[] = { answer, NULL };

	enrolment_make(&en);
	answer_make(&en, "201 Created",
		    "\"session_epoch\":1,\"plan\":\"P2\",\"limits\":{\"max_events\":500},", answer,
		    sizeof(answer));
	endpoint_serve(&en.e, answers);
	enroller_start(en.enroller, &en.e.onboarding);
	enroller_start(en.enroller, &en.e.onboarding);
	CHECK(enroller_is_busy(en.enroller));
	run_answered(&en, asked, sizeof(asked));
	CHECK(en.is_enrolled && !enroller_is_busy(en.enroller));
	CHECK_INT(en.max_events, 500);
	CHECK_STR(en.e.identity.device_id, DEVICE);
	CHECK_STR(en.e.identity.tenant_id, "t-1");
	CHECK_INT(en.e.identity.epoch, 1);
	CHECK(strstr(asked, "[-] POST /v1/enroll HTTP/1.1\r\n") == asked);
	CHECK(strstr(asked, "\r\nAuthorization: Bearer 00112233") != NULL);
	CHECK(strstr(asked, en.e.identity.csr_sha256) != NULL);
	CHECK(strstr(asked, "\"machine_guid\":\"8f0c1111-") != NULL);
	CHECK(strstr(asked, "\"os\":{\"id\":\"debian\",\"version\":\"12\"}") != NULL);
	CHECK(strstr(asked, "\"plan_requested\":\"P2\"") != NULL);
	CHECK(strstr(asked, "PRIVATE") == NULL); /* the key stays here */
}

static void renews(void)
{
	cleanup_(enrolment_done) struct enrolment en;
	char asked[16384], answer[8192], again[8192], old[SHA256_HEX_SIZE];
	const char *const answers[] = { answer, again, NULL };

	enrolment_make(&en);
	answer_make(&en, "200 OK", "\"session_epoch\":1,\"plan\":\"P2\",", answer, sizeof(answer));
	answer_make(&en, "200 OK", "", again, sizeof(again));
	endpoint_serve(&en.e, answers);
	enroller_start(en.enroller, &en.e.onboarding);
	run_answered(&en, asked, sizeof(asked));
	CHECK(en.is_enrolled);
	/* Within the hour of an enrolment nothing is asked. */
	enroller_renew(en.enroller, &en.e.onboarding);
	CHECK(!enroller_is_busy(en.enroller));
	enroller_stop(en.enroller);
	en.is_enrolled = false;
	memcpy(old, en.e.identity.csr_sha256, sizeof(old));
	enroller_renew(en.enroller, &en.e.onboarding);
	run_answered(&en, asked, sizeof(asked));
	CHECK(en.is_enrolled);
	CHECK(strstr(asked, "[" DEVICE "] POST /v1/renew HTTP/1.1\r\n") == asked);
	CHECK(strstr(asked, "Authorization") == NULL);
	CHECK(strcmp(old, en.e.identity.csr_sha256) != 0);
	CHECK_INT(en.e.identity.epoch, 1);
}

/* A host that was off for a month. */
static void enrols_again_when_its_certificate_is_past(void)
{
	cleanup_(enrolment_done) struct enrolment en;
	char asked[16384], answer[8192], again[8192], refusal[512];
	const char *const answers[] = { answer, again, refusal, NULL };

	enrolment_make(&en);
	answer_make(&en, "201 X", "\"session_epoch\":1,\"plan\":\"P2\",", answer, sizeof(answer));
	answer_make(&en, "200 OK", "\"session_epoch\":1,\"plan\":\"P2\",", again, sizeof(again));
	endpoint_answer(refusal, sizeof(refusal), "401 No", "",
			"{\"error\":{\"code\":\"token_expired\"}}");
	endpoint_serve(&en.e, answers);
	enroller_start(en.enroller, &en.e.onboarding);
	run_answered(&en, asked, sizeof(asked));
	enroller_stop(en.enroller);
	en.is_enrolled = false;
	en.e.identity.not_after_us = clock_real_us() - 1;
	enroller_renew(en.enroller, &en.e.onboarding);
	run_answered(&en, asked, sizeof(asked));
	CHECK(en.is_enrolled);
	CHECK(strstr(asked, "[-] POST /v1/enroll HTTP/1.1\r\n") == asked);
	CHECK(en.e.identity.not_after_us > clock_real_us());

	/* A token that does no more must not stand in the way of a renewal to come. */
	enroller_stop(en.enroller);
	en.is_enrolled = false;
	enroller_start(en.enroller, &en.e.onboarding);
	run_answered(&en, asked, sizeof(asked));
	CHECK(!en.is_enrolled && !enroller_is_busy(en.enroller));
}

static void refuses_what_is_not_for_it(const char *status, const char *body)
{
	cleanup_(enrolment_done) struct enrolment en;
	char asked[16384], answer[8192];
	const char *const answers[] = { answer, NULL };

	enrolment_make(&en);
	if (body != NULL)
		endpoint_answer(answer, sizeof(answer), status, "", body);
	else
		answer_make(&en, status, "\"session_epoch\":0,\"plan\":\"P2\",", answer,
			    sizeof(answer));
	endpoint_serve(&en.e, answers);
	enroller_start(en.enroller, &en.e.onboarding);
	run_answered(&en, asked, sizeof(asked));
	CHECK(!en.is_enrolled && enroller_is_busy(en.enroller));
	CHECK(!identity_is_enrolled(&en.e.identity));
	/* Nothing is asked again at once. */
	CHECK_INT(loop_run_once(en.e.loop, 0), 0);

	struct pollfd pfd = { .fd = en.e.server.asked_fd, .events = POLLIN };

	CHECK_INT(poll(&pfd, 1, 0), 0);
}

static void refuses_bad_answers(void)
{
	refuses_what_is_not_for_it("201 Created", NULL);
	refuses_what_is_not_for_it("201 Created", "{}");
	refuses_what_is_not_for_it("201 Created", "not json");
	refuses_what_is_not_for_it("401 No", "{\"error\":{\"code\":\"bad_token\"}}");
	refuses_what_is_not_for_it("409 No", "{\"error\":{\"code\":\"device_exists\"}}");
	refuses_what_is_not_for_it("500 No", "");
	refuses_what_is_not_for_it("302 No", "");
}

TEST_MAIN({ "enrols", enrols }, { "renews", renews },
	  { "enrols_again_when_its_certificate_is_past",
	    enrols_again_when_its_certificate_is_past },
	  { "refuses_bad_answers", refuses_bad_answers })
