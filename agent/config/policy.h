/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verification of signed onboarding and offboarding files: a pure function from
 * the file's bytes, the pinned root and a time to what the file says. Format:
 * three JSON layers, {"onboardingInfo":"S1"}, S1 = {"body":"S2","sha256sig",
 * "cert","chain"}; the signature is RSA-2048 PKCS#1 v1.5 with SHA-256 over the
 * bytes of S2, stored byte-reversed in base64 (seen on public files of the
 * vendor). No I/O, no globals; all input is hostile and bounded by the limits.
 */
#pragma once

#include "agent/base/buf.h"
#include "agent/base/diag.h"
#include "agent/base/hash.h"
#include "agent/config/plan.h"

#define POLICY_FILE_MAX 65536u
#define POLICY_DEPTH_MAX 8u
#define POLICY_CHAIN_MAX 4u /* certificates beside the leaf */
#define POLICY_ANCHORS_MAX 8u
#define POLICY_ENDPOINTS_MAX 4u
#define POLICY_ENDPOINT_MAX 255u
#define POLICY_PREVIOUS_MAX 16u
#define POLICY_CA_MAX 16384u
#define POLICY_GUID_SIZE 37u
#define POLICY_TOKEN_SIZE 65u
#define POLICY_TENANT_SIZE 65u

/* What a verified file says. An offboarding file has org_id, not_after_us and the root only. */
struct onboarding {
	bool is_offboarding;
	bool is_leaf_expired; /* a certificate is past; only with POLICY_EXPIRED_LEAF_OK */
	bool is_expired;      /* notAfter is past; only with POLICY_EXPIRED_OK */
	enum plan plan;
	char org_id[POLICY_GUID_SIZE]; /* lower case */
	char tenant_id[POLICY_TENANT_SIZE];
	char enroll_token[POLICY_TOKEN_SIZE]; /* a secret: never logged */
	uint64_t not_after_us;		      /* realtime; UINT64_MAX when the file names none */
	size_t n_endpoints;
	char endpoints[POLICY_ENDPOINTS_MAX][POLICY_ENDPOINT_MAX + 1]; /* https://host[:port] */
	size_t n_previous;
	char previous_org_ids[POLICY_PREVIOUS_MAX][POLICY_GUID_SIZE];
	struct buf ca_pem;			/* the only TLS anchors */
	struct buf root_pem;			/* root certificate the chain ends at */
	char root_fingerprint[SHA256_HEX_SIZE]; /* SHA-256 of its DER form */
};

enum policy_flags {
	/* Expired certificates are accepted: the host is already onboarded by this file. */
	POLICY_EXPIRED_LEAF_OK = 1,
	/* A notAfter that is past is accepted: to learn what an expired file said, and for an
	 * offboarding file that took effect in time. */
	POLICY_EXPIRED_OK = 2,
};

/* Verifies `file`. anchors_pem: the pinned root(s) as PEM text; an empty one accepts the
 * self-signed root that the file itself carries (first file on a host: the caller pins it).
 * -EINVAL malformed or a value that is not allowed, -EMSGSIZE over POLICY_FILE_MAX, -EKEYREJECTED
 * signature or chain does not verify, -EKEYEXPIRED notAfter or the leaf is past, -ENOMEM.
 * The reason stands in diag. On success the caller frees with onboarding_free(). */
must_check int policy_verify(struct str file, struct str anchors_pem, uint64_t now_us,
			     unsigned int flags, struct onboarding **ret_onboarding,
			     struct diag *diag);

/* What a body (S2) says, without any proof that somebody signed it: the last step of
 * policy_verify(), apart so that it can be fuzzed. Errors as there. */
must_check int policy_body_read(struct str body, uint64_t now_us, unsigned int flags,
				struct onboarding **ret_onboarding, struct diag *diag);

/* Frees o and wipes the token; NULL is allowed. */
void onboarding_free(struct onboarding *o);
DEFINE_CLEANUP(struct onboarding *, onboarding, onboarding_free)

/* The pass-phrase callback for all PEM readers (pem_password_cb(3)): PEM may be encrypted
 * (RFC 1421, section 4.6.1.1), and without this OpenSSL asks the terminal and waits. */
int policy_no_pass_phrase(char *text, int size, int rwflag, void *ctx);
