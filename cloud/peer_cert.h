/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the client of a TLS session proved about itself. With libmicrohttpd a
 * client without a certificate is served all the same: this is the check that
 * requires one. Together with http.c the only user of GnuTLS.
 */
#pragma once

#include "agent/base/str.h"

#define PEER_CERT_SERIAL_SIZE 41u
#define PEER_CERT_CN_SIZE 65u
#define PEER_CERT_URI_SIZE 193u

struct gnutls_session_int; /* gnutls_session_t points to it */

enum peer_cert_state {
	PEER_CERT_NONE,
	PEER_CERT_EXPIRED, /* ours, but past its end; nothing else is wrong with it */
	PEER_CERT_UNTRUSTED,
	PEER_CERT_OK,
};

struct peer_cert {
	char serial[PEER_CERT_SERIAL_SIZE]; /* lower-case hex */
	char common_name[PEER_CERT_CN_SIZE];
	char uri[PEER_CERT_URI_SIZE]; /* first URI among the alternative names */
};

/* Verifies the session's certificate against the server's trust list, now. Fills
 * *ret_cert in only with PEER_CERT_OK. */
enum peer_cert_state peer_cert_read(struct gnutls_session_int *session, struct peer_cert *ret_cert);
