/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/event_row.h"

#include <stdio.h>
#include <time.h>

#include "agent/ctl/text.h"
#include "tests/test.h"

#define TS "\"ts\":1777629600123456,"

static const char *row(struct buf *b, const char *json, int columns)
{
	CHECK(setenv("TZ", "UTC", 1) == 0);
	tzset();
	buf_clear(b);
	if (event_row_format(str_of(json), columns, b) < 0)
		TEST_BAIL("%s was refused", json);
	return buf_cstr(b);
}

static void each_kind_says_what_matters(void)
{
	static const struct {
		const char *json;
		const char *line;
	} cases[] = {
		{ "{" TS "\"Table\":\"DeviceProcessEvents\",\"ActionType\":\"ProcessCreated\","
		  "\"FileName\":\"ls\",\"FolderPath\":\"/usr/bin/ls\",\"ProcessCommandLine\":"
		  "\"ls -l /tmp\",\"AccountName\":\"anna\",\"InitiatingProcessFileName\":\"bash\"}",
		  "2026-05-01 10:00:00  ProcessCreated         anna          ls                  "
		  "ls -l /tmp\n" },
		{ "{" TS "\"Table\":\"DeviceFileEvents\",\"ActionType\":\"FileModified\","
		  "\"FileName\":\"passwd\",\"FolderPath\":\"/etc/passwd\","
		  "\"InitiatingProcessFileName\":\"vi\",\"InitiatingProcessAccountName\":\"root\"}",
		  "2026-05-01 10:00:00  FileModified           root          vi                  "
		  "/etc/passwd\n" },
		{ "{" TS "\"Table\":\"DeviceFileEvents\",\"ActionType\":\"FileRenamed\","
		  "\"PreviousFolderPath\":\"/a\",\"FolderPath\":\"/b\"}",
		  "2026-05-01 10:00:00  FileRenamed                                              "
		  "/a -> /b\n" },
		{ "{" TS "\"Table\":\"DeviceNetworkEvents\",\"ActionType\":\"ConnectionSuccess\","
		  "\"RemoteIP\":\"127.0.0.1\",\"RemotePort\":8080,\"Protocol\":\"Tcp\","
		  "\"RemoteIPType\":\"Loopback\",\"InitiatingProcessFileName\":\"curl\","
		  "\"InitiatingProcessAccountSid\":\"1000\"}",
		  "2026-05-01 10:00:00  ConnectionSuccess      1000          curl                "
		  "to 127.0.0.1 port 8080 Tcp Loopback\n" },
		{ "{" TS "\"Table\":\"DeviceLogonEvents\",\"ActionType\":\"LogonFailed\","
		  "\"AccountName\":\"anna\",\"LogonType\":\"Su\",\"Protocol\":\"su\","
		  "\"TargetAccountName\":\"root\",\"FailureReason\":\"authentication failure\"}",
		  "2026-05-01 10:00:00  LogonFailed            anna                              "
		  "Su by su to root: authentication failure\n" },
		{ "{" TS "\"Table\":\"DeviceEvents\",\"ActionType\":\"AgentEventsDropped\","
		  "\"AdditionalFields\":{\"DroppedCount\":12,\"DroppedWhere\":\"kernel\"}}",
		  "2026-05-01 10:00:00  AgentEventsDropped                                       "
		  "12 events lost in kernel\n" },
	};
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 65536);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		CHECK_STR(row(&b, cases[i].json, 0), cases[i].line);
	buf_clear(&b);
	event_row_heading(0, &b);
	CHECK_STR(buf_cstr(&b), "TIME                 EVENT                  USER          "
				"PROGRAM             DETAILS\n");
}

static void a_terminal_gets_lines_of_its_width(void)
{
	static const char json[] =
		"{" TS "\"Table\":\"DeviceFileEvents\",\"ActionType\":\"FileAttributesChanged\","
		"\"FolderPath\":\"/a/very/long/path/with/many/folders/and/a/file/at/the/end\","
		"\"InitiatingProcessFileName\":\"a-program-with-a-long-name\","
		"\"InitiatingProcessAccountName\":\"somebody-with-a-long-name\"}";
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 65536);
	CHECK_STR(row(&b, json, 90),
		  "05-01 10:00:00  FileAttributesCh\xe2\x80\xa6  somebod\xe2\x80\xa6  "
		  "a-program-wit\xe2\x80\xa6  /a/very/long/path/with/many/\xe2\x80\xa6\n");
}

static void no_line_is_wider_than_a_usual_terminal(void)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };
	char json[512];

	buf_init(&b, 4096);
	(void)snprintf(json, sizeof(json),
		       "{" TS "\"Table\":\"DeviceProcessEvents\",\"ActionType\":\"%040d\","
		       "\"FileName\":\"%040d\",\"AccountName\":\"%040d\","
		       "\"ProcessCommandLine\":\"%0200d\"}",
		       0, 0, 0, 0);
	for (int columns = 77; columns <= 200; columns++)
		CHECK_INT(text_width(str_of(row(&b, json, columns))) - 1, columns);
}

static void attackers_words_stay_words(void)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };
	const char *line;

	buf_init(&b, 65536);
	line = row(&b,
		   "{" TS "\"Table\":\"DeviceProcessEvents\",\"ActionType\":\"A\\u001b[2J\","
		   "\"FileName\":\"x\\ny\",\"ProcessCommandLine\":\"a\\u202eb\\u009bc\\n\\n\"}",
		   0);
	CHECK(strchr(line, '\x1b') == NULL);
	CHECK(strchr(line, '\n') == line + strlen(line) - 1);
	CHECK(strstr(line, "a\\u{202E}b\\u{009B}c\\n\\n\n") != NULL);
}

static void bears_what_is_strange_and_refuses_what_is_broken(void)
{
	static const char *const broken[] = {
		"", "{", "[]", "7", "{\"a\":}", "{}x", "{\"AdditionalFields\":{\"a\":[}}", "\xff",
	};
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 65536);
	(void)row(&b, "{}", 0);
	(void)row(&b, "{\"ts\":\"never\",\"Table\":7,\"ActionType\":null,\"FileName\":{}}", 80);
	(void)row(&b, "{\"ts\":99999999999999999999,\"AdditionalFields\":\"x\"}", 1);
	for (size_t i = 0; i < ARRAY_LEN(broken); i++)
		CHECK_INT(event_row_format(str_of(broken[i]), 0, &b), -EPROTO);
}

TEST_MAIN({ "each_kind_says_what_matters", each_kind_says_what_matters },
	  { "a_terminal_gets_lines_of_its_width", a_terminal_gets_lines_of_its_width },
	  { "no_line_is_wider_than_a_usual_terminal", no_line_is_wider_than_a_usual_terminal },
	  { "attackers_words_stay_words", attackers_words_stay_words },
	  { "bears_what_is_strange_and_refuses_what_is_broken",
	    bears_what_is_strange_and_refuses_what_is_broken })
