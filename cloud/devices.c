/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cloudd devices. */
#include <stdio.h>

#include "agent/base/clock.h"
#include "agent/base/jsonw.h"
#include "cloud/command.h"
#include "cloud/options.h"
#include "cloud/store/store.h"

#define ROW_MAX (64u * 1024u)

struct listing {
	struct buf text; /* one row */
	bool is_first;
};

static int row_print(struct listing *l)
{
	int r = buf_error(&l->text);

	if (r < 0)
		return r;
	return fwrite(l->text.data, 1, l->text.len, stdout) == l->text.len ? 0 : -EIO;
}

static void time_member(struct jsonw *w, const char *key, uint64_t us)
{
	jsonw_key(w, str_of(key));
	jsonw_time_us(w, us);
}

static int json_row(void *ctx, const struct store_device_info *d)
{
	struct listing *l = ctx;
	struct jsonw w;

	buf_clear(&l->text);
	jsonw_init(&w, &l->text);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "device_id", d->device_id);
	jsonw_kv_str(&w, "hostname", d->hostname);
	jsonw_kv_str(&w, "machine_guid", d->machine_guid);
	jsonw_kv_str(&w, "os", d->os);
	jsonw_kv_str(&w, "kernel", d->kernel);
	jsonw_kv_str(&w, "arch", d->arch);
	jsonw_kv_str(&w, "agent_version", d->agent_version);
	jsonw_kv_str(&w, "plan", d->plan);
	jsonw_key(&w, STR("tags"));
	jsonw_raw(&w, d->tags);
	jsonw_kv_u64(&w, "epoch", d->epoch);
	jsonw_kv_u64(&w, "acked_seq", d->acked_seq);
	jsonw_kv_u64(&w, "events", d->events);
	jsonw_kv_u64(&w, "dropped", d->dropped);
	jsonw_kv_u64(&w, "conflicts", d->conflicts);
	time_member(&w, "enrolled", d->enrolled_us);
	time_member(&w, "last_seen", d->last_seen_us);
	time_member(&w, "certificate_expires", d->certificate_expires_us);
	jsonw_object_end(&w);
	buf_add_char(&l->text, '\n');
	return row_print(l);
}

static int table_row(void *ctx, const struct store_device_info *d)
{
	struct listing *l = ctx;
	char seen[CLOCK_TEXT_SIZE];

	clock_format_utc(d->last_seen_us, seen);
	if (l->is_first)
		(void)printf("%-40s  %-4s  %5s  %10s  %10s  %8s  %-20s  %s\n", "DEVICE", "PLAN",
			     "EPOCH", "ACKED", "EVENTS", "DROPPED", "LAST SEEN", "HOST");
	l->is_first = false;
	buf_clear(&l->text);
	buf_printf(&l->text, "%.*s  ", (int)d->device_id.n, d->device_id.p);
	buf_printf(&l->text, "%-4.*s  ", (int)d->plan.n, d->plan.p);
	buf_printf(&l->text, "%5llu  %10llu  %10llu  %8llu  %.19sZ  ", (unsigned long long)d->epoch,
		   (unsigned long long)d->acked_seq, (unsigned long long)d->events,
		   (unsigned long long)d->dropped, seen);
	buf_add_escaped(&l->text, d->hostname);
	buf_add_char(&l->text, '\n');
	return row_print(l);
}

int devices_command(int argc, char **argv)
{
	cleanup_(store_cleanup) struct store *store = NULL;
	const char *data = NULL;
	const char *output = NULL;
	const struct option_row rows[] = {
		{ "--data", OPTION_STR, 0, 0, &data },
		{ "--output", OPTION_STR, 0, 0, &output },
	};
	struct listing l = { .is_first = true };
	struct diag diag = { 0 };
	bool is_json = false;
	int r;

	if ((r = options_parse(argc, argv, rows, ARRAY_LEN(rows), 0, &diag)) < 0 ||
	    (r = options_output_parse(output, &is_json, &diag)) < 0)
		return command_fail("devices", COMMAND_USAGE, r, &diag);
	if (data == NULL)
		return command_needs("devices", "--data DIR");
	r = store_open(data, STORE_READ, &store, &diag);
	if (r < 0)
		return command_fail("devices", COMMAND_FAILED, r, &diag);
	buf_init(&l.text, ROW_MAX);
	r = store_devices_each(store, is_json ? json_row : table_row, &l);
	buf_done(&l.text);
	if (r < 0)
		return command_fail("devices", COMMAND_FAILED, r, &diag);
	return command_end("devices");
}
