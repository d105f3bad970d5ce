/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/peer_cert.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

DEFINE_CLEANUP(gnutls_x509_crt_t, crt, gnutls_x509_crt_deinit)

static int serial_read(gnutls_x509_crt_t crt, char out[PEER_CERT_SERIAL_SIZE])
{
	uint8_t serial[(PEER_CERT_SERIAL_SIZE - 1) / 2];
	size_t n = sizeof(serial);

	if (gnutls_x509_crt_get_serial(crt, serial, &n) < 0 || n == 0)
		return -EBADMSG;
	hex_encode(serial, n, out);
	return 0;
}

/* A name with a NUL inside would be another one to string functions. */
static int text_check(const char *text, size_t n)
{
	return memchr(text, '\0', n) == NULL ? 0 : -EBADMSG;
}

static int common_name_read(gnutls_x509_crt_t crt, char out[PEER_CERT_CN_SIZE])
{
	size_t n = PEER_CERT_CN_SIZE;

	if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, out, &n) < 0)
		return -EBADMSG;
	return text_check(out, n);
}

static int uri_read(gnutls_x509_crt_t crt, char out[PEER_CERT_URI_SIZE])
{
	for (unsigned int i = 0; i < 8; i++) {
		size_t n = PEER_CERT_URI_SIZE - 1;
		int type = gnutls_x509_crt_get_subject_alt_name(crt, i, out, &n, NULL);

		if (type < 0)
			return -EBADMSG;
		if (type != GNUTLS_SAN_URI)
			continue;
		out[n] = '\0';
		return text_check(out, n);
	}
	return -EBADMSG;
}

enum peer_cert_state peer_cert_read(struct gnutls_session_int *session, struct peer_cert *ret_cert)
{
	cleanup_(crt_cleanup) gnutls_x509_crt_t crt = NULL;
	struct peer_cert cert = { 0 };
	const gnutls_datum_t *peers;
	unsigned int n_peers = 0;
	unsigned int status = 0;

	peers = gnutls_certificate_get_peers(session, &n_peers);
	if (peers == NULL || n_peers == 0)
		return PEER_CERT_NONE;
	if (gnutls_certificate_type_get(session) != GNUTLS_CRT_X509 ||
	    gnutls_certificate_verify_peers2(session, &status) < 0)
		return PEER_CERT_UNTRUSTED;
	if (status == (GNUTLS_CERT_INVALID | GNUTLS_CERT_EXPIRED))
		return PEER_CERT_EXPIRED;
	if (status != 0)
		return PEER_CERT_UNTRUSTED;
	if (gnutls_x509_crt_init(&crt) < 0 ||
	    gnutls_x509_crt_import(crt, &peers[0], GNUTLS_X509_FMT_DER) < 0)
		return PEER_CERT_UNTRUSTED;
	if (serial_read(crt, cert.serial) < 0 || common_name_read(crt, cert.common_name) < 0 ||
	    uri_read(crt, cert.uri) < 0)
		return PEER_CERT_UNTRUSTED;
	*ret_cert = cert;
	return PEER_CERT_OK;
}
