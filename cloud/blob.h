/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Onboarding and offboarding files: three JSON layers, {"onboardingInfo":"S1"},
 * S1 = {"body":"S2","sig","sha256sig","cert","chain"}. The signature is RSA-2048
 * PKCS #1 v1.5 with SHA-256 over the bytes of S2, stored byte-reversed in base64,
 * as public files of the vendor have it. agent/config/policy.c verifies them.
 */
#pragma once

#include "agent/config/plan.h"
#include "cloud/pki.h"

#define BLOB_MAX (64u * 1024u)

struct blob_content {
	const char *org_id;
	const char *tenant_id;
	const char *url;
	const char *ca_pem; /* the only TLS anchor */
	const char *token;  /* 64 hex digits; a secret */
	enum plan plan;
	uint64_t not_after_us;
};

/* Appends S2 of an onboarding file. */
void blob_onboarding_format(const struct blob_content *content, struct buf *out);

/* Appends S2 of an offboarding file. */
void blob_offboarding_format(const char *org_id, uint64_t not_after_us, struct buf *out);

/* Appends the whole file around a body. -EIO, -ENOMEM, -EMSGSIZE. */
must_check int blob_sign(const struct pki *pki, struct str body, struct buf *out);
