/* SPDX-License-Identifier: GPL-2.0-or-later */
/* POST /v1/enroll and /v1/renew (cloud protocol, section 2). */
#include "agent/base/clock.h"
#include "cloud/api.h"
#include "cloud/enrol_request.h"

/* An enrolment or renewal on its way to the committer. */
struct enrol {
	struct enrol_request *request;
	uint8_t token_sha256[SHA256_SIZE]; /* of the token's text; enrolment only */
	struct buf pem;			   /* the certificate */
};

static void enrol_free(void *data)
{
	struct enrol *en = data;

	enrol_request_free(en->request);
	buf_done(&en->pem);
	free(en);
}

/* Refuses inside a transaction: what was written for this call is undone. */
static int refuse(struct api_call *call, unsigned int status, const char *code, const char *what)
{
	struct api_error e;
	int r = api_error_set(&e, status, code, 0, "%s", what);

	api_fail(call, &e);
	return r;
}

/* Issues a certificate for the device's key and remembers it. */
static int certificate_add(struct api_call *call, struct store *store,
			   const struct pki_subject *subject, int64_t device, uint64_t now_us)
{
	struct enrol *en = call->data;
	struct pki_certificate made = { 0 };
	struct store_certificate row = { .device = device, .issued_us = now_us };
	int r;

	r = pki_device_issue(call->api->pki, en->request->csr, subject, now_us, &en->pem, &made);
	if (r < 0)
		return r;
	_Static_assert(sizeof(row.serial) == sizeof(made.serial), "one size of serial numbers");
	memcpy(row.serial, made.serial, sizeof(row.serial));
	memcpy(row.csr_sha256, pki_csr_sha256(en->request->csr), sizeof(row.csr_sha256));
	row.expires_us = made.expires_us;
	row.pem = buf_str(&en->pem);
	return store_certificate_add(store, &row);
}

/* 0 when the token allows this enrolment; a device that is there uses none up. */
static int token_check(struct api_call *call, struct store *store, uint64_t now_us,
		       struct store_token *ret_token)
{
	const struct enrol *en = call->data;
	int r = store_token_find(store, en->token_sha256, ret_token);

	if (r == -ENOENT)
		return refuse(call, 401, "bad_token", "the enrolment token is not known");
	if (r < 0)
		return r;
	if (ret_token->expires_us <= now_us)
		return refuse(call, 401, "token_expired", "the enrolment token has expired");
	return 0;
}

static int device_new(struct api_call *call, struct store *store, const struct store_token *token,
		      struct store_device *d, uint64_t now_us)
{
	const struct enrol *en = call->data;
	int r;

	if (token->uses >= token->max_uses)
		return refuse(call, 401, "token_used_up",
			      "the enrolment token was used as often as it may be");
	r = store_token_use(store, en->token_sha256);
	if (r < 0)
		return r;
	d->tenant = token->tenant;
	d->epoch = 1;
	memcpy(d->key_sha256, pki_csr_key_sha256(en->request->csr), sizeof(d->key_sha256));
	return store_device_add(store, d, &en->request->host, now_us, &d->id);
}

/* The device enrols again: the same one only with the same key. */
static int device_again(struct api_call *call, struct store *store, const struct store_device *d,
			uint64_t now_us)
{
	const struct enrol *en = call->data;

	if (memcmp(d->key_sha256, pki_csr_key_sha256(en->request->csr), sizeof(d->key_sha256)) != 0)
		return refuse(call, 409, "device_exists",
			      "this machine is enrolled with another key");
	return store_device_update(store, d, &en->request->host, now_us);
}

static void enrol_reply(struct api_call *call, unsigned int status, const struct store_device *d,
			const struct store_tenant *tenant, uint64_t now_us)
{
	const struct enrol *en = call->data;
	struct jsonw w;

	api_reply_begin(call, status, &w);
	jsonw_kv_str(&w, "device_id", str_of(d->device_id));
	jsonw_kv_str(&w, "certificate", buf_str(&en->pem));
	jsonw_kv_str(&w, "chain", str_of(call->api->chain_pem));
	jsonw_kv_u64(&w, "session_epoch", d->epoch);
	jsonw_kv_str(&w, "plan", str_of(plan_name(d->plan)));
	jsonw_kv_u64(&w, "policy_version", tenant->policy_version);
	jsonw_key(&w, STR("server_time"));
	jsonw_time_us(&w, now_us);
	jsonw_key(&w, STR("limits"));
	jsonw_object_begin(&w);
	jsonw_kv_u64(&w, "max_batch_bytes", BATCH_BYTES_MAX);
	jsonw_kv_u64(&w, "max_events", BATCH_EVENTS_MAX);
	jsonw_kv_u64(&w, "max_line", BATCH_LINE_MAX);
	jsonw_object_end(&w);
	jsonw_kv_u64(&w, "next_heartbeat_s", API_HEARTBEAT_S);
	jsonw_object_end(&w);
}

/* The lower of the token's plan and what was asked for. */
static enum plan plan_grant(const struct store_token *token, const struct enrol_request *q)
{
	return q->plan_requested != PLAN_NONE && q->plan_requested < token->plan ? q->plan_requested
										 : token->plan;
}

static int enrol_run(struct api_call *call, struct store *store)
{
	struct enrol *en = call->data;
	struct store_tenant tenant = { 0 };
	struct store_token token = { 0 };
	struct store_device d = { 0 };
	char id[STORE_DEVICE_ID_SIZE];
	uint64_t now_us = clock_real_us();
	bool is_new;
	int r;

	if ((r = token_check(call, store, now_us, &token)) < 0 ||
	    (r = store_tenant_get(store, token.tenant, &tenant)) < 0 ||
	    (r = enrol_device_id(tenant.tenant_id, en->request->host.machine_guid, id)) < 0)
		return r;
	r = store_device_find(store, id, &d);
	if (r < 0 && r != -ENOENT)
		return r;
	is_new = r == -ENOENT;
	memcpy(d.device_id, id, sizeof(id));
	d.plan = plan_grant(&token, en->request);
	r = is_new ? device_new(call, store, &token, &d, now_us)
		   : device_again(call, store, &d, now_us);
	if (r < 0)
		return r;

	/* A repeated request gets the certificate that the first one got. */
	const struct pki_subject subject = { .tenant_id = tenant.tenant_id, .device_id = id };

	r = store_certificate_find(store, d.id, pki_csr_sha256(en->request->csr), now_us, &en->pem);
	if (r == -ENOENT)
		r = certificate_add(call, store, &subject, d.id, now_us);
	if (r < 0)
		return r;
	enrol_reply(call, is_new ? 201 : 200, &d, &tenant, now_us);
	return 0;
}

static int renew_run(struct api_call *call, struct store *store)
{
	struct enrol *en = call->data;
	const struct pki_subject subject = { .tenant_id = call->caller.tenant_id,
					     .device_id = call->caller.device_id };
	uint64_t now_us = clock_real_us();
	struct jsonw w;
	int r;

	r = store_certificate_find(store, call->caller.device, pki_csr_sha256(en->request->csr),
				   now_us, &en->pem);
	if (r == -ENOENT)
		r = certificate_add(call, store, &subject, call->caller.device, now_us);
	if (r < 0)
		return r;
	/* The certificate that was shown speaks for a new key. */
	r = store_device_key_set(store, call->caller.device, pki_csr_key_sha256(en->request->csr),
				 now_us);
	if (r < 0)
		return r;
	api_reply_begin(call, 200, &w);
	jsonw_kv_str(&w, "device_id", str_of(call->caller.device_id));
	jsonw_kv_str(&w, "certificate", buf_str(&en->pem));
	jsonw_kv_str(&w, "chain", str_of(call->api->chain_pem));
	jsonw_key(&w, STR("server_time"));
	jsonw_time_us(&w, now_us);
	jsonw_object_end(&w);
	return 0;
}

/* Parses the body into call->data; false after a refusal. */
static bool enrol_prepare(struct api_call *call, bool is_renewal)
{
	struct enrol *en = calloc(1, sizeof(*en));
	struct api_error error = { 0 };

	if (en == NULL) {
		(void)api_error_oom(&error);
		api_fail(call, &error);
		return false;
	}
	buf_init(&en->pem, PKI_PEM_MAX);
	call->data = en;
	call->data_free = enrol_free;
	if (enrol_request_parse(http_body(call->http), is_renewal, &en->request, &error) < 0) {
		api_fail(call, &error);
		return false;
	}
	if (!enrol_request_has_key(en->request, http_header(call->http, "Idempotency-Key"))) {
		(void)refuse(call, 400, "bad_header",
			     "Idempotency-Key is not the SHA-256 of the certificate request");
		return false;
	}
	return true;
}

void enrol_handle(struct api_call *call)
{
	struct str token = { 0 };
	struct enrol *en;

	if (enrol_token_parse(http_header(call->http, "Authorization"), &token) < 0) {
		(void)refuse(call, 401, "bad_token", "Authorization must be Bearer and 64 digits");
		return;
	}
	if (!enrol_prepare(call, false))
		return;
	en = call->data;
	if (sha256(token, en->token_sha256) < 0) {
		(void)refuse(call, 503, "overloaded", "the server is short of memory");
		return;
	}
	api_commit(call, http_body(call->http).n, enrol_run);
}

void renew_handle(struct api_call *call)
{
	if (enrol_prepare(call, true))
		api_commit(call, http_body(call->http).n, renew_run);
}
