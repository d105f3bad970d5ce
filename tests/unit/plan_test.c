/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/plan.h"

#include "agent/base/msg.h"
#include "agent/event/messages.h"
#include "tests/test.h"

static const struct licence active_p1 = {
	.state = LICENCE_ACTIVE,
	.plan = PLAN_P1,
	.org_id = "0f8fad5b-d9cb-469f-a165-70867728950e",
	.device_id = "0123456789abcdef0123456789abcdef01234567",
	.reason = "",
};

static void features_follow_licence_and_plan(void)
{
	struct licence l = active_p1;

	CHECK(plan_allows(&l, FEATURE_AUDIT));
	CHECK(plan_allows(&l, FEATURE_HEALTH));
	l.plan = PLAN_P2;
	CHECK(plan_allows(&l, FEATURE_AUDIT));
	l.plan = PLAN_NONE;
	CHECK(!plan_allows(&l, FEATURE_AUDIT));
	CHECK(plan_allows(&l, FEATURE_HEALTH));

	const enum licence_state idle[] = { LICENCE_NONE, LICENCE_INVALID, LICENCE_OFFBOARDED,
					    LICENCE_EXPIRED };
	l.plan = PLAN_P2;
	for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
		l.state = idle[i];
		CHECK(!plan_allows(&l, FEATURE_AUDIT));
		CHECK(!plan_allows(&l, FEATURE_HUNTING));
		CHECK(!plan_allows(&l, FEATURE_CLOUD));
		CHECK(plan_allows(&l, FEATURE_HEALTH));
		CHECK(plan_allows(&l, FEATURE_ONBOARDING));
	}
}

static void names_go_both_ways(void)
{
	const enum plan plans[] = { PLAN_NONE, PLAN_P1, PLAN_P2 };
	enum plan p = PLAN_P2;

	for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
		CHECK_INT(plan_parse(str_of(plan_name(plans[i])), &p), 0);
		CHECK_INT(p, plans[i]);
	}
	p = PLAN_P1;
	CHECK_INT(plan_parse(STR("p1"), &p), -EINVAL);
	CHECK_INT(plan_parse(STR(""), &p), -EINVAL);
	CHECK_INT(plan_parse(STR("P1\0"), &p), -EINVAL);
	CHECK_INT(p, PLAN_P1);
	for (size_t i = 0; i < FEATURES; i++)
		CHECK(feature_name((enum feature)i)[0] != '\0');
	CHECK_STR(feature_name(FEATURE_HUNTING), "hunting");
}

static void comes_back_from_a_message(void)
{
	cleanup_(buf_cleanup) struct buf b;
	struct licence l = active_p1;
	struct licence got;

	memset(l.reason, 'r', sizeof(l.reason) - 1);
	buf_init(&b, MSG_LICENCE_MAX);
	licence_put(&l, &b);
	CHECK_INT(buf_error(&b), 0);
	CHECK_INT(licence_get(b.data, b.len, &got), 0);
	CHECK_INT(got.state, LICENCE_ACTIVE);
	CHECK_INT(got.plan, PLAN_P1);
	CHECK_STR(got.org_id, l.org_id);
	CHECK_STR(got.device_id, l.device_id);
	CHECK_STR(got.reason, l.reason);

	got.plan = PLAN_P2;
	for (size_t n = 0; n < b.len; n++)
		CHECK_INT(licence_get(b.data, n, &got), -EPROTO);
	buf_add_char(&b, 'x');
	CHECK_INT(licence_get(b.data, b.len, &got), -EPROTO);
	CHECK_INT(got.plan, PLAN_P2); /* untouched on failure */
}

static void empty_licence_has_the_least_length(void)
{
	const struct licence none = { 0 };
	cleanup_(buf_cleanup) struct buf b;
	struct licence got;

	buf_init(&b, MSG_LICENCE_MAX);
	licence_put(&none, &b);
	CHECK_INT(b.len, MSG_LICENCE_MIN);
	CHECK_INT(licence_get(b.data, b.len, &got), 0);
	CHECK_INT(got.state, LICENCE_NONE);
	CHECK_STR(got.org_id, "");
}

static int get(unsigned int state, unsigned int plan, struct str org, struct str device,
	       struct str reason)
{
	cleanup_(buf_cleanup) struct buf b;
	struct licence got;

	buf_init(&b, 4096);
	msg_put_u8(&b, (uint8_t)state);
	msg_put_u8(&b, (uint8_t)plan);
	msg_put_str(&b, org);
	msg_put_str(&b, device);
	msg_put_str(&b, reason);
	return licence_get(b.data, b.len, &got);
}

static void hostile_messages_are_refused(void)
{
	static const char long_reason[200] = { 0 };
	const struct str none = { 0 };
	const struct str org = str_of(active_p1.org_id);
	const struct str device = str_of(active_p1.device_id);

	CHECK_INT(get(LICENCE_EXPIRED, PLAN_P2, none, none, none), 0);
	CHECK_INT(get(LICENCE_EXPIRED + 1, PLAN_P2, none, none, none), -EPROTO);
	CHECK_INT(get(LICENCE_ACTIVE, PLAN_P2 + 1, none, none, none), -EPROTO);
	CHECK_INT(get(LICENCE_ACTIVE, PLAN_P1, org, device, STR("why")), 0);
	CHECK_INT(get(LICENCE_ACTIVE, PLAN_P1, STR("org"), device, none), -EPROTO);
	CHECK_INT(get(LICENCE_ACTIVE, PLAN_P1, STR("0f8fad5b-d9cb-469f-a165-7086772895/e"), device,
		      none),
		  -EPROTO);
	CHECK_INT(get(LICENCE_ACTIVE, PLAN_P1, org, STR("../../etc"), none), -EPROTO);
	CHECK_INT(get(LICENCE_ACTIVE, PLAN_P1, org, device, STR("a\0b")), -EPROTO);
	CHECK_INT(get(LICENCE_ACTIVE, PLAN_P1, org, device, STR("\xff")), -EPROTO);
	CHECK_INT(get(LICENCE_ACTIVE, PLAN_P1, org, device,
		      (struct str){ .p = long_reason, .n = sizeof(long_reason) }),
		  -EPROTO);
}

TEST_MAIN({ "features_follow_licence_and_plan", features_follow_licence_and_plan },
	  { "names_go_both_ways", names_go_both_ways },
	  { "comes_back_from_a_message", comes_back_from_a_message },
	  { "empty_licence_has_the_least_length", empty_licence_has_the_least_length },
	  { "hostile_messages_are_refused", hostile_messages_are_refused })
