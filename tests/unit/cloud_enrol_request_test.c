/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/enrol_request.h"

#include "tests/cloud.h"

#define GUID "8f0c0000-0000-4000-8000-00000000000a"

static char *csr_text; /* as JSON string content */

static void csr_make(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char *pem = cloud_csr(key, key);
	struct jsonw w;
	struct buf out;

	buf_init(&out, 100000);
	jsonw_init(&w, &out);
	jsonw_str(&w, str_of(pem));
	free(csr_text);
	csr_text = strdup(buf_cstr(&out));
	buf_done(&out);
	EVP_PKEY_free(key);
	free(pem);
	CHECK(csr_text != NULL);
}

static unsigned int parse(struct str body, bool is_renewal, struct enrol_request **ret_q)
{
	struct api_error e = { 0 };
	int r = enrol_request_parse(body, is_renewal, ret_q, &e);

	CHECK(r == 0 || (e.status >= 400 && e.message[0] != '\0'));
	return r == 0 ? 200 : e.status;
}

/* An enrolment with these members beside csr. */
static unsigned int enrol(const char *members, struct enrol_request **ret_q)
{
	struct buf body;
	unsigned int status;

	buf_init(&body, 100000);
	buf_printf(&body, "{%s,\"csr\":%s}", members, csr_text);
	status = parse(buf_str(&body), false, ret_q);
	buf_done(&body);
	return status;
}

static void reads_an_enrolment(void)
{
	cleanup_(enrol_request_cleanup) struct enrol_request *q = NULL;

	csr_make();
	CHECK_INT(enrol("\"machine_guid\":\"" GUID "\",\"hostname\":\"web-1\",\"os\":{\"id\":"
			"\"debian\",\"version\":\"12\"},\"kernel\":\"6.1.0\",\"arch\":\"x86_64\","
			"\"agent_version\":\"1.0.0\",\"boot_id\":\"5e\",\"tags\":[\"prod\","
			"\"a\\\"b\"]"
			",\"plan_requested\":\"P1\",\"unknown\":{}",
			&q),
		  200);
	CHECK_STRN(q->host.machine_guid, GUID);
	CHECK_STRN(q->host.hostname, "web-1");
	CHECK_STRN(q->host.os_id, "debian");
	CHECK_STRN(q->host.os_version, "12");
	CHECK_STRN(q->host.boot_id, "5e");
	CHECK_STRN(q->host.tags, "[\"prod\",\"a\\\"b\"]");
	CHECK_INT(q->plan_requested, PLAN_P1);
	CHECK(q->csr != NULL);
}

static void needs_little(void)
{
	cleanup_(enrol_request_cleanup) struct enrol_request *q = NULL;
	cleanup_(enrol_request_cleanup) struct enrol_request *renewal = NULL;
	struct buf body;

	csr_make();
	CHECK_INT(enrol("\"machine_guid\":\"" GUID "\",\"hostname\":\"h\"", &q), 200);
	CHECK_STRN(q->host.tags, "[]");
	CHECK_INT(q->plan_requested, PLAN_NONE);
	buf_init(&body, 100000);
	buf_printf(&body, "{\"csr\":%s}", csr_text);
	CHECK_INT(parse(buf_str(&body), true, &renewal), 200);
	buf_done(&body);
}

static void refuses_bad_members(void)
{
	static const char *const bad[] = {
		"\"hostname\":\"h\"",
		"\"machine_guid\":\"" GUID "\"",
		"\"machine_guid\":5,\"hostname\":\"h\"",
		"\"machine_guid\":\"short\",\"hostname\":\"h\"",
		"\"machine_guid\":\"8F0C0000-UPPER\",\"hostname\":\"h\"",
		"\"machine_guid\":\"../../../etc\",\"hostname\":\"h\"",
		"\"machine_guid\":\"" GUID "\",\"hostname\":\"\"",
		"\"machine_guid\":\"" GUID "\",\"hostname\":[]",
		"\"machine_guid\":\"" GUID "\",\"hostname\":\"a\\u0000b\"",
		"\"machine_guid\":\"" GUID "\",\"hostname\":\"h\",\"kernel\":1",
		"\"machine_guid\":\"" GUID "\",\"hostname\":\"h\",\"os\":{\"id\":1}",
		"\"machine_guid\":\"" GUID "\",\"hostname\":\"h\",\"tags\":\"x\"",
		"\"machine_guid\":\"" GUID "\",\"hostname\":\"h\",\"tags\":[1]",
		"\"machine_guid\":\"" GUID
		"\",\"hostname\":\"h\",\"tags\":[\"\",\"\",\"\",\"\",\"\","
		"\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\"]",
		"\"machine_guid\":\"" GUID "\",\"hostname\":\"h\",\"plan_requested\":\"P3\"",
		"\"machine_guid\":\"" GUID "\",\"hostname\":\"h\",\"plan_requested\":2",
		"\"machine_guid\":\"" GUID "\",\"machine_guid\":\"" GUID "\",\"hostname\":\"h\"",
		"\"machine_guid\":\"" GUID "\",\"hostname\":\"h\",\"x\":[[[[[[[[1]]]]]]]]",
	};
	struct enrol_request *q = NULL;

	csr_make();
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK_INT(enrol(bad[i], &q), 400);
	CHECK(q == NULL);
}

static void refuses_bad_bodies(void)
{
	static char large[ENROL_BODY_MAX + 1];
	struct enrol_request *q = NULL;

	memset(large, ' ', sizeof(large));
	CHECK_INT(parse(STR(""), false, &q), 400);
	CHECK_INT(parse(STR("null"), false, &q), 400);
	CHECK_INT(parse(STR("[]"), false, &q), 400);
	CHECK_INT(parse(STR("{"), false, &q), 400);
	CHECK_INT(parse(STR("{}"), true, &q), 400);
	CHECK_INT(parse(STR("{\"csr\":1}"), true, &q), 400);
	CHECK_INT(parse(STR("{\"csr\":\"\"}"), true, &q), 400);
	CHECK_INT(parse(STR("{\"csr\":\"x\"}"), true, &q), 400);
	CHECK_INT(parse(STR("{\"csr\":\"\xff\"}"), true, &q), 400);
	CHECK_INT(parse(STR("{\"csr\":\"a\0b\"}"), true, &q), 400);
	CHECK_INT(parse((struct str){ large, sizeof(large) }, false, &q), 400);
	CHECK(q == NULL);
}

static void compares_idempotency_keys(void)
{
	cleanup_(enrol_request_cleanup) struct enrol_request *q = NULL;
	char hex[SHA256_HEX_SIZE];

	csr_make();
	CHECK_INT(enrol("\"machine_guid\":\"" GUID "\",\"hostname\":\"h\"", &q), 200);
	CHECK(enrol_request_has_key(q, STR("")));
	CHECK_INT(sha256_hex(q->csr_pem, hex), 0);
	CHECK(enrol_request_has_key(q, str_of(hex)));
	hex_encode(pki_csr_sha256(q->csr), SHA256_SIZE, hex);
	CHECK(enrol_request_has_key(q, str_of(hex)));
	hex[0] = hex[0] == '0' ? '1' : '0';
	CHECK(!enrol_request_has_key(q, str_of(hex)));
	CHECK(!enrol_request_has_key(q, STR("abc")));
	free(csr_text);
	csr_text = NULL;
}

static void reads_tokens(void)
{
	struct str token = { 0 };
	static const char good[] =
		"Bearer 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

	CHECK_INT(enrol_token_parse(STR(good), &token), 0);
	CHECK_INT(token.n, 64);
	CHECK_INT(enrol_token_parse((struct str){ 0 }, &token), -EINVAL);
	CHECK_INT(enrol_token_parse(STR("Bearer "), &token), -EINVAL);
	CHECK_INT(enrol_token_parse((struct str){ good, sizeof(good) - 2 }, &token), -EINVAL);
	CHECK_INT(enrol_token_parse((struct str){ good + 7, 64 }, &token), -EINVAL);
	CHECK_INT(enrol_token_parse(STR("Bearer zz112233445566778899aabbccddeeff0011223344556677"
					"8899aabbccddeeff"),
				    &token),
		  -EINVAL);
}

static void names_devices_for_ever(void)
{
	char a[STORE_DEVICE_ID_SIZE];
	char b[STORE_DEVICE_ID_SIZE];

	CHECK_INT(enrol_device_id("t", STR(GUID), a), 0);
	/* printf 't\n8f0c...0a' | sha256sum: the id may never change between versions. */
	CHECK_STR(a, "8588d3b276144837d8db246147cdbc7543f1de59");
	CHECK_INT(enrol_device_id("u", STR(GUID), b), 0);
	CHECK(strcmp(a, b) != 0);
}

TEST_MAIN({ "reads_an_enrolment", reads_an_enrolment }, { "needs_little", needs_little },
	  { "refuses_bad_members", refuses_bad_members },
	  { "refuses_bad_bodies", refuses_bad_bodies },
	  { "compares_idempotency_keys", compares_idempotency_keys },
	  { "reads_tokens", reads_tokens }, { "names_devices_for_ever", names_devices_for_ever })
