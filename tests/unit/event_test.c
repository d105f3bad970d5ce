/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/event/event.h"

#include "agent/base/utf8.h"
#include "agent/event/messages.h"
#include "tests/test.h"

static struct event *event_fresh(void)
{
	struct event *e = NULL;

	CHECK_INT(event_new(&e), 0);
	event_reset(e, EVENT_KIND_PROCESS_CREATED, 7, 8, 9);
	return e;
}

static void tables_are_whole(void)
{
	for (size_t i = 0; i < EVENT_KINDS; i++) {
		CHECK(event_kinds[i].id != NULL && event_kinds[i].table != NULL);
		CHECK(event_kinds[i].action != NULL);
		CHECK(event_kinds[i].class < EVENT_CLASSES);
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(event_kinds[i].action, event_kinds[j].action) != 0);
	}
	for (size_t i = 0; i < EVENT_FIELDS; i++) {
		CHECK(event_fields[i].name != NULL && event_fields[i].doc != NULL);
		for (size_t j = 0; j < i; j++)
			CHECK(strcmp(event_fields[i].name, event_fields[j].name) != 0);
	}
	CHECK(event_kinds[EVENT_KIND_LOGOFF].is_extension);
	CHECK(!event_kinds[EVENT_KIND_PROCESS_CREATED].is_extension);
	CHECK_STR(event_fields[EVENT_REMOTE_IP].name, "RemoteIP");
}

static void message_limits_are_sane(void)
{
	CHECK_INT(MSG_PING_MIN, 8);
	CHECK_INT(MSG_PING_MAX, 8);
	CHECK_INT(MSG_LINK_FLAGS, PEER_FD);
#define MESSAGE(id, min, max, flags)                                                               \
	CHECK((min) <= (max));                                                                     \
	CHECK((max) <= MSG_PAYLOAD_MAX);
#include "agent/event/messages.def"
#undef MESSAGE
}

static void starts_empty(void)
{
	cleanup_(event_cleanup) struct event *e = event_fresh();
	struct str s = STR("untouched");
	uint64_t v = 42;
	bool b = true;
	size_t iter = 0;
	enum event_field f;

	CHECK_INT(event_kind(e), EVENT_KIND_PROCESS_CREATED);
	CHECK_INT(event_origin(e), 7);
	CHECK_INT(event_real_us(e), 8);
	CHECK_INT(event_mono_us(e), 9);
	CHECK(!event_is_truncated(e));
	CHECK_INT(event_used(e), 0);
	CHECK(!event_get_str(e, EVENT_FILE_NAME, &s));
	CHECK(!event_get_u64(e, EVENT_PROCESS_ID, &v));
	CHECK(!event_get_bool(e, EVENT_INITIATED, &b));
	CHECK(!event_next_str(e, EVENT_PROCESS_ARGS, &iter, &s));
	CHECK(!event_next_field(e, &iter, &f));
	CHECK_STRN(s, "untouched");
	CHECK_INT(v, 42);
	CHECK(b);
}

static void frees_nothing(void)
{
	event_free(NULL);
}

static void keeps_values_until_reset(void)
{
	cleanup_(event_cleanup) struct event *e = event_fresh();
	struct str s;
	uint64_t v;
	bool b;

	event_set_str(e, EVENT_FILE_NAME, STR("sh"));
	event_set_u64(e, EVENT_PROCESS_ID, UINT64_MAX);
	event_set_u64(e, EVENT_PROCESS_CREATION_TIME, 0);
	event_set_bool(e, EVENT_INITIATED, false);
	CHECK(event_get_str(e, EVENT_FILE_NAME, &s));
	CHECK_STRN(s, "sh");
	CHECK(event_get_u64(e, EVENT_PROCESS_ID, &v) && v == UINT64_MAX);
	CHECK(event_get_u64(e, EVENT_PROCESS_CREATION_TIME, &v) && v == 0);
	CHECK(event_get_bool(e, EVENT_INITIATED, &b) && !b);

	event_reset(e, EVENT_KIND_LOGOFF, 0, 0, 0);
	CHECK(!event_get_str(e, EVENT_FILE_NAME, &s));
	CHECK(!event_get_u64(e, EVENT_PROCESS_ID, &v));
	CHECK_INT(event_used(e), 0);
	CHECK_INT(event_kind(e), EVENT_KIND_LOGOFF);
}

static void setting_again_replaces(void)
{
	cleanup_(event_cleanup) struct event *e = event_fresh();
	struct str s;

	event_set_str(e, EVENT_FILE_NAME, STR("a long first value"));
	size_t used = event_used(e);
	event_set_str(e, EVENT_FILE_NAME, STR("short"));
	CHECK_INT(event_used(e), used); /* in place */
	CHECK(event_get_str(e, EVENT_FILE_NAME, &s));
	CHECK_STRN(s, "short");
	event_set_str(e, EVENT_FILE_NAME, STR("a value that is longer than all"));
	CHECK(event_get_str(e, EVENT_FILE_NAME, &s));
	CHECK_STRN(s, "a value that is longer than all");

	/* s borrows from e itself. */
	event_set_str(e, EVENT_FILE_NAME, (struct str){ .p = s.p + 2, .n = 5 });
	CHECK(event_get_str(e, EVENT_FILE_NAME, &s));
	CHECK_STRN(s, "value");
	event_set_str(e, EVENT_FOLDER_PATH, s);
	CHECK(event_get_str(e, EVENT_FOLDER_PATH, &s));
	CHECK_STRN(s, "value");

	event_set_str(e, EVENT_FILE_NAME, (struct str){ 0 });
	CHECK(!event_get_str(e, EVENT_FILE_NAME, &s));
	CHECK(!event_is_truncated(e));
}

static void keeps_any_bytes(void)
{
	cleanup_(event_cleanup) struct event *e = event_fresh();
	struct str s;

	event_set_str(e, EVENT_FILE_NAME, STR("a\0\xff\n\"b"));
	CHECK(event_get_str(e, EVENT_FILE_NAME, &s));
	CHECK_INT(s.n, 6);
	CHECK(memcmp(s.p, "a\0\xff\n\"b", 6) == 0);
}

static void cuts_long_strings_between_characters(void)
{
	static char big[EVENT_STR_MAX + 2];
	cleanup_(event_cleanup) struct event *e = event_fresh();
	struct str s;

	memset(big, 'x', sizeof(big));
	event_set_str(e, EVENT_FILE_NAME, (struct str){ .p = big, .n = EVENT_STR_MAX });
	CHECK(!event_is_truncated(e));

	/* The euro sign straddles the limit. */
	memcpy(big + EVENT_STR_MAX - 1, "\xe2\x82\xac", 3);
	event_set_str(e, EVENT_FOLDER_PATH, (struct str){ .p = big, .n = sizeof(big) });
	CHECK(event_is_truncated(e));
	CHECK(event_get_str(e, EVENT_FOLDER_PATH, &s));
	CHECK_INT(s.n, EVENT_STR_MAX - 1);
	CHECK(utf8_is_valid(s));
}

static void full_arena_leaves_out_and_says_so(void)
{
	static char big[EVENT_STR_MAX];
	cleanup_(event_cleanup) struct event *e = event_fresh();
	const struct str whole = { .p = big, .n = sizeof(big) };
	struct str s;
	size_t iter = 0;

	memset(big, 'x', sizeof(big));
	event_set_str(e, EVENT_PROCESS_CWD, STR("/"));
	event_set_str(e, EVENT_FILE_NAME, whole);
	event_set_str(e, EVENT_FOLDER_PATH, whole);
	CHECK(!event_is_truncated(e));
	event_set_str(e, EVENT_PROCESS_COMMAND_LINE, whole);
	CHECK(event_is_truncated(e));
	CHECK(!event_get_str(e, EVENT_PROCESS_COMMAND_LINE, &s));
	CHECK(event_used(e) <= EVENT_ARENA_SIZE);

	/* What is replaced by something that does not fit is not left standing. */
	event_set_str(e, EVENT_PROCESS_CWD, whole);
	CHECK(!event_get_str(e, EVENT_PROCESS_CWD, &s));
	event_add_str(e, EVENT_PROCESS_ARGS, whole);
	CHECK(!event_next_str(e, EVENT_PROCESS_ARGS, &iter, &s));

	/* The marks belong to one event. */
	event_reset(e, EVENT_KIND_PROCESS_CREATED, 0, 0, 0);
	CHECK(!event_is_truncated(e));
}

static void lists_may_grow_in_turns(void)
{
	cleanup_(event_cleanup) struct event *e = event_fresh();
	struct event_proc proc;
	char text[16];
	struct str s;
	size_t iter = 0;

	for (unsigned int i = 0; i < 100; i++) {
		(void)snprintf(text, sizeof(text), "arg%u", i);
		event_add_str(e, EVENT_PROCESS_ARGS, str_of(i == 3 ? "" : text));
		(void)snprintf(text, sizeof(text), "/bin/p%u", i);
		event_add_proc(e, EVENT_INITIATING_PROCESS_ANCESTORS,
			       &(struct event_proc){ .pid = i, .path = str_of(text) });
		(void)snprintf(text, sizeof(text), "key%u", i);
		event_add_str(e, EVENT_AUDIT_KEYS, str_of(text));
	}
	for (unsigned int i = 0; i < 100; i++) {
		(void)snprintf(text, sizeof(text), "arg%u", i);
		CHECK(event_next_str(e, EVENT_PROCESS_ARGS, &iter, &s));
		CHECK_STRN(s, i == 3 ? "" : text);
	}
	CHECK(!event_next_str(e, EVENT_PROCESS_ARGS, &iter, &s));
	CHECK(!event_next_str(e, EVENT_PROCESS_ARGS, &iter, &s));
	iter = 0;
	for (unsigned int i = 0; i < 100; i++) {
		(void)snprintf(text, sizeof(text), "/bin/p%u", i);
		CHECK(event_next_proc(e, EVENT_INITIATING_PROCESS_ANCESTORS, &iter, &proc));
		CHECK_INT(proc.pid, i);
		CHECK_STRN(proc.path, text);
	}
	CHECK(!event_next_proc(e, EVENT_INITIATING_PROCESS_ANCESTORS, &iter, &proc));
	iter = 0;
	for (unsigned int i = 0; i < 100; i++)
		CHECK(event_next_str(e, EVENT_AUDIT_KEYS, &iter, &s));
	CHECK(!event_next_str(e, EVENT_AUDIT_KEYS, &iter, &s));
}

static void flood_of_elements_stays_bounded(void)
{
	cleanup_(event_cleanup) struct event *e = event_fresh();
	struct str s;
	size_t iter = 0;
	size_t n = 0;

	for (size_t i = 0; i < 100000; i++)
		event_add_str(e, EVENT_PROCESS_ARGS, (struct str){ 0 });
	CHECK(event_is_truncated(e));
	while (event_next_str(e, EVENT_PROCESS_ARGS, &iter, &s))
		n++;
	CHECK(n > 1000 && n < 100000);
	CHECK(event_used(e) <= EVENT_ARENA_SIZE);
}

static void walks_fields_in_table_order(void)
{
	cleanup_(event_cleanup) struct event *e = event_fresh();
	const enum event_field want[] = { EVENT_SOURCE, EVENT_PROCESS_ID, EVENT_REMOTE_PORT,
					  EVENT_DROPPED_WHERE };
	size_t iter = 0;
	enum event_field f;

	event_set_str(e, EVENT_DROPPED_WHERE, STR("ring"));
	event_set_u64(e, EVENT_REMOTE_PORT, 1);
	event_set_u64(e, EVENT_PROCESS_ID, 1);
	event_set_str(e, EVENT_SOURCE, STR("audit"));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		CHECK(event_next_field(e, &iter, &f));
		CHECK_INT(f, want[i]);
	}
	CHECK(!event_next_field(e, &iter, &f));
}

TEST_MAIN({ "tables_are_whole", tables_are_whole },
	  { "message_limits_are_sane", message_limits_are_sane }, { "starts_empty", starts_empty },
	  { "frees_nothing", frees_nothing },
	  { "keeps_values_until_reset", keeps_values_until_reset },
	  { "setting_again_replaces", setting_again_replaces },
	  { "keeps_any_bytes", keeps_any_bytes },
	  { "cuts_long_strings_between_characters", cuts_long_strings_between_characters },
	  { "full_arena_leaves_out_and_says_so", full_arena_leaves_out_and_says_so },
	  { "lists_may_grow_in_turns", lists_may_grow_in_turns },
	  { "flood_of_elements_stays_bounded", flood_of_elements_stays_bounded },
	  { "walks_fields_in_table_order", walks_fields_in_table_order })
