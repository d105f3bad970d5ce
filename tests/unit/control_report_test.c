/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/control/report.h"

#include <stdio.h>

#include "agent/base/jsonr.h"
#include "tests/test.h"

#define DAY_S UINT64_C(86400)
#define BUILD_S UINT64_C(1700000000) /* 2023-11-14 */

static struct licence licence;
static struct config *config;

static struct report_own own_with(enum licence_state state)
{
	licence = (struct licence){ .state = state,
				    .plan = PLAN_P2,
				    .org_id = "11111111-2222-3333-4444-555555555555",
				    .device_id = "0123456789abcdef0123456789abcdef01234567" };
	if (config == NULL)
		CHECK_INT(config_new(&config), 0);
	return (struct report_own){ .licence = &licence,
				    .config = config,
				    .machine_guid = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
				    .version = "1.2.3",
				    .release_ring = "Production",
				    .build_epoch_s = BUILD_S,
				    .now_s = BUILD_S + DAY_S };
}

/* The value of a row in a finished document, as JSON text. */
static const char *finish(struct report *r, struct buf *doc)
{
	static const struct jsonr_limits limits = { .max_bytes = REPORT_DOCUMENT_MAX,
						    .max_depth = 8 };

	buf_init(doc, REPORT_DOCUMENT_MAX);
	CHECK_INT(report_finish(r, doc), 0);
	CHECK_INT(jsonr_scan(buf_str(doc), &limits, NULL, NULL, NULL), 0);
	return buf_cstr(doc);
}

static void has(const char *doc, const char *part)
{
	if (strstr(doc, part) == NULL)
		TEST_BAIL("no %s in %s", part, doc);
}

static void has_not(const char *doc, const char *part)
{
	if (strstr(doc, part) != NULL)
		TEST_BAIL("%s in %s", part, doc);
}

#define ROW(key, json, type, value)                                                                \
	"{\"key\":\"" key "\",\"json\":\"" json "\",\"type\":\"" type "\",\"value\":" value "}"

static void a_licensed_agent_without_issues_is_healthy(void)
{
	cleanup_(report_cleanup) struct report *r = NULL;
	cleanup_(buf_cleanup) struct buf doc = { 0 };
	struct report_own own = own_with(LICENCE_ACTIVE);

	CHECK_INT(report_new(&own, &r), 0);
	const char *text = finish(r, &doc);
	has(text, ROW("healthy", "healthy", "bool", "true"));
	has(text, ROW("health_issues", "healthIssues", "strs", "[]"));
	has(text, ROW("licensed", "licensed", "bool", "true"));
	has(text, ROW("org_id", "orgId", "str", "\"11111111-2222-3333-4444-555555555555\""));
	has(text, ROW("product_expiration", "productExpiration", "time", "\"1723673600000\""));
	has(text, "\"wrap\":true,\"hide\":true,\"value\":\"P2\"");
	/* What nobody has said is unknown. */
	has(text,
	    ROW("supplementary_events_subsystem", "supplementaryEventsSubsystem", "str", "null"));
	has(text, ROW("audit_kernel_lost", "auditKernelLost", "u64", "null"));
}

static void without_a_licence_that_is_the_only_issue(void)
{
	cleanup_(report_cleanup) struct report *r = NULL;
	cleanup_(buf_cleanup) struct buf doc = { 0 };
	struct report_own own = own_with(LICENCE_NONE);

	licence = (struct licence){ 0 };
	CHECK_INT(report_new(&own, &r), 0);
	const char *text = finish(r, &doc);
	has(text, ROW("healthy", "healthy", "bool", "false"));
	has(text, ROW("health_issues", "healthIssues", "strs", "[\"missing license\"]"));
	has(text, ROW("licensed", "licensed", "bool", "false"));
	has(text, ROW("org_id", "orgId", "str", "null"));
	has(text, ROW("edr_machine_id", "edrMachineId", "str", "null"));
	has(text, "\"value\":\"none\"");
}

static void the_state_of_the_licence_shows(void)
{
	static const struct {
		enum licence_state state;
		const char *issues;
		const char *name;
		bool has_org;
	} cases[] = {
		{ LICENCE_INVALID, "[\"missing license\",\"invalid onboarding blob\"]",
		  "\"invalid\"", false },
		{ LICENCE_EXPIRED, "[\"missing license\",\"onboarding blob expired\"]",
		  "\"expired\"", true },
		{ LICENCE_OFFBOARDED, "[\"missing license\"]", "\"offboarded\"", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_(report_cleanup) struct report *r = NULL;
		cleanup_(buf_cleanup) struct buf doc = { 0 };
		struct report_own own = own_with(cases[i].state);

		CHECK_INT(report_new(&own, &r), 0);
		const char *text = finish(r, &doc);
		has(text, cases[i].issues);
		has(text, cases[i].name);
		CHECK((strstr(text, "11111111") != NULL) == cases[i].has_org);
	}
}

static void an_old_build_counts_as_not_licensed(void)
{
	cleanup_(report_cleanup) struct report *r = NULL;
	cleanup_(buf_cleanup) struct buf doc = { 0 };
	struct report_own own = own_with(LICENCE_ACTIVE);

	CHECK_INT(report_expiration_s(BUILD_S), 1723673600);
	own.now_s = 1723673599;
	CHECK(report_is_licensed(&own));
	own.now_s = 1723673600;
	CHECK(!report_is_licensed(&own));
	CHECK_INT(report_new(&own, &r), 0);
	const char *text = finish(r, &doc);
	has(text, "[\"missing license\"]");
	has(text, "\"this build has expired\"");
	/* A build that does not know its day never expires. */
	own.build_epoch_s = 0;
	own.now_s = UINT64_C(4000000000);
	CHECK(report_is_licensed(&own));
}

static void issues_come_once_and_in_order(void)
{
	cleanup_(report_cleanup) struct report *r = NULL;
	cleanup_(buf_cleanup) struct buf doc = { 0 };
	cleanup_(buf_cleanup) struct buf rows = { 0 };
	struct report_own own = own_with(LICENCE_INVALID);

	CHECK_INT(report_new(&own, &r), 0);
	buf_init(&rows, 4096);
	health_put_str(&rows, HEALTH_ISSUES, STR("event queue overflow"));
	health_put_str(&rows, HEALTH_ISSUES, STR("missing license"));
	health_put_str(&rows, HEALTH_ISSUES, STR("event queue overflow"));
	CHECK_INT(report_take(r, ROLE_SENSOR, buf_str(&rows)), 0);
	CHECK_INT(report_take(r, ROLE_STORE, buf_str(&rows)), 0);
	report_silent(r, ROLE_REPORTER);
	report_silent(r, REPORT_AGENTD);
	const char *text = finish(r, &doc);
	has(text, "[\"missing license\",\"invalid onboarding blob\",\"event queue overflow\","
		  "\"program not answering: reporter\",\"program not answering: agentd\"]");
	/* Each with its remedy. */
	has(text, "{\"key\":\"event queue overflow\",\"json\":\"event queue overflow\","
		  "\"type\":\"str\",\"value\":\"More happens");
	has(text, "\"key\":\"program not answering: agentd\"");
}

static void a_program_speaks_only_for_itself(void)
{
	cleanup_(report_cleanup) struct report *r = NULL;
	cleanup_(buf_cleanup) struct buf doc = { 0 };
	cleanup_(buf_cleanup) struct buf rows = { 0 };
	struct report_own own = own_with(LICENCE_NONE);

	CHECK_INT(report_new(&own, &r), 0);
	buf_init(&rows, 4096);
	health_put_bool(&rows, HEALTH_HEALTHY, true);
	health_put_bool(&rows, HEALTH_LICENSED, true);
	health_put_str(&rows, HEALTH_APP_VERSION, STR("9.9.9"));
	health_put_str(&rows, HEALTH_LICENCE_STATE, STR("active"));
	health_put_str(&rows, HEALTH_PROGRAM, STR("forged"));
	health_put_u64(&rows, HEALTH_JOURNAL_EVENTS, 7);
	health_put_u64(&rows, HEALTH_AUDIT_LOST, 8);
	health_put_u64(&rows, HEALTH_AUDIT_LOST, 9); /* the first one stands */
	health_put_str(&rows, HEALTH_EVENTS_SUBSYSTEM, STR("unavailable"));
	CHECK_INT(report_take(r, ROLE_SENSOR, buf_str(&rows)), 0);
	const char *text = finish(r, &doc);
	has(text, ROW("healthy", "healthy", "bool", "false"));
	has(text, ROW("licensed", "licensed", "bool", "false"));
	has(text, ROW("app_version", "appVersion", "str", "\"1.2.3\""));
	has(text, ROW("journal_events", "journalEvents", "u64", "null"));
	has(text, ROW("audit_kernel_lost", "auditKernelLost", "u64", "\"8\""));
	has(text,
	    ROW("supplementary_events_subsystem", "supplementaryEventsSubsystem", "str", "null"));
	has_not(text, "forged");
}

static void hostile_rows_stay_bounded(void)
{
	cleanup_(report_cleanup) struct report *r = NULL;
	cleanup_(buf_cleanup) struct buf doc = { 0 };
	cleanup_(buf_cleanup) struct buf rows = { 0 };
	struct report_own own = own_with(LICENCE_ACTIVE);
	char text[2048];

	CHECK_INT(report_new(&own, &r), 0);
	buf_init(&rows, (size_t)4 * 1024 * 1024);
	memset(text, '\x01', sizeof(text)); /* six bytes each in JSON */
	for (int i = 0; i < 200; i++) {
		(void)snprintf(text, 32, "issue %d", i);
		text[strlen(text)] = '\x01';
		health_put_str(&rows, HEALTH_ISSUES, (struct str){ .p = text, .n = sizeof(text) });
		health_put_str(&rows, HEALTH_CONFLICTS,
			       (struct str){ .p = text, .n = sizeof(text) });
		health_put_str(&rows, HEALTH_AUDIT_RULES_MISSING,
			       (struct str){ .p = text, .n = sizeof(text) });
	}
	health_put_str(&rows, HEALTH_AUDIT_STATUS, STR("\xff\xfe bad \0 bytes"));
	CHECK_INT(report_take(r, ROLE_SENSOR, buf_str(&rows)), 0);
	CHECK_INT(report_take(r, REPORT_AGENTD, STR("\x01")), -EPROTO);
	CHECK_INT(report_take(r, REPORT_AGENTD, STR("\xff\xff\x00\x00\x00\x00")), -EPROTO);
	(void)finish(r, &doc); /* within REPORT_DOCUMENT_MAX, valid JSON */
}

TEST_MAIN({ "a_licensed_agent_without_issues_is_healthy",
	    a_licensed_agent_without_issues_is_healthy },
	  { "without_a_licence_that_is_the_only_issue", without_a_licence_that_is_the_only_issue },
	  { "the_state_of_the_licence_shows", the_state_of_the_licence_shows },
	  { "an_old_build_counts_as_not_licensed", an_old_build_counts_as_not_licensed },
	  { "issues_come_once_and_in_order", issues_come_once_and_in_order },
	  { "a_program_speaks_only_for_itself", a_program_speaks_only_for_itself },
	  { "hostile_rows_stay_bounded", hostile_rows_stay_bounded })
