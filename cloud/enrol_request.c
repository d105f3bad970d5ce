/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/enrol_request.h"

#include "agent/base/jsonw.h"

#define ENROL_DEPTH_MAX 6u
#define TOKEN_HEX 64u

static int bad_request(struct api_error *error, const char *what)
{
	return api_error_set(error, 400, "bad_request", 0, "%s", what);
}

static bool is_guid_text(struct str s)
{
	if (s.n < 8 || s.n > 64)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-'))
			return false;
	}
	return true;
}

/* Members of the host that may be absent, with their longest length. */
struct text_row {
	const char *parent; /* NULL: the object itself */
	const char *key;
	size_t max;
	size_t offset; /* in struct store_host */
};

static const struct text_row texts[] = {
	{ NULL, "hostname", 255, offsetof(struct store_host, hostname) },
	{ "os", "id", 64, offsetof(struct store_host, os_id) },
	{ "os", "version", 64, offsetof(struct store_host, os_version) },
	{ NULL, "kernel", 128, offsetof(struct store_host, kernel) },
	{ NULL, "arch", 64, offsetof(struct store_host, arch) },
	{ NULL, "agent_version", 64, offsetof(struct store_host, agent_version) },
	{ NULL, "boot_id", 64, offsetof(struct store_host, boot_id) },
};

static int texts_take(const struct cJSON *root, struct store_host *host, struct api_error *error)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const struct text_row *row = &texts[i];
		const struct cJSON *object =
			row->parent == NULL ? root : jsonr_member(root, row->parent);
		const struct cJSON *node = object == NULL ? NULL : jsonr_member(object, row->key);
		struct str s = { 0 };
		int r = jsonr_get_str(node, &s);

		if ((r < 0 && r != -ENOENT) || s.n > row->max)
			return api_error_set(error, 400, "bad_request", 0,
					     "%s is not a string of at most %zu bytes", row->key,
					     row->max);
		memcpy((char *)host + row->offset, &s, sizeof(s));
	}
	return 0;
}

static int tags_take(const struct cJSON *list, struct enrol_request *q, struct api_error *error)
{
	struct jsonw w;
	size_t n = 0;

	if (list != NULL && jsonr_type(list) != JSONR_ARRAY)
		return bad_request(error, "tags is not an array");
	jsonw_init(&w, &q->tags);
	jsonw_array_begin(&w);
	for (const struct cJSON *node = list == NULL ? NULL : jsonr_first(list); node != NULL;
	     node = jsonr_next(node)) {
		struct str tag = { 0 };

		if (jsonr_get_str(node, &tag) < 0 || tag.n > ENROL_TAG_SIZE_MAX ||
		    n == ENROL_TAGS_MAX)
			return bad_request(error, "tags: too many, too long or not strings");
		jsonw_str(&w, tag);
		n++;
	}
	jsonw_array_end(&w);
	if (buf_error(&q->tags) < 0)
		return api_error_oom(error);
	q->host.tags = buf_str(&q->tags);
	return 0;
}

static int host_take(const struct cJSON *root, struct enrol_request *q, struct api_error *error)
{
	struct str plan = { 0 };
	int r;

	if (jsonr_get_str(jsonr_member(root, "machine_guid"), &q->host.machine_guid) < 0 ||
	    !is_guid_text(q->host.machine_guid))
		return bad_request(error, "machine_guid is missing or not valid");
	r = texts_take(root, &q->host, error);
	if (r < 0)
		return r;
	if (q->host.hostname.n == 0)
		return bad_request(error, "hostname is missing");
	r = jsonr_get_str(jsonr_member(root, "plan_requested"), &plan);
	if (r != -ENOENT && (r < 0 || plan_parse(plan, &q->plan_requested) < 0))
		return bad_request(error, "plan_requested is not P1 or P2");
	return tags_take(jsonr_member(root, "tags"), q, error);
}

int enrol_request_parse(struct str body, bool is_renewal, struct enrol_request **ret_request,
			struct api_error *error)
{
	const struct jsonr_limits limits = { .max_bytes = ENROL_BODY_MAX,
					     .max_depth = ENROL_DEPTH_MAX };
	cleanup_(enrol_request_cleanup) struct enrol_request *q = calloc(1, sizeof(*q));
	const struct cJSON *root;
	struct diag why = { 0 };
	int r;

	if (q == NULL)
		return api_error_oom(error);
	buf_init(&q->tags, ENROL_BODY_MAX);
	r = jsonr_parse(body, &limits, &q->doc, &why);
	if (r == -ENOMEM)
		return api_error_oom(error);
	if (r < 0)
		return api_error_set(error, 400, "bad_request", 0, "%.180s", why.text);
	root = jsonr_root(q->doc);
	if (jsonr_type(root) != JSONR_OBJECT)
		return bad_request(error, "the body is not an object");
	if (!is_renewal) {
		r = host_take(root, q, error);
		if (r < 0)
			return r;
	}
	if (jsonr_get_str(jsonr_member(root, "csr"), &q->csr_pem) < 0)
		return bad_request(error, "csr is missing");
	r = pki_csr_parse(q->csr_pem, &q->csr, &why);
	if (r == -ENOMEM)
		return api_error_oom(error);
	if (r < 0)
		return api_error_set(error, 400, "bad_csr", 0, "%.180s", why.text);
	*ret_request = take_ptr(q);
	return 0;
}

void enrol_request_free(struct enrol_request *q)
{
	if (q == NULL)
		return;
	pki_csr_free(q->csr);
	jsonr_free(q->doc);
	buf_done(&q->tags);
	free(q);
}

bool enrol_request_has_key(const struct enrol_request *q, struct str idempotency_key)
{
	uint8_t key[SHA256_SIZE];
	uint8_t digest[SHA256_SIZE];

	if (idempotency_key.n == 0)
		return true;
	if (hex_decode(idempotency_key, key, sizeof(key)) != (ssize_t)sizeof(key))
		return false;
	return memcmp(key, pki_csr_sha256(q->csr), sizeof(key)) == 0 ||
	       (sha256(q->csr_pem, digest) == 0 && memcmp(key, digest, sizeof(key)) == 0);
}

int enrol_token_parse(struct str authorization, struct str *ret_token)
{
	const struct str scheme = STR("Bearer ");
	uint8_t bytes[TOKEN_HEX / 2];
	struct str token;

	if (!str_starts(authorization, scheme))
		return -EINVAL;
	token = (struct str){ .p = authorization.p + scheme.n, .n = authorization.n - scheme.n };
	if (token.n != TOKEN_HEX || hex_decode(token, bytes, sizeof(bytes)) < 0)
		return -EINVAL;
	*ret_token = token;
	return 0;
}

int enrol_device_id(const char *tenant_id, struct str machine_guid,
		    char ret_id[STORE_DEVICE_ID_SIZE])
{
	char storage[STORE_GUID_SIZE + 64 + 2];
	char hex[SHA256_HEX_SIZE];
	struct buf text;
	int r;

	buf_init_fixed(&text, storage, sizeof(storage));
	buf_add_str(&text, str_of(tenant_id));
	buf_add_char(&text, '\n');
	buf_add_str(&text, machine_guid);
	r = buf_error(&text);
	if (r == 0)
		r = sha256_hex(buf_str(&text), hex);
	if (r < 0)
		return r;
	memcpy(ret_id, hex, STORE_DEVICE_ID_SIZE - 1);
	ret_id[STORE_DEVICE_ID_SIZE - 1] = '\0';
	return 0;
}
