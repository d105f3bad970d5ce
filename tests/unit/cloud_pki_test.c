/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/pki.h"

#include <fcntl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "agent/base/fs.h"
#include "tests/cloud.h"
#include "tests/pass_phrase.h"

#define DAY_US (UINT64_C(86400) * USEC_PER_SEC)

static X509 *x509_read(struct str pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	(void)BIO_free(bio);
	CHECK(x != NULL);
	return x;
}

static X509 *certificate(const struct pki *p, enum pki_entity e)
{
	struct buf pem;
	X509 *x;

	buf_init(&pem, PKI_PEM_MAX);
	CHECK_INT(pki_certificate_pem(p, e, &pem), 0);
	x = x509_read(buf_str(&pem));
	buf_done(&pem);
	return x;
}

/* The folder whose keys most tests only read: RSA keys take their time to be made. */
static const char *made_dir(void)
{
	static const char *const hosts[] = { "127.0.0.1", "::1", "cloud.example" };
	static const char *dir;
	cleanup_(pki_cleanup) struct pki *p = NULL;

	if (dir != NULL)
		return dir;
	dir = cloud_dir_make();
	CHECK_INT(pki_open(dir, PKI_CREATE, CLOUD_NOW_US, &p, NULL), 0);
	CHECK_INT(pki_server_ensure(p, hosts, ARRAY_LEN(hosts), CLOUD_NOW_US, NULL), 0);
	return dir;
}

static bool is_signed_by(X509 *x, X509 *issuer)
{
	return X509_check_issued(issuer, x) == X509_V_OK &&
	       X509_verify(x, X509_get0_pubkey(issuer)) == 1;
}

static void makes_all_and_loads_it_again(void)
{
	cleanup_(pki_cleanup) struct pki *p = NULL;
	cleanup_(pki_cleanup) struct pki *q = NULL;
	const char *dir = made_dir();
	struct diag diag = { 0 };
	X509 *a;
	X509 *b;

	CHECK_INT(pki_open("/nonexistent", PKI_RENEW, CLOUD_NOW_US, &p, &diag), -ENOENT);
	CHECK(diag.text[0] != '\0');
	CHECK_INT(pki_open(dir, PKI_CREATE, CLOUD_NOW_US, &p, NULL), 0);
	CHECK(pki_server_names(p, "127.0.0.1"));
	CHECK(pki_server_names(p, "::1"));
	CHECK(pki_server_names(p, "cloud.example"));
	CHECK(!pki_server_names(p, "127.0.0.2"));
	CHECK(!pki_server_names(p, "cloud"));

	CHECK_INT(pki_open(dir, PKI_RENEW, CLOUD_NOW_US, &q, NULL), 0);
	CHECK(pki_server_names(q, "cloud.example"));
	for (int e = 0; e < PKI_ENTITIES; e++) {
		a = certificate(p, (enum pki_entity)e);
		b = certificate(q, (enum pki_entity)e);
		CHECK_INT(X509_cmp(a, b), 0);
		X509_free(a);
		X509_free(b);
	}
}

static void chains_as_it_says(void)
{
	static const enum pki_entity issuers[] = {
		[PKI_ONBOARDING_ROOT] = PKI_ONBOARDING_ROOT,
		[PKI_ONBOARDING_ISSUING] = PKI_ONBOARDING_ROOT,
		[PKI_ONBOARDING_LEAF] = PKI_ONBOARDING_ISSUING,
		[PKI_TLS_ROOT] = PKI_TLS_ROOT,
		[PKI_DEVICE_CA] = PKI_DEVICE_CA,
		[PKI_TLS_SERVER] = PKI_TLS_ROOT,
	};
	cleanup_(pki_cleanup) struct pki *p = NULL;

	CHECK_INT(pki_open(made_dir(), PKI_RENEW, CLOUD_NOW_US, &p, NULL), 0);
	for (int e = 0; e < PKI_ENTITIES; e++) {
		X509 *x = certificate(p, (enum pki_entity)e);
		X509 *issuer = certificate(p, issuers[e]);
		bool is_ca = e != PKI_ONBOARDING_LEAF && e != PKI_TLS_SERVER;

		CHECK(is_signed_by(x, issuer));
		CHECK_INT(X509_check_ca(x) == 1, is_ca);
		X509_free(x);
		X509_free(issuer);
	}
}

static void keeps_its_files_private(void)
{
	cleanup_(pki_cleanup) struct pki *q = NULL;
	const char *dir = made_dir();
	struct diag diag = { 0 };
	char path[128];
	struct stat st;

	CHECK_INT(fs_path(path, sizeof(path), "%s/pki/device-ca.pem", dir), 0);
	CHECK_INT(stat(path, &st), 0);
	CHECK_INT(st.st_mode & 07777, 0600);

	/* A damaged file is never replaced by a new key: devices would be lost. */
	CHECK_INT(fs_write_file_atomic(AT_FDCWD, path, STR("damaged"), 0600), 0);
	CHECK_INT(pki_open(dir, PKI_CREATE, CLOUD_NOW_US, &q, &diag), -EINVAL);
	CHECK(strstr(diag.text, "device-ca.pem") != NULL);
	CHECK(q == NULL);
}

static void renews_the_leaf_and_the_server(void)
{
	static const char *const hosts[] = { "cloud.example" };
	static const char *const more[] = { "cloud.example", "other.example" };
	static const char *const bad[] = { "a,DNS:evil.example" };
	cleanup_(pki_cleanup) struct pki *p = NULL;
	cleanup_(pki_cleanup) struct pki *q = NULL;
	const char *dir = made_dir();
	uint64_t later_us = CLOUD_NOW_US + 340 * DAY_US;
	X509 *a;
	X509 *b;

	CHECK_INT(pki_open(dir, PKI_CREATE, CLOUD_NOW_US, &p, NULL), 0);
	CHECK_INT(pki_server_ensure(p, hosts, 1, CLOUD_NOW_US, NULL), 0);
	CHECK_INT(pki_server_ensure(p, bad, 1, CLOUD_NOW_US, NULL), -EINVAL);
	a = certificate(p, PKI_TLS_SERVER);
	CHECK_INT(pki_server_ensure(p, hosts, 1, CLOUD_NOW_US, NULL), 0);
	b = certificate(p, PKI_TLS_SERVER);
	CHECK_INT(X509_cmp(a, b), 0);
	X509_free(b);
	CHECK_INT(pki_server_ensure(p, more, 2, CLOUD_NOW_US, NULL), 0);
	b = certificate(p, PKI_TLS_SERVER);
	CHECK(X509_cmp(a, b) != 0);
	X509_free(a);
	X509_free(b);

	CHECK_INT(pki_open(dir, PKI_RENEW, later_us, &q, NULL), 0);
	a = certificate(p, PKI_ONBOARDING_LEAF);
	b = certificate(q, PKI_ONBOARDING_LEAF);
	CHECK(X509_cmp(a, b) != 0);
	X509_free(a);
	X509_free(b);
	a = certificate(p, PKI_ONBOARDING_ROOT);
	b = certificate(q, PKI_ONBOARDING_ROOT);
	CHECK_INT(X509_cmp(a, b), 0);
	X509_free(a);
	X509_free(b);
}

static void signs_with_the_leaf(void)
{
	cleanup_(pki_cleanup) struct pki *p = NULL;
	uint8_t signature[PKI_SIGNATURE_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	X509 *leaf;

	CHECK_INT(pki_open(made_dir(), PKI_RENEW, CLOUD_NOW_US, &p, NULL), 0);
	CHECK_INT(pki_sign(p, STR("text"), signature), 0);
	leaf = certificate(p, PKI_ONBOARDING_LEAF);
	CHECK(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, X509_get0_pubkey(leaf)) == 1);
	CHECK(EVP_DigestVerify(ctx, signature, sizeof(signature), (const unsigned char *)"text",
			       4) == 1);
	EVP_MD_CTX_free(ctx);
	X509_free(leaf);
}

static void issues_device_certificates(void)
{
	const struct pki_subject subject = { .tenant_id = "11111111-2222-4333-8444-555555555555",
					     .device_id =
						     "0123456789abcdef0123456789abcdef01234567" };
	cleanup_(pki_cleanup) struct pki *p = NULL;
	cleanup_(pki_csr_cleanup) struct pki_csr *csr = NULL;
	struct pki_certificate made = { 0 };
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char *pem = cloud_csr(key, key);
	GENERAL_NAMES *names;
	struct buf out;
	X509 *x;
	X509 *ca;
	char cn[64];

	buf_init(&out, PKI_PEM_MAX);
	CHECK_INT(pki_open(made_dir(), PKI_RENEW, CLOUD_NOW_US, &p, NULL), 0);
	CHECK_INT(pki_csr_parse(str_of(pem), &csr, NULL), 0);
	CHECK_INT(pki_device_issue(p, csr, &subject, CLOUD_NOW_US, &out, &made), 0);
	CHECK_INT(made.expires_us, CLOUD_NOW_US + 30 * DAY_US);
	CHECK_INT(strlen(made.serial), 32);

	x = x509_read(buf_str(&out));
	ca = certificate(p, PKI_DEVICE_CA);
	CHECK(is_signed_by(x, ca));
	CHECK_INT(EVP_PKEY_eq(X509_get0_pubkey(x), key), 1);
	CHECK_INT(X509_check_purpose(x, X509_PURPOSE_SSL_CLIENT, 0), 1);
	CHECK_INT(X509_check_purpose(x, X509_PURPOSE_SSL_SERVER, 0), 0);
	CHECK(X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, cn, sizeof(cn)) >
	      0);
	CHECK_STR(cn, subject.device_id);
	names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	CHECK_INT(sk_GENERAL_NAME_num(names), 1);
	CHECK_INT(sk_GENERAL_NAME_value(names, 0)->type, GEN_URI);
	CHECK_STR((const char *)ASN1_STRING_get0_data(sk_GENERAL_NAME_value(names, 0)->d.ia5),
		  "urn:endpoint-agent:11111111-2222-4333-8444-555555555555:"
		  "0123456789abcdef0123456789abcdef01234567");
	GENERAL_NAMES_free(names);
	X509_free(x);
	X509_free(ca);
	EVP_PKEY_free(key);
	buf_done(&out);
	free(pem);
}

static void csr_refused(const char *text, size_t n)
{
	struct diag diag = { 0 };
	struct pki_csr *csr = NULL;
	int r = pki_csr_parse((struct str){ .p = text, .n = n }, &csr, &diag);

	CHECK(r == -EINVAL || r == -ENOMEM);
	CHECK(r == -ENOMEM || diag.text[0] != '\0');
	CHECK(csr == NULL);
}

static int parse_encrypted(unused_ void *ctx)
{
	struct pki_csr *csr = NULL;

	return pki_csr_parse(STR(PASS_PHRASE_PEM("CERTIFICATE REQUEST")), &csr, NULL);
}

static void asks_for_no_pass_phrase(void)
{
	pass_phrase_check(parse_encrypted, NULL, -EINVAL);
}

static void refuses_other_requests(void)
{
	static char large[PKI_CSR_MAX + 1];
	EVP_PKEY *p256 = EVP_EC_gen("P-256");
	EVP_PKEY *other = EVP_EC_gen("P-256");
	EVP_PKEY *p384 = EVP_EC_gen("P-384");
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	char *good = cloud_csr(p256, p256);
	char *pem;

	csr_refused("", 0);
	csr_refused("x", 1);
	csr_refused(large, sizeof(large));
	for (size_t n = 0; n < strlen(good) - 1; n += 7)
		csr_refused(good, n);
	pem = cloud_csr(p256, other); /* not the owner of the key */
	csr_refused(pem, strlen(pem));
	free(pem);
	pem = cloud_csr(p384, p384);
	csr_refused(pem, strlen(pem));
	free(pem);
	pem = cloud_csr(rsa, rsa);
	csr_refused(pem, strlen(pem));
	free(pem);
	free(good);
	EVP_PKEY_free(p256);
	EVP_PKEY_free(other);
	EVP_PKEY_free(p384);
	EVP_PKEY_free(rsa);
}

static void knows_a_key_again(void)
{
	cleanup_(pki_csr_cleanup) struct pki_csr *a = NULL;
	cleanup_(pki_csr_cleanup) struct pki_csr *b = NULL;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char *first = cloud_csr(key, key);
	char *second = cloud_csr(key, key); /* its signature differs */

	CHECK_INT(pki_csr_parse(str_of(first), &a, NULL), 0);
	CHECK_INT(pki_csr_parse(str_of(second), &b, NULL), 0);
	CHECK_INT(memcmp(pki_csr_key_sha256(a), pki_csr_key_sha256(b), SHA256_SIZE), 0);
	CHECK(memcmp(pki_csr_sha256(a), pki_csr_sha256(b), SHA256_SIZE) != 0);
	EVP_PKEY_free(key);
	free(first);
	free(second);
}

TEST_MAIN({ "makes_all_and_loads_it_again", makes_all_and_loads_it_again },
	  { "chains_as_it_says", chains_as_it_says },
	  { "renews_the_leaf_and_the_server", renews_the_leaf_and_the_server },
	  { "signs_with_the_leaf", signs_with_the_leaf },
	  { "issues_device_certificates", issues_device_certificates },
	  { "refuses_other_requests", refuses_other_requests },
	  { "asks_for_no_pass_phrase", asks_for_no_pass_phrase },
	  { "knows_a_key_again", knows_a_key_again },
	  { "keeps_its_files_private", keeps_its_files_private })
