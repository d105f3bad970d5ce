/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that are issued, read by the agent's verifier. */
#include "cloud/blob.h"

#include "agent/config/policy.h"
#include "tests/cloud.h"

#define ORG "11111111-2222-4333-8444-555555555555"
#define TENANT "66666666-7777-4888-9999-000000000000"
#define TOKEN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* Two servers' keys, made once. */
static struct pki *servers[2];

static void servers_free(void)
{
	pki_free(servers[0]);
	pki_free(servers[1]);
}

static const struct pki *server(size_t i)
{
	static bool is_registered;

	if (!is_registered)
		CHECK_INT(atexit(servers_free), 0);
	is_registered = true;
	if (servers[i] == NULL)
		CHECK_INT(pki_open(cloud_dir_make(), PKI_CREATE, CLOUD_NOW_US, &servers[i], NULL),
			  0);
	return servers[i];
}

static void onboarding_verifies(void)
{
	cleanup_(buf_cleanup) struct buf ca_pem = { 0 };
	cleanup_(buf_cleanup) struct buf body = { 0 };
	cleanup_(buf_cleanup) struct buf file = { 0 };
	cleanup_(onboarding_cleanup) struct onboarding *o = NULL;
	const struct pki *p = server(0);
	struct diag diag = { 0 };

	buf_init(&ca_pem, PKI_PEM_MAX);
	CHECK_INT(pki_certificate_pem(p, PKI_TLS_ROOT, &ca_pem), 0);
	buf_init(&body, BLOB_MAX);
	buf_init(&file, BLOB_MAX);
	blob_onboarding_format(
		&(struct blob_content){ .org_id = ORG,
					.tenant_id = TENANT,
					.url = "https://127.0.0.1:8443",
					.ca_pem = buf_cstr(&ca_pem),
					.token = TOKEN,
					.plan = PLAN_P2,
					.not_after_us = CLOUD_NOW_US + USEC_PER_SEC },
		&body);
	CHECK_INT(blob_sign(p, buf_str(&body), &file), 0);
	CHECK_INT(policy_verify(buf_str(&file), (struct str){ 0 }, CLOUD_NOW_US, 0, &o, &diag), 0);
	CHECK(!o->is_offboarding);
	CHECK_STR(o->org_id, ORG);
	CHECK_STR(o->tenant_id, TENANT);
	CHECK_STR(o->enroll_token, TOKEN);
	CHECK_INT(o->plan, PLAN_P2);
	CHECK_INT(o->n_endpoints, 1);
	CHECK_STR(o->endpoints[0], "https://127.0.0.1:8443");
	CHECK_INT(o->not_after_us, CLOUD_NOW_US + USEC_PER_SEC);
	CHECK(str_eq(buf_str(&o->ca_pem), buf_str(&ca_pem)));
}

static void offboarding_verifies(void)
{
	cleanup_(buf_cleanup) struct buf body = { 0 };
	cleanup_(buf_cleanup) struct buf file = { 0 };
	cleanup_(onboarding_cleanup) struct onboarding *o = NULL;
	const struct pki *p = server(0);

	buf_init(&body, BLOB_MAX);
	buf_init(&file, BLOB_MAX);
	blob_offboarding_format(ORG, CLOUD_NOW_US + USEC_PER_SEC, &body);
	CHECK_INT(blob_sign(p, buf_str(&body), &file), 0);
	CHECK_INT(policy_verify(buf_str(&file), (struct str){ 0 }, CLOUD_NOW_US, 0, &o, NULL), 0);
	CHECK(o->is_offboarding);
	CHECK_STR(o->org_id, ORG);
}

static void other_servers_are_told_apart(void)
{
	cleanup_(buf_cleanup) struct buf anchor = { 0 };
	cleanup_(buf_cleanup) struct buf body = { 0 };
	cleanup_(buf_cleanup) struct buf file = { 0 };
	const struct pki *a = server(0);
	const struct pki *b = server(1);
	struct onboarding *o = NULL;

	buf_init(&anchor, PKI_PEM_MAX);
	buf_init(&body, BLOB_MAX);
	buf_init(&file, BLOB_MAX);
	CHECK_INT(pki_certificate_pem(a, PKI_ONBOARDING_ROOT, &anchor), 0);
	blob_offboarding_format(ORG, CLOUD_NOW_US + USEC_PER_SEC, &body);
	CHECK_INT(blob_sign(b, buf_str(&body), &file), 0);
	CHECK_INT(policy_verify(buf_str(&file), buf_str(&anchor), CLOUD_NOW_US, 0, &o, NULL),
		  -EKEYREJECTED);
	CHECK(o == NULL);
}

TEST_MAIN({ "onboarding_verifies", onboarding_verifies },
	  { "offboarding_verifies", offboarding_verifies },
	  { "other_servers_are_told_apart", other_servers_are_told_apart })
