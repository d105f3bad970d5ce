/* SPDX-License-Identifier: GPL-2.0-or-later */
/* POST /v1/devices/{d}/events (cloud protocol, section 3). */
#include "agent/base/clock.h"
#include "cloud/api.h"

/* A batch on its way to the committer. */
struct ingest {
	struct batch *batch;
	struct buf body; /* decompressed; the batch borrows from it or from the request */
};

static void ingest_free(void *data)
{
	struct ingest *in = data;

	batch_free(in->batch);
	buf_done(&in->body);
	free(in);
}

/* The uncompressed body. While it is being made it may take all that it is allowed to,
 * afterwards only what it did take is held of the budget. */
static int body_get(struct api_call *call, struct ingest *in, enum decode_encoding encoding,
		    struct str *ret_body, struct api_error *error)
{
	struct str compressed = http_body(call->http);
	size_t limit = decode_limit(compressed.n);
	int r;

	if (encoding == DECODE_IDENTITY) {
		*ret_body = compressed;
		return 0;
	}
	if (!http_charge(call->http, limit))
		return -EAGAIN; /* answered */
	buf_init(&in->body, limit);
	r = decode_body(encoding, compressed, &in->body, error);
	http_uncharge(call->http, limit - (in->body.size < limit ? in->body.size : limit));
	if (r < 0)
		return r;
	http_body_drop(call->http);
	*ret_body = buf_str(&in->body);
	return 0;
}

static void acked_write(struct jsonw *w, const struct store_append *done)
{
	jsonw_key(w, STR("acked"));
	jsonw_object_begin(w);
	jsonw_kv_u64(w, "epoch", done->epoch);
	jsonw_kv_u64(w, "seq", done->seq);
	jsonw_object_end(w);
}

static void reply_stored(struct api_call *call, const struct store_append *done, uint64_t now_us)
{
	struct jsonw w;

	api_reply_begin(call, 200, &w);
	acked_write(&w, done);
	jsonw_kv_bool(&w, "duplicate", done->outcome == STORE_DUPLICATE);
	jsonw_key(&w, STR("server_time"));
	jsonw_time_us(&w, now_us);
	/* This endpoint gives no commands yet, and it paces no one but by 503. */
	jsonw_kv_bool(&w, "commands", false);
	jsonw_kv_u64(&w, "policy_version", call->caller.policy_version);
	jsonw_kv_u64(&w, "min_interval_ms", 0);
	jsonw_object_end(&w);
}

/* 409 says where the cursor stands, so that the agent sees what is missing. */
static void reply_conflict(struct api_call *call, const struct store_append *done)
{
	static const struct {
		const char *code;
		const char *message;
	} answers[] = {
		[STORE_CONFLICT] = { "range_conflict",
				     "this range came before with another content" },
		[STORE_STALE_EPOCH] = { "stale_epoch", "the device has begun a higher epoch" },
		[STORE_GAP] = { "gap", "numbers between the cursor and Batch-First are missing" },
	};
	struct api_error e;
	struct jsonw w;

	(void)api_error_set(&e, 409, answers[done->outcome].code, 0, "%s",
			    answers[done->outcome].message);
	api_reply_begin(call, 409, &w);
	api_error_write(&e, http_request_id(call->http), &w);
	acked_write(&w, done);
	jsonw_object_end(&w);
}

static int ingest_run(struct api_call *call, struct store *store)
{
	const struct ingest *in = call->data;
	struct store_append done = { 0 };
	uint64_t now_us = clock_real_us();
	int r;

	r = store_append(store, call->caller.device, in->batch, now_us, &done);
	if (r < 0)
		return r;
	if (done.outcome == STORE_STORED || done.outcome == STORE_DUPLICATE)
		reply_stored(call, &done, now_us);
	else
		reply_conflict(call, &done);
	return 0;
}

/* Everything that needs no database; *ret_bytes is the body's size. */
static int ingest_prepare(struct api_call *call, struct ingest *in, size_t *ret_bytes,
			  struct api_error *error)
{
	const struct batch_fields fields = {
		.content_type = http_header(call->http, "Content-Type"),
		.content_encoding = http_header(call->http, "Content-Encoding"),
		.epoch = http_header(call->http, "Batch-Epoch"),
		.first = http_header(call->http, "Batch-First"),
		.last = http_header(call->http, "Batch-Last"),
		.count = http_header(call->http, "Batch-Count"),
		.sha256 = http_header(call->http, "Batch-SHA256"),
	};
	struct batch_range range = { 0 };
	struct str body = { 0 };
	int r;

	if ((r = batch_range_parse(&fields, &range, error)) < 0 ||
	    (r = body_get(call, in, range.encoding, &body, error)) < 0)
		return r;
	r = batch_parse(&range, str_of(call->caller.device_id), body, &in->batch, error);
	if (r < 0)
		return r;
	if (in->batch->tenant[0] != '\0' && strcmp(in->batch->tenant, call->caller.tenant_id) != 0)
		return api_error_set(error, 403, "wrong_tenant", 0,
				     "the header object names another tenant");
	*ret_bytes = body.n;
	return 0;
}

void ingest_handle(struct api_call *call)
{
	struct ingest *in = calloc(1, sizeof(*in));
	struct api_error error = { 0 };
	size_t bytes = 0;

	if (in == NULL) {
		(void)api_error_oom(&error);
		api_fail(call, &error);
		return;
	}
	call->data = in;
	call->data_free = ingest_free;
	if (ingest_prepare(call, in, &bytes, &error) == 0)
		api_commit(call, bytes, ingest_run);
	else if (error.status != 0)
		api_fail(call, &error);
}
