/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/store/tail.h"

#include "tests/unit/store_help.h"

#define MINUTE_US (60 * USEC_PER_SEC)

/* A sink that keeps the numbers of the lines, and for a follower plays the writer
 * whenever it waits. */
struct kept {
	uint64_t seqs[5000];
	uint32_t n;
	unsigned int puts;
	struct str last; /* the newest text */
	char text[QUERY_ROW_MAX];
	struct journal *writer;	 /* puts a batch of ten at each wait */
	unsigned int waits_left; /* then a follower ends */
	int error;
};

static int on_put(void *ctx, struct str lines)
{
	struct kept *k = ctx;

	CHECK(lines.n > 0 && lines.n <= QUERY_ROW_MAX);
	memcpy(k->text, lines.p, lines.n);
	k->last = (struct str){ .p = k->text, .n = lines.n };
	k->puts++;
	for (struct str rest = lines; rest.n > 0;) {
		struct str line = str_split(&rest, '\n');
		struct str head = STR("{\"seq\":");

		CHECK(str_starts(line, head));
		line = (struct str){ .p = line.p + head.n, .n = line.n - head.n };
		CHECK(k->n < ARRAY_LEN(k->seqs));
		CHECK_INT(parse_u64(str_split(&line, ','), 1, UINT64_MAX, &k->seqs[k->n++]), 0);
	}
	return k->error;
}

static bool on_look(void *ctx, int timeout_ms)
{
	struct kept *k = ctx;
	struct journal_put put;

	if (timeout_ms == 0)
		return false;
	if (k->waits_left-- == 0)
		return true;
	if (k->writer != NULL)
		CHECK_INT(batch_put(k->writer, 0, 10, 300, &put), 0);
	return false;
}

static struct kept *run(const struct dir *d, struct tail t, struct query_result *ret_result)
{
	static struct kept k;
	const struct query_sink sink = { .ctx = &k, .put = on_put, .is_over = on_look };
	sqlite3 *db = NULL;
	char path[128];

	k = (struct kept){ .writer = k.writer, .waits_left = k.waits_left, .error = k.error };
	dir_file(d, SCHEMA_FILE, path);
	CHECK_INT(schema_open_reader(path, &db, NULL), 0);
	tail_run(db, &t, &sink, ret_result);
	CHECK((ret_result->error < 0) == (ret_result->message[0] != '\0'));
	if (ret_result->error == 0 || ret_result->error == -ECANCELED)
		CHECK_INT(k.n, ret_result->rows);
	(void)sqlite3_close(db);
	return &k;
}

/* 3,000 events, one a minute, every third a sign-out. */
static struct journal *journal_filled(const struct dir *d)
{
	struct journal *j = journal_fresh(d);
	struct journal_put put;

	CHECK_INT(journal_begin(j), 0);
	for (uint64_t i = 1; i <= 3000; i++)
		CHECK_INT(record_add(j, i % 3 == 0 ? EVENT_KIND_LOGOFF : EVENT_KIND_FILE_DELETED, i,
				     HELP_NOW_US + i * MINUTE_US, 300),
			  0);
	CHECK_INT(journal_commit(j, &put), 0);
	return j;
}

static void check_span(const struct kept *k, uint64_t first, uint64_t last, uint64_t step)
{
	CHECK_INT(k->n, (last - first) / step + 1);
	for (uint32_t i = 0; i < k->n; i++)
		CHECK_INT(k->seqs[i], first + i * step);
}

static void gives_all_in_order(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_filled(&d);
	struct query_result r;

	check_span(run(&d, (struct tail){ 0 }, &r), 1, 3000, 1);
	CHECK_INT(r.error, 0);
	CHECK(!r.is_truncated);
	journal_free(j);
	dir_remove(&d);
}

static void selects_by_table_and_action(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_filled(&d);
	struct query_result r;

	check_span(run(&d, (struct tail){ .table = STR("DeviceLogonEvents") }, &r), 3, 3000, 3);
	check_span(run(&d, (struct tail){ .table = STR("logoff") }, &r), 3, 3000, 3);
	CHECK_INT(run(&d, (struct tail){ .table = STR("DeviceProcessEvents") }, &r)->n, 0);
	CHECK_INT(r.error, 0);
	CHECK_INT(run(&d, (struct tail){ .table = STR("events; DROP") }, &r)->n, 0);
	CHECK_INT(r.error, -ENOENT);
	CHECK_STR(r.message, "there is no table or ActionType \"events; DROP\"");
	journal_free(j);
	dir_remove(&d);
}

static void selects_by_time_and_number(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_filled(&d);
	struct query_result r;

	for (uint64_t i = 1; i <= 3000; i += 499)
		check_span(
			run(&d, (struct tail){ .since_real_us = HELP_NOW_US + i * MINUTE_US }, &r),
			i, 3000, 1);
	CHECK_INT(run(&d, (struct tail){ .since_real_us = HELP_NOW_US + 3001 * MINUTE_US }, &r)->n,
		  0);
	check_span(run(&d, (struct tail){ .after_seq = 2990 }, &r), 2991, 3000, 1);
	check_span(run(&d, (struct tail){ .after_seq = 10, .limit = 5 }, &r), 11, 15, 1);
	CHECK(r.is_truncated);
	check_span(run(&d, (struct tail){ .after_seq = 2995, .limit = 5 }, &r), 2996, 3000, 1);
	CHECK(!r.is_truncated);
	CHECK_INT(run(&d, (struct tail){ .after_seq = 3000 }, &r)->n, 0);
	journal_free(j);
	dir_remove(&d);
}

static void limits_give_the_newest(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_filled(&d);
	struct query_result r;

	check_span(run(&d, (struct tail){ .limit = 5 }, &r), 2996, 3000, 1);
	CHECK(r.is_truncated);
	check_span(run(&d, (struct tail){ .limit = 4, .table = STR("Logoff") }, &r), 2991, 3000, 3);
	check_span(run(&d, (struct tail){ .limit = 3000 }, &r), 1, 3000, 1);
	CHECK(!r.is_truncated);
	check_span(
		run(&d,
		    (struct tail){ .limit = 50, .since_real_us = HELP_NOW_US + 2995 * MINUTE_US },
		    &r),
		2995, 3000, 1);
	CHECK(!r.is_truncated);
	journal_free(j);
	dir_remove(&d);
}

/* Times run nearly as the numbers do; a clock that was set back hides nothing. */
static void finds_rows_that_are_out_of_order(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct journal_put put;
	struct query_result r;

	CHECK_INT(journal_begin(j), 0);
	for (uint64_t i = 1; i <= 2000; i++) {
		uint64_t us = HELP_NOW_US + i * MINUTE_US;

		/* Late by five minutes; and from 1,000 on the clock stands a day back. */
		if (i % 10 == 0)
			us -= 5 * MINUTE_US;
		if (i >= 1000)
			us -= 1440 * MINUTE_US;
		CHECK_INT(record_add(j, EVENT_KIND_LOGOFF, i, us, 300), 0);
	}
	CHECK_INT(journal_commit(j, &put), 0);
	for (uint64_t minute = 1; minute < 1000; minute += 77) {
		char sql[128];
		uint64_t since = HELP_NOW_US + minute * MINUTE_US;

		(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM events WHERE ts >= %llu",
			       (unsigned long long)since);
		CHECK_INT(run(&d, (struct tail){ .since_real_us = since }, &r)->n, ask(&d, sql));
	}
	journal_free(j);
	dir_remove(&d);
}

static void follows_what_comes(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_filled(&d);
	struct query_result r;
	struct kept *k = run(&d, (struct tail){ .limit = 1 }, &r);

	k->writer = j;
	k->waits_left = 5;
	k = run(&d, (struct tail){ .is_follow = true }, &r);
	CHECK_INT(r.error, -ECANCELED);
	check_span(k, 3001, 3050, 1);
	k->waits_left = 2;
	k = run(&d, (struct tail){ .is_follow = true, .limit = 10 }, &r);
	check_span(k, 3041, 3070, 1);
	k->waits_left = 1;
	k = run(&d,
		(struct tail){
			.is_follow = true, .table = STR("ProcessCreated"), .after_seq = 2999 },
		&r);
	check_span(k, 3001, 3080, 1);
	k->writer = NULL;
	k->waits_left = 0;
	journal_free(j);
	dir_remove(&d);
}

static void lines_name_the_device(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_filled(&d);
	struct query_result r;

	CHECK_INT(journal_device_set(j, STR("00ff"), STR("web-1")), 0);
	CHECK(str_starts(run(&d, (struct tail){ .limit = 1 }, &r)->last,
			 STR("{\"seq\":3000,\"ts\":1777809600000000,\"mono\":5,\"ReportId\":3000,"
			     "\"DeviceId\":\"00ff\",\"DeviceName\":\"web-1\",\"Table\":")));
	journal_free(j);
	dir_remove(&d);
}

static void a_failing_sink_ends_it(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_filled(&d);
	struct query_result r;
	struct kept *k = run(&d, (struct tail){ .limit = 1 }, &r);

	k->error = -EPIPE;
	k = run(&d, (struct tail){ 0 }, &r);
	CHECK_INT(r.error, -EPIPE);
	CHECK_INT(k->puts, 1);
	k->error = 0;
	journal_free(j);
	dir_remove(&d);
}

static void an_empty_journal_is_no_error(void)
{
	struct dir d = dir_make("/tmp");
	struct journal *j = journal_fresh(&d);
	struct query_result r;

	CHECK_INT(run(&d, (struct tail){ .limit = 5 }, &r)->n, 0);
	CHECK_INT(r.error, 0);
	CHECK_INT(run(&d, (struct tail){ .since_real_us = 1, .after_seq = 9 }, &r)->n, 0);
	CHECK_INT(r.error, 0);
	journal_free(j);
	dir_remove(&d);
}

TEST_MAIN({ "gives_all_in_order", gives_all_in_order },
	  { "selects_by_table_and_action", selects_by_table_and_action },
	  { "selects_by_time_and_number", selects_by_time_and_number },
	  { "limits_give_the_newest", limits_give_the_newest },
	  { "finds_rows_that_are_out_of_order", finds_rows_that_are_out_of_order },
	  { "follows_what_comes", follows_what_comes },
	  { "lines_name_the_device", lines_name_the_device },
	  { "a_failing_sink_ends_it", a_failing_sink_ends_it },
	  { "an_empty_journal_is_no_error", an_empty_journal_is_no_error })
