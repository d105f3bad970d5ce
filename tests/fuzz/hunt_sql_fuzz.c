/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any SQL: an answer or words, in time, and the journal as it was. */
#include <assert.h>

#include "agent/event/views.h"
#include "agent/store/query.h"

/* A journal in memory: the tables and views that a question may name. */
static sqlite3 *journal_make(void)
{
	static const struct views_source source = { "events", "'d'", "'n'", NULL };
	cleanup_(buf_cleanup) struct buf text = { .max = VIEWS_TEXT_MAX };
	sqlite3 *db = NULL;

	buf_add_str(&text,
		    STR("CREATE TABLE events(seq INTEGER PRIMARY KEY, ts, mono, kind, origin,"
			" body); INSERT INTO events VALUES(1, 2, 3, 'LOGOFF', 4, '{}');"));
	views_format(&source, &text);
	assert(buf_error(&text) == 0 && sqlite3_open(":memory:", &db) == SQLITE_OK);
	assert(sqlite3_exec(db, buf_cstr(&text), NULL, NULL, NULL) == SQLITE_OK);
	return db;
}

static int on_put(void *ctx, struct str lines)
{
	(void)ctx;
	assert(lines.n > 0 && lines.n <= QUERY_ROW_MAX && lines.p[lines.n - 1] == '\n');
	return 0;
}

static bool on_look(void *ctx, int timeout_ms)
{
	(void)ctx;
	(void)timeout_ms;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct query_sink sink = { .put = on_put, .is_over = on_look };
	const struct query_sql q = { .sql = { .p = (const char *)data, .n = size },
				     .max_rows = 100,
				     .max_ms = 100 };
	/* Made once: parsing the views takes a hundred times as long as a usual input. */
	static sqlite3 *db;
	struct query_result r = { 0 };

	if (db == NULL)
		db = journal_make();

	int changes = sqlite3_total_changes(db);

	query_sql_run(db, &q, &sink, &r);
	assert(r.rows <= q.max_rows && (r.error < 0) == (r.message[0] != '\0'));
	assert(sqlite3_total_changes(db) == changes);
	return 0;
}
