/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who this host is to the cloud: a P-256 key made here that never leaves the
 * reporter's folder, the certificate request made with it, and what an enrolment
 * gave for it. Files below the folder: device.key, device.csr (both 0600) and
 * identity.json, each replaced whole, so that a crash leaves the old or the new.
 * The caller's struct; holds a secret and is wiped by identity_done().
 */
#pragma once

#include "agent/base/buf.h"
#include "agent/base/hash.h"
#include "agent/config/policy.h"
#include "reporter/answer.h"

/* A difference of clocks is told up to a century; what the endpoint says beyond is its mistake. */
#define IDENTITY_CLOCK_OFFSET_MAX_MS INT64_C(3155760000000)

struct identity {
	struct buf key;			  /* PEM, PKCS #8 */
	struct buf csr;			  /* PEM, PKCS #10 */
	char csr_sha256[SHA256_HEX_SIZE]; /* of its DER form: the Idempotency-Key */

	/* Of the enrolment; device_id "" before it. */
	char device_id[ANSWER_DEVICE_SIZE];
	char org_id[POLICY_GUID_SIZE];
	char tenant_id[POLICY_TENANT_SIZE];
	uint64_t epoch;		/* session of the device: rises, never falls */
	uint64_t not_after_us;	/* of the certificate */
	uint64_t renew_us;	/* with a third of its life left; devices differ by 10 % of that */
	struct buf certificate; /* PEM: leaf, then its chain */

	/*
	 * What the header line of batches says. A batch that is sent again, also by the next
	 * process or after a reboot, must have the same bytes: the endpoint takes the same range
	 * with other bytes for a conflict. So these change only while nothing is on its way, and
	 * are on disk before they are used.
	 */
	char boot_id[37];
	int64_t clock_offset_ms;
};

void identity_init(struct identity *id);
void identity_done(struct identity *id);

/* Reads the folder. Files that are missing, damaged or do not fit together leave
 * their part empty and are made anew; only errors of the system are returned. */
must_check int identity_load(struct identity *id, int dir_fd);

/* Makes and stores the key and the request where they are missing. common_name: of
 * the request's subject. Errno of the file system, -ENOMEM, -EIO. */
must_check int identity_prepare(struct identity *id, int dir_fd, const char *common_name);

/* Another request for the same key, for a new certificate of the same device. */
must_check int identity_new_request(struct identity *id, int dir_fd, const char *common_name);

/* Takes over an enrolment and stores it. -EKEYREJECTED when the certificate is not
 * for our key or names another device, -EINVAL when it cannot be read; errno of the
 * file system, -ENOMEM. On an error id is unchanged. */
must_check int identity_accept(struct identity *id, int dir_fd, const struct onboarding *o,
			       const struct answer_enrol *a);

/* Stores the enrolment as it stands (a new epoch, another organisation, other headers). */
must_check int identity_save(const struct identity *id, int dir_fd);

/* Forgets the enrolment, and the key and the request too. */
must_check int identity_forget(struct identity *id, int dir_fd);

/* True when there is a certificate. */
bool identity_is_enrolled(const struct identity *id);
