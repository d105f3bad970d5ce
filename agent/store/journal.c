/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/journal.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/fs.h"
#include "agent/store/cursor.h"
#include "agent/store/journal_priv.h"

#define CORRUPT_PREFIX SCHEMA_FILE ".corrupt-"

static const char *const stmt_texts[JOURNAL_STMTS] = {
	[JOURNAL_STMT_BEGIN] = "BEGIN IMMEDIATE",
	[JOURNAL_STMT_COMMIT] = "COMMIT",
	[JOURNAL_STMT_INSERT] = "INSERT INTO events(seq, ts, mono, kind, origin, body)"
				" VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
				" ON CONFLICT(origin) WHERE origin IS NOT NULL DO NOTHING",
	[JOURNAL_STMT_OFFER] = "UPDATE cursors SET offered = ?1 WHERE name = 'cloud'",
	[JOURNAL_STMT_CURSOR] = "UPDATE cursors SET seq = ?1, offered = max(offered, ?1)"
				" WHERE name = 'cloud'",
	[JOURNAL_STMT_FETCH] = "SELECT seq, ts, mono, body FROM events WHERE seq > ?1"
			       " ORDER BY seq LIMIT ?2",
	[JOURNAL_STMT_DROPPED] = "SELECT kind, n, first, last FROM dropped WHERE last < ?1"
				 " ORDER BY first, id LIMIT ?2",
	[JOURNAL_STMT_HEAD] = "SELECT seq, ts, kind FROM events WHERE seq > ?1 AND seq <= ?2"
			      " ORDER BY seq LIMIT ?3",
	[JOURNAL_STMT_DELETE] = "DELETE FROM events WHERE seq >= ?1 AND seq <= ?2",
	[JOURNAL_STMT_META] = "UPDATE meta SET value = CASE name WHEN 'high' THEN ?1"
			      " WHEN 'deleted' THEN ?2 ELSE ?3 END"
			      " WHERE name IN ('high', 'deleted', 'dropped')",
	[JOURNAL_STMT_PAGES] = "PRAGMA page_count",
	[JOURNAL_STMT_FREE_PAGES] = "PRAGMA freelist_count",
	[JOURNAL_STMT_OLDEST] = "SELECT ts FROM events ORDER BY seq LIMIT 1",
};

sqlite3_stmt *journal_stmt(struct journal *j, enum journal_stmt which, int *ret_error)
{
	if (j->db == NULL) {
		*ret_error = -EBADFD;
		return NULL;
	}
	if (j->stmts[which] == NULL) {
		int e = sql_prepare(j->db, stmt_texts[which], &j->stmts[which]);

		if (e < 0) {
			*ret_error = e;
			return NULL;
		}
	}
	return j->stmts[which];
}

int journal_run(struct journal *j, enum journal_stmt which)
{
	int e = 0;
	sqlite3_stmt *stmt = journal_stmt(j, which, &e);

	return stmt == NULL ? e : sql_run(stmt);
}

int journal_number(struct journal *j, enum journal_stmt which, uint64_t *ret_value)
{
	int e = 0;
	sqlite3_stmt *stmt = journal_stmt(j, which, &e);

	if (stmt == NULL)
		return e;
	e = sql_step(stmt);
	if (e < 0)
		return e;
	*ret_value = e == 0 ? 0 : sql_column_u64(stmt, 0);
	(void)sqlite3_reset(stmt);
	return 0;
}

/* Transactions. */

static void rollback(struct journal *j)
{
	/* SQLite has already rolled back after some errors (a full disk among them). */
	if (j->db != NULL && sqlite3_get_autocommit(j->db) == 0)
		(void)sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL);
}

int journal_tx_begin(struct journal *j, bool durable)
{
	int e = 0;

	assert(!j->is_in_batch);
	if (j->db == NULL)
		return -EBADFD;
	if (durable) {
		e = sql_exec(j->db, "PRAGMA synchronous = FULL");
		j->is_durable = true;
	}
	return e < 0 ? e : journal_run(j, JOURNAL_STMT_BEGIN);
}

int journal_tx_end(struct journal *j, int error)
{
	int e = error < 0 ? error : journal_run(j, JOURNAL_STMT_COMMIT);

	if (e < 0)
		rollback(j);
	if (j->is_durable && j->db != NULL)
		(void)sqlite3_exec(j->db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
	j->is_durable = false;
	return e;
}

/* State. */

int journal_state_load(struct journal *j)
{
	struct journal_state s = { 0 };
	uint64_t high = 0;
	const struct {
		const char *text;
		uint64_t *to;
	} reads[] = {
		{ "SELECT value FROM meta WHERE name = 'base'", &s.base_seq },
		{ "SELECT value FROM meta WHERE name = 'high'", &high },
		{ "SELECT value FROM meta WHERE name = 'deleted'", &s.deleted },
		{ "SELECT value FROM meta WHERE name = 'dropped'", &s.dropped },
		{ "SELECT max(seq) FROM events", &s.last_seq },
		{ "SELECT epoch FROM cursors WHERE name = 'cloud'", &s.epoch },
		{ "SELECT seq FROM cursors WHERE name = 'cloud'", &s.cursor_seq },
		{ "SELECT offered FROM cursors WHERE name = 'cloud'", &s.offered_seq },
		{ "SELECT sum(n) FROM dropped", &s.untold },
		{ "SELECT sum(n) FROM dropped WHERE first > (SELECT value FROM meta"
		  " WHERE name = 'base')",
		  &s.untold_above },
	};

	for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
		int e = sql_get_u64(j->db, reads[i].text, reads[i].to);

		if (e < 0) /* a row that every journal has is missing: not whole */
			return e == -ENOENT ? -EUCLEAN : e;
	}
	/* Retention may have taken the newest rows; their numbers stay used. */
	if (s.last_seq < high)
		s.last_seq = high;
	if (s.last_seq < s.base_seq)
		s.last_seq = s.base_seq;
	if (s.cursor_seq > s.last_seq || s.offered_seq > s.last_seq ||
	    s.cursor_seq > s.offered_seq || s.deleted > s.last_seq - s.base_seq)
		return -EUCLEAN;
	j->state = s;
	return 0;
}

static uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

int journal_mark(struct journal *j)
{
	struct mark m = {
		.reserved = max_u64(j->mark.reserved, j->state.last_seq),
		.last = j->state.last_seq,
		.cursor = j->state.cursor_seq,
		.epoch = j->state.epoch,
	};

	if (j->db == NULL)
		return -EBADFD;
	if (memcmp(&m, &j->mark, sizeof(m)) == 0)
		return 0;

	int e = mark_write(j->dir, &m);

	if (e == 0)
		j->mark = m;
	return e;
}

/* Before a number is given out the mark on disk covers it. */
static int number_reserve(struct journal *j, uint64_t seq)
{
	struct mark m = j->mark;

	if (seq <= m.reserved)
		return 0;
	if (seq > MARK_RESERVED_MAX - MARK_BLOCK)
		return -EOVERFLOW;
	m.reserved = seq + MARK_BLOCK;
	m.last = j->state.last_seq;
	m.cursor = j->state.cursor_seq;
	m.epoch = j->state.epoch;

	int e = mark_write(j->dir, &m);

	if (e == 0)
		j->mark = m;
	return e;
}

/* The file: opening, setting aside. */

static int on_commit(void *ctx, sqlite3 *db, const char *name, int pages)
{
	struct journal *j = ctx;

	(void)db;
	(void)name;
	j->log_pages = (uint64_t)pages;
	return SQLITE_OK;
}

int journal_new(const char *dir, struct journal **ret_journal)
{
	cleanup_(journal_cleanup) struct journal *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return -ENOMEM;

	int e = str_copy(str_of(dir), j->dir, sizeof(j->dir));

	if (e < 0)
		return e;
	*ret_journal = take_ptr(j);
	return 0;
}

bool journal_is_open(const struct journal *j)
{
	return j->db != NULL;
}

/* Lets go of the file without a word to it. */
static void drop(struct journal *j)
{
	for (size_t i = 0; i < JOURNAL_STMTS; i++)
		(void)sqlite3_finalize(take_ptr(j->stmts[i]));
	(void)sqlite3_close_v2(take_ptr(j->db));
	j->is_in_batch = false;
	j->is_trimming = false;
	j->log_pages = 0;
}

void journal_close(struct journal *j)
{
	journal_abort(j);
	if (j->db != NULL) {
		(void)!journal_mark(j);
		j->mark = (struct mark){ 0 }; /* read again at the next opening */
	}
	drop(j); /* the last connection checkpoints */
}

void journal_free(struct journal *j)
{
	if (j == NULL)
		return;
	journal_close(j);
	free(j);
}

/* Seconds in the name of a damaged file, 0 for any other name. */
static uint64_t corrupt_stamp(const char *name)
{
	struct str s = str_of(name);
	struct str prefix = STR(CORRUPT_PREFIX);
	uint64_t stamp = 0;

	if (!str_starts(s, prefix))
		return 0;
	s = (struct str){ .p = s.p + prefix.n, .n = s.n - prefix.n };
	return parse_u64(s, 1, UINT64_MAX, &stamp) < 0 ? 0 : stamp;
}

/* Counts damaged files; *ret_oldest is the stamp of the oldest. */
static uint32_t corrupt_count(const char *dir, uint64_t *ret_oldest)
{
	DIR *d = opendir(dir);
	uint32_t n = 0;

	*ret_oldest = UINT64_MAX;
	if (d == NULL)
		return 0;
	for (;;) {
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread, and d is its own. */
		const struct dirent *entry = readdir(d);
		uint64_t stamp = entry == NULL ? 0 : corrupt_stamp(entry->d_name);

		if (entry == NULL)
			break;
		if (stamp == 0)
			continue;
		n++;
		if (stamp < *ret_oldest)
			*ret_oldest = stamp;
	}
	(void)closedir(d);
	return n;
}

/* Bounds the disk that damaged files take. */
static void corrupt_prune(const char *dir)
{
	char path[JOURNAL_PATH_MAX];
	uint64_t oldest;

	while (corrupt_count(dir, &oldest) > JOURNAL_CORRUPT_KEEP) {
		if (fs_path(path, sizeof(path), "%s/" CORRUPT_PREFIX "%llu", dir,
			    (unsigned long long)oldest) < 0 ||
		    unlink(path) < 0)
			return;
		if (fs_path(path, sizeof(path), "%s/" CORRUPT_PREFIX "%llu-wal", dir,
			    (unsigned long long)oldest) == 0)
			(void)unlink(path);
	}
}

/* Renames the file and its log to a pair that SQLite's tools can still open; the log of a
 * file that is gone is of no use. The -shm file goes: one that a reader still has mapped must
 * not serve a new file. */
static int set_aside(const char *dir, uint64_t now_real_us)
{
	unsigned long long stamp = now_real_us / USEC_PER_SEC > 0 ? now_real_us / USEC_PER_SEC : 1;
	char from[JOURNAL_PATH_MAX];
	char to[JOURNAL_PATH_MAX];
	struct stat st;
	static const char *const ends[] = { "-wal", "" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		int e = fs_path(from, sizeof(from), "%s/" SCHEMA_FILE "%s", dir, ends[i]);

		if (e == 0)
			e = fs_path(to, sizeof(to), "%s/" CORRUPT_PREFIX "%llu%s", dir, stamp,
				    ends[i]);
		if (e < 0)
			return e;
		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	if (stat(to, &st) < 0 &&
	    fs_path(to, sizeof(to), "%s/" CORRUPT_PREFIX "%llu-wal", dir, stamp) == 0)
		(void)unlink(to);

	int e = fs_path(from, sizeof(from), "%s/" SCHEMA_FILE "-shm", dir);

	if (e < 0)
		return e;
	if (unlink(from) < 0 && errno != ENOENT)
		return -errno;
	corrupt_prune(dir);
	return 0;
}

/* What a file that is made now begins with: behind everything that was. */
static struct schema_start start_of(const struct mark *m)
{
	return (struct schema_start){
		.base_seq = m->reserved,
		.cursor_seq = m->cursor,
		.epoch = m->epoch,
		.lost = m->last - m->cursor,
	};
}

static int file_open(struct journal *j, struct diag *diag)
{
	struct schema_start start = start_of(&j->mark);
	struct stat st = { 0 };
	char path[JOURNAL_PATH_MAX];
	int e = fs_path(path, sizeof(path), "%s/" SCHEMA_FILE, j->dir);

	if (e < 0)
		return e;

	bool is_new = stat(path, &st) < 0 || st.st_size == 0;

	e = schema_open(path, &start, &j->db, diag);
	if (e < 0)
		return e;
	(void)sqlite3_wal_hook(j->db, on_commit, j);
	e = journal_state_load(j);
	if (e < 0)
		drop(j);
	else if (is_new)
		j->lost += start.lost;
	return e;
}

/* A mark that cannot be read must not let numbers begin anew. Milliseconds since
 * 1970 are above any count of events a host has had. */
static int mark_load(struct journal *j, uint64_t now_real_us)
{
	/* What is known of a file that was set aside before a new one could be made is newer. */
	if (j->mark.reserved > 0)
		return 0;

	int e = mark_read(j->dir, &j->mark);

	if (e == -EINVAL) {
		j->mark = (struct mark){ .reserved = now_real_us / 1000 };
		e = 0;
	}
	return e == -ENOENT ? 0 : e;
}

int journal_open(struct journal *j, uint64_t now_real_us, struct diag *diag)
{
	int e = j->db != NULL ? -EALREADY : mark_load(j, now_real_us);

	if (e == 0)
		e = file_open(j, diag);
	if (e == -EUCLEAN)
		e = journal_heal(j, now_real_us, diag);
	return e;
}

int journal_heal(struct journal *j, uint64_t now_real_us, struct diag *diag)
{
	/* What was known while the file was whole is newer than the mark. */
	if (j->db != NULL) {
		j->mark.reserved = max_u64(j->mark.reserved, j->state.last_seq);
		j->mark.last = max_u64(j->mark.last, j->state.last_seq);
		j->mark.cursor = max_u64(j->mark.cursor, j->state.cursor_seq);
		j->mark.epoch = j->state.epoch;
	}
	if (j->mark.reserved == 0)
		j->mark.reserved = now_real_us / 1000;
	drop(j);

	int e = set_aside(j->dir, now_real_us);

	return e < 0 ? e : file_open(j, diag);
}

/* Batches. */

/* Somebody deleted or replaced the file: what is written to it now ends with this process. */
static bool is_gone(struct journal *j)
{
	int moved = 0;

	return j->db != NULL &&
	       sqlite3_file_control(j->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK &&
	       moved != 0;
}

int journal_begin(struct journal *j)
{
	int e = is_gone(j) ? -EUCLEAN : journal_tx_begin(j, false);

	if (e < 0)
		return e;
	j->is_in_batch = true;
	j->next = j->state;
	j->put = (struct journal_put){ 0 };
	return 0;
}

void journal_abort(struct journal *j)
{
	if (!j->is_in_batch)
		return;
	j->is_in_batch = false;
	rollback(j);
}

int journal_add(struct journal *j, const struct event_record *rec)
{
	uint64_t seq = j->next.last_seq + 1;
	int e = number_reserve(j, seq);

	assert(j->is_in_batch && rec->kind < EVENT_KINDS);
	if (e < 0)
		return e;

	sqlite3_stmt *stmt = journal_stmt(j, JOURNAL_STMT_INSERT, &e);

	if (stmt == NULL)
		return e;
	sql_bind_u64(stmt, 1, seq);
	sql_bind_u64(stmt, 2, rec->real_us);
	sql_bind_u64(stmt, 3, rec->mono_us);
	sql_bind_str(stmt, 4, str_of(event_kinds[rec->kind].id));
	if (rec->origin != 0)
		sql_bind_u64(stmt, 5, rec->origin);
	else
		(void)sqlite3_bind_null(stmt, 5);
	sql_bind_str(stmt, 6, rec->body);
	e = sql_run(stmt);
	if (e < 0)
		return e;
	if (sqlite3_changes(j->db) == 0) {
		j->put.duplicates++;
		return 0;
	}
	j->next.last_seq = seq;
	j->put.stored++;
	j->body_bytes += rec->body.n;
	j->body_rows++;
	return 0;
}

int journal_commit(struct journal *j, struct journal_put *ret_put)
{
	assert(j->is_in_batch);
	j->is_in_batch = false;

	int e = journal_tx_end(j, 0);

	if (e < 0)
		return e;
	j->state = j->next;
	j->put.last_seq = j->state.last_seq;
	*ret_put = j->put;
	return 0;
}

int journal_tell_loss(struct journal *j, uint64_t now_real_us, uint64_t now_mono_us)
{
	cleanup_(buf_cleanup) struct buf body = { .max = EVENT_LINE_MAX };
	cleanup_(event_cleanup) struct event *event = NULL;
	struct journal_put put;

	if (j->lost == 0)
		return 0;

	int e = event_new(&event);

	if (e < 0)
		return e;
	event_reset(event, EVENT_KIND_AGENT_EVENTS_DROPPED, 0, now_real_us, now_mono_us);
	event_set_str(event, EVENT_SOURCE, STR("agent"));
	event_set_u64(event, EVENT_DROPPED_COUNT, j->lost);
	event_set_str(event, EVENT_DROPPED_WHERE, STR("journal"));
	event_encode(event, &body);
	e = buf_error(&body);
	if (e == 0)
		e = journal_begin(j);
	if (e < 0)
		return e;
	e = journal_add(j, &(struct event_record){ .kind = EVENT_KIND_AGENT_EVENTS_DROPPED,
						   .real_us = now_real_us,
						   .mono_us = now_mono_us,
						   .body = buf_str(&body) });
	if (e == 0)
		e = journal_commit(j, &put);
	if (e < 0)
		journal_abort(j);
	else
		j->lost = 0;
	return e;
}

int journal_probe(struct journal *j)
{
	int e = journal_tx_begin(j, true);

	if (e < 0)
		return journal_tx_end(j, e);
	return journal_tx_end(j,
			      sql_exec(j->db, "UPDATE meta SET value = value WHERE name = 'high'"));
}

static int device_put(struct journal *j, const char *text, struct str value)
{
	cleanup_(stmt_cleanup) sqlite3_stmt *stmt = NULL;
	int e = value.n == 0 ? 0 : sql_prepare(j->db, text, &stmt);

	if (e < 0 || value.n == 0)
		return e;
	sql_bind_str(stmt, 1, value);
	return sql_run(stmt);
}

int journal_device_set(struct journal *j, struct str device_id, struct str device_name)
{
	int e = journal_tx_begin(j, false);

	if (e == 0)
		e = device_put(j,
			       "UPDATE meta SET value = ?1 WHERE name = 'device_id'"
			       " AND value IS NOT ?1",
			       device_id);
	if (e == 0)
		e = device_put(j,
			       "UPDATE meta SET value = ?1 WHERE name = 'device_name'"
			       " AND value IS NOT ?1",
			       device_name);
	return journal_tx_end(j, e);
}

int journal_device_get(struct journal *j, char *out, size_t out_size)
{
	cleanup_(stmt_cleanup) sqlite3_stmt *stmt = NULL;
	int e = j->db == NULL
			? -EBADFD
			: sql_prepare(j->db, "SELECT value FROM meta WHERE name = 'device_id'",
				      &stmt);

	if (e == 0)
		e = sql_step(stmt);
	if (e < 0)
		return e;
	return str_copy(sql_column_str(stmt, 0), out, out_size);
}

int journal_newest_origin(struct journal *j, uint64_t *ret_origin)
{
	/* Below 10^9 seconds are origins of the agent's own events. Events of several threads are
	 * not quite in order; far older rows may be of another boot. */
	static const char text[] = "SELECT max(origin) FROM (SELECT origin FROM events ORDER BY seq"
				   " DESC LIMIT 1024) WHERE origin >= 1000000000 << 32";

	return j->db == NULL ? -EBADFD : sql_get_u64(j->db, text, ret_origin);
}

/* Numbers. */

static uint64_t log_file_bytes(const struct journal *j)
{
	char path[JOURNAL_PATH_MAX];
	struct stat st;

	if (fs_path(path, sizeof(path), "%s/" SCHEMA_FILE "-wal", j->dir) < 0 ||
	    stat(path, &st) < 0)
		return 0;
	return (uint64_t)st.st_size;
}

void journal_stats(struct journal *j, struct journal_stats *ret_stats)
{
	const struct journal_state *s = &j->state;
	struct journal_stats stats = { .last_seq = s->last_seq,
				       .dropped = s->dropped,
				       .untold = s->untold };
	uint64_t pages = 0;
	uint64_t oldest;

	stats.corrupt = corrupt_count(j->dir, &oldest);
	if (j->db != NULL) {
		stats.rows = s->last_seq - s->base_seq - s->deleted;
		stats.depth = cursor_depth(j);
		if (journal_number(j, JOURNAL_STMT_PAGES, &pages) == 0)
			stats.bytes = pages * SCHEMA_PAGE_SIZE + log_file_bytes(j);
		if (journal_number(j, JOURNAL_STMT_OLDEST, &stats.oldest_us) < 0)
			stats.oldest_us = 0;
	}
	*ret_stats = stats;
}

uint64_t journal_log_bytes(const struct journal *j)
{
	return j->log_pages * SCHEMA_PAGE_SIZE;
}
