/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keys and certificates of the endpoint, the only user of OpenSSL's certificate
 * functions in cloud/: the onboarding root, its issuing CA and the RSA-2048 leaf that
 * signs blobs (all other keys are on P-256); the TLS root and the server's certificate; the CA of
 * device certificates. Each pair lies in DIR/pki/NAME.pem (certificate, then key), mode 0600. A
 * struct pki is read-only once opened; signing with it is safe in several threads.
 */
#pragma once

#include "agent/base/buf.h"
#include "agent/base/diag.h"
#include "agent/base/hash.h"

#define PKI_SIGNATURE_SIZE 256u /* RSA-2048 */
#define PKI_CSR_MAX (8u * 1024u)
#define PKI_PEM_MAX (16u * 1024u)
#define PKI_SERIAL_SIZE 41u
#define PKI_DEVICE_DAYS 30u

enum pki_entity {
	PKI_ONBOARDING_ROOT,
	PKI_ONBOARDING_ISSUING,
	PKI_ONBOARDING_LEAF,
	PKI_TLS_ROOT,
	PKI_DEVICE_CA,
	PKI_TLS_SERVER, /* last: made by pki_server_ensure(), which knows the names */
	PKI_ENTITIES
};

struct pki;

enum pki_mode {
	PKI_RENEW,  /* all must be there; a leaf that ends within a month is renewed */
	PKI_CREATE, /* what is missing is made as well; the server */
};

/* Loads DIR/pki. -ENOENT not made yet, -EACCES and the like from files, -EINVAL a file that is
 * damaged, -ENOMEM, -EIO when OpenSSL refuses; words in diag. Free with pki_free(). */
must_check int pki_open(const char *dir, enum pki_mode mode, uint64_t now_us, struct pki **ret_pki,
			struct diag *diag);
void pki_free(struct pki *p);
DEFINE_CLEANUP(struct pki *, pki, pki_free)

/* Sees to a server certificate that names every host of `hosts` (DNS names or
 * addresses as text) and has a month left; makes a new one else. */
must_check int pki_server_ensure(struct pki *p, const char *const *hosts, size_t n_hosts,
				 uint64_t now_us, struct diag *diag);

/* True when the server's certificate names `host`. */
bool pki_server_names(const struct pki *p, const char *host);

/* Appends the certificate or the private key as PEM text / the certificate as DER. */
must_check int pki_certificate_pem(const struct pki *p, enum pki_entity e, struct buf *out);
must_check int pki_key_pem(const struct pki *p, enum pki_entity e, struct buf *out);
must_check int pki_certificate_der(const struct pki *p, enum pki_entity e, struct buf *out);

/* RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017) by the onboarding leaf, as it stands
 * on paper (big-endian). -EIO, -ENOMEM. */
must_check int pki_sign(const struct pki *p, struct str data,
			uint8_t ret_signature[PKI_SIGNATURE_SIZE]);

/* Appends data in base64 without line breaks (RFC 4648, section 4). */
must_check int pki_base64(struct str data, struct buf *out);

/* A device's certificate request (PKCS #10, RFC 2986) that was checked: one PEM
 * block, signed by its own key, which is on P-256. */
struct pki_csr;

/* -EINVAL with words in diag, -ENOMEM. Free with pki_csr_free(). */
must_check int pki_csr_parse(struct str pem, struct pki_csr **ret_csr, struct diag *diag);
void pki_csr_free(struct pki_csr *csr);
DEFINE_CLEANUP(struct pki_csr *, pki_csr, pki_csr_free)

/* SHA-256 of the SubjectPublicKeyInfo, which is what makes a device's key the same,
 * and of the request in DER. */
const uint8_t *pki_csr_key_sha256(const struct pki_csr *csr);
const uint8_t *pki_csr_sha256(const struct pki_csr *csr);

/* Whom a certificate names. */
struct pki_subject {
	const char *tenant_id;
	const char *device_id;
};

struct pki_certificate {
	char serial[PKI_SERIAL_SIZE]; /* lower-case hex without leading zeros */
	uint64_t expires_us;
};

/* Signs the request's key for PKI_DEVICE_DAYS: CN = device_id, SAN URI
 * urn:endpoint-agent:<tenant_id>:<device_id>, client authentication only. What
 * the request says of its subject is not looked at. PEM text is appended to pem. */
must_check int pki_device_issue(const struct pki *p, const struct pki_csr *csr,
				const struct pki_subject *subject, uint64_t now_us, struct buf *pem,
				struct pki_certificate *ret_certificate);
