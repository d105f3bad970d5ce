/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder for tests of the cloud's files, and certificate requests made with
 * nothing but OpenSSL. */
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <sys/wait.h>

#include "tests/test.h"

#define CLOUD_NOW_US (UINT64_C(1780000000) * USEC_PER_SEC)

static char cloud_dir[64];

static inline void cloud_dir_remove(void)
{
	pid_t pid;

	if (cloud_dir[0] == '\0')
		return;
	pid = fork();
	if (pid == 0) {
		(void)execl("/bin/rm", "rm", "-rf", cloud_dir, (char *)NULL);
		_exit(1);
	}
	(void)waitpid(pid, NULL, 0);
	cloud_dir[0] = '\0';
}

/* A fresh folder, removed when the program ends. */
static inline const char *cloud_dir_make(void)
{
	static bool is_registered;

	cloud_dir_remove();
	(void)snprintf(cloud_dir, sizeof(cloud_dir), "/tmp/endpoint-cloud-unit.XXXXXX");
	CHECK(mkdtemp(cloud_dir) != NULL);
	if (!is_registered)
		CHECK_INT(atexit(cloud_dir_remove), 0);
	is_registered = true;
	return cloud_dir;
}

/* PEM text of a request for `key`, signed by `signer`; the caller frees it. */
static inline char *cloud_csr(EVP_PKEY *key, EVP_PKEY *signer)
{
	X509_REQ *csr = X509_REQ_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *data = NULL;
	char *copy;
	long n;

	CHECK(csr != NULL && bio != NULL);
	CHECK(X509_REQ_set_pubkey(csr, key) == 1);
	CHECK(X509_REQ_sign(csr, signer, EVP_sha256()) > 0);
	CHECK(PEM_write_bio_X509_REQ(bio, csr) == 1);
	n = BIO_get_mem_data(bio, &data);
	CHECK(n > 0);
	copy = calloc(1, (size_t)n + 1);
	if (copy != NULL)
		memcpy(copy, data, (size_t)n);
	(void)BIO_free(bio);
	X509_REQ_free(csr);
	CHECK(copy != NULL);
	return copy;
}
