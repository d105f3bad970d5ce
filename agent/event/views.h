/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hunting tables as SQL text: one view for each Table of kinds.def, its
 * columns made from fields.def by json_extract (SQLite's JSON functions). The
 * journal of a host and the database of the cloud use the same text, so that one
 * query runs on both. Pure text; nothing here knows SQLite.
 */
#pragma once

#include "agent/base/buf.h"
#include "agent/event/event.h"

#define VIEWS_TEXT_MAX 262144u /* 256 KiB: room for all views, with a margin of ten */

/* The table behind the views has at least seq INTEGER, ts INTEGER (microseconds),
 * kind TEXT (event_kind_row.id, so that old files survive new kinds) and body
 * TEXT (event_encode()). All members are SQL text of the program, never input. */
struct views_source {
	const char *table;	 /* "events" */
	const char *device_id;	 /* expression for DeviceId */
	const char *device_name; /* expression for DeviceName */
	const char *extra;	 /* columns put in front, "epoch AS Epoch"; NULL for none */
};

/* Appends DROP VIEW IF EXISTS and CREATE VIEW for each hunting table, each
 * statement ended by a semicolon. Columns: extra, Timestamp, DeviceId, DeviceName,
 * ReportId (seq), ActionType, the fields of place TOP, AdditionalFields (JSON
 * text), SchemaVersion. */
void views_format(const struct views_source *source, struct buf *out);

/* Appends a condition on the column kind ("kind IN ('A','B')") that selects what
 * `name` means: a hunting table or an ActionType, in any case of letters.
 * -ENOENT when it is neither; out is then untouched. */
must_check int views_filter_format(struct str name, struct buf *out);

/* The kind behind the Table and ActionType of an event's JSON. -ENOENT. */
must_check int views_kind_find(struct str table, struct str action, enum event_kind *ret_kind);

/* The kind behind the text of the column kind. -ENOENT. */
must_check int views_kind_parse(struct str id, enum event_kind *ret_kind);
