/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal's file: tables, format version, and how the two programs that open
 * it do so. Format 1:
 *   events(seq, ts, mono, kind, origin, body)  one row an event; seq is ReportId
 *   cursors(name, epoch, seq, offered)         one row a consumer
 *   dropped(kind, n, first, last)              rows that left before `cloud` had them
 *   meta(name, value)                          base high deleted dropped device_* org_id views
 * and one view a hunting table (agent/event/views.h). PRAGMA application_id says
 * that a file is ours, user_version its format; a newer format is refused.
 */
#pragma once

#include "agent/base/diag.h"
#include "agent/store/sql.h"

#define SCHEMA_FILE "journal.db"
#define SCHEMA_FORMAT 1
#define SCHEMA_APPLICATION_ID 0x45414a31 /* "EAJ1" */
#define SCHEMA_BUSY_MS 1000		 /* a backup tool may hold a lock; hunting never does */
#define SCHEMA_PAGE_SIZE 8192u
#define SCHEMA_WAL_KEEP_BYTES 16777216u /* the log shrinks to these 16 MiB at a reset */

/* What a new file begins with. All zero for a host's first journal. */
struct schema_start {
	uint64_t base_seq;   /* numbers up to this one are used up */
	uint64_t cursor_seq; /* of `cloud` */
	uint64_t epoch;
	uint64_t lost; /* rows between cursor and base that are gone with an older file */
};

/* Opens or creates the file for the one writer, in WAL mode with synchronous
 * NORMAL, and brings its views up to date. -EUCLEAN: damaged or not ours;
 * -EPROTONOSUPPORT: a newer format, with words in diag; else as sql_error(). */
must_check int schema_open(const char *path, const struct schema_start *start, sqlite3 **ret_db,
			   struct diag *diag);

/* Opens an existing file read-only. -ENOENT, else as schema_open(). */
must_check int schema_open_reader(const char *path, sqlite3 **ret_db, struct diag *diag);
