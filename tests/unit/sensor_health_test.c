/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/health.h"
#include "agent/sensor/health.h"
#include "tests/test.h"

static struct buf out;
static struct config *config;

static void put(const struct pipeline_state *s, const struct audit_report *r, bool is_licensed)
{
	struct licence licence = { .state = is_licensed ? LICENCE_ACTIVE : LICENCE_NONE,
				   .plan = is_licensed ? PLAN_P1 : PLAN_NONE };

	buf_clear(&out);
	sensor_health_put(&out, s, r, &licence, config);
	CHECK_INT(buf_error(&out), 0);
}

/* True when a row holds this text. */
static bool has(enum health_row row, const char *text)
{
	struct health_value v;
	struct msg_reader r;

	msg_reader_init(&r, out.data, out.len);
	while (health_next(&r, &v) == 1) {
		if (v.row == row && str_eq(v.str, str_of(text)))
			return true;
	}
	return false;
}

static uint64_t number(enum health_row row)
{
	struct health_value v;
	struct msg_reader r;

	msg_reader_init(&r, out.data, out.len);
	while (health_next(&r, &v) == 1) {
		if (v.row == row)
			return v.u64;
	}
	return UINT64_MAX;
}

#define NO_PROVIDER "no active supplementary event provider"

static void says_why_there_are_no_records(void)
{
	struct pipeline_state s = { .mode = AUDIT_MODE_NONE };
	struct audit_report r = { .enabled = 1 };

	buf_init(&out, 65536);
	CHECK_INT(config_new(&config), 0);
	put(&s, NULL, false);
	CHECK(has(HEALTH_AUDIT_STATUS, "not licensed"));
	CHECK(has(HEALTH_EVENTS_SUBSYSTEM, "unavailable"));
	CHECK(!has(HEALTH_ISSUES, NO_PROVIDER)); /* nothing is owed */
	put(&s, NULL, true);
	CHECK(has(HEALTH_AUDIT_STATUS, "waiting for agentd"));
	CHECK(has(HEALTH_ISSUES, NO_PROVIDER));
	s.mode = AUDIT_MODE_MULTICAST;
	put(&s, &r, true);
	CHECK(has(HEALTH_AUDIT_STATUS, "multicast"));
	CHECK(has(HEALTH_EVENTS_SUBSYSTEM, "auditd"));
	CHECK(!has(HEALTH_ISSUES, NO_PROVIDER));
	r.enabled = 0;
	put(&s, &r, true);
	CHECK(has(HEALTH_AUDIT_STATUS, "auditing is disabled in the kernel"));
	CHECK(has(HEALTH_ISSUES, NO_PROVIDER));
	r = (struct audit_report){ .enabled = 2, .rules_wanted = 3, .rules_loaded = 1 };
	put(&s, &r, true);
	CHECK(has(HEALTH_AUDIT_STATUS, "rules are immutable until reboot"));
	s.mode = AUDIT_MODE_UNICAST;
	s.is_stuck = true;
	r.enabled = 1;
	put(&s, &r, true);
	CHECK(has(HEALTH_ISSUES, NO_PROVIDER));
}

static void a_missing_rule_is_an_issue(void)
{
	struct pipeline_state s = { .mode = AUDIT_MODE_UNICAST };
	struct audit_report r = { .enabled = 1, .rules_wanted = 3, .rules_loaded = 3 };

	put(&s, &r, true);
	CHECK(!has(HEALTH_ISSUES, "audit rules missing"));
	r.rules_loaded = 2;
	put(&s, &r, true);
	CHECK(has(HEALTH_ISSUES, "audit rules missing"));
	CHECK(has(HEALTH_EVENTS_SUBSYSTEM, "auditd")); /* records of the others arrive */
	put(&s, &r, false);
	CHECK(!has(HEALTH_ISSUES, "audit rules missing")); /* nothing is owed */
}

static void loss_is_an_issue(void)
{
	struct pipeline_state s = { .mode = AUDIT_MODE_UNICAST,
				    .has_loss = true,
				    .has_overflow = true,
				    .kernel_lost = 5,
				    .assembler = { .events = 9, .partial = 2 } };
	struct audit_report r = { .enabled = 1,
				  .owner_pid = 77,
				  .n_missing = 1,
				  .missing = { "file: path=/x: no such folder" },
				  .owner_exe = "/usr/sbin/auditd" };

	put(&s, &r, true);
	CHECK(has(HEALTH_ISSUES, "audit backlog lost events"));
	CHECK(has(HEALTH_ISSUES, "event queue overflow"));
	CHECK(has(HEALTH_AUDIT_RULES_MISSING, "file: path=/x: no such folder"));
	CHECK(has(HEALTH_CONFLICTS, "/usr/sbin/auditd"));
	CHECK_INT(number(HEALTH_AUDIT_LOST), 5);
	CHECK_INT(number(HEALTH_AUDIT_EVENTS), 9);
	CHECK_INT(number(HEALTH_AUDIT_PARTIAL), 2);
	CHECK_INT(number(HEALTH_AUDIT_OWNER_PID), 77);
	config_free(config);
	buf_done(&out);
}

TEST_MAIN({ "says_why_there_are_no_records", says_why_there_are_no_records },
	  { "a_missing_rule_is_an_issue", a_missing_rule_is_an_issue },
	  { "loss_is_an_issue", loss_is_an_issue })
