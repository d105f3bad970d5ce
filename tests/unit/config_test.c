/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/config/config.h"

#include "agent/base/msg.h"
#include "agent/config/settings.h"
#include "tests/test.h"

static struct config *config_fresh(void)
{
	struct config *c = NULL;

	CHECK_INT(config_new(&c), 0);
	return c;
}

/* Merges and checks the code, the words, and that a refusal changed nothing. */
static void merge_refused(struct str text, int want, const char *words)
{
	cleanup_(config_cleanup) struct config *c = config_fresh();
	struct diag diag = { 0 };

	CHECK_INT(config_merge(c, "agent.json", text, CFG_LAYER_LOCAL, &diag), want);
	CHECK_STR(diag.text, words);
	CHECK_STRN(cfg_text(c, CFG_LOG_LEVEL), "info");
	CHECK_INT(cfg_layer_of(c, CFG_LOG_LEVEL), CFG_LAYER_BUILTIN);
	CHECK_INT(config_merge(c, "agent.json", text, CFG_LAYER_LOCAL, NULL), want);
}

static void table_is_whole(void)
{
	char words[SETTING_EXPECTED_SIZE];

	for (size_t i = 0; i < CFG_COUNT; i++) {
		const struct setting *s = &settings[i];
		uint64_t number;

		CHECK(s->key != NULL && s->doc != NULL && s->doc[0] != '\0');
		CHECK_STR(cfg_key((enum cfg_id)i), s->key);
		CHECK_INT(setting_parse((enum cfg_id)i, str_of(s->text), &number), 0);
		CHECK(s->type != SETTING_TYPE_ENUM || s->words != NULL);
		CHECK(s->type != SETTING_TYPE_STR || s->max < CFG_STR_MAX);
		CHECK(s->type != SETTING_TYPE_U64 || s->min <= s->max);
		/* A key that is another's group could not be written in JSON. */
		CHECK(!setting_is_group(str_of(s->key)));
		setting_expected((enum cfg_id)i, words);
		CHECK(strlen(words) + 1 < SETTING_EXPECTED_SIZE);
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(s->key, settings[j].key) != 0);
	}
}

static void defaults_are_those_of_the_table(void)
{
	cleanup_(config_cleanup) struct config *c = config_fresh();

	CHECK_INT(cfg_u64(c, CFG_AUDIT_BACKLOG_LIMIT), 65536);
	CHECK(cfg_bool(c, CFG_CLOUD_ENABLED));
	CHECK_INT(cfg_enum(c, CFG_LOG_LEVEL), 2);
	CHECK_STRN(cfg_text(c, CFG_AUDIT_BACKLOG_LIMIT), "65536");
	CHECK_STRN(cfg_text(c, CFG_CLOUD_ENABLED), "true");
	CHECK_INT(cfg_layer_of(c, CFG_LOG_LEVEL), CFG_LAYER_BUILTIN);
	CHECK_STR(cfg_layer_name(CFG_LAYER_DROPIN), "drop-in");
	config_free(NULL);
}

static void merges_what_is_named_and_nothing_else(void)
{
	cleanup_(config_cleanup) struct config *c = config_fresh();
	const struct str text = STR("{\"audit\": {\"source\": \"off\", \"backlog_limit\": 64},\n"
				    " \"cloud\": {\"enabled\": false}, \"log\": {}}");

	CHECK_INT(config_merge(c, "x", text, CFG_LAYER_LOCAL, NULL), 0);
	CHECK_INT(cfg_enum(c, CFG_AUDIT_SOURCE), 3);
	CHECK_STRN(cfg_text(c, CFG_AUDIT_SOURCE), "off");
	CHECK_INT(cfg_u64(c, CFG_AUDIT_BACKLOG_LIMIT), 64);
	CHECK(!cfg_bool(c, CFG_CLOUD_ENABLED));
	CHECK_STRN(cfg_text(c, CFG_CLOUD_ENABLED), "false");
	CHECK_INT(cfg_layer_of(c, CFG_AUDIT_SOURCE), CFG_LAYER_LOCAL);
	CHECK_INT(cfg_layer_of(c, CFG_AUDIT_RULES), CFG_LAYER_BUILTIN);

	CHECK_INT(config_merge(c, "y", STR("{\"audit\":{\"source\":\"auto\"}}"), CFG_LAYER_DROPIN,
			       NULL),
		  0);
	CHECK_INT(cfg_enum(c, CFG_AUDIT_SOURCE), 0);
	CHECK_INT(cfg_layer_of(c, CFG_AUDIT_SOURCE), CFG_LAYER_DROPIN);
	CHECK_INT(cfg_layer_of(c, CFG_AUDIT_BACKLOG_LIMIT), CFG_LAYER_LOCAL);
	CHECK_INT(config_merge(c, "z", STR("{}"), CFG_LAYER_DROPIN, NULL), 0);
}

static void extremes_of_ranges_pass(void)
{
	cleanup_(config_cleanup) struct config *c = config_fresh();

	CHECK_INT(config_merge(c, "x", STR("{\"journal\":{\"max_bytes\":1099511627776}}"),
			       CFG_LAYER_LOCAL, NULL),
		  0);
	CHECK(cfg_u64(c, CFG_JOURNAL_MAX_BYTES) == UINT64_C(1099511627776));
	CHECK_STRN(cfg_text(c, CFG_JOURNAL_MAX_BYTES), "1099511627776");
	CHECK_INT(config_merge(c, "x", STR("{\"journal\":{\"max_bytes\":1048576}}"),
			       CFG_LAYER_LOCAL, NULL),
		  0);
}

static void refuses_with_file_line_key_and_expectation(void)
{
	merge_refused(STR("{\n\"log\":{\"level\":\"debug\"},\n\"audit\":{\"source\":\"on\"}}"),
		      -EINVAL,
		      "agent.json:3: audit.source: expected one of auto|unicast|multicast|off");
	merge_refused(STR("{\"log\":{\"level\":\"debug\"},\"audit\":{\"sauce\":1}}"), -EINVAL,
		      "agent.json:1: audit.sauce: unknown key");
	merge_refused(STR("{\"\":1}"), -EINVAL, "agent.json:1: : unknown key");
	merge_refused(STR("{\"audit\":{\"source\":{\"deep\":1}}}"), -EINVAL,
		      "agent.json:1: audit.source: expected one of auto|unicast|multicast|off");
	merge_refused(STR("{\"audit\":7}"), -EINVAL, "agent.json:1: audit: expected an object");
	merge_refused(STR("{\"audit\":[]}"), -EINVAL, "agent.json:1: audit: expected an object");
	merge_refused(STR("{\"audit\":null}"), -EINVAL, "agent.json:1: audit: expected an object");
	merge_refused(STR("[]"), -EINVAL, "agent.json:1: expected an object");
	merge_refused(STR("\"x\""), -EINVAL, "agent.json:1: expected an object");
}

static void refuses_dotted_keys(void)
{
	cleanup_(config_cleanup) struct config *c = config_fresh();
	struct diag diag = { 0 };

	CHECK_INT(config_merge(c, "agent.json", STR("{\"audit.source\":\"off\"}"), CFG_LAYER_LOCAL,
			       &diag),
		  -EINVAL);
	CHECK(strstr(diag.text, "audit.source: unknown key; groups are nested objects") != NULL);
	CHECK_INT(cfg_enum(c, CFG_AUDIT_SOURCE), 0);
}

static void refuses_wrong_types_and_ranges(void)
{
	static const char *const numbers[] = { "63",	 "1048577", "-1",   "64.5", "1e300",
					       "\"64\"", "true",    "null", "[64]", "{}" };
	static const char *const flags[] = { "1", "0", "\"true\"", "null", "[]", "{}" };
	static const char *const words[] = { "\"\"", "\"Auto\"", "\"auto|unicast\"",
					     "0",    "true",	 "\"auto \"" };
	char text[200];

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		(void)snprintf(text, sizeof(text), "{\"audit\":{\"backlog_limit\":%s}}",
			       numbers[i]);
		merge_refused(str_of(text), -EINVAL,
			      "agent.json:1: audit.backlog_limit: "
			      "expected a whole number from 64 to 1048576");
	}
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		(void)snprintf(text, sizeof(text), "{\"cloud\":{\"enabled\":%s}}", flags[i]);
		merge_refused(str_of(text), -EINVAL,
			      "agent.json:1: cloud.enabled: expected true or false");
	}
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		(void)snprintf(text, sizeof(text), "{\"audit\":{\"source\":%s}}", words[i]);
		merge_refused(
			str_of(text), -EINVAL,
			"agent.json:1: audit.source: expected one of auto|unicast|multicast|off");
	}
}

static void fails(struct str text, int want)
{
	cleanup_(config_cleanup) struct config *c = config_fresh();
	struct diag diag = { 0 };

	CHECK_INT(config_merge(c, "agent.json", text, CFG_LAYER_LOCAL, &diag), want);
	CHECK(strncmp(diag.text, "agent.json", 10) == 0);
	CHECK_INT(cfg_enum(c, CFG_LOG_LEVEL), 2);
}

static void refuses_what_is_no_json(void)
{
	const struct str whole = STR("{\"log\":{\"level\":\"debug\"}}");
	static char big[CONFIG_FILE_MAX + 1];

	for (size_t n = 0; n < whole.n; n++)
		fails((struct str){ .p = whole.p, .n = n }, -EINVAL);
	fails(STR("{\"log\":{\"level\":\"debug\"}} x"), -EINVAL);
	fails(STR("{\"log\":{\"level\":\"debug\0\"}}"), -EINVAL);
	fails(STR("{\"log\":{\"level\":\"debug\\u0000\"}}"), -EINVAL);
	fails(STR("{\"log\":{\"level\":\"\xff\"}}"), -EINVAL);
	fails(STR("{\"log\":{\"level\":\"debug\",\"level\":\"info\"}}"), -EEXIST);
	fails(STR("{\"log\":{\"level\":\"debug\"},\"log\":{}}"), -EEXIST);
	fails(STR("{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}"), -ELOOP);
	memset(big, ' ', sizeof(big));
	big[0] = '{';
	big[1] = '}';
	fails((struct str){ .p = big, .n = sizeof(big) }, -EMSGSIZE);
}

static void parse_error_names_the_line(void)
{
	cleanup_(config_cleanup) struct config *c = config_fresh();
	struct diag diag = { 0 };

	CHECK(config_merge(c, "agent.json", STR("{\n\n\"log\" 1}"), CFG_LAYER_LOCAL, &diag) < 0);
	CHECK(strncmp(diag.text, "agent.json:3: ", 14) == 0);
}

static void long_and_hostile_keys_are_named_safely(void)
{
	cleanup_(config_cleanup) struct config *c = config_fresh();
	struct diag diag = { 0 };
	char text[600];

	(void)snprintf(text, sizeof(text), "{\"%0*d\":1}", 500, 7);
	CHECK_INT(config_merge(c, "a", str_of(text), CFG_LAYER_LOCAL, &diag), -EINVAL);
	CHECK(strstr(diag.text, "unknown key") != NULL);
	diag.text[0] = '\0';
	CHECK_INT(config_merge(c, "a", STR("{\"x\\u001b[2J\":1}"), CFG_LAYER_LOCAL, &diag),
		  -EINVAL);
	CHECK(strchr(diag.text, '\x1b') == NULL);
}

static void comes_back_from_a_message(void)
{
	cleanup_(config_cleanup) struct config *c = config_fresh();
	cleanup_(config_cleanup) struct config *got = NULL;
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, MSG_PAYLOAD_MAX);
	CHECK_INT(config_merge(c, "x",
			       STR("{\"hunt\":{\"max_ms\":77},\"log\":{\"level\":\"error\"}}"),
			       CFG_LAYER_DROPIN, NULL),
		  0);
	config_put(c, &b);
	CHECK_INT(buf_error(&b), 0);
	CHECK_INT(config_get(b.data, b.len, &got), 0);
	for (size_t i = 0; i < CFG_COUNT; i++) {
		CHECK(str_eq(cfg_text(c, (enum cfg_id)i), cfg_text(got, (enum cfg_id)i)));
		CHECK_INT(cfg_layer_of(c, (enum cfg_id)i), cfg_layer_of(got, (enum cfg_id)i));
	}
	CHECK_INT(cfg_u64(got, CFG_HUNT_MAX_MS), 77);
	CHECK_INT(cfg_enum(got, CFG_LOG_LEVEL), 0);

	for (size_t n = 1; n < b.len; n++) { /* cut anywhere: refused or a whole number of rows */
		cleanup_(config_cleanup) struct config *part = NULL;
		int err = config_get(b.data, n, &part);

		CHECK(err == -EPROTO || err == 0);
		CHECK((err == 0) == (part != NULL));
	}
}

static int get_row(unsigned int id, unsigned int layer, unsigned int zero, struct str text,
		   unsigned int times)
{
	cleanup_(config_cleanup) struct config *got = NULL;
	cleanup_(buf_cleanup) struct buf b;

	buf_init(&b, MSG_PAYLOAD_MAX);
	for (unsigned int i = 0; i < times; i++) {
		msg_put_u16(&b, (uint16_t)id);
		msg_put_u8(&b, (uint8_t)layer);
		msg_put_u8(&b, (uint8_t)zero);
		msg_put_str(&b, text);
	}
	int err = config_get(b.data, b.len, &got);
	CHECK((err == 0) == (got != NULL));
	return err;
}

static void hostile_messages_are_refused(void)
{
	static char big[100000];

	CHECK_INT(get_row(0, 0, 0, STR("x"), 0), 0); /* nothing said: the defaults */
	CHECK_INT(get_row(CFG_LOG_LEVEL, CFG_LAYER_LOCAL, 0, STR("debug"), 1), 0);
	CHECK_INT(get_row(CFG_LOG_LEVEL, CFG_LAYER_LOCAL, 0, STR("debug"), 2), -EPROTO);
	CHECK_INT(get_row(CFG_COUNT, CFG_LAYER_LOCAL, 0, STR("debug"), 1), -EPROTO);
	CHECK_INT(get_row(UINT16_MAX, CFG_LAYER_LOCAL, 0, STR("debug"), 1), -EPROTO);
	CHECK_INT(get_row(CFG_LOG_LEVEL, CFG_LAYERS, 0, STR("debug"), 1), -EPROTO);
	CHECK_INT(get_row(CFG_LOG_LEVEL, CFG_LAYER_LOCAL, 1, STR("debug"), 1), -EPROTO);
	CHECK_INT(get_row(CFG_LOG_LEVEL, CFG_LAYER_LOCAL, 0, STR("loud"), 1), -EINVAL);
	CHECK_INT(get_row(CFG_LOG_LEVEL, CFG_LAYER_LOCAL, 0, STR("info\0"), 1), -EINVAL);
	CHECK_INT(get_row(CFG_LOG_LEVEL, CFG_LAYER_LOCAL, 0, STR(""), 1), -EINVAL);
	CHECK_INT(get_row(CFG_HUNT_MAX_MS, CFG_LAYER_LOCAL, 0, STR("9"), 1), -EINVAL);
	CHECK_INT(get_row(CFG_HUNT_MAX_MS, CFG_LAYER_LOCAL, 0, STR(" 99"), 1), -EINVAL);
	CHECK_INT(get_row(CFG_HUNT_MAX_MS, CFG_LAYER_LOCAL, 0,
			  (struct str){ .p = big, .n = sizeof(big) }, 1),
		  -EINVAL);
}

TEST_MAIN({ "table_is_whole", table_is_whole },
	  { "defaults_are_those_of_the_table", defaults_are_those_of_the_table },
	  { "merges_what_is_named_and_nothing_else", merges_what_is_named_and_nothing_else },
	  { "extremes_of_ranges_pass", extremes_of_ranges_pass },
	  { "refuses_with_file_line_key_and_expectation",
	    refuses_with_file_line_key_and_expectation },
	  { "refuses_dotted_keys", refuses_dotted_keys },
	  { "refuses_wrong_types_and_ranges", refuses_wrong_types_and_ranges },
	  { "refuses_what_is_no_json", refuses_what_is_no_json },
	  { "parse_error_names_the_line", parse_error_names_the_line },
	  { "long_and_hostile_keys_are_named_safely", long_and_hostile_keys_are_named_safely },
	  { "comes_back_from_a_message", comes_back_from_a_message },
	  { "hostile_messages_are_refused", hostile_messages_are_refused })
