/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes signed onboarding files for tests with nothing but OpenSSL, so that the
 * verifier is checked against the format and not against our own issuer.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "agent/base/jsonw.h"
#include "tests/test.h"

#define BLOB_NOW_S 1780000000L /* 2026-05-28: "now" of the tests */
#define BLOB_NOW_US ((uint64_t)BLOB_NOW_S * USEC_PER_SEC)
#define BLOB_DAY_S 86400L

/* When the certificates are made; a test that shows them to TLS sets the real time. */
static long blob_made_s = BLOB_NOW_S;

struct blob_pki {
	EVP_PKEY *root_key, *ca_key, *leaf_key;
	X509 *root, *ca, *leaf;
};

struct blob_options {
	bool keep_byte_order; /* the signature as OpenSSL gives it */
	bool leave_root_out;
	X509 *leaf; /* another certificate in "cert" */
};

static inline void blob_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);

	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);

	CHECK(ext != NULL);
	CHECK(X509_add_ext(cert, ext, -1) == 1);
	X509_EXTENSION_free(ext);
}

/* issuer NULL: self-signed. Valid from a day before now for `days` from now. */
static inline X509 *blob_certificate(EVP_PKEY *key, const char *name, X509 *issuer,
				     EVP_PKEY *issuer_key, bool is_ca, long days)
{
	static long serial;
	X509 *cert = X509_new();
	X509_NAME *subject = X509_NAME_new();

	CHECK(cert != NULL && subject != NULL);
	CHECK(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name,
					 -1, -1, 0) == 1);
	CHECK(X509_set_version(cert, X509_VERSION_3) == 1);
	CHECK(ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial) == 1);
	CHECK(X509_set_subject_name(cert, subject) == 1);
	CHECK(X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : subject) == 1);
	CHECK(ASN1_TIME_set(X509_getm_notBefore(cert), blob_made_s - BLOB_DAY_S) != NULL);
	CHECK(ASN1_TIME_set(X509_getm_notAfter(cert), blob_made_s + days * BLOB_DAY_S) != NULL);
	CHECK(X509_set_pubkey(cert, key) == 1);
	blob_extension(cert, issuer ? issuer : cert, NID_basic_constraints,
		       is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	blob_extension(cert, issuer ? issuer : cert, NID_key_usage,
		       is_ca ? "critical,keyCertSign" : "critical,digitalSignature");
	blob_extension(cert, issuer ? issuer : cert, NID_subject_key_identifier, "hash");
	blob_extension(cert, issuer ? issuer : cert, NID_authority_key_identifier, "keyid:always");
	CHECK(X509_sign(cert, issuer_key ? issuer_key : key, EVP_sha256()) > 0);
	X509_NAME_free(subject);
	return cert;
}

static inline void blob_pki_init(struct blob_pki *p, long leaf_days)
{
	p->root_key = EVP_EC_gen("P-256");
	p->ca_key = EVP_EC_gen("P-256");
	p->leaf_key = EVP_RSA_gen(2048);
	CHECK(p->root_key != NULL && p->ca_key != NULL && p->leaf_key != NULL);
	p->root = blob_certificate(p->root_key, "Test Root", NULL, NULL, true, 3650);
	p->ca = blob_certificate(p->ca_key, "Test CA", p->root, p->root_key, true, 3650);
	p->leaf = blob_certificate(p->leaf_key, "Test Leaf", p->ca, p->ca_key, false, leaf_days);
}

static inline void blob_pki_done(struct blob_pki *p)
{
	EVP_PKEY_free(p->root_key);
	EVP_PKEY_free(p->ca_key);
	EVP_PKEY_free(p->leaf_key);
	X509_free(p->root);
	X509_free(p->ca);
	X509_free(p->leaf);
}

/* PEM text of a certificate as a heap string. */
static inline char *blob_pem(X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *copy;

	CHECK(bio != NULL && PEM_write_bio_X509(bio, cert) == 1);

	size_t n = (size_t)BIO_get_mem_data(bio, &data);

	copy = calloc(1, n + 1);
	CHECK(copy != NULL);
	memcpy(copy, data, n);
	BIO_free(bio);
	return copy;
}

static inline void blob_base64(struct jsonw *w, const unsigned char *data, size_t n)
{
	char *text = malloc(n / 3 * 4 + 8);

	CHECK(text != NULL);

	int len = EVP_EncodeBlock((unsigned char *)text, data, (int)n);

	jsonw_str(w, (struct str){ .p = text, .n = (size_t)len });
	free(text);
}

static inline void blob_cert(struct jsonw *w, X509 *cert)
{
	unsigned char *der = NULL;
	int n = i2d_X509(cert, &der);

	CHECK(n > 0);
	blob_base64(w, der, (size_t)n);
	OPENSSL_free(der);
}

static inline void blob_signature(EVP_PKEY *key, struct str body, bool keep_byte_order,
				  unsigned char ret_sig[256])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char sig[512];
	size_t n = sizeof(sig);

	CHECK(ctx != NULL && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1);
	CHECK(EVP_DigestSign(ctx, sig, &n, (const unsigned char *)body.p, body.n) == 1);
	CHECK(n == 256);
	for (size_t i = 0; i < n; i++)
		ret_sig[i] = sig[keep_byte_order ? i : n - 1 - i];
	EVP_MD_CTX_free(ctx);
}

/* Appends the whole file for the body S2. */
static inline void blob_make(const struct blob_pki *p, const char *body,
			     const struct blob_options *opt, struct buf *out)
{
	const struct blob_options none = { 0 };
	struct buf s1;
	struct jsonw w;
	unsigned char sig[256];

	opt = opt ? opt : &none;
	blob_signature(p->leaf_key, str_of(body), opt->keep_byte_order, sig);
	buf_init(&s1, 1u << 20);
	jsonw_init(&w, &s1);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "body", str_of(body));
	jsonw_key(&w, STR("sig"));
	blob_base64(&w, sig, sizeof(sig));
	jsonw_key(&w, STR("sha256sig"));
	blob_base64(&w, sig, sizeof(sig));
	jsonw_key(&w, STR("cert"));
	blob_cert(&w, opt->leaf ? opt->leaf : p->leaf);
	jsonw_key(&w, STR("chain"));
	jsonw_array_begin(&w);
	blob_cert(&w, p->ca);
	if (!opt->leave_root_out)
		blob_cert(&w, p->root);
	jsonw_array_end(&w);
	jsonw_object_end(&w);
	jsonw_init(&w, out);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "onboardingInfo", buf_str(&s1));
	jsonw_object_end(&w);
	CHECK_INT(buf_error(&s1), 0);
	CHECK_INT(buf_error(out), 0);
	buf_done(&s1);
}

/* A complete onboarding body around `extra` (": "-separated members ending in a comma, or ""). */
static inline void blob_body(const struct blob_pki *p, const char *extra, struct buf *out)
{
	char *pem = blob_pem(p->root);
	struct jsonw w;

	buf_printf(out,
		   "{%s\"orgId\":\"01234567-89ab-cdef-0123-456789abcdef\",\"version\":\"1.35\","
		   "\"deviceType\":\"Server\",\"endpoints\":[\"https://127.0.0.1:8443\"],"
		   "\"enroll_token\":"
		   "\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\","
		   "\"tenant_id\":\"t-1\",\"ca_pem\":",
		   extra);
	jsonw_init(&w, out);
	jsonw_str(&w, str_of(pem));
	buf_add_char(out, '}');
	free(pem);
}
