/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/policy.h"

#include "tests/blob.h"
#include "tests/pass_phrase.h"

#define ORG "01234567-89ab-cdef-0123-456789abcdef"

static struct blob_pki pki;

static void setup_once(void)
{
	if (pki.root == NULL)
		blob_pki_init(&pki, 365);
}

/* Verifies the file for `body`; *ret_o may stay NULL. */
static int verify_body(const char *body, const struct blob_options *opt, unsigned int flags,
		       struct onboarding **ret_o, struct diag *diag)
{
	cleanup_(buf_cleanup) struct buf file;

	setup_once();
	buf_init(&file, 1u << 20);
	blob_make(&pki, body, opt, &file);
	return policy_verify(buf_str(&file), (struct str){ 0 }, BLOB_NOW_US, flags, ret_o, diag);
}

/* The same for a whole onboarding body with `extra` members in front. */
static int verify_extra(const char *extra, struct onboarding **ret_o, struct diag *diag)
{
	cleanup_(buf_cleanup) struct buf body;

	setup_once();
	buf_init(&body, 1u << 20);
	blob_body(&pki, extra, &body);
	return verify_body(buf_cstr(&body), NULL, 0, ret_o, diag);
}

static void accepts_a_good_file(void)
{
	cleanup_(onboarding_cleanup) struct onboarding *o = NULL;
	struct diag diag = { 0 };

	CHECK_INT(verify_extra("\"plan\":\"P2\",\"previousOrgIds\":["
			       "\"AAAAAAAA-89ab-cdef-0123-456789abcdef\"],"
			       "\"notAfter\":\"2026-06-28T00:00:00Z\",\"unknown\":{\"a\":[1]},",
			       &o, &diag),
		  0);
	CHECK_STR(diag.text, "");
	CHECK(!o->is_offboarding && !o->is_leaf_expired && !o->is_expired);
	CHECK_INT(o->plan, PLAN_P2);
	CHECK_STR(o->org_id, ORG);
	CHECK_STR(o->tenant_id, "t-1");
	CHECK_INT(strlen(o->enroll_token), 64);
	CHECK_INT(o->n_endpoints, 1);
	CHECK_STR(o->endpoints[0], "https://127.0.0.1:8443");
	CHECK_INT(o->n_previous, 1);
	CHECK_STR(o->previous_org_ids[0], "aaaaaaaa-89ab-cdef-0123-456789abcdef");
	CHECK_INT(o->not_after_us, UINT64_C(1782604800) * USEC_PER_SEC);
	CHECK_INT(strlen(o->root_fingerprint), 64);

	cleanup_(free_cleanup) char *pem = blob_pem(pki.root);

	CHECK_STRN(buf_str(&o->root_pem), pem);
	CHECK_STRN(buf_str(&o->ca_pem), pem);
}

static void plan_is_p1_when_absent(void)
{
	cleanup_(onboarding_cleanup) struct onboarding *o = NULL;

	CHECK_INT(verify_extra("", &o, NULL), 0);
	CHECK_INT(o->plan, PLAN_P1);
	CHECK(o->not_after_us == UINT64_MAX);
}

static void accepts_an_offboarding_file(void)
{
	cleanup_(onboarding_cleanup) struct onboarding *o = NULL;
	struct diag diag = { 0 };

	CHECK_INT(verify_body("{\"orgId\":\"" ORG "\",\"offboard\":true,"
			      "\"notAfter\":\"2026-06-28T00:00:00Z\"}",
			      NULL, 0, &o, &diag),
		  0);
	CHECK(o->is_offboarding);
	CHECK_STR(o->org_id, ORG);
	CHECK_INT(verify_body("{\"orgId\":\"" ORG "\",\"offboard\":true}", NULL, 0, &o, &diag),
		  -EINVAL);
	CHECK_STR(diag.text, "notAfter: missing");
}

static void expiry_needs_a_flag(void)
{
	static const char body[] = "{\"orgId\":\"" ORG "\",\"offboard\":true,"
				   "\"notAfter\":\"2026-05-01T00:00:00Z\"}";
	cleanup_(onboarding_cleanup) struct onboarding *o = NULL;
	struct diag diag = { 0 };

	CHECK_INT(verify_body(body, NULL, 0, &o, &diag), -EKEYEXPIRED);
	CHECK(o == NULL);
	CHECK_STR(diag.text, "expired at 2026-05-01T00:00:00Z");
	CHECK_INT(verify_body(body, NULL, POLICY_EXPIRED_OK, &o, NULL), 0);
	CHECK(o->is_expired);
}

static void expired_leaf_needs_a_flag(void)
{
	struct blob_pki old;
	cleanup_(buf_cleanup) struct buf file, body;
	cleanup_(onboarding_cleanup) struct onboarding *o = NULL;
	struct diag diag = { 0 };

	buf_init(&file, 1u << 20);
	buf_init(&body, 1u << 20);
	blob_pki_init(&old, 1);
	blob_body(&old, "", &body);
	blob_make(&old, buf_cstr(&body), NULL, &file);

	uint64_t later_us = BLOB_NOW_US + 2 * BLOB_DAY_S * USEC_PER_SEC;
	uint64_t early_us = BLOB_NOW_US - 2 * BLOB_DAY_S * USEC_PER_SEC;
	cleanup_(free_cleanup) char *root = blob_pem(old.root);

	CHECK_INT(policy_verify(buf_str(&file), str_of(root), later_us, 0, &o, &diag),
		  -EKEYEXPIRED);
	CHECK_STR(diag.text, "the signing certificate has expired");
	CHECK_INT(policy_verify(buf_str(&file), str_of(root), early_us, POLICY_EXPIRED_LEAF_OK, &o,
				NULL),
		  -EKEYREJECTED);
	CHECK(o == NULL);
	CHECK_INT(policy_verify(buf_str(&file), str_of(root), later_us, POLICY_EXPIRED_LEAF_OK, &o,
				NULL),
		  0);
	CHECK(o->is_leaf_expired);
	blob_pki_done(&old);
}

static void only_the_pinned_root_counts(void)
{
	struct blob_pki other;
	cleanup_(buf_cleanup) struct buf file, body;
	cleanup_(onboarding_cleanup) struct onboarding *o = NULL;
	struct diag diag = { 0 };

	setup_once();
	buf_init(&file, 1u << 20);
	buf_init(&body, 1u << 20);
	blob_pki_init(&other, 365);
	blob_body(&pki, "", &body);
	blob_make(&pki, buf_cstr(&body), &(struct blob_options){ .leave_root_out = true }, &file);

	cleanup_(free_cleanup) char *right = blob_pem(pki.root), *wrong = blob_pem(other.root);
	cleanup_(free_cleanup) char *ca = blob_pem(pki.ca);
	cleanup_(free_cleanup) char *both = malloc(strlen(right) + strlen(wrong) + 1);

	CHECK(both != NULL);
	(void)snprintf(both, strlen(right) + strlen(wrong) + 1, "%s%s", wrong, right);
	CHECK_INT(policy_verify(buf_str(&file), str_of(wrong), BLOB_NOW_US, 0, &o, &diag),
		  -EKEYREJECTED);
	CHECK(strstr(diag.text, "certificate chain: ") == diag.text);
	CHECK_INT(policy_verify(buf_str(&file), STR("nonsense"), BLOB_NOW_US, 0, &o, NULL),
		  -EKEYREJECTED);
	CHECK_INT(policy_verify(buf_str(&file), str_of(ca), BLOB_NOW_US, 0, &o, NULL),
		  -EKEYREJECTED);
	/* Nothing pinned and no root in the file: there is no end to the chain. */
	CHECK_INT(policy_verify(buf_str(&file), (struct str){ 0 }, BLOB_NOW_US, 0, &o, NULL),
		  -EKEYREJECTED);
	CHECK(o == NULL);
	CHECK_INT(policy_verify(buf_str(&file), str_of(both), BLOB_NOW_US, 0, &o, NULL), 0);
	blob_pki_done(&other);
}

static void refuses_wrong_signatures(void)
{
	static const char body[] = "{\"orgId\":\"" ORG "\",\"offboard\":true,"
				   "\"notAfter\":\"2026-06-28T00:00:00Z\"}";
	struct onboarding *o = NULL;
	struct diag diag = { 0 };
	struct blob_pki mixed;
	cleanup_(buf_cleanup) struct buf file;

	setup_once();
	buf_init(&file, 1u << 20);
	CHECK_INT(
		verify_body(body, &(struct blob_options){ .keep_byte_order = true }, 0, &o, &diag),
		-EKEYREJECTED);
	CHECK_STR(diag.text, "the signature does not match the body");

	/* Signed by somebody else's key, with our certificate beside it. */
	mixed = pki;
	mixed.leaf_key = EVP_RSA_gen(2048);
	blob_make(&mixed, body, NULL, &file);
	CHECK_INT(policy_verify(buf_str(&file), (struct str){ 0 }, BLOB_NOW_US, 0, &o, NULL),
		  -EKEYREJECTED);
	EVP_PKEY_free(mixed.leaf_key);

	/* The root or the CA in the place of the leaf: not RSA-2048. */
	CHECK_INT(verify_body(body, &(struct blob_options){ .leaf = pki.root }, 0, &o, NULL),
		  -EKEYREJECTED);
	CHECK_INT(verify_body(body, &(struct blob_options){ .leaf = pki.ca }, 0, &o, NULL),
		  -EKEYREJECTED);

	/* A leaf under a leaf. */
	mixed = pki;
	mixed.leaf_key = EVP_RSA_gen(2048);
	mixed.leaf = blob_certificate(mixed.leaf_key, "Sub", pki.leaf, pki.leaf_key, false, 365);
	mixed.ca = pki.leaf;
	buf_clear(&file);
	blob_make(&mixed, body, NULL, &file);
	CHECK_INT(policy_verify(buf_str(&file), (struct str){ 0 }, BLOB_NOW_US, 0, &o, NULL),
		  -EKEYREJECTED);
	CHECK(o == NULL);
	EVP_PKEY_free(mixed.leaf_key);
	X509_free(mixed.leaf);
}

/* Every byte of a small file changed: never accepted with another meaning. */
static void any_changed_byte_is_refused_or_harmless(void)
{
	static const char body[] = "{\"orgId\":\"" ORG "\",\"offboard\":true,"
				   "\"notAfter\":\"2026-06-28T00:00:00Z\"}";
	cleanup_(buf_cleanup) struct buf file;

	setup_once();
	buf_init(&file, 1u << 20);
	blob_make(&pki, body, NULL, &file);
	for (size_t i = 0; i < file.len; i += 7) {
		cleanup_(onboarding_cleanup) struct onboarding *o = NULL;

		file.data[i] = (char)(file.data[i] ^ 1);
		/* A change in what is not looked at ("sig", a leading zero bit) is fine. */
		if (policy_verify(buf_str(&file), (struct str){ 0 }, BLOB_NOW_US, 0, &o, NULL) ==
		    0) {
			CHECK(o->is_offboarding);
			CHECK_STR(o->org_id, ORG);
		} else {
			CHECK(o == NULL);
		}
		file.data[i] = (char)(file.data[i] ^ 1);
	}
	for (size_t n = 0; n < file.len; n += 11) {
		struct onboarding *o = NULL;

		CHECK_INT(policy_verify((struct str){ .p = file.data, .n = n }, (struct str){ 0 },
					BLOB_NOW_US, 0, &o, NULL),
			  -EINVAL);
	}
}

static int verify_text(struct str text)
{
	struct onboarding *o = NULL;
	int r = policy_verify(text, (struct str){ 0 }, BLOB_NOW_US, 0, &o, NULL);

	CHECK(o == NULL);
	return r;
}

static void refuses_malformed_files(void)
{
	cleanup_(buf_cleanup) struct buf big, good, twice;

	setup_once();
	CHECK_INT(verify_text(STR("")), -EINVAL);
	CHECK_INT(verify_text(STR("[]")), -EINVAL);
	CHECK_INT(verify_text(STR("{}")), -EINVAL);
	CHECK_INT(verify_text(STR("{\"onboardingInfo\":1}")), -EINVAL);
	CHECK_INT(verify_text(STR("{\"onboardingInfo\":\"\"}")), -EINVAL);
	CHECK_INT(verify_text(STR("{\"onboardingInfo\":\"{}\"}")), -EINVAL);
	CHECK_INT(verify_text(STR("{\"onboardingInfo\":\"\\u0000\"}")), -EINVAL);
	CHECK_INT(verify_text(STR("{\"onboardingInfo\":\"\xff\"}")), -EINVAL);
	CHECK_INT(verify_text(STR("{\"x\":[[[[[[[[[]]]]]]]]]}")), -EINVAL);
	CHECK_INT(verify_text(STR("{\"onboardingInfo\":\"{\\\"body\\\":\\\"{}\\\","
				  "\\\"sha256sig\\\":\\\"AAAA\\\",\\\"cert\\\":\\\"AAAA\\\","
				  "\\\"chain\\\":[]}\"}")),
		  -EINVAL);

	/* A second onboardingInfo: which one counts must never be a question. */
	buf_init(&good, 1u << 20);
	blob_make(&pki,
		  "{\"orgId\":\"" ORG "\",\"offboard\":true,\"notAfter\":"
		  "\"2026-06-28T00:00:00Z\"}",
		  NULL, &good);
	buf_init(&twice, 1u << 20);
	buf_add(&twice, good.data, good.len - 1);
	buf_add_str(&twice, STR(",\"onboardingInfo\":\"{}\"}"));
	CHECK_INT(verify_text(buf_str(&twice)), -EINVAL);
	buf_clear(&twice);
	buf_add_str(&twice, STR("{\"onboarding\\u0049nfo\":\"{}\","));
	buf_add(&twice, good.data + 1, good.len - 1);
	CHECK_INT(verify_text(buf_str(&twice)), -EINVAL);

	buf_init(&big, 1u << 20);
	while (big.len <= POLICY_FILE_MAX)
		buf_add_char(&big, ' ');
	CHECK_INT(verify_text(buf_str(&big)), -EMSGSIZE);
}

static void refuses_bad_values(void)
{
	static const char *const bodies[] = {
		"{}",
		"[]",
		"not json",
		"{\"orgId\":1}",
		"{\"orgId\":\"01234567-89ab-cdef-0123-456789abcde\"}",
		"{\"orgId\":\"01234567x89ab-cdef-0123-456789abcdef\"}",
		"{\"orgId\":\"" ORG "\"}",
		"{\"orgId\":\"" ORG
		"\",\"offboard\":\"true\",\"notAfter\":\"2026-06-28T00:00:00Z\"}",
		"{\"orgId\":\"" ORG "\",\"offboard\":true,\"notAfter\":1782604800}",
		"{\"orgId\":\"" ORG "\",\"offboard\":true,\"notAfter\":\"2026-06-31T00:00:00Z\"}",
		"{\"orgId\":\"" ORG "\",\"offboard\":true,\"offboard\":false}",
	};
	/* In front of a whole body: the members behind must not repeat, so these fail by value
	 * or by the repeated key; both are refusals. */
	static const char *const extras[] = {
		"\"plan\":\"P3\",",
		"\"plan\":\"none\",",
		"\"plan\":2,",
		"\"previousOrgIds\":\"x\",",
		"\"previousOrgIds\":[\"x\"],",
		"\"notAfter\":\"tomorrow\",",
		"\"endpoints\":[],",
		"\"enroll_token\":\"\",",
	};
	struct onboarding *o = NULL;

	for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
		CHECK_INT(verify_body(bodies[i], NULL, 0, &o, NULL), -EINVAL);
	for (size_t i = 0; i < ARRAY_LEN(extras); i++)
		CHECK_INT(verify_extra(extras[i], &o, NULL), -EINVAL);
	CHECK(o == NULL);
}

/* Members of a body given one by one, to refuse each of them alone. */
static int verify_members(const char *endpoints, const char *token, const char *tenant,
			  const char *ca)
{
	cleanup_(onboarding_cleanup) struct onboarding *o = NULL;
	cleanup_(buf_cleanup) struct buf body;
	struct jsonw w;

	setup_once();
	cleanup_(free_cleanup) char *pem = blob_pem(pki.root);

	buf_init(&body, 1u << 20);
	jsonw_init(&w, &body);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "orgId", STR(ORG));
	jsonw_key(&w, STR("endpoints"));
	jsonw_raw(&w, str_of(endpoints));
	jsonw_kv_str(&w, "enroll_token", str_of(token));
	jsonw_kv_str(&w, "tenant_id", str_of(tenant));
	jsonw_kv_str(&w, "ca_pem", str_of(ca ? ca : pem));
	jsonw_object_end(&w);
	return verify_body(buf_cstr(&body), NULL, 0, &o, NULL);
}

static void refuses_bad_members(void)
{
	static const char token[] =
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	static const char url[] = "[\"https://cloud.example:8443/\"]";
	static const char *const urls[] = {
		"[]",
		"{}",
		"[1]",
		"[\"http://cloud.example\"]",
		"[\"https://\"]",
		"[\"https:///\"]",
		"[\"https://user@cloud.example\"]",
		"[\"https://cloud.example/path\"]",
		"[\"https://cloud.example?x\"]",
		"[\"https://cloud.example\\r\\nX: y\"]",
		"[\"HTTPS://cloud.example\"]",
		"[\"https://cloud.example//\"]",
		"[\"https://:8443\"]",
		"[\"https://cloud.example:\"]",
		"[\"https://cloud.example:0\"]",
		"[\"https://cloud.example:65536\"]",
		"[\"https://cloud.example:1:2\"]",
		"[\"https://-x\"]",
		"[\"https://..\"]",
		"[\"https://a]b\"]",
		"[\"https://::1\"]",
		"[\"https://[\"]",
		"[\"https://[]\"]",
		"[\"https://[::1\"]",
		"[\"https://[::1]8443\"]",
		"[\"https://[::1]:\"]",
		"[\"https://[::1]:x\"]",
		"[\"https://[::1%25eth0]:1\"]",
		"[\"https://a\",\"https://b\",\"https://c\",\"https://d\",\"https://e\"]",
	};

	CHECK_INT(verify_members(url, token, "tenant", NULL), 0);
	CHECK_INT(verify_members("[\"https://[::1]:8443\"]", token, "tenant", NULL), 0);
	CHECK_INT(verify_members("[\"https://[::ffff:10.0.0.1]\"]", token, "tenant", NULL), 0);
	CHECK_INT(verify_members("[\"https://10.0.0.1:65535\"]", token, "tenant", NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(urls); i++)
		CHECK_INT(verify_members(urls[i], token, "tenant", NULL), -EINVAL);
	CHECK_INT(verify_members(url, "00", "tenant", NULL), -EINVAL);
	CHECK_INT(verify_members(url, token, "", NULL), -EINVAL);
	CHECK_INT(verify_members(url, token, "a b", NULL), -EINVAL);
	CHECK_INT(verify_members(url, token, "tenant", ""), -EINVAL);
	CHECK_INT(verify_members(url, token, "tenant",
				 "-----BEGIN CERTIFICATE-----\nAAAA\n"
				 "-----END CERTIFICATE-----\n"),
		  -EINVAL);
}

static int verify_encrypted(unused_ void *ctx)
{
	static const char token[] =
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

	return verify_members("[\"https://a\"]", token, "tenant", PASS_PHRASE_PEM("CERTIFICATE"));
}

static void asks_for_no_pass_phrase(void)
{
	setup_once();
	pass_phrase_check(verify_encrypted, NULL, -EINVAL);
}

TEST_MAIN({ "accepts_a_good_file", accepts_a_good_file },
	  { "plan_is_p1_when_absent", plan_is_p1_when_absent },
	  { "accepts_an_offboarding_file", accepts_an_offboarding_file },
	  { "expiry_needs_a_flag", expiry_needs_a_flag },
	  { "expired_leaf_needs_a_flag", expired_leaf_needs_a_flag },
	  { "only_the_pinned_root_counts", only_the_pinned_root_counts },
	  { "refuses_wrong_signatures", refuses_wrong_signatures },
	  { "any_changed_byte_is_refused_or_harmless", any_changed_byte_is_refused_or_harmless },
	  { "refuses_malformed_files", refuses_malformed_files },
	  { "refuses_bad_values", refuses_bad_values },
	  { "refuses_bad_members", refuses_bad_members },
	  { "asks_for_no_pass_phrase", asks_for_no_pass_phrase })
