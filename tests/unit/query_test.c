/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/query.h"

#include "agent/base/clock.h"
#include "agent/base/jsonr.h"
#include "tests/unit/store_help.h"

/* A sink that keeps what it gets, and stops a query after so many looks. */
struct kept {
	struct buf text;
	unsigned int puts;
	unsigned int looks_left; /* 0: for ever */
	int error;		 /* what put() answers */
};

static int on_put(void *ctx, struct str lines)
{
	struct kept *k = ctx;

	CHECK(lines.n > 0 && lines.n <= QUERY_ROW_MAX);
	CHECK(lines.p[lines.n - 1] == '\n');
	k->puts++;
	buf_add_str(&k->text, lines);
	return k->error;
}

static bool on_look(void *ctx, int timeout_ms)
{
	struct kept *k = ctx;

	(void)timeout_ms;
	return k->looks_left > 0 && --k->looks_left == 0;
}

static struct journal *journal_filled(const struct dir *d)
{
	struct journal *j = journal_fresh(d);
	struct journal_put put;

	CHECK_INT(batch_put(j, 1, 200, 300, &put), 0);
	return j;
}

static sqlite3 *reader(const struct dir *d)
{
	struct diag diag = { 0 };
	sqlite3 *db = NULL;
	char path[128];

	dir_file(d, SCHEMA_FILE, path);
	CHECK_INT(schema_open_reader(path, &db, &diag), 0);
	return db;
}

/* Runs one statement on a connection of its own. */
static struct query_result run(const struct dir *d, const char *sql, struct query_sql q,
			       struct kept *k)
{
	const struct query_sink sink = { .ctx = k, .put = on_put, .is_over = on_look };
	struct query_result result;
	sqlite3 *db = reader(d);

	q.sql = q.sql.n > 0 ? q.sql : str_of(sql);
	q.max_rows = q.max_rows > 0 ? q.max_rows : 1000;
	q.max_ms = q.max_ms > 0 ? q.max_ms : 10000;
	buf_done(&k->text);
	buf_init(&k->text, 16 << 20);
	query_sql_run(db, &q, &sink, &result);
	CHECK((result.error < 0) == (result.message[0] != '\0'));
	(void)sqlite3_close(db);
	return result;
}

static void answers_in_json(void)
{
	static const struct jsonr_limits limits = { .max_bytes = QUERY_ROW_MAX, .max_depth = 4 };
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_filled(&d);
	struct kept k = { 0 };
	struct query_result r =
		run(&d, "SELECT 1 AS \"a\"\"b\", -2.5, 'x\"y\n', NULL, x'00ff', 1e999; -- done\n ;",
		    (struct query_sql){ 0 }, &k);

	CHECK_STR(r.message, "");
	CHECK_INT(r.rows, 1);
	CHECK(!r.is_truncated);
	CHECK_STR(buf_cstr(&k.text),
		  "[\"a\\\"b\",\"-2.5\",\"'x\\\"y\\n'\",\"NULL\",\"x'00ff'\",\"1e999\"]\n"
		  "[1,-2.5,\"x\\\"y\\n\",null,\"00ff\",null]\n");
	r = run(&d, "SELECT * FROM DeviceProcessEvents ORDER BY ReportId", (struct query_sql){ 0 },
		&k);
	CHECK_STR(r.message, "");
	CHECK_INT(r.rows, 200);
	for (struct str rest = buf_str(&k.text); rest.n > 0;)
		CHECK_INT(jsonr_scan(str_split(&rest, '\n'), &limits, NULL, NULL, NULL), 0);
	r = run(&d, "SELECT name FROM pragma_table_info('events')", (struct query_sql){ 0 }, &k);
	CHECK_STR(r.message, "");
	CHECK_INT(r.rows, 6);
	(void)run(&d, "SELECT count(*) FROM events, json_each(events.body) WHERE key = 'FileName'",
		  (struct query_sql){ 0 }, &k);
	CHECK_STR(buf_cstr(&k.text), "[\"count(*)\"]\n[200]\n");
	(void)run(&d,
		  "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<5)"
		  " SELECT sum(x) FROM c",
		  (struct query_sql){ 0 }, &k);
	CHECK_STR(buf_cstr(&k.text), "[\"sum(x)\"]\n[15]\n");
	buf_done(&k.text);
	journal_free(j);
	dir_remove(&d);
}

static void only_reads(void)
{
	static const char *const bad[] = {
		"DELETE FROM events",
		"UPDATE events SET body = ''",
		"SELECT * FROM pragma_database_list",
		"SELECT * FROM sqlite_dbpage",
		"SELECT * FROM dbstat",
		"UPDATE sqlite_master SET sql = ''",
		"SELECT * FROM pragma_database_list",
		"INSERT INTO meta VALUES('x', 1)",
		"DROP TABLE events",
		"CREATE TABLE t(x)",
		"CREATE TEMP TABLE t(x)",
		"CREATE TEMP VIEW v AS SELECT 1",
		"ATTACH '/etc/passwd' AS p",
		"DETACH main",
		"PRAGMA journal_mode = DELETE",
		"PRAGMA writable_schema = ON",
		"PRAGMA query_only = OFF",
		"PRAGMA user_version",
		"PRAGMA wal_checkpoint",
		"BEGIN",
		"SAVEPOINT s",
		"VACUUM INTO '/tmp/x'",
		"REINDEX",
		"ANALYZE",
		"SELECT load_extension('/tmp/x.so')",
		"SELECT fts3_tokenizer('simple')",
		"SELECT writefile('/tmp/x', 'x')",
		"SELECT readfile('/etc/passwd')",
		"SELECT edit('x')",
		"SELECT sqlite_log(1, 'x')",
		"CREATE VIRTUAL TABLE v USING fts5(x)",
	};
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_filled(&d);
	struct kept k = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct query_result r = run(&d, bad[i], (struct query_sql){ 0 }, &k);

		if (r.error != -EPERM)
			CHECK_INT(r.error, -EINVAL); /* functions this build does not have */
		CHECK_INT(r.rows, 0);
	}
	CHECK_INT(ask(&d, "SELECT count(*) FROM events"), 200);
	buf_done(&k.text);
	journal_free(j);
	dir_remove(&d);
}

static void takes_one_statement(void)
{
	static const char *const bad[] = {
		"",
		"  ;; ",
		"-- nothing",
		"SELEC 1",
		"SELECT 1; SELECT 2",
		"SELECT 1; DELETE FROM events",
		"SELECT ?",
		"SELECT x FROM nowhere",
		"SELECT '\xff",
	};
	static char big[QUERY_SQL_MAX + 2];
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_filled(&d);
	struct kept k = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct query_result r = run(&d, bad[i], (struct query_sql){ 0 }, &k);

		CHECK(r.error < 0);
		CHECK_INT(k.puts, 0);
	}
	memset(big, ' ', sizeof(big) - 1);
	memcpy(big, "SELECT 1", 8);
	CHECK_INT(run(&d, big, (struct query_sql){ 0 }, &k).error, -EMSGSIZE);
	big[QUERY_SQL_MAX] = '\0';
	CHECK_INT(run(&d, big, (struct query_sql){ 0 }, &k).error, 0);
	buf_done(&k.text);
	journal_free(j);
	dir_remove(&d);
}

static void is_bounded_in_every_direction(void)
{
	static const char endless[] =
		"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c)"
		" SELECT count(*) FROM c";
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_filled(&d);
	struct kept k = { 0 };
	uint64_t before_ns = clock_mono_ns();
	struct query_result r = run(&d, endless, (struct query_sql){ .max_ms = 50 }, &k);

	CHECK_INT(r.error, -ETIMEDOUT);
	CHECK_STR(r.message, "the query took longer than 50 ms");
	CHECK(clock_mono_ns() - before_ns < 5 * NSEC_PER_SEC);
	k.looks_left = 3;
	CHECK_INT(run(&d, endless, (struct query_sql){ 0 }, &k).error, -ECANCELED);
	k.looks_left = 0;
	/* Rows. */
	r = run(&d, "SELECT seq FROM events ORDER BY seq", (struct query_sql){ .max_rows = 7 }, &k);
	CHECK_INT(r.error, 0);
	CHECK_INT(r.rows, 7);
	CHECK(r.is_truncated);
	r = run(&d, "SELECT seq FROM events ORDER BY seq LIMIT 7",
		(struct query_sql){ .max_rows = 7 }, &k);
	CHECK(!r.is_truncated);
	/* Memory, the size of a value and of a row. */
	r = run(&d,
		"WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 1000)"
		" SELECT randomblob(200000) AS b FROM c ORDER BY b",
		(struct query_sql){ .max_ms = 60000 }, &k);
	CHECK_INT(r.error, -ENOMEM);
	CHECK_INT(run(&d, "SELECT zeroblob(2000000000)", (struct query_sql){ 0 }, &k).error,
		  -EMSGSIZE);
	CHECK_INT(run(&d, "SELECT zeroblob(100000)", (struct query_sql){ 0 }, &k).error, -EMSGSIZE);
	CHECK_INT(run(&d, "SELECT hex(zeroblob(100000))", (struct query_sql){ 0 }, &k).error,
		  -EMSGSIZE);
	/* A function that never looks at the time cannot be given much to do. */
	CHECK_INT(run(&d, "SELECT instr(hex(zeroblob(500000)), hex(zeroblob(250000))||'1')",
		      (struct query_sql){ .max_ms = 50 }, &k)
			  .error,
		  -EMSGSIZE);
	/* A pattern that would take ages. */
	CHECK(run(&d, "SELECT 1 WHERE 'x' LIKE hex(zeroblob(1000))", (struct query_sql){ 0 }, &k)
		      .error < 0);
	(void)sqlite3_hard_heap_limit64(0);
	buf_done(&k.text);
	journal_free(j);
	dir_remove(&d);
}

static void many_rows_leave_in_parts(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_filled(&d);
	struct kept k = { 0 };
	struct query_result r =
		run(&d, "SELECT body, body FROM events", (struct query_sql){ 0 }, &k);

	CHECK_INT(r.rows, 200);
	CHECK(k.puts >= 4);
	/* A sink that fails ends it. */
	k.error = -EPIPE;
	r = run(&d, "SELECT body, body FROM events", (struct query_sql){ 0 }, &k);
	CHECK_INT(r.error, -EPIPE);
	buf_done(&k.text);
	journal_free(j);
	dir_remove(&d);
}

static void sees_what_the_writer_does(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_filled(&d);
	struct journal_put put;
	struct kept k = { 0 };

	CHECK_INT(batch_put(j, 1000, 10, 300, &put), 0);
	(void)run(&d, "SELECT count(*) AS n FROM events", (struct query_sql){ 0 }, &k);
	CHECK_STR(buf_cstr(&k.text), "[\"n\"]\n[210]\n");
	buf_done(&k.text);
	journal_free(j);
	dir_remove(&d);
}

TEST_MAIN({ "answers_in_json", answers_in_json }, { "only_reads", only_reads },
	  { "takes_one_statement", takes_one_statement },
	  { "is_bounded_in_every_direction", is_bounded_in_every_direction },
	  { "many_rows_leave_in_parts", many_rows_leave_in_parts },
	  { "sees_what_the_writer_does", sees_what_the_writer_does })
