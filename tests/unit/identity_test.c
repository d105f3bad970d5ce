/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/identity.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "agent/base/fs.h"
#include "tests/blob.h"
#include "tests/folder.h"
#include "tests/pass_phrase.h"

#define DEVICE "0123456789abcdef0123456789abcdef01234567"
#define OTHER_DEVICE "1123456789abcdef0123456789abcdef01234567"
#define ORG "01234567-89ab-cdef-0123-456789abcdef"

static struct blob_pki pki;

/* The server's part: a certificate for the request's key. */
static void issue(const struct identity *id, const char *device, struct answer_enrol *a)
{
	BIO *bio = BIO_new_mem_buf(id->csr.data, (int)id->csr.len);
	X509_REQ *req = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);

	CHECK(req != NULL);
	CHECK(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)) == 1);

	EVP_PKEY *key = X509_REQ_get_pubkey(req);
	X509 *cert = blob_certificate(key, device, pki.ca, pki.ca_key, false, 30);
	char *pem = blob_pem(cert), *chain = blob_pem(pki.ca);

	*a = (struct answer_enrol){ .epoch = 4 };
	CHECK_INT(str_copy(str_of(device), a->device_id, sizeof(a->device_id)), 0);
	buf_init(&a->certificate, ANSWER_CERT_MAX);
	buf_add_str(&a->certificate, str_of(pem));
	buf_add_str(&a->certificate, str_of(chain));
	free(pem);
	free(chain);
	EVP_PKEY_free(key);
	X509_free(cert);
	X509_REQ_free(req);
	BIO_free(bio);
}

static void onboarding_make(struct onboarding *o)
{
	*o = (struct onboarding){ .org_id = ORG, .tenant_id = "t-1" };
}

static mode_t mode_of(const struct folder *f, const char *name)
{
	struct stat st;

	CHECK_INT(fstatat(f->fd, name, &st, 0), 0);
	return st.st_mode & 07777;
}

static void makes_a_key_and_a_request_once(void)
{
	cleanup_(folder_done) struct folder f = folder_make();
	cleanup_(identity_done) struct identity a, b;

	identity_init(&a);
	identity_init(&b);
	CHECK_INT(identity_load(&a, f.fd), 0);
	CHECK(!identity_is_enrolled(&a) && a.key.len == 0);
	CHECK_INT(identity_prepare(&a, f.fd, "machine"), 0);
	CHECK_INT(mode_of(&f, "device.key"), 0600);
	CHECK_INT(mode_of(&f, "device.csr"), 0600);
	CHECK_INT(strlen(a.csr_sha256), 64);
	/* The same host asks with the same request, so that a repeat is a repeat. */
	CHECK_INT(identity_load(&b, f.fd), 0);
	CHECK_INT(identity_prepare(&b, f.fd, "machine"), 0);
	CHECK_STR(b.csr_sha256, a.csr_sha256);
	CHECK(str_eq(buf_str(&a.key), buf_str(&b.key)));
	CHECK_INT(identity_new_request(&b, f.fd, "machine"), 0);
	CHECK(strcmp(b.csr_sha256, a.csr_sha256) != 0);
	CHECK(str_eq(buf_str(&a.key), buf_str(&b.key)));
}

static void keeps_an_enrolment(void)
{
	cleanup_(folder_done) struct folder f = folder_make();
	cleanup_(identity_done) struct identity a, b;
	cleanup_(answer_enrol_done) struct answer_enrol said;
	struct onboarding o;

	identity_init(&a);
	identity_init(&b);
	onboarding_make(&o);
	CHECK_INT(identity_prepare(&a, f.fd, "machine"), 0);
	issue(&a, DEVICE, &said);
	CHECK_INT(identity_accept(&a, f.fd, &o, &said), 0);
	CHECK_INT(mode_of(&f, "identity.json"), 0600);
	CHECK_INT(identity_load(&b, f.fd), 0);
	CHECK(identity_is_enrolled(&b));
	CHECK_STR(b.device_id, DEVICE);
	CHECK_STR(b.org_id, ORG);
	CHECK_STR(b.tenant_id, "t-1");
	CHECK_INT(b.epoch, 4);
	CHECK_INT(b.not_after_us, (uint64_t)(blob_made_s + 30 * BLOB_DAY_S) * USEC_PER_SEC);
	/* A third of its 31 days is left, give or take a tenth. */
	CHECK(b.renew_us >=
	      b.not_after_us - UINT64_C(31) * BLOB_DAY_S * USEC_PER_SEC / 3 * 11 / 10);
	CHECK(b.renew_us <= b.not_after_us - UINT64_C(31) * BLOB_DAY_S * USEC_PER_SEC / 3 * 9 / 10);
	CHECK_INT(a.renew_us, b.renew_us);
	CHECK(str_eq(buf_str(&b.certificate), buf_str(&said.certificate)));
	b.clock_offset_ms = -IDENTITY_CLOCK_OFFSET_MAX_MS;
	CHECK_INT(identity_save(&b, f.fd), 0);
	CHECK_INT(identity_load(&b, f.fd), 0);
	CHECK(identity_is_enrolled(&b));
	CHECK_INT(b.clock_offset_ms, -IDENTITY_CLOCK_OFFSET_MAX_MS);
	/* A session never falls for the same device. */
	b.epoch = 9;
	CHECK_INT(identity_save(&b, f.fd), 0);
	CHECK_INT(identity_accept(&b, f.fd, &o, &said), 0);
	CHECK_INT(b.epoch, 9);
	CHECK_INT(identity_forget(&b, f.fd), 0);
	CHECK(!identity_is_enrolled(&b) && b.key.len == 0);
	CHECK_INT(identity_load(&a, f.fd), 0);
	CHECK(!identity_is_enrolled(&a) && a.key.len == 0);
}

static void refuses_certificates_of_others(void)
{
	cleanup_(folder_done) struct folder f = folder_make();
	cleanup_(folder_done) struct folder g = folder_make();
	cleanup_(identity_done) struct identity id, thief;
	struct answer_enrol said;
	struct onboarding o;

	identity_init(&id);
	identity_init(&thief);
	onboarding_make(&o);
	CHECK_INT(identity_prepare(&id, f.fd, "machine"), 0);
	CHECK_INT(identity_prepare(&thief, g.fd, "machine"), 0);
	issue(&thief, DEVICE, &said);
	CHECK_INT(identity_accept(&id, f.fd, &o, &said), -EKEYREJECTED);
	answer_enrol_done(&said);
	issue(&id, OTHER_DEVICE, &said);
	memcpy(said.device_id, DEVICE, sizeof(said.device_id));
	CHECK_INT(identity_accept(&id, f.fd, &o, &said), -EKEYREJECTED);
	answer_enrol_done(&said);
	/* TLS would refuse the whole of it, at every request from then on. */
	issue(&id, DEVICE, &said);
	buf_add_str(&said.certificate, STR("-----BEGIN CERTIFICATE-----\nAAAA\n"
					   "-----END CERTIFICATE-----\n"));
	CHECK_INT(identity_accept(&id, f.fd, &o, &said), -EINVAL);
	buf_clear(&said.certificate);
	buf_add_str(&said.certificate, STR("nonsense"));
	CHECK_INT(identity_accept(&id, f.fd, &o, &said), -EINVAL);
	answer_enrol_done(&said);
	CHECK(!identity_is_enrolled(&id));
	CHECK_INT(faccessat(f.fd, "identity.json", F_OK, 0), -1);
}

static void file_put(const struct folder *f, const char *name, const char *text)
{
	CHECK_INT(fs_write_file_atomic(f->fd, name, str_of(text), 0600), 0);
}

/* Whatever lies in the folder: load leaves parts that fit together. */
static void survives_damaged_files(void)
{
	static const char *const texts[] = {
		"", "x", "{}", "{\"device_id\":\"x\"}", "-----BEGIN PRIVATE KEY-----\n", "[[[[[[[["
	};
	static const char *const names[] = { "identity.json", "device.csr", "device.key" };
	cleanup_(folder_done) struct folder f = folder_make();
	cleanup_(identity_done) struct identity id;
	struct answer_enrol said;
	struct onboarding o;

	identity_init(&id);
	onboarding_make(&o);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		for (size_t j = 0; j < ARRAY_LEN(texts); j++) {
			CHECK_INT(identity_forget(&id, f.fd), 0);
			CHECK_INT(identity_prepare(&id, f.fd, "machine"), 0);
			issue(&id, DEVICE, &said);
			CHECK_INT(identity_accept(&id, f.fd, &o, &said), 0);
			answer_enrol_done(&said);
			file_put(&f, names[i], texts[j]);
			CHECK_INT(identity_load(&id, f.fd), 0);
			/* Only a request can be lost without the enrolment. */
			CHECK_INT(identity_is_enrolled(&id), i == 1);
			CHECK_INT(id.key.len > 0, i != 2);
			CHECK_INT(id.csr.len > 0, i == 0);
			CHECK_INT(identity_prepare(&id, f.fd, "machine"), 0);
			CHECK(id.csr.len > 0);
		}
	}
	/* A file larger than any of ours. */
	cleanup_(free_cleanup) char *big = calloc(1, 100001);

	CHECK(big != NULL);
	memset(big, 'a', 100000);
	file_put(&f, "device.key", big);
	file_put(&f, "identity.json", big);
	CHECK_INT(identity_load(&id, f.fd), 0);
	CHECK(!identity_is_enrolled(&id) && id.key.len == 0);
}

/* Neither followed nor waited for: whatever bears the name of a file of ours. */
static void replaces_what_is_no_file(void)
{
	static const mode_t kinds[] = { S_IFLNK, S_IFIFO, S_IFSOCK };
	static const char *const names[] = { "device.key", "device.csr" };
	cleanup_(folder_done) struct folder f = folder_make();
	cleanup_(identity_done) struct identity id;

	identity_init(&id);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		for (size_t j = 0; j < ARRAY_LEN(names); j++) {
			CHECK_INT(identity_forget(&id, f.fd), 0);
			CHECK_INT(identity_prepare(&id, f.fd, "machine"), 0);
			CHECK_INT(unlinkat(f.fd, names[j], 0), 0);
			if (kinds[i] == S_IFLNK)
				CHECK_INT(symlinkat("/dev/zero", f.fd, names[j]), 0);
			else
				CHECK_INT(mknodat(f.fd, names[j], kinds[i] | 0600, 0), 0);
			CHECK_INT(identity_load(&id, f.fd), 0);
			CHECK_INT(identity_prepare(&id, f.fd, "machine"), 0);
			CHECK_INT(mode_of(&f, names[j]), 0600);
			CHECK_INT(identity_load(&id, f.fd), 0);
			CHECK(id.key.len > 0 && id.csr.len > 0);
		}
	}
}

/* The identity of another key is none: the key is what counts. */
static void refuses_an_identity_of_another_key(void)
{
	cleanup_(folder_done) struct folder f = folder_make();
	cleanup_(identity_done) struct identity id;
	struct answer_enrol said;
	struct onboarding o;

	identity_init(&id);
	onboarding_make(&o);
	CHECK_INT(identity_prepare(&id, f.fd, "machine"), 0);
	issue(&id, DEVICE, &said);
	CHECK_INT(identity_accept(&id, f.fd, &o, &said), 0);
	answer_enrol_done(&said);
	CHECK_INT(unlinkat(f.fd, "device.key", 0), 0);
	CHECK_INT(identity_load(&id, f.fd), 0);
	CHECK(!identity_is_enrolled(&id));
	CHECK_INT(identity_prepare(&id, f.fd, "machine"), 0);
	CHECK_INT(identity_load(&id, f.fd), 0);
	CHECK(!identity_is_enrolled(&id) && id.key.len > 0);
}

static int load_encrypted(void *ctx)
{
	const struct folder *f = ctx;
	cleanup_(identity_done) struct identity id;

	identity_init(&id);
	if (identity_load(&id, f->fd) < 0)
		return -EIO;
	return id.key.len == 0 ? -ENOKEY : 0;
}

static int accept_encrypted(void *ctx)
{
	const struct folder *f = ctx;
	cleanup_(identity_done) struct identity id;
	struct answer_enrol said = { 0 };
	struct onboarding o;

	identity_init(&id);
	onboarding_make(&o);
	CHECK_INT(identity_prepare(&id, f->fd, "machine"), 0);
	buf_init(&said.certificate, ANSWER_CERT_MAX);
	buf_add_str(&said.certificate, STR(PASS_PHRASE_PEM("CERTIFICATE")));

	int r = identity_accept(&id, f->fd, &o, &said);

	answer_enrol_done(&said);
	return r;
}

static void asks_for_no_pass_phrase(void)
{
	cleanup_(folder_done) struct folder f = folder_make();

	pass_phrase_check(accept_encrypted, &f, -EINVAL);
	file_put(&f, "device.key", PASS_PHRASE_PEM("PRIVATE KEY"));
	pass_phrase_check(load_encrypted, &f, -ENOKEY);
	file_put(&f, "device.key", PASS_PHRASE_PEM("EC PRIVATE KEY"));
	pass_phrase_check(load_encrypted, &f, -ENOKEY);
}

static void tells_when_it_cannot_store(void)
{
	cleanup_(folder_done) struct folder f = folder_make();
	cleanup_(identity_done) struct identity id;

	identity_init(&id);
	CHECK_INT(mkdirat(f.fd, "device.key.tmp", 0700), 0);
	CHECK(identity_prepare(&id, f.fd, "machine") < 0);
	CHECK_INT(id.key.len, 0); /* nothing that would be forgotten at the next start */
	CHECK_INT(unlinkat(f.fd, "device.key.tmp", AT_REMOVEDIR), 0);
	CHECK_INT(identity_prepare(&id, f.fd, "machine"), 0);
}

static void pki_make(void)
{
	blob_pki_init(&pki, 365);
}

static void pki_end(void)
{
	blob_pki_done(&pki);
}

TEST_MAIN({ "pki_make", pki_make },
	  { "makes_a_key_and_a_request_once", makes_a_key_and_a_request_once },
	  { "keeps_an_enrolment", keeps_an_enrolment },
	  { "refuses_certificates_of_others", refuses_certificates_of_others },
	  { "survives_damaged_files", survives_damaged_files },
	  { "replaces_what_is_no_file", replaces_what_is_no_file },
	  { "refuses_an_identity_of_another_key", refuses_an_identity_of_another_key },
	  { "asks_for_no_pass_phrase", asks_for_no_pass_phrase },
	  { "tells_when_it_cannot_store", tells_when_it_cannot_store }, { "pki_end", pki_end })
