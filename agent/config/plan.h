/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The licence, its plan, and which features it allows (features.def). */
#pragma once

#include "agent/base/buf.h"

enum plan { PLAN_NONE, PLAN_P1, PLAN_P2 };

enum feature {
#define FEATURE(id, name, plan) FEATURE_##id,
#include "agent/config/features.def"
#undef FEATURE
	FEATURES
};

enum licence_state {
	LICENCE_NONE,	 /* never onboarded */
	LICENCE_INVALID, /* a blob that does not verify; reason says why */
	LICENCE_ACTIVE,	 /* valid blob */
	LICENCE_OFFBOARDED,
	LICENCE_EXPIRED,
};

struct licence {
	enum licence_state state;
	enum plan plan;
	char org_id[40];    /* GUID, "" for none */
	char device_id[41]; /* 40 hex from the cloud, "" before enrolment */
	char reason[200];   /* for a human, "" when all is well */
};

bool licence_eq(const struct licence *a, const struct licence *b);

/* True when the licence is active and its plan covers the feature. */
bool plan_allows(const struct licence *l, enum feature f);

const char *plan_name(enum plan p); /* "none", "P1", "P2" */
must_check int plan_parse(struct str name, enum plan *ret_plan);
const char *feature_name(enum feature f);

/* The payload of MSG_LICENCE and MSG_LICENCE_SET. Reader: -EPROTO. */
void licence_put(const struct licence *l, struct buf *out);
must_check int licence_get(const void *data, size_t len, struct licence *ret_licence);
