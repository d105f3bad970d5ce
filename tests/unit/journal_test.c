/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/journal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "agent/store/mark.h"
#include "agent/store/schema.h"
#include "tests/unit/store_help.h"

static void numbers_rows_and_knows_them_again(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct journal_put put;

	CHECK_INT(batch_put(j, 100, 10, 200, &put), 0);
	CHECK_INT(put.stored, 10);
	CHECK_INT(put.duplicates, 0);
	CHECK_INT(put.last_seq, 10);
	/* The sensor sends again what it did not hear an answer to. */
	CHECK_INT(batch_put(j, 105, 10, 200, &put), 0);
	CHECK_INT(put.stored, 5);
	CHECK_INT(put.duplicates, 5);
	CHECK_INT(put.last_seq, 15);
	/* Events without an origin are never the same. */
	CHECK_INT(batch_put(j, 0, 3, 200, &put), 0);
	CHECK_INT(put.stored, 3);
	journal_free(j);
	CHECK_INT(ask(&d, "SELECT count(*) FROM events"), 18);
	CHECK_INT(ask(&d, "SELECT count(DISTINCT origin) FROM events"), 15);
	CHECK_INT(ask(&d, "SELECT max(seq) FROM events"), 18);
	j = journal_fresh(&d);
	CHECK_INT(stats_of(j).rows, 18);
	CHECK_INT(batch_put(j, 200, 1, 200, &put), 0);
	CHECK_INT(put.last_seq, 19);
	journal_free(j);
	dir_remove(&d);
}

static void takes_empty_batches_and_large_rows(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct journal_put put;

	CHECK_INT(batch_put(j, 1, 0, 0, &put), 0);
	CHECK_INT(put.last_seq, 0);
	CHECK_INT(batch_put(j, UINT64_MAX, 1, EVENT_BODY_MAX, &put), 0);
	CHECK_INT(batch_put(j, UINT64_MAX, 1, EVENT_BODY_MAX, &put), 0);
	CHECK_INT(put.duplicates, 1);
	CHECK_INT(ask(&d, "SELECT length(body) FROM events"), EVENT_BODY_MAX);
	journal_free(j);
	dir_remove(&d);
}

static void an_aborted_batch_leaves_nothing(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct journal_put put;

	CHECK_INT(journal_begin(j), 0);
	CHECK_INT(record_add(j, EVENT_KIND_LOGOFF, 1, 1, 100), 0);
	journal_abort(j);
	journal_abort(j);
	CHECK_INT(batch_put(j, 1, 2, 100, &put), 0);
	CHECK_INT(put.last_seq, 2);
	CHECK_INT(stats_of(j).rows, 2);
	journal_free(j);
	dir_remove(&d);
}

static void a_closed_journal_says_so(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = NULL;
	struct journal_put put;

	CHECK_INT(journal_new(d.path, &j), 0);
	CHECK(!journal_is_open(j));
	CHECK_INT(batch_put(j, 1, 1, 100, &put), -EBADFD);
	CHECK_INT(journal_probe(j), -EBADFD);
	CHECK_INT(stats_of(j).rows, 0);
	journal_close(j);
	journal_free(j);
	journal_free(NULL);
	dir_remove(&d);
	CHECK_INT(journal_new("/nonexistent/folder", &j), 0);
	CHECK(journal_open(j, HELP_NOW_US, NULL) < 0);
	journal_free(j);
}

static void refuses_a_newer_format(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct journal_put put;
	struct diag diag = { 0 };
	sqlite3 *db = NULL;
	char path[128];

	CHECK_INT(batch_put(j, 1, 5, 100, &put), 0);
	journal_close(j);
	dir_file(&d, "journal.db", path);
	CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db, "PRAGMA user_version = 2", NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
	CHECK_INT(journal_open(j, HELP_NOW_US, &diag), -EPROTONOSUPPORT);
	CHECK(strstr(diag.text, "journal.db has format 2, this program knows 1") != NULL);
	CHECK(!journal_is_open(j));
	CHECK_INT(dir_count(&d, "journal.db.corrupt"), 0);
	CHECK_INT(ask(&d, "SELECT count(*) FROM events"), 5);
	journal_free(j);
	dir_remove(&d);
}

/* Overwrites a part of a file. */
static void spoil(const struct dir *d, const char *name, off_t at, size_t n)
{
	char path[128];
	char junk[4096];

	memset(junk, 0x5a, sizeof(junk));
	dir_file(d, name, path);

	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_INT(pwrite(fd, junk, n, at), (ssize_t)n);
	CHECK_INT(close(fd), 0);
}

static void sets_a_damaged_file_aside(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct journal_put put;
	struct diag diag = { 0 };

	CHECK_INT(batch_put(j, 1, 500, 300, &put), 0);
	journal_close(j);
	spoil(&d, "journal.db", 0, 100); /* the header */
	CHECK_INT(journal_open(j, HELP_NOW_US, &diag), 0);
	CHECK(dir_has(&d, "journal.db.corrupt-1777629600"));
	CHECK_INT(stats_of(j).corrupt, 1);
	CHECK_INT(stats_of(j).rows, 0);
	CHECK_INT(stats_of(j).untold, 500);
	CHECK_INT(stats_of(j).depth, 0);
	/* No number is given out again, and an event says what is missing. */
	CHECK_INT(journal_tell_loss(j, HELP_NOW_US, 5), 0);
	CHECK_INT(journal_tell_loss(j, HELP_NOW_US, 5), 0);
	CHECK_INT(stats_of(j).last_seq, 1 + MARK_BLOCK + 1);
	CHECK_INT(stats_of(j).depth, 1);
	CHECK_INT(ask(&d, "SELECT json_extract(AdditionalFields, '$.DroppedCount')"
			  " FROM DeviceEvents WHERE ActionType = 'AgentEventsDropped'"),
		  500);
	CHECK_INT(ask(&d, "SELECT n FROM dropped WHERE first = 1 AND last = (SELECT value FROM meta"
			  " WHERE name = 'base')"),
		  500);
	journal_free(j);
	dir_remove(&d);
}

/* One byte of the header (sqlite.org/fileformat.html) makes the file look read-only, or of
 * a format to come. */
static void sets_a_strange_header_aside(void)
{
	static const off_t at[] = { 18, 19, 47 };

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		struct dir d = dir_make("/tmp");
		struct journal *j = journal_fresh(&d);
		struct journal_put put;

		CHECK_INT(batch_put(j, 1, 5, 300, &put), 0);
		journal_close(j);
		spoil(&d, "journal.db", at[i], 1);
		CHECK_INT(journal_open(j, HELP_NOW_US, NULL), 0);
		CHECK_INT(stats_of(j).corrupt, 1);
		CHECK_INT(batch_put(j, 1, 5, 300, &put), 0);
		journal_free(j);
		dir_remove(&d);
	}
}

/* The disk is full when a damaged file is found: the new one can be begun only later. */
static void remembers_a_loss_until_there_is_a_new_file(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct rlimit old;
	struct journal_put put;

	CHECK_INT(batch_put(j, 1, 500, 300, &put), 0);
	(void)sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	CHECK_INT(getrlimit(RLIMIT_FSIZE, &old), 0);
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 0, old.rlim_max }), 0);
	CHECK(journal_heal(j, HELP_NOW_US, NULL) < 0);
	CHECK(!journal_is_open(j));
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &old), 0);
	CHECK_INT(journal_open(j, HELP_NOW_US, NULL), 0);
	CHECK_INT(stats_of(j).untold, 500);
	journal_free(j);
	dir_remove(&d);
}

/* What is written to a deleted file ends with the process that has it open. */
static void sees_that_the_file_is_gone(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct journal_put put;
	char path[128];

	CHECK_INT(batch_put(j, 1, 500, 300, &put), 0);
	dir_file(&d, "journal.db", path);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(batch_put(j, 1, 1, 300, &put), -EUCLEAN);
	CHECK_INT(journal_heal(j, HELP_NOW_US, NULL), 0);
	CHECK_INT(batch_put(j, 1, 1, 300, &put), 0);
	CHECK(put.last_seq > 500);
	CHECK_INT(stats_of(j).untold, 500);
	CHECK_INT(stats_of(j).corrupt, 0);
	CHECK_INT(dir_count(&d, "journal.db.corrupt"), 0);
	journal_free(j);
	dir_remove(&d);
}

static void a_pipe_is_no_journal(void)
{
	struct dir d = dir_make("/tmp");
	sqlite3 *db = NULL;
	char path[128];

	dir_file(&d, "journal.db", path);
	CHECK_INT(mkfifo(path, 0600), 0);
	CHECK_INT(schema_open_reader(path, &db, NULL), -EUCLEAN);
	dir_remove(&d);
}

static void keeps_few_damaged_files(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct journal_put put;

	for (uint64_t i = 0; i < 4; i++) {
		uint64_t last = stats_of(j).last_seq;

		CHECK_INT(batch_put(j, 1, 5, 300, &put), 0);
		CHECK(put.last_seq > last);
		journal_close(j);
		spoil(&d, "journal.db", 0, 100);
		CHECK_INT(journal_open(j, HELP_NOW_US + i * USEC_PER_SEC, NULL), 0);
	}
	CHECK_INT(stats_of(j).corrupt, JOURNAL_CORRUPT_KEEP);
	CHECK(dir_has(&d, "journal.db.corrupt-1777629603"));
	journal_free(j);
	dir_remove(&d);
}

/* Damage behind the header shows when the rows are read or written. */
static void heals_while_it_runs(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct journal_put put;
	int e = 0;

	CHECK_INT(batch_put(j, 1, 2000, 300, &put), 0);
	journal_close(j);
	for (off_t page = 1; page < 60; page++)
		spoil(&d, "journal.db", page * SCHEMA_PAGE_SIZE, 4096);
	e = journal_open(j, HELP_NOW_US, NULL);
	CHECK_INT(e, 0);
	if (stats_of(j).rows == 2000) {
		for (uint64_t i = 0; e == 0 && i < 100; i++)
			e = batch_put(j, 1, 1000, 300, &put);
		CHECK_INT(e, -EUCLEAN);
		CHECK_INT(journal_heal(j, HELP_NOW_US, NULL), 0);
	}
	CHECK_INT(batch_put(j, 1, 5, 300, &put), 0);
	CHECK_INT(put.stored, 5);
	CHECK(put.last_seq > 2000);
	CHECK_INT(stats_of(j).corrupt, 1);
	journal_free(j);
	dir_remove(&d);
}

static void starts_behind_the_mark_when_the_file_is_gone(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct journal_put put;
	char path[128];

	CHECK_INT(batch_put(j, 1, 7, 300, &put), 0);
	journal_close(j);
	dir_file(&d, "journal.db", path);
	CHECK_INT(unlink(path), 0);
	CHECK_INT(journal_open(j, HELP_NOW_US, NULL), 0);
	CHECK_INT(batch_put(j, 1, 1, 300, &put), 0);
	CHECK_INT(put.last_seq, 1 + MARK_BLOCK + 1);
	journal_close(j);
	/* Nor when the mark is damaged too. */
	CHECK_INT(unlink(path), 0);
	spoil(&d, "journal.mark", 0, 4);
	CHECK_INT(journal_open(j, HELP_NOW_US, NULL), 0);
	CHECK_INT(batch_put(j, 1, 1, 300, &put), 0);
	CHECK_INT(put.last_seq, HELP_NOW_US / 1000 + 1);
	journal_free(j);
	dir_remove(&d);
}

static void a_file_of_another_program_is_set_aside(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = NULL;
	sqlite3 *db = NULL;
	char path[128];

	dir_file(&d, "journal.db", path);
	CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db, "CREATE TABLE t(x)", NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
	j = journal_fresh(&d);
	CHECK_INT(stats_of(j).corrupt, 1);
	journal_free(j);
	dir_remove(&d);
}

/* In a child, because the limit binds the whole process. */
static int full_disk(const struct dir *d)
{
	struct rlimit old;
	struct rlimit tight;
	struct journal *j = journal_fresh(d);
	struct journal_put put;
	uint32_t kept = 0;
	int e = 0;

	(void)sigaction(SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	CHECK_INT(getrlimit(RLIMIT_FSIZE, &old), 0);
	tight = (struct rlimit){ .rlim_cur = 300000, .rlim_max = old.rlim_max };
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &tight), 0);
	while (e == 0 && kept < 100) {
		e = batch_put(j, 1 + kept * 100, 100, 1000, &put);
		if (e == 0)
			kept++;
	}
	/* A limit is not a full disk, but SQLite meets both at the same places. */
	CHECK(e == -EIO || e == -EFBIG || e == -ENOSPC);
	CHECK(kept > 0);
	CHECK_INT(batch_put(j, 1 + kept * 100, 100, 1000, &put), e);
	CHECK_INT(stats_of(j).rows, kept * 100);
	CHECK_INT(ask(d, "SELECT count(*) FROM events"), kept * 100);
	/* Space returns: what was refused is sent again, and nothing is doubled. */
	CHECK_INT(setrlimit(RLIMIT_FSIZE, &old), 0);
	CHECK_INT(journal_probe(j), 0);
	CHECK_INT(batch_put(j, 1 + kept * 100, 100, 1000, &put), 0);
	CHECK_INT(put.stored, 100);
	CHECK_INT(put.last_seq, (kept + 1) * 100);
	CHECK_INT(ask(d, "SELECT count(DISTINCT origin) FROM events"), (kept + 1) * 100);
	CHECK_INT(dir_count(d, "journal.db.corrupt"), 0);
	journal_free(j);
	return 0;
}

static void a_full_disk_refuses_whole_batches_and_recovers(void)
{
	struct dir d = dir_make("/tmp");
	pid_t pid = fork();
	int status = -1;

	CHECK(pid >= 0);
	if (pid == 0)
		_exit(full_disk(&d));
	CHECK_INT(waitpid(pid, &status, 0), pid);
	CHECK_INT(status, 0);
	dir_remove(&d);
}

static void names_the_device(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct journal_put put;
	char id[64] = "?";

	CHECK_INT(journal_device_get(j, id, sizeof(id)), 0);
	CHECK_STR(id, "");
	CHECK_INT(journal_device_set(j, STR("0123abcd"), STR("web-1")), 0);
	CHECK_INT(journal_device_set(j, STR(""), STR("web-2")), 0);
	CHECK_INT(journal_device_get(j, id, sizeof(id)), 0);
	CHECK_STR(id, "0123abcd");
	CHECK_INT(journal_device_get(j, id, 3), -ENAMETOOLONG);
	CHECK_INT(batch_put(j, 1, 1, 100, &put), 0);
	CHECK_INT(ask(&d, "SELECT count(*) FROM DeviceProcessEvents WHERE DeviceId = '0123abcd'"
			  " AND DeviceName = 'web-2' AND ReportId = 1 AND FileName = 'f1'"),
		  1);
	journal_free(j);
	dir_remove(&d);
}

static void knows_the_newest_event_of_the_kernel(void)
{
	const uint64_t audit = UINT64_C(1700000000) << 32;
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	uint64_t origin = 1;
	struct journal_put put;

	CHECK_INT(journal_newest_origin(j, &origin), 0);
	CHECK_INT(origin, 0);
	CHECK_INT(batch_put(j, 0, 3, 100, &put), 0);
	CHECK_INT(batch_put(j, HELP_NOW_US, 3, 100, &put), 0); /* the agent's own */
	CHECK_INT(journal_newest_origin(j, &origin), 0);
	CHECK_INT(origin, 0);
	CHECK_INT(batch_put(j, audit + 50, 10, 100, &put), 0);
	CHECK_INT(batch_put(j, audit + 40, 10, 100, &put), 0); /* out of order */
	CHECK_INT(batch_put(j, HELP_NOW_US + 3, 3, 100, &put), 0);
	CHECK_INT(journal_newest_origin(j, &origin), 0);
	CHECK_INT(origin, audit + 59);
	journal_close(j);
	CHECK_INT(journal_newest_origin(j, &origin), -EBADFD);
	journal_free(j);
	dir_remove(&d);
}

TEST_MAIN({ "numbers_rows_and_knows_them_again", numbers_rows_and_knows_them_again },
	  { "takes_empty_batches_and_large_rows", takes_empty_batches_and_large_rows },
	  { "an_aborted_batch_leaves_nothing", an_aborted_batch_leaves_nothing },
	  { "a_closed_journal_says_so", a_closed_journal_says_so },
	  { "refuses_a_newer_format", refuses_a_newer_format },
	  { "sets_a_damaged_file_aside", sets_a_damaged_file_aside },
	  { "sets_a_strange_header_aside", sets_a_strange_header_aside },
	  { "remembers_a_loss_until_there_is_a_new_file",
	    remembers_a_loss_until_there_is_a_new_file },
	  { "sees_that_the_file_is_gone", sees_that_the_file_is_gone },
	  { "a_pipe_is_no_journal", a_pipe_is_no_journal },
	  { "keeps_few_damaged_files", keeps_few_damaged_files },
	  { "heals_while_it_runs", heals_while_it_runs },
	  { "starts_behind_the_mark_when_the_file_is_gone",
	    starts_behind_the_mark_when_the_file_is_gone },
	  { "a_file_of_another_program_is_set_aside", a_file_of_another_program_is_set_aside },
	  { "a_full_disk_refuses_whole_batches_and_recovers",
	    a_full_disk_refuses_whole_batches_and_recovers },
	  { "names_the_device", names_the_device },
	  { "knows_the_newest_event_of_the_kernel", knows_the_newest_event_of_the_kernel })
