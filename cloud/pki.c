/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/pki.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "agent/base/fs.h"
#include "agent/base/rand.h"
#include "agent/config/policy.h"
#include "cloud/url.h"

#define PKI_PATH_MAX 4096u
#define SECONDS_PER_DAY 86400

/* Certificates begin this much in the past, for clients whose clock is behind. */
#define BACKDATE_S 300

/* Certificates with less than this left are made anew. */
#define RENEW_DAYS 30

#define SAN_MAX 4096u

DEFINE_CLEANUP(X509 *, x509, X509_free)
DEFINE_CLEANUP(EVP_PKEY *, pkey, EVP_PKEY_free)
DEFINE_CLEANUP(BIO *, bio, BIO_free_all)
DEFINE_CLEANUP(BIGNUM *, bignum, BN_free)
DEFINE_CLEANUP(EVP_MD_CTX *, md_ctx, EVP_MD_CTX_free)

struct entity_row {
	const char *file;
	const char *common_name;
	enum pki_entity issuer; /* itself: a root */
	int days;
	bool is_rsa;	    /* else P-256 */
	const char *limits; /* basicConstraints */
	const char *usage;
};

static const struct entity_row entities[PKI_ENTITIES] = {
	[PKI_ONBOARDING_ROOT] = { "onboarding-root.pem", "Endpoint Cloud Onboarding Root",
				  PKI_ONBOARDING_ROOT, 7300, false, "critical,CA:TRUE",
				  "critical,keyCertSign,cRLSign" },
	[PKI_ONBOARDING_ISSUING] = { "onboarding-issuing.pem",
				     "Endpoint Cloud Onboarding Issuing CA", PKI_ONBOARDING_ROOT,
				     3650, false, "critical,CA:TRUE,pathlen:0",
				     "critical,keyCertSign,cRLSign" },
	[PKI_ONBOARDING_LEAF] = { "onboarding-leaf.pem", "Endpoint Cloud Onboarding",
				  PKI_ONBOARDING_ISSUING, 365, true, "critical,CA:FALSE",
				  "critical,digitalSignature" },
	[PKI_TLS_ROOT] = { "tls-root.pem", "Endpoint Cloud TLS Root", PKI_TLS_ROOT, 7300, false,
			   "critical,CA:TRUE,pathlen:0", "critical,keyCertSign,cRLSign" },
	[PKI_DEVICE_CA] = { "device-ca.pem", "Endpoint Cloud Device CA", PKI_DEVICE_CA, 7300, false,
			    "critical,CA:TRUE,pathlen:0", "critical,keyCertSign,cRLSign" },
	[PKI_TLS_SERVER] = { "tls-server.pem", "Endpoint Cloud", PKI_TLS_ROOT, 397, false,
			     "critical,CA:FALSE", "critical,digitalSignature" },
};

struct pair {
	X509 *certificate;
	EVP_PKEY *key;
};

struct pki {
	char dir[PKI_PATH_MAX]; /* DIR/pki */
	struct pair pairs[PKI_ENTITIES];
};

struct pki_csr {
	X509_REQ *request;
	EVP_PKEY *key;
	uint8_t key_sha256[SHA256_SIZE];
	uint8_t sha256[SHA256_SIZE];
};

static void pair_done(struct pair *pair)
{
	X509_free(pair->certificate);
	EVP_PKEY_free(pair->key);
	*pair = (struct pair){ 0 };
}

/* --- making certificates --- */

struct certificate_spec {
	const char *common_name;
	EVP_PKEY *key; /* of the subject */
	X509 *issuer;  /* NULL: self-signed */
	EVP_PKEY *issuer_key;
	uint64_t now_us;
	int days;
	const char *limits;
	const char *usage;
	const char *extended_usage; /* NULL: none */
	const char *names;	    /* subjectAltName, NULL: none */
};

static int extension_add(X509 *x, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *extension;
	int ok;

	if (value == NULL)
		return 0;
	extension = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
	if (extension == NULL)
		return -EIO;
	ok = X509_add_ext(x, extension, -1);
	X509_EXTENSION_free(extension);
	return ok == 1 ? 0 : -EIO;
}

/* 127 random bits, the top one set so that the length is constant (RFC 5280, 4.1.2.2). */
static int serial_set(X509 *x)
{
	cleanup_(bignum_cleanup) BIGNUM *n = NULL;
	uint8_t bytes[16];

	rand_bytes(bytes, sizeof(bytes));
	bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40);
	n = BN_bin2bn(bytes, (int)sizeof(bytes), NULL);
	if (n == NULL)
		return -ENOMEM;
	return BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x)) != NULL ? 0 : -ENOMEM;
}

static int names_set(X509 *x, const struct certificate_spec *spec)
{
	X509_NAME *name = X509_get_subject_name(x);

	if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
				       (const unsigned char *)spec->common_name, -1, -1, 0) != 1)
		return -EIO;
	if (X509_set_issuer_name(
		    x, spec->issuer == NULL ? name : X509_get_subject_name(spec->issuer)) != 1)
		return -ENOMEM;
	return 0;
}

static int times_set(X509 *x, const struct certificate_spec *spec)
{
	time_t now = (time_t)(spec->now_us / USEC_PER_SEC);

	if (ASN1_TIME_set(X509_getm_notBefore(x), now - BACKDATE_S) == NULL ||
	    ASN1_TIME_set(X509_getm_notAfter(x), now + (time_t)spec->days * SECONDS_PER_DAY) ==
		    NULL)
		return -ENOMEM;
	return 0;
}

static int extensions_set(X509 *x, const struct certificate_spec *spec)
{
	X509V3_CTX ctx;
	int r;

	X509V3_set_ctx(&ctx, spec->issuer == NULL ? x : spec->issuer, x, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	if ((r = extension_add(x, &ctx, NID_basic_constraints, spec->limits)) < 0 ||
	    (r = extension_add(x, &ctx, NID_key_usage, spec->usage)) < 0 ||
	    (r = extension_add(x, &ctx, NID_ext_key_usage, spec->extended_usage)) < 0 ||
	    (r = extension_add(x, &ctx, NID_subject_alt_name, spec->names)) < 0 ||
	    (r = extension_add(x, &ctx, NID_subject_key_identifier, "hash")) < 0)
		return r;
	/* A root's would say nothing. */
	return extension_add(x, &ctx, NID_authority_key_identifier,
			     spec->issuer == NULL ? NULL : "keyid");
}

static int certificate_make(const struct certificate_spec *spec, X509 **ret_certificate)
{
	cleanup_(x509_cleanup) X509 *x = X509_new();
	int r;

	if (x == NULL || X509_set_version(x, X509_VERSION_3) != 1 ||
	    X509_set_pubkey(x, spec->key) != 1)
		return -ENOMEM;
	if ((r = serial_set(x)) < 0 || (r = names_set(x, spec)) < 0 ||
	    (r = times_set(x, spec)) < 0 || (r = extensions_set(x, spec)) < 0)
		return r;
	if (X509_sign(x, spec->issuer_key, EVP_sha256()) == 0)
		return -EIO;
	*ret_certificate = take_ptr(x);
	return 0;
}

static int entity_make(struct pki *p, enum pki_entity e, const char *names, uint64_t now_us)
{
	const struct entity_row *row = &entities[e];
	cleanup_(pkey_cleanup) EVP_PKEY *key =
		row->is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	bool is_root = row->issuer == e;
	struct certificate_spec spec = {
		.common_name = row->common_name,
		.key = key,
		.issuer = is_root ? NULL : p->pairs[row->issuer].certificate,
		.issuer_key = is_root ? key : p->pairs[row->issuer].key,
		.now_us = now_us,
		.days = row->days,
		.limits = row->limits,
		.usage = row->usage,
		.extended_usage = e == PKI_TLS_SERVER ? "serverAuth" : NULL,
		.names = names,
	};
	X509 *certificate = NULL;
	int r;

	if (key == NULL)
		return -EIO;
	r = certificate_make(&spec, &certificate);
	if (r < 0)
		return r;
	pair_done(&p->pairs[e]);
	p->pairs[e] = (struct pair){ .certificate = certificate, .key = take_ptr(key) };
	return 0;
}

/* --- files --- */

static int bio_append(BIO *bio, struct buf *out)
{
	char *data = NULL;
	long n = BIO_get_mem_data(bio, &data);

	if (n <= 0)
		return -EIO;
	buf_add(out, data, (size_t)n);
	return buf_error(out);
}

static int certificate_pem(X509 *certificate, struct buf *out)
{
	cleanup_(bio_cleanup) BIO *bio = BIO_new(BIO_s_mem());

	if (bio == NULL || PEM_write_bio_X509(bio, certificate) != 1)
		return -ENOMEM;
	return bio_append(bio, out);
}

int pki_certificate_pem(const struct pki *p, enum pki_entity e, struct buf *out)
{
	return certificate_pem(p->pairs[e].certificate, out);
}

int pki_key_pem(const struct pki *p, enum pki_entity e, struct buf *out)
{
	cleanup_(bio_cleanup) BIO *bio = BIO_new(BIO_s_secmem());

	if (bio == NULL ||
	    PEM_write_bio_PrivateKey(bio, p->pairs[e].key, NULL, NULL, 0, NULL, NULL) != 1)
		return -ENOMEM;
	return bio_append(bio, out);
}

int pki_certificate_der(const struct pki *p, enum pki_entity e, struct buf *out)
{
	unsigned char *der = NULL;
	int n = i2d_X509(p->pairs[e].certificate, &der);

	if (n <= 0)
		return -ENOMEM;
	buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	return buf_error(out);
}

static int pair_save(const struct pki *p, enum pki_entity e, struct diag *diag)
{
	cleanup_(buf_cleanup) struct buf text = { 0 };
	char path[PKI_PATH_MAX];
	int r;

	buf_init(&text, PKI_PEM_MAX);
	if ((r = pki_certificate_pem(p, e, &text)) < 0 || (r = pki_key_pem(p, e, &text)) < 0 ||
	    (r = fs_path(path, sizeof(path), "%s/%s", p->dir, entities[e].file)) < 0)
		return r;
	r = fs_write_file_atomic(AT_FDCWD, path, buf_str(&text), 0600);
	if (text.data != NULL)
		OPENSSL_cleanse(text.data, text.size);
	if (r < 0)
		return diag_set(diag, r, "%s cannot be written: %s", path, strerrordesc_np(-r));
	return 0;
}

static int pair_parse(struct str text, struct pair *ret_pair)
{
	cleanup_(bio_cleanup) BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	struct pair pair = { 0 };

	if (bio == NULL)
		return -ENOMEM;
	pair.certificate = PEM_read_bio_X509(bio, NULL, policy_no_pass_phrase, NULL);
	pair.key = PEM_read_bio_PrivateKey(bio, NULL, policy_no_pass_phrase, NULL);
	if (pair.certificate == NULL || pair.key == NULL ||
	    X509_check_private_key(pair.certificate, pair.key) != 1) {
		pair_done(&pair);
		return -EINVAL;
	}
	*ret_pair = pair;
	return 0;
}

/* -ENOENT without words: the caller may make it. */
static int pair_load(struct pki *p, enum pki_entity e, struct diag *diag)
{
	cleanup_(buf_cleanup) struct buf text = { 0 };
	char path[PKI_PATH_MAX];
	int r;

	buf_init(&text, PKI_PEM_MAX);
	r = fs_path(path, sizeof(path), "%s/%s", p->dir, entities[e].file);
	if (r == 0)
		r = fs_read_file(AT_FDCWD, path, &text);
	if (r == -ENOENT)
		return r;
	if (r < 0)
		return diag_set(diag, r, "%s cannot be read: %s", path, strerrordesc_np(-r));
	r = pair_parse(buf_str(&text), &p->pairs[e]);
	OPENSSL_cleanse(text.data, text.size);
	if (r < 0)
		return diag_set(diag, r, "%s does not hold a certificate and its key", path);
	return 0;
}

/* True when the certificate has more than RENEW_DAYS left. */
static bool is_fresh(const struct pki *p, enum pki_entity e, uint64_t now_us)
{
	time_t at = (time_t)(now_us / USEC_PER_SEC) + (time_t)RENEW_DAYS * SECONDS_PER_DAY;

	return X509_cmp_time(X509_get0_notAfter(p->pairs[e].certificate), &at) > 0;
}

static int entity_open(struct pki *p, enum pki_entity e, enum pki_mode mode, uint64_t now_us,
		       struct diag *diag)
{
	int r = pair_load(p, e, diag);

	if (r == -ENOENT && mode != PKI_CREATE)
		return diag_set(diag, r, "%s/%s is missing: run `cloudd serve` first", p->dir,
				entities[e].file);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && (e != PKI_ONBOARDING_LEAF || is_fresh(p, e, now_us)))
		return 0;
	r = entity_make(p, e, NULL, now_us);
	if (r < 0)
		return diag_set(diag, r, "%s cannot be made", entities[e].file);
	return pair_save(p, e, diag);
}

int pki_open(const char *dir, enum pki_mode mode, uint64_t now_us, struct pki **ret_pki,
	     struct diag *diag)
{
	cleanup_(pki_cleanup) struct pki *p = calloc(1, sizeof(*p));
	int r;

	if (p == NULL)
		return -ENOMEM;
	r = fs_path(p->dir, sizeof(p->dir), "%s/pki", dir);
	if (r == 0 && mode == PKI_CREATE)
		r = fs_mkdirs(p->dir, 0700);
	if (r < 0)
		return diag_set(diag, r, "%s/pki cannot be made: %s", dir, strerrordesc_np(-r));
	for (size_t i = 0; i < PKI_TLS_SERVER; i++) {
		r = entity_open(p, (enum pki_entity)i, mode, now_us, diag);
		if (r < 0)
			return r;
	}
	r = pair_load(p, PKI_TLS_SERVER, diag);
	if (r < 0 && (r != -ENOENT || mode != PKI_CREATE))
		return diag_set(diag, r, "the server's certificate is missing");
	*ret_pki = take_ptr(p);
	return 0;
}

void pki_free(struct pki *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < PKI_ENTITIES; i++)
		pair_done(&p->pairs[i]);
	free(p);
}

/* --- the server's certificate --- */

bool pki_server_names(const struct pki *p, const char *host)
{
	X509 *x = p->pairs[PKI_TLS_SERVER].certificate;

	if (x == NULL)
		return false;
	return X509_check_ip_asc(x, host, 0) == 1 || X509_check_host(x, host, 0, 0, NULL) == 1;
}

static bool server_is_good(const struct pki *p, const char *const *hosts, size_t n_hosts,
			   uint64_t now_us)
{
	if (p->pairs[PKI_TLS_SERVER].certificate == NULL || !is_fresh(p, PKI_TLS_SERVER, now_us))
		return false;
	for (size_t i = 0; i < n_hosts; i++) {
		if (!pki_server_names(p, hosts[i]))
			return false;
	}
	return true;
}

int pki_server_ensure(struct pki *p, const char *const *hosts, size_t n_hosts, uint64_t now_us,
		      struct diag *diag)
{
	cleanup_(buf_cleanup) struct buf names = { 0 };
	int r;

	if (server_is_good(p, hosts, n_hosts, now_us))
		return 0;
	buf_init(&names, SAN_MAX);
	for (size_t i = 0; i < n_hosts; i++) {
		ASN1_OCTET_STRING *address;

		/* Names go into OpenSSL's little language of extensions. */
		if (!url_is_host(hosts[i]))
			return diag_set(diag, -EINVAL, "\"%.100s\" is not a host name", hosts[i]);
		address = a2i_IPADDRESS(hosts[i]);
		buf_printf(&names, "%s%s:%s", i == 0 ? "" : ",", address != NULL ? "IP" : "DNS",
			   hosts[i]);
		ASN1_OCTET_STRING_free(address);
	}
	r = buf_error(&names);
	if (r == 0)
		r = entity_make(p, PKI_TLS_SERVER, buf_cstr(&names), now_us);
	if (r < 0)
		return diag_set(diag, r, "the server's certificate cannot be made");
	return pair_save(p, PKI_TLS_SERVER, diag);
}

/* --- signing --- */

int pki_sign(const struct pki *p, struct str data, uint8_t ret_signature[PKI_SIGNATURE_SIZE])
{
	cleanup_(md_ctx_cleanup) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[PKI_SIGNATURE_SIZE];
	size_t n = sizeof(signature);

	if (ctx == NULL)
		return -ENOMEM;
	/* PKCS #1 v1.5 is OpenSSL's padding for RSA keys unless told otherwise. */
	if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, p->pairs[PKI_ONBOARDING_LEAF].key) !=
		    1 ||
	    EVP_DigestSign(ctx, signature, &n, (const unsigned char *)data.p, data.n) != 1 ||
	    n != sizeof(signature))
		return -EIO;
	memcpy(ret_signature, signature, sizeof(signature));
	return 0;
}

int pki_base64(struct str data, struct buf *out)
{
	size_t n = (data.n + 2) / 3 * 4;
	char *p;

	if (data.n > PKI_PEM_MAX)
		return -EMSGSIZE;
	p = buf_reserve(out, n + 1); /* EVP_EncodeBlock() ends its text with a NUL */
	if (p == NULL)
		return buf_error(out);
	(void)EVP_EncodeBlock((unsigned char *)p, (const unsigned char *)data.p, (int)data.n);
	out->len += n;
	return 0;
}

/* --- devices --- */

/* SHA-256 of a DER text that OpenSSL allocated; frees it. */
static int der_sha256(unsigned char *der, int n, uint8_t ret_digest[SHA256_SIZE])
{
	int r;

	if (n <= 0)
		return -ENOMEM;
	r = sha256((struct str){ .p = (const char *)der, .n = (size_t)n }, ret_digest);
	OPENSSL_free(der);
	return r;
}

static bool is_p256(EVP_PKEY *key)
{
	char group[32];
	size_t n = 0;

	return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), &n) == 1 &&
	       strcmp(group, SN_X9_62_prime256v1) == 0;
}

int pki_csr_parse(struct str pem, struct pki_csr **ret_csr, struct diag *diag)
{
	cleanup_(pki_csr_cleanup) struct pki_csr *csr = NULL;
	cleanup_(bio_cleanup) BIO *bio = NULL;
	unsigned char *der = NULL;
	int n;
	int r;

	if (pem.n == 0 || pem.n > PKI_CSR_MAX)
		return diag_set(diag, -EINVAL, "csr is empty or over %u bytes", PKI_CSR_MAX);
	csr = calloc(1, sizeof(*csr));
	bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (csr == NULL || bio == NULL)
		return -ENOMEM;
	csr->request = PEM_read_bio_X509_REQ(bio, NULL, policy_no_pass_phrase, NULL);
	if (csr->request == NULL)
		return diag_set(diag, -EINVAL, "csr is not a PEM certificate request");
	csr->key = X509_REQ_get_pubkey(csr->request);
	if (csr->key == NULL || !is_p256(csr->key))
		return diag_set(diag, -EINVAL, "csr: the key is not on P-256");
	if (X509_REQ_verify(csr->request, csr->key) != 1)
		return diag_set(diag, -EINVAL, "csr is not signed by its own key");
	n = i2d_X509_REQ(csr->request, &der);
	r = der_sha256(der, n, csr->sha256);
	if (r < 0)
		return r;
	der = NULL;
	n = i2d_PUBKEY(csr->key, &der);
	r = der_sha256(der, n, csr->key_sha256);
	if (r < 0)
		return r;
	*ret_csr = take_ptr(csr);
	return 0;
}

void pki_csr_free(struct pki_csr *csr)
{
	if (csr == NULL)
		return;
	X509_REQ_free(csr->request);
	EVP_PKEY_free(csr->key);
	free(csr);
}

const uint8_t *pki_csr_key_sha256(const struct pki_csr *csr)
{
	return csr->key_sha256;
}

const uint8_t *pki_csr_sha256(const struct pki_csr *csr)
{
	return csr->sha256;
}

static int serial_format(const X509 *x, char out[PKI_SERIAL_SIZE])
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
	int n = ASN1_STRING_length(serial);

	if (n <= 0 || (size_t)n * 2 >= PKI_SERIAL_SIZE)
		return -EIO;
	hex_encode(ASN1_STRING_get0_data(serial), (size_t)n, out);
	return 0;
}

int pki_device_issue(const struct pki *p, const struct pki_csr *csr,
		     const struct pki_subject *subject, uint64_t now_us, struct buf *pem,
		     struct pki_certificate *ret_certificate)
{
	cleanup_(x509_cleanup) X509 *x = NULL;
	struct pki_certificate made = { 0 };
	char names[160];
	int r;

	r = snprintf(names, sizeof(names), "URI:urn:endpoint-agent:%s:%s", subject->tenant_id,
		     subject->device_id);
	if (r < 0 || (size_t)r >= sizeof(names))
		return -EINVAL;
	const struct certificate_spec spec = {
		.common_name = subject->device_id,
		.key = csr->key,
		.issuer = p->pairs[PKI_DEVICE_CA].certificate,
		.issuer_key = p->pairs[PKI_DEVICE_CA].key,
		.now_us = now_us,
		.days = (int)PKI_DEVICE_DAYS,
		.limits = "critical,CA:FALSE",
		.usage = "critical,digitalSignature",
		.extended_usage = "clientAuth",
		.names = names,
	};
	r = certificate_make(&spec, &x);
	if (r < 0)
		return r;
	made.expires_us = (now_us / USEC_PER_SEC + (uint64_t)PKI_DEVICE_DAYS * SECONDS_PER_DAY) *
			  USEC_PER_SEC;
	if ((r = serial_format(x, made.serial)) < 0 || (r = certificate_pem(x, pem)) < 0)
		return r;
	*ret_certificate = made;
	return 0;
}
