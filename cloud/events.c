/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cloudd events. */
#include <stdio.h>

#include "agent/base/clock.h"
#include "agent/base/utf8.h"
#include "cloud/command.h"
#include "cloud/options.h"
#include "cloud/store/store.h"

#define ROW_MAX (64u * 1024u)

/* Bytes of one value in the table: a line of an event may be nearly all one value, and
 * eight times as long when escaped. */
#define VALUE_MAX 160u

struct listing {
	struct buf text; /* one row */
	bool is_first;
};

/* The line as the device sent it. */
static int json_row(void *ctx, const struct store_event_info *e)
{
	(void)ctx;
	return fwrite(e->body.p, 1, e->body.n, stdout) == e->body.n && putchar('\n') != EOF ? 0
											    : -EIO;
}

static void value_add(struct buf *out, struct str s)
{
	struct str shown = { .p = s.p, .n = utf8_cut(s, VALUE_MAX) };

	buf_add_escaped(out, shown);
	if (shown.n < s.n)
		buf_add_str(out, STR("..."));
}

static void column_add(struct buf *out, struct str s, size_t width)
{
	size_t start = out->len;

	value_add(out, s);
	while (buf_error(out) == 0 && out->len - start < width)
		buf_add_char(out, ' ');
	buf_add_str(out, STR("  "));
}

static int table_row(void *ctx, const struct store_event_info *e)
{
	struct listing *l = ctx;
	char at[CLOCK_TEXT_SIZE];
	int r;

	if (l->is_first)
		(void)printf("%-27s  %-16s  %-19s  %-18s  %s\n", "TIME", "DEVICE", "TABLE",
			     "ACTION", "SUMMARY");
	l->is_first = false;
	clock_format_utc(e->ts_us, at);
	buf_clear(&l->text);
	column_add(&l->text, str_of(at), 0);
	column_add(&l->text, e->hostname, 16);
	column_add(&l->text, e->table, 19);
	column_add(&l->text, e->action, 18);
	value_add(&l->text, e->summary);
	buf_add_char(&l->text, '\n');
	r = buf_error(&l->text);
	if (r < 0)
		return r;
	return fwrite(l->text.data, 1, l->text.len, stdout) == l->text.len ? 0 : -EIO;
}

static int rows_print(struct store *store, const struct store_filter *filter, bool is_json)
{
	struct listing l = { .is_first = true };
	int r;

	buf_init(&l.text, ROW_MAX);
	r = store_events_each(store, filter, !is_json, is_json ? json_row : table_row, &l);
	buf_done(&l.text);
	return r;
}

static int count_print(struct store *store, const struct store_filter *filter, bool is_json)
{
	uint64_t n = 0;
	int r = store_events_count(store, filter, &n);

	if (r == 0)
		(void)printf(is_json ? "{\"count\":%llu}\n" : "%llu\n", (unsigned long long)n);
	return r;
}

int events_command(int argc, char **argv)
{
	cleanup_(store_cleanup) struct store *store = NULL;
	struct store_filter filter = { 0 };
	const char *data = NULL;
	const char *output = NULL;
	bool is_count = false;
	const struct option_row rows[] = {
		{ "--data", OPTION_STR, 0, 0, &data },
		{ "--device", OPTION_STR, 0, 0, &filter.device_id },
		{ "--table", OPTION_STR, 0, 0, &filter.table },
		{ "--since", OPTION_TIME, 0, 0, &filter.since_us },
		{ "--limit", OPTION_U64, 1, INT64_MAX, &filter.limit },
		{ "--count", OPTION_FLAG, 0, 0, &is_count },
		{ "--output", OPTION_STR, 0, 0, &output },
	};
	struct diag diag = { 0 };
	bool is_json = false;
	int r;

	if ((r = options_parse(argc, argv, rows, ARRAY_LEN(rows), clock_real_us(), &diag)) < 0 ||
	    (r = options_output_parse(output, &is_json, &diag)) < 0)
		return command_fail("events", COMMAND_USAGE, r, &diag);
	if (data == NULL)
		return command_needs("events", "--data DIR");
	r = store_open(data, STORE_READ, &store, &diag);
	if (r < 0)
		return command_fail("events", COMMAND_FAILED, r, &diag);
	r = is_count ? count_print(store, &filter, is_json) : rows_print(store, &filter, is_json);
	if (r == -ENOENT)
		(void)diag_set(&diag, r, "no device %s", filter.device_id);
	if (r < 0)
		return command_fail("events", COMMAND_FAILED, r, &diag);
	return command_end("events");
}
