/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/cursor.h"

#include "agent/base/jsonr.h"
#include "tests/unit/store_help.h"

static const struct event_line_device device = {
	.device_id = { .p = "dev", .n = 3 },
	.device_name = { .p = "web-1", .n = 5 },
};

static int fetch(struct journal *j, uint32_t max_events, uint32_t max_bytes, struct buf *lines,
		 struct cursor_batch *batch)
{
	buf_clear(lines);
	return cursor_fetch(j, max_events, max_bytes, &device, lines, batch);
}

static size_t line_count(const struct buf *lines)
{
	size_t n = 0;

	for (size_t i = 0; i < lines->len; i++)
		n += lines->data[i] == '\n' ? 1 : 0;
	return n;
}

static void hands_out_rows_in_order(void)
{
	static const struct jsonr_limits limits = { .max_bytes = EVENT_LINE_MAX, .max_depth = 8 };
	cleanup_(buf_cleanup) struct buf lines = { .max = CURSOR_BYTES_MAX };
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct cursor_batch batch;
	struct journal_put put;

	CHECK_INT(fetch(j, 10, 10000, &lines, &batch), -ENODATA);
	CHECK_INT(cursor_epoch_set(j, 4, STR("dev")), 0);
	CHECK_INT(batch_put(j, 1, 25, 300, &put), 0);
	CHECK_INT(fetch(j, 10, 100000, &lines, &batch), 0);
	CHECK_INT(batch.epoch, 4);
	CHECK_INT(batch.first, 1);
	CHECK_INT(batch.last, 10);
	CHECK_INT(batch.count, 10);
	CHECK_INT(batch.n_dropped, 0);
	CHECK(batch.has_more);
	CHECK_INT(line_count(&lines), 10);
	for (struct str rest = buf_str(&lines); rest.n > 0;)
		CHECK_INT(jsonr_scan(str_split(&rest, '\n'), &limits, NULL, NULL, NULL), 0);
	CHECK(str_starts(buf_str(&lines), STR("{\"seq\":1,\"ts\":1777629600000000,\"mono\":5,"
					      "\"ReportId\":1,\"DeviceId\":\"dev\","
					      "\"DeviceName\":\"web-1\",\"Table\":")));
	CHECK_INT(cursor_set(j, 4, 10), 0);
	CHECK_INT(cursor_depth(j), 15);
	CHECK_INT(fetch(j, 100, 100000, &lines, &batch), 0);
	CHECK_INT(batch.first, 11);
	CHECK_INT(batch.last, 25);
	CHECK(!batch.has_more);
	CHECK_INT(cursor_set(j, 4, 25), 0);
	CHECK_INT(cursor_depth(j), 0);
	CHECK_INT(fetch(j, 10, 10000, &lines, &batch), -ENODATA);
	journal_free(j);
	dir_remove(&d);
}

static void bytes_bound_a_batch_but_one_row_always_goes(void)
{
	cleanup_(buf_cleanup) struct buf lines = { .max = CURSOR_BYTES_MAX };
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct cursor_batch batch;
	struct journal_put put;

	CHECK_INT(batch_put(j, 1, 10, EVENT_BODY_MAX, &put), 0);
	CHECK_INT(fetch(j, 10, 1, &lines, &batch), 0);
	CHECK_INT(batch.count, 1);
	CHECK(batch.has_more);
	CHECK_INT(fetch(j, 10, 3 * EVENT_LINE_MAX, &lines, &batch), 0);
	CHECK_INT(batch.count, 3);
	CHECK(lines.len <= (size_t)(3 * EVENT_LINE_MAX));
	journal_free(j);
	dir_remove(&d);
}

static void answers_the_same_after_a_lost_acknowledgement(void)
{
	cleanup_(buf_cleanup) struct buf once = { .max = CURSOR_BYTES_MAX };
	cleanup_(buf_cleanup) struct buf again = { .max = CURSOR_BYTES_MAX };
	struct retention_limits tight = { .max_bytes = 1 };
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct cursor_batch batch;
	struct journal_put put;
	int e = 0;

	CHECK_INT(batch_put(j, 1, 50, 300, &put), 0);
	CHECK_INT(fetch(j, 20, 100000, &once, &batch), 0);
	CHECK_INT(batch_put(j, 100, 50, 300, &put), 0);
	/* Retention takes everything it may, and leaves what is on its way. */
	while ((e = retention_step(j, &tight)) == 1) {
	}
	CHECK_INT(e, 0);
	journal_free(j);
	j = journal_fresh(&d);
	CHECK_INT(fetch(j, 20, 100000, &again, &batch), 0);
	CHECK_INT(batch.n_dropped, 0);
	CHECK(str_eq(buf_str(&once), buf_str(&again)));
	journal_free(j);
	dir_remove(&d);
}

static void the_cursor_only_moves_forward(void)
{
	cleanup_(buf_cleanup) struct buf lines = { .max = CURSOR_BYTES_MAX };
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct cursor_batch batch;
	struct journal_put put;

	CHECK_INT(cursor_epoch_set(j, 2, STR("")), 0);
	CHECK_INT(batch_put(j, 1, 50, 300, &put), 0);
	CHECK_INT(cursor_set(j, 2, 1), -ERANGE); /* never handed out */
	CHECK_INT(fetch(j, 30, 100000, &lines, &batch), 0);
	CHECK_INT(cursor_set(j, 2, 31), -ERANGE);
	CHECK_INT(cursor_set(j, 2, UINT64_MAX), -ERANGE);
	CHECK_INT(cursor_set(j, 2, 20), 0);
	CHECK_INT(cursor_set(j, 2, 10), 0);
	CHECK_INT(cursor_set(j, 1, 30), 0); /* of an older session */
	CHECK_INT(cursor_get(j).seq, 20);
	CHECK_INT(cursor_epoch_set(j, 3, STR("other")), 0);
	CHECK_INT(cursor_get(j).seq, 20);
	CHECK_INT(cursor_get(j).epoch, 3);
	journal_free(j);
	j = journal_fresh(&d);
	CHECK_INT(cursor_get(j).seq, 20);
	CHECK_INT(cursor_get(j).epoch, 3);
	CHECK_INT(cursor_depth(j), 30);
	journal_free(j);
	dir_remove(&d);
}

/* The file is damaged while a batch is on its way: what the cloud then acknowledges
 * is not told as lost. */
static void takes_an_acknowledgement_of_a_file_that_is_gone(void)
{
	cleanup_(buf_cleanup) struct buf lines = { .max = CURSOR_BYTES_MAX };
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct cursor_batch batch;
	struct journal_put put;

	CHECK_INT(batch_put(j, 1, 100, 300, &put), 0);
	CHECK_INT(fetch(j, 30, 100000, &lines, &batch), 0);
	CHECK_INT(cursor_set(j, 0, 10), 0);
	CHECK_INT(journal_heal(j, HELP_NOW_US, NULL), 0);
	CHECK_INT(stats_of(j).untold, 90);
	CHECK_INT(cursor_set(j, 0, 30), 0);
	CHECK_INT(stats_of(j).untold, 70);
	CHECK_INT(cursor_get(j).seq, 30);
	CHECK_INT(batch_put(j, 1000, 5, 300, &put), 0);
	CHECK_INT(cursor_depth(j), 5);
	CHECK_INT(fetch(j, 30, 100000, &lines, &batch), 0);
	CHECK_INT(batch.count, 5);
	CHECK_INT(batch.n_dropped, 1);
	CHECK_INT(batch.dropped[0].n, 70);
	CHECK_INT(batch.dropped[0].first, 31);
	CHECK_INT(batch.first, 31);
	journal_free(j);
	j = journal_fresh(&d);
	CHECK_INT(cursor_set(j, 0, batch.last), 0);
	CHECK_INT(stats_of(j).untold, 0);
	CHECK_INT(stats_of(j).dropped, 90); /* as many as were thought lost */
	journal_free(j);
	dir_remove(&d);
}

#define ORG_A "11111111-1111-1111-1111-111111111111"
#define ORG_B "22222222-2222-2222-2222-222222222222"
#define ORG_C "33333333-3333-3333-3333-333333333333"

static int org_set(struct journal *j, const char *org, const char *before,
		   struct cursor_skipped *skipped)
{
	const char *orgs[] = { org, before };

	return cursor_org_set(j, orgs, before == NULL ? 1 : 2, skipped);
}

static void rows_of_one_organisation_go_to_no_other(void)
{
	cleanup_(buf_cleanup) struct buf lines = { .max = CURSOR_BYTES_MAX };
	struct retention_limits tight = { .max_bytes = 1 };
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct cursor_skipped skipped = { 0 };
	struct cursor_batch batch;
	struct journal_put put;

	CHECK_INT(cursor_epoch_set(j, 7, STR("")), 0);
	CHECK_INT(batch_put(j, 1, 10, 300, &put), 0);
	CHECK_INT(org_set(j, ORG_A, NULL, &skipped), 0); /* of nobody before: the first one's */
	CHECK_INT(cursor_depth(j), 10);
	CHECK_INT(fetch(j, 4, 100000, &lines, &batch), 0);
	CHECK_INT(cursor_set(j, 7, 4), 0);
	/* Some are gone already, and wait to be told; one is on its way. */
	CHECK_INT(fetch(j, 1, 100000, &lines, &batch), 0);
	while (retention_step(j, &tight) == 1) {
	}
	CHECK_INT(stats_of(j).untold, 5);
	CHECK_INT(batch_put(j, 100, 20, 300, &put), 0);
	CHECK_INT(org_set(j, ORG_A, NULL, &skipped), 0);
	CHECK_INT(cursor_get(j).seq, 4);
	CHECK_INT(org_set(j, ORG_B, ORG_A, &skipped), 0); /* the host moved */
	CHECK_INT(cursor_depth(j), 21);
	journal_free(j);
	j = journal_fresh(&d);
	CHECK_INT(org_set(j, ORG_C, ORG_A, &skipped), 1); /* it was B's, not A's */
	CHECK_INT(skipped.n, 21);
	CHECK_INT(skipped.first, 5);
	CHECK_INT(skipped.last, 30);
	CHECK_INT(stats_of(j).rows, 21); /* kept for those who ask here */
	CHECK_INT(stats_of(j).dropped, 26);
	CHECK_INT(stats_of(j).untold, 0);
	CHECK_INT(cursor_depth(j), 0);
	CHECK_INT(fetch(j, 100, 100000, &lines, &batch), -ENODATA);
	CHECK_INT(cursor_epoch_set(j, 1, STR("c")), 0);
	CHECK_INT(cursor_set(j, 1, 5), 0); /* a late word about the old rows */
	CHECK_INT(cursor_get(j).seq, 30);
	CHECK_INT(batch_put(j, 200, 3, 300, &put), 0);
	journal_free(j);
	j = journal_fresh(&d);
	CHECK_INT(org_set(j, ORG_C, NULL, &skipped), 0);
	CHECK_INT(fetch(j, 100, 100000, &lines, &batch), 0);
	CHECK_INT(batch.first, 31);
	CHECK_INT(batch.count, 3);
	CHECK_INT(batch.n_dropped, 0);
	/* What leaves later was counted once. */
	while (retention_step(j, &tight) == 1) {
	}
	CHECK_INT(stats_of(j).rows, 3);
	CHECK_INT(stats_of(j).dropped, 26);
	/* Those that come late from the time before. */
	CHECK_INT(cursor_skip(j, &skipped), 0);
	CHECK_INT(skipped.n, 3);
	CHECK_INT(stats_of(j).dropped, 29);
	CHECK_INT(cursor_depth(j), 0);
	journal_free(j);
	dir_remove(&d);
}

static void a_closed_journal_hands_out_nothing(void)
{
	cleanup_(buf_cleanup) struct buf lines = { .max = CURSOR_BYTES_MAX };
	struct dir d = dir_make("/tmp");
	struct journal *j = NULL;
	struct cursor_batch batch;

	CHECK_INT(journal_new(d.path, &j), 0);
	CHECK_INT(fetch(j, 10, 10000, &lines, &batch), -EBADFD);
	CHECK_INT(cursor_set(j, 0, 0), -EBADFD);
	CHECK_INT(cursor_epoch_set(j, 1, STR("")), -EBADFD);
	CHECK_INT(org_set(j, ORG_A, NULL, NULL), -EBADFD);
	CHECK_INT(cursor_skip(j, NULL), -EBADFD);
	CHECK_INT(cursor_depth(j), 0);
	journal_free(j);
	dir_remove(&d);
}

/* All of what a damaged file held was on its way, and arrived: nothing is to be told. */
static void tells_no_loss_of_nothing(void)
{
	cleanup_(buf_cleanup) struct buf lines = { .max = CURSOR_BYTES_MAX };
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct cursor_batch batch;
	struct journal_put put;

	CHECK_INT(batch_put(j, 1, 100, 300, &put), 0);
	CHECK_INT(fetch(j, 100, 100000, &lines, &batch), 0);
	CHECK_INT(journal_heal(j, HELP_NOW_US, NULL), 0);
	CHECK_INT(cursor_set(j, 0, 100), 0);
	CHECK_INT(stats_of(j).untold, 0);
	CHECK_INT(batch_put(j, 1000, 5, 300, &put), 0);
	CHECK_INT(fetch(j, 30, 100000, &lines, &batch), 0);
	CHECK_INT(batch.count, 5);
	CHECK_INT(batch.n_dropped, 0);
	journal_free(j);
	dir_remove(&d);
}

/* Changes rows behind the journal's back, as a bad disk does. */
static void damage(const struct dir *d, const char *sql)
{
	sqlite3 *db = NULL;
	char path[128];

	dir_file(d, "journal.db", path);
	CHECK_INT(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_INT(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	(void)sqlite3_close(db);
}

/* What nobody put there would be refused by the reporter, again and again. */
static void rows_that_nobody_put_there_are_damage(void)
{
	static const char *const bad[] = {
		"UPDATE events SET body = x'7b7d' WHERE seq = 3",
		"UPDATE events SET body = '{' || char(10) || '}' WHERE seq = 3",
		"UPDATE events SET body = hex(zeroblob(40000)) WHERE seq = 3",
		"INSERT INTO dropped(kind, n, first, last) VALUES('LOGOFF', 0, 2, 2)",
		"INSERT INTO dropped(kind, n, first, last) VALUES('LOGOFF', 1, 3, 2)",
		"INSERT INTO dropped(kind, n, first, last) VALUES('LOGOFF', 3, 1, 2)",
	};
	cleanup_(buf_cleanup) struct buf lines = { .max = CURSOR_BYTES_MAX };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct dir d = dir_make("/tmp");
		struct journal *j = journal_fresh(&d);
		struct cursor_batch batch;
		struct journal_put put;

		CHECK_INT(batch_put(j, 1, 5, 300, &put), 0);
		damage(&d, bad[i]);
		CHECK_INT(fetch(j, 10, 100000, &lines, &batch), -EUCLEAN);
		CHECK_INT(lines.len, 0);
		CHECK_INT(journal_heal(j, HELP_NOW_US, NULL), 0);
		CHECK_INT(stats_of(j).untold, 5);
		journal_free(j);
		dir_remove(&d);
	}
}

/* A buffer that is too small is an error, and nothing counts as handed out. */
static void a_failed_answer_offers_nothing(void)
{
	cleanup_(buf_cleanup) struct buf tiny = { .max = 100 };
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct cursor_batch batch;
	struct journal_put put;

	CHECK_INT(batch_put(j, 1, 5, 300, &put), 0);
	CHECK_INT(fetch(j, 5, 10000, &tiny, &batch), -EMSGSIZE);
	CHECK_INT(cursor_set(j, 0, 1), -ERANGE);
	journal_free(j);
	dir_remove(&d);
}

TEST_MAIN({ "hands_out_rows_in_order", hands_out_rows_in_order },
	  { "bytes_bound_a_batch_but_one_row_always_goes",
	    bytes_bound_a_batch_but_one_row_always_goes },
	  { "answers_the_same_after_a_lost_acknowledgement",
	    answers_the_same_after_a_lost_acknowledgement },
	  { "the_cursor_only_moves_forward", the_cursor_only_moves_forward },
	  { "takes_an_acknowledgement_of_a_file_that_is_gone",
	    takes_an_acknowledgement_of_a_file_that_is_gone },
	  { "rows_of_one_organisation_go_to_no_other", rows_of_one_organisation_go_to_no_other },
	  { "a_closed_journal_hands_out_nothing", a_closed_journal_hands_out_nothing },
	  { "tells_no_loss_of_nothing", tells_no_loss_of_nothing },
	  { "rows_that_nobody_put_there_are_damage", rows_that_nobody_put_there_are_damage },
	  { "a_failed_answer_offers_nothing", a_failed_answer_offers_nothing })
