/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/identity.h"

#include <fcntl.h>
#include <inttypes.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/base/fs.h"
#include "agent/base/jsonr.h"
#include "agent/base/jsonw.h"

#define KEY_FILE "device.key"
#define CSR_FILE "device.csr"
#define IDENTITY_FILE "identity.json"
#define PEM_MAX 8192u
#define IDENTITY_MAX 65536u
#define IDENTITY_DEPTH_MAX 2u

DEFINE_CLEANUP(BIO *, bio, BIO_free_all)
DEFINE_CLEANUP(X509 *, x509, X509_free)
DEFINE_CLEANUP(X509_REQ *, x509_req, X509_REQ_free)
DEFINE_CLEANUP(EVP_PKEY *, pkey, EVP_PKEY_free)

void identity_init(struct identity *id)
{
	*id = (struct identity){ 0 };
	buf_init(&id->key, PEM_MAX);
	buf_init(&id->csr, PEM_MAX);
	buf_init(&id->certificate, ANSWER_CERT_MAX);
}

static void secret_clear(struct buf *b)
{
	if (b->size > 0)
		explicit_bzero(b->data, b->size);
	buf_clear(b);
}

void identity_done(struct identity *id)
{
	secret_clear(&id->key);
	buf_done(&id->key);
	buf_done(&id->csr);
	buf_done(&id->certificate);
}

bool identity_is_enrolled(const struct identity *id)
{
	return id->device_id[0] != '\0';
}

static void enrolment_clear(struct identity *id)
{
	id->device_id[0] = '\0';
	id->org_id[0] = '\0';
	id->tenant_id[0] = '\0';
	id->epoch = 0;
	id->not_after_us = 0;
	id->renew_us = 0;
	id->boot_id[0] = '\0';
	id->clock_offset_ms = 0;
	buf_clear(&id->certificate);
}

/* The key as an object; NULL when the text holds none. */
static EVP_PKEY *key_parse(struct str pem)
{
	cleanup_(bio_cleanup) BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);

	return bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, policy_no_pass_phrase, NULL);
}

/* Moves a memory BIO's text to the end of out. */
static int bio_take(BIO *bio, struct buf *out)
{
	char *p;
	long n = BIO_get_mem_data(bio, &p);

	buf_add(out, p, (size_t)n);
	return buf_error(out);
}

static int key_make(struct buf *out)
{
	cleanup_(pkey_cleanup) EVP_PKEY *key = EVP_EC_gen("P-256");
	cleanup_(bio_cleanup) BIO *bio = BIO_new(BIO_s_secmem());

	if (key == NULL || bio == NULL)
		return -ENOMEM;
	if (PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		return -EIO;
	return bio_take(bio, out);
}

static int csr_digest(X509_REQ *req, char ret_hex[SHA256_HEX_SIZE])
{
	unsigned char *der = NULL;
	int n = i2d_X509_REQ(req, &der);

	if (n <= 0)
		return -ENOMEM;

	int r = sha256_hex((struct str){ .p = (const char *)der, .n = (size_t)n }, ret_hex);

	OPENSSL_free(der);
	return r;
}

/* What the subject says does not matter to the server, which puts its own; it
 * helps whoever reads the request. */
static int csr_make(EVP_PKEY *key, const char *common_name, struct buf *out,
		    char ret_hex[SHA256_HEX_SIZE])
{
	cleanup_(x509_req_cleanup) X509_REQ *req = X509_REQ_new();
	cleanup_(bio_cleanup) BIO *bio = BIO_new(BIO_s_mem());

	if (req == NULL || bio == NULL)
		return -ENOMEM;
	if (X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 ||
	    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req), "CN", MBSTRING_UTF8,
				       (const unsigned char *)common_name, -1, -1, 0) != 1 ||
	    X509_REQ_set_pubkey(req, key) != 1 || X509_REQ_sign(req, key, EVP_sha256()) <= 0 ||
	    PEM_write_bio_X509_REQ(bio, req) != 1)
		return -EIO;

	int r = csr_digest(req, ret_hex);

	return r < 0 ? r : bio_take(bio, out);
}

/* True when the request in csr is for `key`; its digest goes to ret_hex. */
static bool csr_fits(struct str csr, EVP_PKEY *key, char ret_hex[SHA256_HEX_SIZE])
{
	cleanup_(bio_cleanup) BIO *bio = BIO_new_mem_buf(csr.p, (int)csr.n);

	if (bio == NULL)
		return false;

	cleanup_(x509_req_cleanup) X509_REQ *req =
		PEM_read_bio_X509_REQ(bio, NULL, policy_no_pass_phrase, NULL);

	return req != NULL && EVP_PKEY_eq(X509_REQ_get0_pubkey(req), key) == 1 &&
	       csr_digest(req, ret_hex) == 0;
}

static bool names_device(const X509 *cert, const char *device_id)
{
	char name[ANSWER_DEVICE_SIZE + 1];
	int n = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name,
					  sizeof(name));

	return n == (int)ANSWER_DEVICE_SIZE - 1 && strcmp(name, device_id) == 0;
}

/* What follows the leaf must be readable too: TLS takes the text as a whole or not at all,
 * and then no request would get out any more. */
static int chain_check(BIO *bio)
{
	X509 *cert;

	do {
		ERR_clear_error();
		cert = PEM_read_bio_X509(bio, NULL, policy_no_pass_phrase, NULL);
		X509_free(cert);
	} while (cert != NULL);
	/* PEM_read_bio() ends a good text with "no start line". */
	return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE ? 0 : -EINVAL;
}

/* Since 1970, 0 for what cannot be read. */
static uint64_t time_us(const ASN1_TIME *t)
{
	struct tm tm = { 0 };

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return 0;

	time_t s = timegm(&tm);

	return s > 0 ? (uint64_t)s * USEC_PER_SEC : 0;
}

/* A third of the certificate's life, 90 to 110 % of it: hosts that enrolled together do not all
 * renew together, and each keeps its time over restarts. */
static uint64_t renew_before_us(uint64_t begin_us, uint64_t end_us, const char *device_id)
{
	uint64_t third_us = begin_us < end_us ? (end_us - begin_us) / 3 : 0;
	unsigned int share = 0;

	for (size_t i = 0; i < ANSWER_DEVICE_SIZE - 1; i++)
		share = (share * 31 + (unsigned char)device_id[i]) % 21;
	return third_us / 100 * (90 + share);
}

/* The leaf of a PEM chain must be for our key and id's device; its times are taken over. */
static int certificate_check(struct identity *id, struct str pem, struct str key_pem)
{
	cleanup_(bio_cleanup) BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	cleanup_(pkey_cleanup) EVP_PKEY *key = key_parse(key_pem);

	if (bio == NULL || key == NULL)
		return -ENOMEM;

	cleanup_(x509_cleanup) X509 *cert =
		PEM_read_bio_X509(bio, NULL, policy_no_pass_phrase, NULL);

	if (cert == NULL || time_us(X509_get0_notAfter(cert)) == 0 || chain_check(bio) < 0)
		return -EINVAL;
	if (EVP_PKEY_eq(X509_get0_pubkey(cert), key) != 1 || !names_device(cert, id->device_id))
		return -EKEYREJECTED;
	id->not_after_us = time_us(X509_get0_notAfter(cert));
	id->renew_us = id->not_after_us - renew_before_us(time_us(X509_get0_notBefore(cert)),
							  id->not_after_us, id->device_id);
	return 0;
}

/* Reads a small file; a missing or too large one is empty, and what is no file at all. */
static int file_read(int dir_fd, const char *name, struct buf *out)
{
	int r = fs_read_file(dir_fd, name, out);

	if (r == -ENOENT || r == -EFBIG || r == -EINVAL || r == -ELOOP || r == -ENXIO) {
		buf_clear(out);
		return 0;
	}
	return r;
}

static int enrolment_parse(struct identity *id, struct str text)
{
	const struct jsonr_limits limits = { .max_bytes = IDENTITY_MAX,
					     .max_depth = IDENTITY_DEPTH_MAX };
	cleanup_(jsonr_cleanup) struct jsonr *doc = NULL;
	struct str device, org, tenant, boot, offset, cert;
	int r = jsonr_parse(text, &limits, &doc, NULL);

	if (r < 0)
		return r;

	const struct cJSON *root = jsonr_root(doc);

	if (jsonr_get_str(jsonr_member(root, "device_id"), &device) < 0 ||
	    jsonr_get_str(jsonr_member(root, "org_id"), &org) < 0 ||
	    jsonr_get_str(jsonr_member(root, "tenant_id"), &tenant) < 0 ||
	    jsonr_get_str(jsonr_member(root, "boot_id"), &boot) < 0 ||
	    jsonr_get_str(jsonr_member(root, "clock_offset_ms"), &offset) < 0 ||
	    jsonr_get_str(jsonr_member(root, "certificate"), &cert) < 0 ||
	    jsonr_get_u64(jsonr_member(root, "epoch"), 1, ANSWER_EPOCH_MAX, &id->epoch) < 0 ||
	    str_copy(device, id->device_id, sizeof(id->device_id)) < 0 ||
	    str_copy(org, id->org_id, sizeof(id->org_id)) < 0 ||
	    str_copy(tenant, id->tenant_id, sizeof(id->tenant_id)) < 0 ||
	    str_copy(boot, id->boot_id, sizeof(id->boot_id)) < 0 ||
	    parse_i64(offset, -IDENTITY_CLOCK_OFFSET_MAX_MS, IDENTITY_CLOCK_OFFSET_MAX_MS,
		      &id->clock_offset_ms) < 0)
		return -EINVAL;
	buf_add_str(&id->certificate, cert);
	r = buf_error(&id->certificate);
	if (r < 0)
		return r;
	return certificate_check(id, buf_str(&id->certificate), buf_str(&id->key));
}

static int key_load(struct identity *id, int dir_fd)
{
	int r = file_read(dir_fd, KEY_FILE, &id->key);

	if (r < 0)
		return r;

	cleanup_(pkey_cleanup) EVP_PKEY *key = key_parse(buf_str(&id->key));

	if (key == NULL) {
		secret_clear(&id->key);
		return 0;
	}
	r = file_read(dir_fd, CSR_FILE, &id->csr);
	if (r == 0 && !csr_fits(buf_str(&id->csr), key, id->csr_sha256))
		buf_clear(&id->csr);
	return r;
}

int identity_load(struct identity *id, int dir_fd)
{
	cleanup_(buf_cleanup) struct buf text;
	int r;

	buf_init(&text, IDENTITY_MAX);
	secret_clear(&id->key);
	buf_clear(&id->csr);
	enrolment_clear(id);
	r = key_load(id, dir_fd);
	if (r == 0 && id->key.len > 0)
		r = file_read(dir_fd, IDENTITY_FILE, &text);
	if (r == 0 && text.len > 0) {
		r = enrolment_parse(id, buf_str(&text));
		if (r < 0)
			enrolment_clear(id);
		r = r == -ENOMEM ? r : 0;
	}
	ERR_clear_error();
	return r;
}

int identity_new_request(struct identity *id, int dir_fd, const char *common_name)
{
	cleanup_(pkey_cleanup) EVP_PKEY *key = key_parse(buf_str(&id->key));

	if (key == NULL)
		return -EIO;
	buf_clear(&id->csr);

	int r = csr_make(key, common_name, &id->csr, id->csr_sha256);

	if (r == 0)
		r = fs_write_file_atomic(dir_fd, CSR_FILE, buf_str(&id->csr), 0600);
	if (r < 0)
		buf_clear(&id->csr);
	ERR_clear_error();
	return r;
}

int identity_prepare(struct identity *id, int dir_fd, const char *common_name)
{
	int r = 0;

	if (id->key.len == 0) {
		r = key_make(&id->key);
		if (r == 0)
			r = fs_write_file_atomic(dir_fd, KEY_FILE, buf_str(&id->key), 0600);
		if (r < 0)
			secret_clear(&id->key);
		buf_clear(&id->csr);
	}
	if (r == 0 && id->csr.len == 0)
		r = identity_new_request(id, dir_fd, common_name);
	ERR_clear_error();
	return r;
}

int identity_save(const struct identity *id, int dir_fd)
{
	cleanup_(buf_cleanup) struct buf text;
	char offset[24];
	struct jsonw w;

	/* As text: the reader of numbers knows none below zero. */
	(void)snprintf(offset, sizeof(offset), "%" PRIi64, id->clock_offset_ms);
	buf_init(&text, IDENTITY_MAX);
	jsonw_init(&w, &text);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "org_id", str_of(id->org_id));
	jsonw_kv_str(&w, "tenant_id", str_of(id->tenant_id));
	jsonw_kv_str(&w, "device_id", str_of(id->device_id));
	jsonw_kv_u64(&w, "epoch", id->epoch);
	jsonw_kv_str(&w, "boot_id", str_of(id->boot_id));
	jsonw_kv_str(&w, "clock_offset_ms", str_of(offset));
	jsonw_kv_str(&w, "certificate", buf_str(&id->certificate));
	jsonw_object_end(&w);

	int r = buf_error(&text);

	return r < 0 ? r : fs_write_file_atomic(dir_fd, IDENTITY_FILE, buf_str(&text), 0600);
}

int identity_accept(struct identity *id, int dir_fd, const struct onboarding *o,
		    const struct answer_enrol *a)
{
	struct identity fresh = { 0 };
	int r;

	/* A view of the new state over the old key; id takes it only once it is on disk. */
	memcpy(fresh.org_id, o->org_id, sizeof(fresh.org_id));
	memcpy(fresh.tenant_id, o->tenant_id, sizeof(fresh.tenant_id));
	memcpy(fresh.device_id, a->device_id, sizeof(fresh.device_id));
	memcpy(fresh.boot_id, id->boot_id, sizeof(fresh.boot_id));
	fresh.clock_offset_ms = id->clock_offset_ms;
	fresh.epoch = a->epoch;
	/* The same device never goes back in its sessions; a renewal names none. */
	if (strcmp(id->device_id, a->device_id) == 0 && id->epoch > a->epoch)
		fresh.epoch = id->epoch;
	r = certificate_check(&fresh, buf_str(&a->certificate), buf_str(&id->key));
	ERR_clear_error();
	if (r < 0)
		return r;
	buf_init(&fresh.certificate, ANSWER_CERT_MAX);
	buf_add_str(&fresh.certificate, buf_str(&a->certificate));
	r = buf_error(&fresh.certificate);
	if (r == 0)
		r = identity_save(&fresh, dir_fd);
	if (r < 0) {
		buf_done(&fresh.certificate);
		return r;
	}
	buf_done(&id->certificate);
	id->certificate = fresh.certificate;
	memcpy(id->org_id, fresh.org_id, sizeof(id->org_id));
	memcpy(id->tenant_id, fresh.tenant_id, sizeof(id->tenant_id));
	memcpy(id->device_id, fresh.device_id, sizeof(id->device_id));
	id->epoch = fresh.epoch;
	id->not_after_us = fresh.not_after_us;
	id->renew_us = fresh.renew_us;
	return 0;
}

int identity_forget(struct identity *id, int dir_fd)
{
	static const char *const files[] = { IDENTITY_FILE, CSR_FILE, KEY_FILE };

	enrolment_clear(id);
	secret_clear(&id->key);
	buf_clear(&id->csr);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (unlinkat(dir_fd, files[i], 0) < 0 && errno != ENOENT)
			return -errno;
	return 0;
}
