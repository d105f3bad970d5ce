/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/event/views.h"

#include <sqlite3.h>

#include "tests/test.h"

static const struct views_source source = {
	.table = "events",
	.device_id = "'device-1'",
	.device_name = "'web-1'",
	.extra = "epoch AS Epoch",
};

static sqlite3 *database(void)
{
	cleanup_(buf_cleanup) struct buf text = { .max = VIEWS_TEXT_MAX };
	sqlite3 *db = NULL;

	CHECK_INT(sqlite3_open(":memory:", &db), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db,
			       "CREATE TABLE events(seq INTEGER PRIMARY KEY, epoch INTEGER,"
			       " ts INTEGER, kind TEXT, body TEXT)",
			       NULL, NULL, NULL),
		  SQLITE_OK);
	views_format(&source, &text);
	CHECK_INT(buf_error(&text), 0);
	CHECK_INT(sqlite3_exec(db, buf_cstr(&text), NULL, NULL, NULL), SQLITE_OK);
	/* The text replaces older views: it runs twice. */
	CHECK_INT(sqlite3_exec(db, buf_cstr(&text), NULL, NULL, NULL), SQLITE_OK);
	return db;
}

/* The single value of a query as text. */
static void check_value(sqlite3 *db, const char *sql, const char *want)
{
	sqlite3_stmt *stmt = NULL;

	CHECK_INT(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	CHECK_INT(sqlite3_step(stmt), SQLITE_ROW);
	if (want == NULL)
		CHECK_INT(sqlite3_column_type(stmt, 0), SQLITE_NULL);
	else
		CHECK_STR((const char *)sqlite3_column_text(stmt, 0), want);
	(void)sqlite3_finalize(stmt);
}

static void shows_an_event_in_the_view_of_its_table(void)
{
	sqlite3 *db = database();

	CHECK_INT(
		sqlite3_exec(db,
			     "INSERT INTO events VALUES(7, 3, 1777629600000042, 'PROCESS_CREATED',"
			     "'{\"Table\":\"DeviceProcessEvents\",\"FileName\":\"ls\","
			     "\"ProcessId\":42,\"ProcessArgs\":[\"ls\",\"-l\"],"
			     "\"AdditionalFields\":{\"AuditId\":\"1.2:3\"},"
			     "\"SchemaVersion\":1}')",
			     NULL, NULL, NULL),
		SQLITE_OK);
	check_value(db, "SELECT FileName FROM DeviceProcessEvents", "ls");
	check_value(db, "SELECT ProcessId + 1 FROM DeviceProcessEvents", "43");
	check_value(db, "SELECT ProcessArgs FROM DeviceProcessEvents", "[\"ls\",\"-l\"]");
	check_value(db, "SELECT AdditionalFields FROM DeviceProcessEvents",
		    "{\"AuditId\":\"1.2:3\"}");
	check_value(db,
		    "SELECT ReportId || '/' || Epoch || '/' || DeviceId || '/' || DeviceName"
		    " FROM DeviceProcessEvents",
		    "7/3/device-1/web-1");
	check_value(db, "SELECT Timestamp FROM DeviceProcessEvents", "2026-05-01T10:00:00.000042Z");
	check_value(db, "SELECT ActionType FROM DeviceProcessEvents", "ProcessCreated");
	check_value(db, "SELECT SchemaVersion FROM DeviceProcessEvents", "1");
	check_value(db, "SELECT FolderPath FROM DeviceProcessEvents", NULL);
	check_value(db, "SELECT count(*) FROM DeviceFileEvents", "0");
	(void)sqlite3_close(db);
}

static void tells_kinds_of_one_table_apart(void)
{
	sqlite3 *db = database();

	CHECK_INT(sqlite3_exec(db,
			       "INSERT INTO events VALUES(1, 1, 0, 'FILE_CREATED', '{}'),"
			       "(2, 1, 0, 'FILE_DELETED', '{}'), (3, 1, 0, 'NO_SUCH_KIND', '{}')",
			       NULL, NULL, NULL),
		  SQLITE_OK);
	check_value(db, "SELECT group_concat(ActionType) FROM DeviceFileEvents",
		    "FileCreated,FileDeleted");
	(void)sqlite3_close(db);
}

static void makes_conditions_of_names(void)
{
	cleanup_(buf_cleanup) struct buf b = { .max = 4096 };

	CHECK_INT(views_filter_format(STR("deviceprocessevents"), &b), 0);
	CHECK_STR(buf_cstr(&b), "kind IN ('PROCESS_CREATED')");
	buf_clear(&b);
	CHECK_INT(views_filter_format(STR("FileDeleted"), &b), 0);
	CHECK_STR(buf_cstr(&b), "kind IN ('FILE_DELETED')");
	buf_clear(&b);
	CHECK_INT(views_filter_format(STR("DeviceNetworkEvents"), &b), 0);
	CHECK_STR(buf_cstr(&b), "kind IN ('CONNECTION_REQUEST','CONNECTION_SUCCESS',"
				"'CONNECTION_FAILED')");
	buf_clear(&b);
	CHECK_INT(views_filter_format(STR("x' OR 1=1 --"), &b), -ENOENT);
	CHECK_INT(views_filter_format(STR(""), &b), -ENOENT);
	CHECK_INT(views_filter_format(STR("FileDeleted\0x"), &b), -ENOENT);
	CHECK_INT(b.len, 0);
}

static void finds_kinds(void)
{
	enum event_kind kind = EVENT_KIND_LOGOFF;

	CHECK_INT(views_kind_find(STR("DeviceLogonEvents"), STR("LogonFailed"), &kind), 0);
	CHECK_INT(kind, EVENT_KIND_LOGON_FAILED);
	CHECK_INT(views_kind_find(STR("DeviceFileEvents"), STR("LogonFailed"), &kind), -ENOENT);
	CHECK_INT(views_kind_parse(STR("FILE_RENAMED"), &kind), 0);
	CHECK_INT(kind, EVENT_KIND_FILE_RENAMED);
	CHECK_INT(views_kind_parse(STR("FILE_RENAMED "), &kind), -ENOENT);
	CHECK_INT(kind, EVENT_KIND_FILE_RENAMED);
}

TEST_MAIN({ "shows_an_event_in_the_view_of_its_table", shows_an_event_in_the_view_of_its_table },
	  { "tells_kinds_of_one_table_apart", tells_kinds_of_one_table_apart },
	  { "makes_conditions_of_names", makes_conditions_of_names },
	  { "finds_kinds", finds_kinds })
