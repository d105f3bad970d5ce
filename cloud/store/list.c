/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the listing commands read. */
#include "agent/event/views.h"
#include "cloud/store/db.h"

#define LIST_SQL_MAX 2048u

int store_devices_each(struct store *s, store_device_fn fn, void *ctx)
{
	sqlite3_stmt *stmt = NULL;
	int r = db_statement(s, DB_DEVICES, &stmt);

	if (r < 0)
		return r;
	while ((r = db_row(stmt)) > 0) {
		const struct store_device_info info = {
			.device_id = db_str(stmt, 0),
			.machine_guid = db_str(stmt, 1),
			.hostname = db_str(stmt, 2),
			.os = db_str(stmt, 3),
			.kernel = db_str(stmt, 4),
			.arch = db_str(stmt, 5),
			.agent_version = db_str(stmt, 6),
			.plan = db_str(stmt, 7),
			.tags = db_str(stmt, 8),
			.epoch = db_u64(stmt, 9),
			.acked_seq = db_u64(stmt, 10),
			.events = db_u64(stmt, 11),
			.dropped = db_u64(stmt, 12),
			.conflicts = db_u64(stmt, 13),
			.enrolled_us = db_u64(stmt, 14),
			.last_seen_us = db_u64(stmt, 15),
			.certificate_expires_us = db_u64(stmt, 16),
		};

		r = fn(ctx, &info);
		if (r < 0) {
			(void)sqlite3_reset(stmt);
			return r;
		}
	}
	return r;
}

/* Parameters of every listing of events: 1 device, 2 table, 3 since, 4 limit. A
 * table may hold actions that this build does not know, from newer agents. */
static void where_add(struct buf *sql, const struct store_filter *filter)
{
	buf_printf(sql, " FROM events WHERE 1");
	if (filter->device_id != NULL)
		buf_printf(sql, " AND device=?1");
	if (filter->table != NULL) {
		buf_printf(sql, " AND (tbl=?2 OR ");
		if (views_filter_format(str_of(filter->table), sql) < 0)
			buf_printf(sql, "0");
		buf_printf(sql, ")");
	}
	if (filter->since_us != 0)
		buf_printf(sql, " AND ts_norm>=?3");
}

static int filter_prepare(struct store *s, const struct store_filter *filter, struct buf *sql,
			  sqlite3_stmt **ret_stmt)
{
	struct store_device device = { 0 };
	int r;

	r = buf_error(sql);
	if (r < 0)
		return r;
	if (filter->device_id != NULL) {
		r = store_device_find(s, filter->device_id, &device);
		if (r < 0)
			return r;
	}
	r = sqlite3_prepare_v2(s->db, sql->data, (int)sql->len, ret_stmt, NULL);
	if (r != SQLITE_OK)
		return db_errno(r);
	/* Parameters that the text does not name are out of range, which is no harm. */
	db_bind_u64(*ret_stmt, 1, (uint64_t)device.id);
	if (filter->table != NULL)
		db_bind_str(*ret_stmt, 2, str_of(filter->table));
	db_bind_u64(*ret_stmt, 3, filter->since_us);
	db_bind_u64(*ret_stmt, 4, filter->limit);
	return 0;
}

/* What the human table says of an event, by what it has. */
static const char summary_sql[] =
	", coalesce(json_extract(e.body,'$.ActionType'),''), coalesce("
	"json_extract(e.body,'$.ProcessCommandLine'),"
	"json_extract(e.body,'$.RemoteIP')||':'||coalesce(json_extract(e.body,'$.RemotePort'),''),"
	"json_extract(e.body,'$.FolderPath'),"
	"json_extract(e.body,'$.AccountName')||coalesce(' "
	"'||json_extract(e.body,'$.LogonType'),''),"
	"json_extract(e.body,'$.FileName'),"
	"json_extract(e.body,'$.AdditionalFields'),'')";

int store_events_each(struct store *s, const struct store_filter *filter, bool with_summary,
		      store_event_fn fn, void *ctx)
{
	cleanup_(buf_cleanup) struct buf sql = { 0 };
	sqlite3_stmt *stmt = NULL;
	int r;

	buf_init(&sql, LIST_SQL_MAX);
	buf_printf(&sql, "SELECT d.hostname, e.tbl, e.ts, e.body%s FROM (SELECT id",
		   with_summary ? summary_sql : "");
	where_add(&sql, filter);
	if (filter->limit != 0)
		buf_printf(&sql, " ORDER BY id DESC LIMIT ?4");
	buf_printf(&sql, ") n JOIN events e ON e.id=n.id JOIN devices d ON d.id=e.device"
			 " ORDER BY n.id");
	r = filter_prepare(s, filter, &sql, &stmt);
	while (r >= 0 && (r = db_row(stmt)) > 0) {
		const struct store_event_info info = {
			.hostname = db_str(stmt, 0),
			.table = db_str(stmt, 1),
			.ts_us = db_u64(stmt, 2),
			.body = db_str(stmt, 3),
			.action = with_summary ? db_str(stmt, 4) : (struct str){ 0 },
			.summary = with_summary ? db_str(stmt, 5) : (struct str){ 0 },
		};

		r = fn(ctx, &info);
	}
	(void)sqlite3_finalize(stmt);
	return r;
}

int store_events_count(struct store *s, const struct store_filter *filter, uint64_t *ret_count)
{
	cleanup_(buf_cleanup) struct buf sql = { 0 };
	sqlite3_stmt *stmt = NULL;
	int r;

	buf_init(&sql, LIST_SQL_MAX);
	buf_printf(&sql, "SELECT count(*)");
	where_add(&sql, filter);
	r = filter_prepare(s, filter, &sql, &stmt);
	if (r == 0)
		r = db_row(stmt);
	if (r > 0)
		*ret_count = db_u64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return r < 0 ? r : 0;
}
