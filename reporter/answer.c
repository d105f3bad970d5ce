/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/answer.h"

#include <string.h>
#include <strings.h>

#include "agent/base/jsonr.h"
#include "agent/base/rfc3339.h"
#include "agent/base/utf8.h"

#define INTERVAL_MAX_MS 3600000u
#define HEARTBEAT_MIN_S 30u
#define HEARTBEAT_MAX_S 900u
#define NUMBER_MAX (UINT64_C(1) << 53)

/* "application/json" in any case, with or without parameters. */
static bool is_json(struct str type)
{
	const struct str json = STR("application/json");

	if (type.n < json.n || strncasecmp(type.p, json.p, json.n) != 0)
		return false;
	return type.n == json.n || type.p[json.n] == ';' || type.p[json.n] == ' ';
}

static enum answer_verdict judge_status(unsigned int status)
{
	switch (status) {
	case 200:
	case 201:
		return ANSWER_OK;
	case 400:
		return ANSWER_BAD_REQUEST;
	case 401:
		return ANSWER_UNAUTHORISED;
	case 403:
		return ANSWER_FORBIDDEN;
	case 404:
	case 405:
	case 426:
		return ANSWER_MISMATCH;
	case 409:
		return ANSWER_CONFLICT;
	case 413:
		return ANSWER_TOO_LARGE;
	case 415:
		return ANSWER_ENCODING;
	case 429:
	case 503:
		return ANSWER_WAIT;
	case 408:
	case 425:
		return ANSWER_RETRY;
	default:
		return status >= 500 && status <= 599 ? ANSWER_RETRY : ANSWER_NOT_PROTOCOL;
	}
}

enum answer_verdict answer_judge(const struct https_result *result)
{
	if (result->error == -EPROTO || result->error == -EMSGSIZE)
		return ANSWER_NOT_PROTOCOL;
	if (result->error < 0)
		return ANSWER_RETRY;

	enum answer_verdict v = judge_status(result->status);

	/* A proxy or a captive portal answers these in HTML; what they would make us do
	 * (drop an event, enrol again, stop) needs the endpoint's own word. */
	switch (v) {
	case ANSWER_OK:
	case ANSWER_BAD_REQUEST:
	case ANSWER_UNAUTHORISED:
	case ANSWER_FORBIDDEN:
	case ANSWER_CONFLICT:
		return is_json(result->type) ? v : ANSWER_NOT_PROTOCOL;
	default:
		return v;
	}
}

/* A JSON object of an answer. */
static int object_parse(struct str body, struct jsonr **ret_doc)
{
	const struct jsonr_limits limits = { .max_bytes = HTTPS_BODY_MAX,
					     .max_depth = ANSWER_DEPTH_MAX };
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;
	int r = jsonr_parse(body, &limits, &doc, NULL);

	if (r < 0)
		return r == -ENOMEM ? r : -EPROTO;
	if (jsonr_type(jsonr_root(doc)) != JSONR_OBJECT)
		return -EPROTO;
	*ret_doc = take_ptr(doc);
	return 0;
}

/* An optional number: absent leaves *ret_value, wrong is -EPROTO. */
static int optional_u64(const struct cJSON *object, const char *key, uint64_t min, uint64_t max,
			uint64_t *ret_value)
{
	int r = jsonr_get_u64(jsonr_member(object, key), min, max, ret_value);

	return r < 0 && r != -ENOENT ? -EPROTO : 0;
}

static int optional_time(const struct cJSON *object, uint64_t *ret_us)
{
	struct str s;
	int r = jsonr_get_str(jsonr_member(object, "server_time"), &s);

	if (r == -ENOENT)
		return 0;
	return r < 0 || rfc3339_parse(s, ret_us) < 0 ? -EPROTO : 0;
}

void answer_error_parse(struct str body, struct answer_error *ret_error)
{
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;
	struct answer_error e = { 0 };
	struct str s;

	*ret_error = e;
	if (object_parse(body, &doc) < 0)
		return;

	const struct cJSON *error = jsonr_member(jsonr_root(doc), "error");

	if (error == NULL || jsonr_type(error) != JSONR_OBJECT)
		return;
	if (jsonr_get_str(jsonr_member(error, "code"), &s) == 0)
		(void)!str_copy(s, e.code, sizeof(e.code));
	if (jsonr_get_str(jsonr_member(error, "message"), &s) == 0) {
		s.n = utf8_cut(s, sizeof(e.message) - 1);
		(void)!str_copy(s, e.message, sizeof(e.message));
	}
	if (jsonr_get_u64(jsonr_member(error, "line"), 1, NUMBER_MAX, &e.line) < 0)
		e.line = 0;
	*ret_error = e;
}

/* 40 lower-case hex digits. */
static int device_parse(const struct cJSON *node, char ret_device[ANSWER_DEVICE_SIZE])
{
	struct str s;

	if (jsonr_get_str(node, &s) < 0 || s.n != ANSWER_DEVICE_SIZE - 1)
		return -EPROTO;
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return -EPROTO;
	return str_copy(s, ret_device, ANSWER_DEVICE_SIZE) < 0 ? -EPROTO : 0;
}

static int enrol_certificate(const struct cJSON *root, struct buf *out)
{
	struct str cert, chain = { 0 };
	int r = jsonr_get_str(jsonr_member(root, "chain"), &chain);

	if (r < 0 && r != -ENOENT)
		return -EPROTO;
	if (jsonr_get_str(jsonr_member(root, "certificate"), &cert) < 0 || cert.n == 0)
		return -EPROTO;
	buf_add_str(out, cert);
	if (!str_ends(cert, STR("\n")))
		buf_add_char(out, '\n');
	buf_add_str(out, chain);
	if (buf_error(out) < 0)
		return buf_error(out) == -ENOMEM ? -ENOMEM : -EPROTO;
	return 0;
}

static int enrol_limits(const struct cJSON *root, struct answer_enrol *a)
{
	const struct cJSON *limits = jsonr_member(root, "limits");
	int r;

	if (limits == NULL)
		return 0;
	if (jsonr_type(limits) != JSONR_OBJECT)
		return -EPROTO;
	r = optional_u64(limits, "max_events", 1, NUMBER_MAX, &a->max_events);
	return r < 0 ? r
		     : optional_u64(limits, "max_batch_bytes", 1, NUMBER_MAX, &a->max_batch_bytes);
}

static int enrol_members(const struct cJSON *root, bool is_renewal, struct answer_enrol *a)
{
	int r;

	if ((r = device_parse(jsonr_member(root, "device_id"), a->device_id)) < 0 ||
	    (r = enrol_certificate(root, &a->certificate)) < 0 ||
	    (r = optional_time(root, &a->server_time_us)) < 0)
		return r;
	if (!is_renewal &&
	    jsonr_get_u64(jsonr_member(root, "session_epoch"), 1, ANSWER_EPOCH_MAX, &a->epoch) < 0)
		return -EPROTO;
	return enrol_limits(root, a);
}

int answer_enrol_parse(struct str body, bool is_renewal, struct answer_enrol *ret_answer)
{
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;
	struct answer_enrol a = { 0 };
	int r = object_parse(body, &doc);

	if (r < 0)
		return r;
	buf_init(&a.certificate, ANSWER_CERT_MAX);
	r = enrol_members(jsonr_root(doc), is_renewal, &a);
	if (r < 0) {
		answer_enrol_done(&a);
		return r;
	}
	*ret_answer = a;
	return 0;
}

void answer_enrol_done(struct answer_enrol *a)
{
	buf_done(&a->certificate);
}

int answer_events_parse(struct str body, struct answer_events *ret_answer)
{
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;
	struct answer_events a = { 0 };
	int r = object_parse(body, &doc);

	if (r < 0)
		return r;

	const struct cJSON *root = jsonr_root(doc);
	const struct cJSON *acked = jsonr_member(root, "acked");

	if (acked == NULL || jsonr_type(acked) != JSONR_OBJECT)
		return -EPROTO;
	if (jsonr_get_u64(jsonr_member(acked, "epoch"), 1, ANSWER_EPOCH_MAX, &a.epoch) < 0 ||
	    jsonr_get_u64(jsonr_member(acked, "seq"), 0, NUMBER_MAX, &a.seq) < 0)
		return -EPROTO;
	if (optional_time(root, &a.server_time_us) < 0 ||
	    optional_u64(root, "min_interval_ms", 0, INTERVAL_MAX_MS, &a.min_interval_ms) < 0)
		return -EPROTO;
	*ret_answer = a;
	return 0;
}

int answer_heartbeat_parse(struct str body, struct answer_heartbeat *ret_answer)
{
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;
	struct answer_heartbeat a = { 0 };
	int r = object_parse(body, &doc);

	if (r < 0)
		return r;

	const struct cJSON *root = jsonr_root(doc);

	if (optional_time(root, &a.server_time_us) < 0 ||
	    optional_u64(root, "next_heartbeat_s", HEARTBEAT_MIN_S, HEARTBEAT_MAX_S, &a.next_s) < 0)
		return -EPROTO;
	*ret_answer = a;
	return 0;
}
