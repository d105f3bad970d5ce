/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/plan.h"

#include <assert.h>

#include "agent/base/msg.h"
#include "agent/base/utf8.h"

static const struct {
	const char *name;
	enum plan plan;
} features[FEATURES] = {
#define FEATURE(id_, name_, plan_) [FEATURE_##id_] = { .name = (name_), .plan = (plan_) },
#include "agent/config/features.def"
#undef FEATURE
};

static const char *const plan_names[] = {
	[PLAN_NONE] = "none",
	[PLAN_P1] = "P1",
	[PLAN_P2] = "P2",
};

bool licence_eq(const struct licence *a, const struct licence *b)
{
	return a->state == b->state && a->plan == b->plan && strcmp(a->org_id, b->org_id) == 0 &&
	       strcmp(a->device_id, b->device_id) == 0 && strcmp(a->reason, b->reason) == 0;
}

bool plan_allows(const struct licence *l, enum feature f)
{
	assert((unsigned int)f < FEATURES);
	if (features[f].plan == PLAN_NONE)
		return true;
	return l->state == LICENCE_ACTIVE && l->plan >= features[f].plan;
}

const char *plan_name(enum plan p)
{
	assert((unsigned int)p < ARRAY_LEN(plan_names));
	return plan_names[p];
}

int plan_parse(struct str name, enum plan *ret_plan)
{
	for (size_t i = 0; i < ARRAY_LEN(plan_names); i++) {
		if (str_eq(name, str_of(plan_names[i]))) {
			*ret_plan = (enum plan)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *feature_name(enum feature f)
{
	assert((unsigned int)f < FEATURES);
	return features[f].name;
}

static struct str bounded(const char *s, size_t size)
{
	return (struct str){ .p = s, .n = strnlen(s, size) };
}

void licence_put(const struct licence *l, struct buf *out)
{
	msg_put_u8(out, (uint8_t)l->state);
	msg_put_u8(out, (uint8_t)l->plan);
	msg_put_str(out, bounded(l->org_id, sizeof(l->org_id)));
	msg_put_str(out, bounded(l->device_id, sizeof(l->device_id)));
	msg_put_str(out, bounded(l->reason, sizeof(l->reason)));
}

/* Ids become parts of requests and answers: nothing but hex digits and dashes. */
static bool is_id(struct str s, size_t len)
{
	const struct str allowed = STR("0123456789abcdefABCDEF-");

	if (s.n == 0)
		return true;
	if (s.n != len)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (str_find(allowed, s.p[i]) < 0)
			return false;
	}
	return true;
}

int licence_get(const void *data, size_t len, struct licence *ret_licence)
{
	struct licence l = { 0 };
	struct msg_reader r;

	msg_reader_init(&r, data, len);
	uint8_t state = msg_get_u8(&r);
	uint8_t plan = msg_get_u8(&r);
	struct str org_id = msg_get_str(&r);
	struct str device_id = msg_get_str(&r);
	struct str reason = msg_get_str(&r);

	if (msg_reader_end(&r) < 0 || state > LICENCE_EXPIRED || plan > PLAN_P2)
		return -EPROTO;
	if (!is_id(org_id, 36) || !is_id(device_id, 40) || !utf8_is_valid(reason))
		return -EPROTO;
	l.state = (enum licence_state)state;
	l.plan = (enum plan)plan;
	if (str_copy(org_id, l.org_id, sizeof(l.org_id)) < 0 ||
	    str_copy(device_id, l.device_id, sizeof(l.device_id)) < 0 ||
	    str_copy(reason, l.reason, sizeof(l.reason)) < 0)
		return -EPROTO;
	*ret_licence = l;
	return 0;
}
