/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Gets this host its certificate (cloud protocol, section 2): POST /v1/enroll with
 * the onboarding file's token, or POST /v1/renew with the old certificate when it
 * nears its end. Tries until it works: back-off while the endpoint cannot be
 * reached, one hour between enrolments that were answered.
 */
#pragma once

#include "agent/base/loop.h"
#include "agent/config/host.h"
#include "reporter/identity.h"
#include "reporter/session.h"

#define ENROLLER_AGAIN_NS (3600 * NSEC_PER_SEC)

struct enroller;

struct enroller_env {
	struct loop *loop;
	struct session *session;
	struct identity *identity;
	int cloud_fd; /* folder of the identity; all borrowed for ever */
	const struct host *host;
	const char *version;
	/* The identity holds a new certificate. */
	void (*enrolled)(void *ctx, const struct answer_enrol *a);
	void *ctx;
};

/* -ENOMEM, errno of the loop. */
must_check int enroller_new(const struct enroller_env *env, struct enroller **ret_enroller);
void enroller_free(struct enroller *e);
DEFINE_CLEANUP(struct enroller *, enroller, enroller_free)

/* Enrols with the file o (borrowed until enroller_stop()). Harmless while it does so already. */
void enroller_start(struct enroller *e, const struct onboarding *o);

/* Renews the certificate of the identity, in the same way. */
void enroller_renew(struct enroller *e, const struct onboarding *o);

/* Lets go; a new file starts without the old one's hour. */
void enroller_stop(struct enroller *e);

bool enroller_is_busy(const struct enroller *e);

/* Appends the body of an enrolment. */
void enroller_request_format(const struct host *host, const char *version, struct str csr,
			     enum plan plan, struct buf *out);
