/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bodies of POST /v1/enroll and /v1/renew (cloud protocol, section 2). Pure:
 * bytes in, checked values out. Unknown members are ignored.
 */
#pragma once

#include "agent/base/jsonr.h"
#include "cloud/api_error.h"
#include "cloud/pki.h"
#include "cloud/store/store.h"

#define ENROL_BODY_MAX (64u * 1024u)
#define ENROL_TAGS_MAX 16u
#define ENROL_TAG_SIZE_MAX 256u

struct enrol_request {
	struct jsonr *doc;	/* what host and csr_pem borrow from */
	struct store_host host; /* empty in a renewal */
	struct buf tags;	/* host.tags */
	struct str csr_pem;
	struct pki_csr *csr;
	enum plan plan_requested; /* PLAN_NONE: not said */
};

/* Takes a body apart and checks its certificate request. is_renewal: only "csr"
 * is looked at. -EBADMSG, -ENOMEM, both with *error filled in. Free with
 * enrol_request_free(). */
must_check int enrol_request_parse(struct str body, bool is_renewal,
				   struct enrol_request **ret_request, struct api_error *error);
void enrol_request_free(struct enrol_request *q);
DEFINE_CLEANUP(struct enrol_request *, enrol_request, enrol_request_free)

/* Idempotency-Key: empty, or the SHA-256 of the request's PEM text or DER in hex. */
bool enrol_request_has_key(const struct enrol_request *q, struct str idempotency_key);

/* The token behind "Bearer ", which must be 64 hex digits. -EINVAL. */
must_check int enrol_token_parse(struct str authorization, struct str *ret_token);

/* The device of a machine: the first 40 hex digits of SHA-256 over tenant id, a
 * newline and machine_guid, so that a host that enrols again stays itself. */
must_check int enrol_device_id(const char *tenant_id, struct str machine_guid,
			       char ret_id[STORE_DEVICE_ID_SIZE]);
