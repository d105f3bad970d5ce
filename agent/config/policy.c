/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/policy.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "agent/base/jsonr.h"
#include "agent/base/rfc3339.h"

#define SIGNATURE_SIZE 256u /* RSA-2048 */
#define CERTIFICATE_MAX 16384u
#define AUTH_LEVEL 2 /* 112 bits: no SHA-1, no RSA below 2048 (SSL_CTX_set_security_level(3)) */

/* A certificate may begin this much in our future: a freshly made file and two clocks. */
#define CLOCK_SLACK_S 600

static void x509_stack_free(STACK_OF(X509) * s)
{
	sk_X509_pop_free(s, X509_free);
}

DEFINE_CLEANUP(BIO *, bio, BIO_free_all)
DEFINE_CLEANUP(X509 *, x509, X509_free)
DEFINE_CLEANUP(STACK_OF(X509) *, x509_stack, x509_stack_free)
DEFINE_CLEANUP(X509_STORE *, x509_store, X509_STORE_free)
DEFINE_CLEANUP(X509_STORE_CTX *, x509_store_ctx, X509_STORE_CTX_free)
DEFINE_CLEANUP(EVP_MD_CTX *, evp_md_ctx, EVP_MD_CTX_free)

/* What is verified before a byte of the body is looked at. */
struct envelope {
	struct str body; /* S2, as signed; borrowed from the parsed document */
	uint8_t signature[SIGNATURE_SIZE];
	X509 *leaf;
	STACK_OF(X509) * chain;
};

static void envelope_done(struct envelope *e)
{
	X509_free(e->leaf);
	x509_stack_free(e->chain);
}

/* Parses one JSON layer; `layer` names it in the message. */
static int layer_parse(const char *layer, struct str text, struct jsonr **ret_doc,
		       struct diag *diag)
{
	const struct jsonr_limits limits = { .max_bytes = POLICY_FILE_MAX,
					     .max_depth = POLICY_DEPTH_MAX };
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;
	struct diag why = { 0 };
	int r = jsonr_parse(text, &limits, &doc, &why);

	if (r == -ENOMEM)
		return diag_set(diag, r, "out of memory");
	if (r == -EMSGSIZE)
		return diag_set(diag, r, "%s is larger than %u bytes", layer, POLICY_FILE_MAX);
	if (r < 0)
		return diag_set(diag, -EINVAL, "%s: %s", layer, why.text);
	if (jsonr_type(jsonr_root(doc)) != JSONR_OBJECT)
		return diag_set(diag, -EINVAL, "%s: expected a JSON object", layer);
	*ret_doc = take_ptr(doc);
	return 0;
}

/* A string member that must be there. */
static int member_str(const struct cJSON *object, const char *key, struct str *ret_value,
		      struct diag *diag)
{
	if (jsonr_get_str(jsonr_member(object, key), ret_value) < 0)
		return diag_set(diag, -EINVAL, "%s: expected a string", key);
	return 0;
}

static bool is_base64(struct str s)
{
	size_t n = s.n;

	if (n == 0 || n % 4 != 0)
		return false;
	for (int pad = 0; pad < 2 && s.p[n - 1] == '='; pad++)
		n--;
	for (size_t i = 0; i < n; i++) {
		char c = s.p[i];

		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    c != '+' && c != '/')
			return false;
	}
	return true;
}

/* Strict base64 (RFC 4648 section 4, no blanks) appended to out. The alphabet is
 * checked here because EVP_DecodeBlock() skips blanks around the text. */
static int base64_decode(struct str s, struct buf *out)
{
	if (!is_base64(s) || s.n > POLICY_FILE_MAX)
		return -EINVAL;

	char *p = buf_reserve(out, s.n / 4 * 3);

	if (p == NULL)
		return buf_error(out) == -ENOMEM ? -ENOMEM : -EINVAL;

	int n = EVP_DecodeBlock((unsigned char *)p, (const unsigned char *)s.p, (int)s.n);

	if (n < 2)
		return -EINVAL;
	n -= (s.p[s.n - 1] == '=') + (s.p[s.n - 2] == '=');
	out->len += (size_t)n;
	return 0;
}

/* One DER certificate in base64, nothing behind it. */
static int certificate_decode(struct str b64, X509 **ret_cert)
{
	cleanup_(buf_cleanup) struct buf der;

	buf_init(&der, CERTIFICATE_MAX);

	int r = base64_decode(b64, &der);

	if (r < 0)
		return r;

	const unsigned char *p = (const unsigned char *)der.data;
	cleanup_(x509_cleanup) X509 *cert = d2i_X509(NULL, &p, (long)der.len);

	if (cert == NULL || p != (const unsigned char *)der.data + der.len)
		return -EINVAL;
	*ret_cert = take_ptr(cert);
	return 0;
}

static int chain_decode(const struct cJSON *array, STACK_OF(X509) * *ret_chain, struct diag *diag)
{
	cleanup_(x509_stack_cleanup) STACK_OF(X509) *chain = sk_X509_new_null();
	size_t n = 0;

	if (chain == NULL)
		return diag_set(diag, -ENOMEM, "out of memory");
	if (array == NULL || jsonr_type(array) != JSONR_ARRAY)
		return diag_set(diag, -EINVAL, "chain: expected an array of certificates");
	for (const struct cJSON *e = jsonr_first(array); e != NULL; e = jsonr_next(e)) {
		cleanup_(x509_cleanup) X509 *cert = NULL;
		struct str b64;

		if (++n > POLICY_CHAIN_MAX)
			return diag_set(diag, -EINVAL, "chain: more than %u certificates",
					POLICY_CHAIN_MAX);
		if (jsonr_get_str(e, &b64) < 0 || certificate_decode(b64, &cert) < 0)
			return diag_set(diag, -EINVAL, "chain: element %zu is no certificate", n);
		if (sk_X509_push(chain, cert) <= 0)
			return diag_set(diag, -ENOMEM, "out of memory");
		(void)take_ptr(cert);
	}
	if (n == 0)
		return diag_set(diag, -EINVAL, "chain: empty");
	*ret_chain = take_ptr(chain);
	return 0;
}

static int signature_decode(struct str b64, uint8_t ret_signature[SIGNATURE_SIZE])
{
	cleanup_(buf_cleanup) struct buf raw;

	buf_init(&raw, POLICY_FILE_MAX);

	int r = base64_decode(b64, &raw);

	if (r < 0)
		return r;
	if (raw.len != SIGNATURE_SIZE)
		return -EINVAL;
	/* The format stores the number little-endian, OpenSSL wants it the other way. */
	for (size_t i = 0; i < SIGNATURE_SIZE; i++)
		ret_signature[i] = (uint8_t)raw.data[SIGNATURE_SIZE - 1 - i];
	return 0;
}

static int envelope_parse(const struct cJSON *s1, struct envelope *e, struct diag *diag)
{
	struct str sig, cert;
	int r;

	if ((r = member_str(s1, "body", &e->body, diag)) < 0 ||
	    (r = member_str(s1, "sha256sig", &sig, diag)) < 0 ||
	    (r = member_str(s1, "cert", &cert, diag)) < 0)
		return r;
	if (signature_decode(sig, e->signature) < 0)
		return diag_set(diag, -EINVAL, "sha256sig: expected %u bytes in base64",
				SIGNATURE_SIZE);
	if (certificate_decode(cert, &e->leaf) < 0)
		return diag_set(diag, -EINVAL, "cert: expected a certificate in base64 DER");
	return chain_decode(jsonr_member(s1, "chain"), &e->chain, diag);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is OpenSSL's. */
int policy_no_pass_phrase(unused_ char *text, unused_ int size, unused_ int rwflag,
			  unused_ void *ctx)
{
	return -1;
}

/* All certificates of a PEM text; -EINVAL when there is none or one is broken. */
static int pem_certificates(struct str pem, STACK_OF(X509) * *ret_certs)
{
	cleanup_(bio_cleanup) BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	cleanup_(x509_stack_cleanup) STACK_OF(X509) *certs = sk_X509_new_null();

	if (bio == NULL || certs == NULL)
		return -ENOMEM;
	ERR_clear_error();
	for (;;) {
		cleanup_(x509_cleanup) X509 *cert =
			PEM_read_bio_X509(bio, NULL, policy_no_pass_phrase, NULL);

		if (cert == NULL)
			break;
		if (sk_X509_num(certs) >= (int)POLICY_ANCHORS_MAX)
			return -EINVAL;
		if (sk_X509_push(certs, cert) <= 0)
			return -ENOMEM;
		(void)take_ptr(cert);
	}
	/* PEM_read_bio() ends a good text with "no start line". */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE || sk_X509_num(certs) == 0)
		return -EINVAL;
	ERR_clear_error();
	*ret_certs = take_ptr(certs);
	return 0;
}

/* The certificates that end a good chain: the pinned ones, else the file's own root. */
static int anchors_load(struct str anchors_pem, const struct envelope *e, X509_STORE *store,
			struct diag *diag)
{
	if (anchors_pem.n == 0) {
		X509 *root = sk_X509_value(e->chain, sk_X509_num(e->chain) - 1);

		if (X509_self_signed(root, 1) != 1)
			return diag_set(diag, -EKEYREJECTED, "chain does not end at a root");
		return X509_STORE_add_cert(store, root) == 1
			       ? 0
			       : diag_set(diag, -ENOMEM, "out of memory");
	}

	cleanup_(x509_stack_cleanup) STACK_OF(X509) *certs = NULL;
	int r = anchors_pem.n > POLICY_FILE_MAX ? -EINVAL : pem_certificates(anchors_pem, &certs);

	if (r < 0)
		return diag_set(diag, r == -ENOMEM ? r : -EKEYREJECTED,
				"the pinned root cannot be read");
	for (int i = 0; i < sk_X509_num(certs); i++)
		if (X509_STORE_add_cert(store, sk_X509_value(certs, i)) != 1)
			return diag_set(diag, -ENOMEM, "out of memory");
	return 0;
}

/* Validity of each certificate of the chain; X509_cmp_time() is -1 for "not after". */
static int chain_check_time(STACK_OF(X509) * chain, uint64_t now_us, unsigned int flags,
			    struct onboarding *o, struct diag *diag)
{
	time_t now = (time_t)(now_us / USEC_PER_SEC);
	time_t soon = now + CLOCK_SLACK_S;

	for (int i = 0; i < sk_X509_num(chain); i++) {
		const X509 *cert = sk_X509_value(chain, i);

		if (X509_cmp_time(X509_get0_notBefore(cert), &soon) != -1)
			return diag_set(diag, -EKEYREJECTED,
					"a certificate is not yet valid (is the clock right?)");
		int after = X509_cmp_time(X509_get0_notAfter(cert), &now);

		if (after == 0)
			return diag_set(diag, -EKEYREJECTED, "a certificate has no valid end");
		if (after < 0)
			o->is_leaf_expired = true;
	}
	if (o->is_leaf_expired && (flags & POLICY_EXPIRED_LEAF_OK) == 0)
		return diag_set(diag, -EKEYEXPIRED, "the signing certificate has expired");
	return 0;
}

static int root_copy(X509 *root, struct onboarding *o)
{
	cleanup_(bio_cleanup) BIO *bio = BIO_new(BIO_s_mem());
	unsigned char *der = NULL;
	char *pem;
	int n = i2d_X509(root, &der);

	if (n <= 0)
		return -ENOMEM;

	int r = sha256_hex((struct str){ .p = (const char *)der, .n = (size_t)n },
			   o->root_fingerprint);

	OPENSSL_free(der);
	if (r < 0)
		return r;
	if (bio == NULL || PEM_write_bio_X509(bio, root) != 1)
		return -ENOMEM;

	long pem_n = BIO_get_mem_data(bio, &pem);

	buf_add(&o->root_pem, pem, (size_t)pem_n);
	return buf_error(&o->root_pem);
}

/* leaf -> issuing CA -> root against the anchors; time is judged apart, so that a
 * broken chain is never reported as an expired one. */
static int chain_verify(const struct envelope *e, struct str anchors_pem, uint64_t now_us,
			unsigned int flags, struct onboarding *o, struct diag *diag)
{
	cleanup_(x509_store_cleanup) X509_STORE *store = X509_STORE_new();
	cleanup_(x509_store_ctx_cleanup) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int r;

	if (store == NULL || ctx == NULL)
		return diag_set(diag, -ENOMEM, "out of memory");
	r = anchors_load(anchors_pem, e, store, diag);
	if (r < 0)
		return r;
	if (X509_STORE_CTX_init(ctx, store, e->leaf, e->chain) != 1)
		return diag_set(diag, -ENOMEM, "out of memory");

	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

	(void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME);
	X509_VERIFY_PARAM_set_depth(param, (int)POLICY_CHAIN_MAX);
	X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
	if (X509_verify_cert(ctx) != 1)
		return diag_set(diag, -EKEYREJECTED, "certificate chain: %s",
				X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));

	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);

	if (sk_X509_num(chain) < 2)
		return diag_set(diag, -EKEYREJECTED, "the root itself signed the file");
	r = chain_check_time(chain, now_us, flags, o, diag);
	if (r < 0)
		return r;
	r = root_copy(sk_X509_value(chain, sk_X509_num(chain) - 1), o);
	return r < 0 ? diag_set(diag, r, "the root cannot be copied") : 0;
}

static int signature_verify(const struct envelope *e, struct diag *diag)
{
	cleanup_(evp_md_ctx_cleanup) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY *key = X509_get0_pubkey(e->leaf);

	if (ctx == NULL)
		return diag_set(diag, -ENOMEM, "out of memory");
	if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA ||
	    EVP_PKEY_get_bits(key) != (int)SIGNATURE_SIZE * 8)
		return diag_set(diag, -EKEYREJECTED, "cert: expected an RSA key of 2048 bits");
	/* All bits are set when the certificate names no key usage (X509_get_key_usage(3)). */
	if ((X509_get_key_usage(e->leaf) & KU_DIGITAL_SIGNATURE) == 0)
		return diag_set(diag, -EKEYREJECTED, "cert: not meant for signatures");
	if (EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) != 1)
		return diag_set(diag, -ENOMEM, "out of memory");
	if (EVP_DigestVerify(ctx, e->signature, SIGNATURE_SIZE, (const unsigned char *)e->body.p,
			     e->body.n) != 1)
		return diag_set(diag, -EKEYREJECTED, "the signature does not match the body");
	return 0;
}

/* 8-4-4-4-12 hex digits, copied in lower case. */
static int guid_parse(struct str s, char ret_guid[POLICY_GUID_SIZE])
{
	char guid[POLICY_GUID_SIZE] = { 0 };

	if (s.n != POLICY_GUID_SIZE - 1)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c >= 'A' && c <= 'F')
			c = (char)(c | 0x20);
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (c != '-')
				return -EINVAL;
		} else if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) {
			return -EINVAL;
		}
		guid[i] = c;
	}
	memcpy(ret_guid, guid, sizeof(guid));
	return 0;
}

/* Letters, digits and others. */
static bool is_made_of(struct str s, const char *others)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return s.n > 0;
}

/* RFC 3986, section 3.2: host[:port] with a name, an IPv4 address or an IPv6 one in brackets.
 * Nothing else, so that no user name or second host can hide in it. */
static bool is_authority(struct str s)
{
	struct str port = s, host;
	uint64_t number;

	if (s.n > 0 && s.p[0] == '[') {
		port = (struct str){ .p = s.p + 1, .n = s.n - 1 };
		host = str_split(&port, ']');
		if (port.p == NULL || !is_made_of(host, ":."))
			return false;
		if (port.n == 0)
			return true;
		if (str_split(&port, ':').n > 0)
			return false;
	} else {
		host = str_split(&port, ':');
		if (host.n == 0 || host.p[0] == '-' || host.p[0] == '.' || !is_made_of(host, ".-"))
			return false;
		if (port.p == NULL)
			return true;
	}
	return parse_u64(port, 1, UINT16_MAX, &number) == 0;
}

/* https://host[:port], nothing behind but one slash, which is cut. */
static int endpoint_parse(struct str s, char ret_endpoint[POLICY_ENDPOINT_MAX + 1])
{
	const struct str scheme = STR("https://");

	if (str_ends(s, STR("/")))
		s.n--;
	if (!str_starts(s, scheme) ||
	    !is_authority((struct str){ .p = s.p + scheme.n, .n = s.n - scheme.n }))
		return -EINVAL;
	return str_copy(s, ret_endpoint, POLICY_ENDPOINT_MAX + 1) < 0 ? -EINVAL : 0;
}

static int body_endpoints(const struct cJSON *array, struct onboarding *o, struct diag *diag)
{
	if (array == NULL || jsonr_type(array) != JSONR_ARRAY)
		return diag_set(diag, -EINVAL,
				"endpoints: expected an array of https:// addresses");
	for (const struct cJSON *e = jsonr_first(array); e != NULL; e = jsonr_next(e)) {
		struct str s;

		if (o->n_endpoints == POLICY_ENDPOINTS_MAX)
			return diag_set(diag, -EINVAL, "endpoints: more than %u",
					POLICY_ENDPOINTS_MAX);
		if (jsonr_get_str(e, &s) < 0 || endpoint_parse(s, o->endpoints[o->n_endpoints]) < 0)
			return diag_set(diag, -EINVAL, "endpoints: expected https://host:port");
		o->n_endpoints++;
	}
	return o->n_endpoints > 0 ? 0 : diag_set(diag, -EINVAL, "endpoints: empty");
}

static int body_previous(const struct cJSON *array, struct onboarding *o, struct diag *diag)
{
	if (array == NULL)
		return 0;
	if (jsonr_type(array) != JSONR_ARRAY)
		return diag_set(diag, -EINVAL, "previousOrgIds: expected an array");
	for (const struct cJSON *e = jsonr_first(array); e != NULL; e = jsonr_next(e)) {
		struct str s;

		if (o->n_previous == POLICY_PREVIOUS_MAX)
			return diag_set(diag, -EINVAL, "previousOrgIds: more than %u",
					POLICY_PREVIOUS_MAX);
		if (jsonr_get_str(e, &s) < 0 ||
		    guid_parse(s, o->previous_org_ids[o->n_previous]) < 0)
			return diag_set(diag, -EINVAL, "previousOrgIds: expected GUIDs");
		o->n_previous++;
	}
	return 0;
}

static int body_plan(const struct cJSON *node, struct onboarding *o, struct diag *diag)
{
	struct str s;

	o->plan = PLAN_P1;
	if (node == NULL)
		return 0;
	if (jsonr_get_str(node, &s) < 0 || plan_parse(s, &o->plan) < 0 || o->plan == PLAN_NONE)
		return diag_set(diag, -EINVAL, "plan: expected P1 or P2");
	return 0;
}

static int body_ca(const struct cJSON *body, struct onboarding *o, struct diag *diag)
{
	cleanup_(x509_stack_cleanup) STACK_OF(X509) *certs = NULL;
	struct str pem;
	int r = member_str(body, "ca_pem", &pem, diag);

	if (r < 0)
		return r;
	r = pem.n > POLICY_CA_MAX ? -EINVAL : pem_certificates(pem, &certs);
	if (r < 0)
		return diag_set(diag, r, "ca_pem: expected 1 to %u certificates in PEM",
				POLICY_ANCHORS_MAX);
	buf_add_str(&o->ca_pem, pem);
	return buf_error(&o->ca_pem);
}

static bool is_token(struct str s)
{
	uint8_t raw[(POLICY_TOKEN_SIZE - 1) / 2];

	return hex_decode(s, raw, sizeof(raw)) == (ssize_t)sizeof(raw);
}

static bool is_tenant(struct str s)
{
	return is_made_of(s, "-_.") && s.n < POLICY_TENANT_SIZE;
}

static int body_onboarding(const struct cJSON *body, struct onboarding *o, struct diag *diag)
{
	struct str token, tenant;
	int r;

	if ((r = body_plan(jsonr_member(body, "plan"), o, diag)) < 0 ||
	    (r = body_previous(jsonr_member(body, "previousOrgIds"), o, diag)) < 0 ||
	    (r = body_endpoints(jsonr_member(body, "endpoints"), o, diag)) < 0 ||
	    (r = body_ca(body, o, diag)) < 0 ||
	    (r = member_str(body, "enroll_token", &token, diag)) < 0 ||
	    (r = member_str(body, "tenant_id", &tenant, diag)) < 0)
		return r;
	if (!is_token(token) || str_copy(token, o->enroll_token, sizeof(o->enroll_token)) < 0)
		return diag_set(diag, -EINVAL, "enroll_token: expected 64 hex digits");
	if (!is_tenant(tenant) || str_copy(tenant, o->tenant_id, sizeof(o->tenant_id)) < 0)
		return diag_set(diag, -EINVAL, "tenant_id: expected 1 to %u letters or digits",
				POLICY_TENANT_SIZE - 1);
	return 0;
}

static int body_not_after(const struct cJSON *node, uint64_t now_us, unsigned int flags,
			  struct onboarding *o, struct diag *diag)
{
	struct str s;

	o->not_after_us = UINT64_MAX;
	if (node == NULL)
		return o->is_offboarding ? diag_set(diag, -EINVAL, "notAfter: missing") : 0;
	if (jsonr_get_str(node, &s) < 0 || rfc3339_parse(s, &o->not_after_us) < 0)
		return diag_set(diag, -EINVAL, "notAfter: expected a time in UTC");
	o->is_expired = now_us > o->not_after_us;
	if (o->is_expired && (flags & POLICY_EXPIRED_OK) == 0)
		return diag_set(diag, -EKEYEXPIRED, "expired at %.*s", (int)s.n, s.p);
	return 0;
}

static int body_parse(const struct cJSON *body, uint64_t now_us, unsigned int flags,
		      struct onboarding *o, struct diag *diag)
{
	const struct cJSON *offboard = jsonr_member(body, "offboard");
	struct str org;
	int r = member_str(body, "orgId", &org, diag);

	if (r < 0)
		return r;
	if (guid_parse(org, o->org_id) < 0)
		return diag_set(diag, -EINVAL, "orgId: expected a GUID");
	if (offboard != NULL && jsonr_get_bool(offboard, &o->is_offboarding) < 0)
		return diag_set(diag, -EINVAL, "offboard: expected true or false");
	if (!o->is_offboarding && (r = body_onboarding(body, o, diag)) < 0)
		return r;
	return body_not_after(jsonr_member(body, "notAfter"), now_us, flags, o, diag);
}

static struct onboarding *onboarding_new(void)
{
	struct onboarding *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	buf_init(&o->ca_pem, POLICY_CA_MAX);
	buf_init(&o->root_pem, 2UL * CERTIFICATE_MAX);
	return o;
}

void onboarding_free(struct onboarding *o)
{
	if (o == NULL)
		return;
	buf_done(&o->ca_pem);
	buf_done(&o->root_pem);
	OPENSSL_cleanse(o, sizeof(*o));
	free(o);
}

static int body_read(struct str body, uint64_t now_us, unsigned int flags, struct onboarding *o,
		     struct diag *diag)
{
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;
	int r = layer_parse("body", body, &doc, diag);

	if (r == 0)
		r = body_parse(jsonr_root(doc), now_us, flags, o, diag);
	ERR_clear_error(); /* OpenSSL keeps a queue of what it disliked */
	return r;
}

int policy_body_read(struct str body, uint64_t now_us, unsigned int flags,
		     struct onboarding **ret_onboarding, struct diag *diag)
{
	cleanup_(onboarding_cleanup) struct onboarding *o = onboarding_new();

	if (o == NULL)
		return diag_set(diag, -ENOMEM, "out of memory");

	int r = body_read(body, now_us, flags, o, diag);

	if (r < 0)
		return r;
	*ret_onboarding = take_ptr(o);
	return 0;
}

int policy_verify(struct str file, struct str anchors_pem, uint64_t now_us, unsigned int flags,
		  struct onboarding **ret_onboarding, struct diag *diag)
{
	cleanup_(jsonr_cleanup) struct jsonr *outer = NULL, *middle = NULL;
	cleanup_(onboarding_cleanup) struct onboarding *o = onboarding_new();
	cleanup_(envelope_done) struct envelope e = { 0 };
	struct str s1;
	int r;

	if (o == NULL)
		return diag_set(diag, -ENOMEM, "out of memory");
	if ((r = layer_parse("file", file, &outer, diag)) < 0 ||
	    (r = member_str(jsonr_root(outer), "onboardingInfo", &s1, diag)) < 0 ||
	    (r = layer_parse("onboardingInfo", s1, &middle, diag)) < 0)
		return r;
	r = envelope_parse(jsonr_root(middle), &e, diag);
	if (r == 0)
		r = chain_verify(&e, anchors_pem, now_us, flags, o, diag);
	if (r == 0)
		r = signature_verify(&e, diag);
	ERR_clear_error();
	if (r == 0)
		r = body_read(e.body, now_us, flags, o, diag);
	if (r < 0)
		return r;
	*ret_onboarding = take_ptr(o);
	return 0;
}
