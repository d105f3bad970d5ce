/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cloud/store/store.h"

#include "tests/cloud.h"

#define DEVICE "0123456789abcdef0123456789abcdef01234567"

static const struct store_host host = { .machine_guid = { "guid-0000", 9 },
					.hostname = { "web-1", 5 },
					.os_id = { "debian", 6 },
					.tags = { "[]", 2 } };

static struct store *store_make(void)
{
	struct store *s = NULL;

	CHECK_INT(store_open(cloud_dir_make(), STORE_CREATE, &s, NULL), 0);
	CHECK_INT(store_begin(s), 0);
	return s;
}

static int64_t device_make(struct store *s, const char *id)
{
	struct store_device d = { .tenant = 1, .plan = PLAN_P2, .epoch = 1, .key_sha256 = { 7 } };
	int64_t row = 0;

	CHECK_INT(str_copy(str_of(id), d.device_id, sizeof(d.device_id)), 0);
	CHECK_INT(store_device_add(s, &d, &host, 1000, &row), 0);
	CHECK(row > 0);
	return row;
}

/* Appends first..last of an epoch; `content` tells batches apart. */
static struct store_append append(struct store *s, int64_t device, uint64_t epoch, uint64_t first,
				  uint64_t last, char content)
{
	struct batch_event events[64];
	struct batch_dropped dropped = { .kind = "file", .n = 1, .first = first, .last = first };
	struct batch b = { .range = { .epoch = epoch, .first = first, .last = last },
			   .boot_id = "b",
			   .clock_offset_ms = -1,
			   .dropped = &dropped,
			   .events = events };
	struct store_append done = { 0 };
	static char bodies[64][64];

	CHECK(last - first < 64);
	memset(b.range.sha256, content, sizeof(b.range.sha256));
	if (content == 'd')
		b.n_dropped = 1;
	for (uint64_t seq = first + b.n_dropped; seq <= last; seq++) {
		char *body = bodies[b.n_events];

		(void)snprintf(body, 64, "{\"seq\":%llu,\"FileName\":\"%c\"}",
			       (unsigned long long)seq, content);
		events[b.n_events++] = (struct batch_event){ .seq = seq,
							     .ts = 5000 + seq,
							     .table = STR("DeviceProcessEvents"),
							     .action = STR("ProcessCreated"),
							     .body = str_of(body) };
	}
	CHECK_INT(store_append(s, device, &b, 9000, &done), 0);
	return done;
}

static uint64_t count(struct store *s, const struct store_filter *filter)
{
	uint64_t n = 999;

	CHECK_INT(store_events_count(s, filter, &n), 0);
	return n;
}

static const struct store_filter all = { 0 };

static void keeps_tenants_and_tokens(void)
{
	cleanup_(store_cleanup) struct store *s = store_make();
	const struct store_token token = {
		.tenant = 1, .plan = PLAN_P1, .created_us = 1, .expires_us = 2, .max_uses = 3
	};
	struct store_token read = { 0 };
	struct store_tenant t = { 0 };
	uint8_t hash[SHA256_SIZE] = { 1 };
	uint8_t other[SHA256_SIZE] = { 2 };

	CHECK_INT(store_tenant_get(s, 0, &t), 0);
	CHECK_INT(t.id, 1);
	CHECK_INT(strlen(t.tenant_id), 36);
	CHECK_INT(strlen(t.org_id), 36);
	CHECK(store_tenant_get(s, 2, &t) < 0);

	CHECK_INT(store_token_find(s, hash, &read), -ENOENT);
	CHECK_INT(store_token_add(s, hash, &token), 0);
	CHECK_INT(store_token_add(s, hash, &token), -EEXIST);
	CHECK_INT(store_token_use(s, hash), 0);
	CHECK_INT(store_token_find(s, hash, &read), 0);
	CHECK_INT(read.plan, PLAN_P1);
	CHECK_INT(read.expires_us, 2);
	CHECK_INT(read.max_uses, 3);
	CHECK_INT(read.uses, 1);
	CHECK_INT(store_token_find(s, other, &read), -ENOENT);
}

static void keeps_devices_and_certificates(void)
{
	cleanup_(store_cleanup) struct store *s = store_make();
	struct store_device d = { 0 };
	struct store_caller caller = { 0 };
	int64_t row = device_make(s, DEVICE);
	struct store_certificate c = { .device = row,
				       .serial = "4a",
				       .csr_sha256 = { 9 },
				       .issued_us = 10,
				       .expires_us = 20,
				       .pem = STR("PEM") };
	uint8_t csr[SHA256_SIZE] = { 9 };
	struct buf pem;
	int64_t again = 0;

	buf_init(&pem, 100);
	CHECK_INT(store_device_find(s, "nobody", &d), -ENOENT);
	CHECK_INT(store_device_find(s, DEVICE, &d), 0);
	CHECK_INT(d.id, row);
	CHECK_INT(d.plan, PLAN_P2);
	CHECK_INT(d.key_sha256[0], 7);
	CHECK_INT(store_device_add(s, &d, &host, 1, &again), -EEXIST);

	CHECK_INT(store_caller_find(s, "4a", &caller), -ENOENT);
	CHECK_INT(store_certificate_add(s, &c), 0);
	CHECK_INT(store_caller_find(s, "4a", &caller), 0);
	CHECK_STR(caller.device_id, DEVICE);
	CHECK_INT(caller.device, row);
	CHECK(!caller.is_revoked);
	CHECK_INT(store_certificate_find(s, row, csr, 19, &pem), 0);
	CHECK_STR(buf_cstr(&pem), "PEM");
	CHECK_INT(store_certificate_find(s, row, csr, 20, &pem), -ENOENT); /* expired */
	csr[0] = 8;
	CHECK_INT(store_certificate_find(s, row, csr, 19, &pem), -ENOENT);
	CHECK_INT(store_device_heartbeat(s, row, STR("{}"), 77), 0);
	buf_done(&pem);
}

static void moves_the_cursor(void)
{
	cleanup_(store_cleanup) struct store *s = store_make();
	int64_t d = device_make(s, DEVICE);
	struct store_append done = append(s, d, 1, 100, 110, 'a'); /* where numbers begin */

	CHECK_INT(done.outcome, STORE_STORED);
	CHECK_INT(done.seq, 110);
	CHECK_INT(done.stored, 11);
	done = append(s, d, 1, 100, 110, 'a');
	CHECK_INT(done.outcome, STORE_DUPLICATE);
	CHECK_INT(done.seq, 110);
	done = append(s, d, 1, 105, 120, 'b');
	CHECK_INT(done.outcome, STORE_STORED);
	CHECK_INT(done.stored, 10);
	CHECK_INT(done.seq, 120);
	done = append(s, d, 1, 101, 104, 'x'); /* a part of what is there */
	CHECK_INT(done.outcome, STORE_DUPLICATE);
	CHECK_INT(done.seq, 120);
	CHECK_INT(count(s, &all), 21);
}

static void tells_conflicts_and_gaps(void)
{
	cleanup_(store_cleanup) struct store *s = store_make();
	int64_t d = device_make(s, DEVICE);
	struct store_append done;

	(void)append(s, d, 1, 1, 10, 'a');
	done = append(s, d, 1, 1, 10, 'b');
	CHECK_INT(done.outcome, STORE_CONFLICT);
	CHECK_INT(done.seq, 10);
	done = append(s, d, 1, 12, 20, 'c');
	CHECK_INT(done.outcome, STORE_GAP);
	CHECK_INT(done.seq, 10);
	done = append(s, d, 1, 11, 20, 'd'); /* 11 was dropped */
	CHECK_INT(done.outcome, STORE_STORED);
	CHECK_INT(done.stored, 9);
	CHECK_INT(count(s, &all), 19);
}

static void epochs_go_up(void)
{
	cleanup_(store_cleanup) struct store *s = store_make();
	int64_t d = device_make(s, DEVICE);
	struct store_append done;

	(void)append(s, d, 1, 1, 10, 'a');
	done = append(s, d, 3, 1, 5, 'a');
	CHECK_INT(done.outcome, STORE_STORED);
	CHECK_INT(done.epoch, 3);
	done = append(s, d, 2, 1, 5, 'a');
	CHECK_INT(done.outcome, STORE_STALE_EPOCH);
	CHECK_INT(done.epoch, 3);
	CHECK_INT(done.seq, 5);
	done = append(s, d, 1, 11, 12, 'a');
	CHECK_INT(done.outcome, STORE_STALE_EPOCH);
	done = append(s, d, 3, 6, 7, 'a');
	CHECK_INT(done.outcome, STORE_STORED);
	CHECK_INT(count(s, &all), 17);
}

static void devices_do_not_meet(void)
{
	cleanup_(store_cleanup) struct store *s = store_make();
	int64_t a = device_make(s, DEVICE);
	int64_t b = device_make(s, "1123456789abcdef0123456789abcdef01234567");
	struct store_filter filter = { .device_id = DEVICE };

	(void)append(s, a, 1, 1, 10, 'a');
	CHECK_INT(append(s, b, 1, 1, 10, 'b').outcome, STORE_STORED);
	CHECK_INT(append(s, b, 1, 11, 12, 'b').stored, 2);
	CHECK_INT(count(s, &all), 22);
	CHECK_INT(count(s, &filter), 10);
	filter.device_id = "nobody";
	CHECK_INT(store_events_count(s, &filter, &(uint64_t){ 0 }), -ENOENT);
}

static void undoes_one_job(void)
{
	cleanup_(store_cleanup) struct store *s = store_make();
	int64_t d = device_make(s, DEVICE);

	CHECK_INT(store_savepoint(s), 0);
	(void)append(s, d, 1, 1, 10, 'a');
	CHECK_INT(store_release(s), 0);
	CHECK_INT(store_savepoint(s), 0);
	(void)append(s, d, 1, 11, 20, 'b');
	CHECK_INT(store_undo(s), 0);
	CHECK_INT(store_commit(s), 0);
	CHECK(!store_in_transaction(s));
	CHECK_INT(count(s, &all), 10);
	CHECK_INT(store_begin(s), 0);
	CHECK_INT(append(s, d, 1, 11, 20, 'c').outcome, STORE_STORED);
	store_rollback(s);
	store_rollback(s);
	CHECK_INT(count(s, &all), 10);
}

/* ---- listings ---- */

struct seen {
	size_t n;
	char text[64][64];
};

static int see_event(void *ctx, const struct store_event_info *e)
{
	struct seen *seen = ctx;

	CHECK(seen->n < 64);
	CHECK_STRN(e->hostname, "web-1");
	CHECK_INT(str_copy(e->body, seen->text[seen->n], sizeof(seen->text[0])), 0);
	seen->n++;
	return 0;
}

static int see_device(void *ctx, const struct store_device_info *d)
{
	struct seen *seen = ctx;

	CHECK_STRN(d->device_id, DEVICE);
	CHECK_INT(d->epoch, 1);
	CHECK_INT(d->acked_seq, 20);
	CHECK_INT(d->events, 19);
	CHECK_INT(d->dropped, 1);
	CHECK_INT(d->conflicts, 1);
	seen->n++;
	return 0;
}

static int stop_listing(void *ctx, const struct store_event_info *e)
{
	(void)e;
	(*(size_t *)ctx)++;
	return -ECANCELED;
}

static void lists_what_is_stored(void)
{
	cleanup_(store_cleanup) struct store *s = store_make();
	int64_t d = device_make(s, DEVICE);
	struct store_filter filter = { .limit = 2 };
	struct seen seen = { 0 };
	size_t n = 0;

	(void)append(s, d, 1, 1, 10, 'a');
	(void)append(s, d, 1, 1, 10, 'b');
	(void)append(s, d, 1, 11, 20, 'd');
	CHECK_INT(store_events_each(s, &filter, true, see_event, &seen), 0);
	CHECK_INT(seen.n, 2);
	CHECK_STR(seen.text[0], "{\"seq\":19,\"FileName\":\"d\"}");
	CHECK_STR(seen.text[1], "{\"seq\":20,\"FileName\":\"d\"}");
	filter = (struct store_filter){ .table = "DeviceProcessEvents", .since_us = 5012 - 1000 };
	CHECK_INT(count(s, &filter), 9); /* ts_norm is ts - 1 ms */
	filter = (struct store_filter){ .table = "x' OR 1 --" };
	CHECK_INT(count(s, &filter), 0);
	CHECK_INT(store_events_each(s, &all, false, stop_listing, &n), -ECANCELED);
	CHECK_INT(n, 1);
	seen.n = 0;
	CHECK_INT(store_devices_each(s, see_device, &seen), 0);
	CHECK_INT(seen.n, 1);
}

static int see_dropped(void *ctx, const struct store_device_info *d)
{
	*(uint64_t *)ctx = d->dropped;
	return 0;
}

/* The answer to 1..10 was lost; meanwhile the loss has grown. */
static void counts_a_grown_loss_once(void)
{
	cleanup_(store_cleanup) struct store *s = store_make();
	int64_t device = device_make(s, DEVICE);
	struct batch_dropped dropped = { .kind = "file", .n = 10, .first = 1, .last = 10 };
	struct batch b = { .range = { .epoch = 1, .first = 1, .last = 10 },
			   .n_dropped = 1,
			   .dropped = &dropped };
	struct store_append done = { 0 };
	uint64_t n = 0;

	CHECK_INT(store_append(s, device, &b, 9000, &done), 0);
	b.range.last = dropped.last = dropped.n = 25;
	CHECK_INT(store_append(s, device, &b, 9000, &done), 0);
	CHECK_INT(done.outcome, STORE_STORED);
	CHECK_INT(store_devices_each(s, see_dropped, &n), 0);
	CHECK_INT(n, 25);
}

static void is_read_beside_the_writer(void)
{
	cleanup_(store_cleanup) struct store *s = store_make();
	cleanup_(store_cleanup) struct store *reader = NULL;
	int64_t d = device_make(s, DEVICE);

	CHECK_INT(store_commit(s), 0);
	CHECK_INT(store_open(cloud_dir, STORE_READ, &reader, NULL), 0);
	CHECK_INT(store_begin(s), 0);
	(void)append(s, d, 1, 1, 10, 'a');
	CHECK_INT(count(reader, &all), 0);
	CHECK_INT(store_commit(s), 0);
	CHECK_INT(count(reader, &all), 10);
	CHECK(store_token_use(reader, (uint8_t[SHA256_SIZE]){ 0 }) < 0);
}

static void survives_reopening(void)
{
	struct store *s = store_make();
	struct store *again = NULL;
	struct store_tenant a = { 0 };
	struct store_tenant b = { 0 };
	int64_t d = device_make(s, DEVICE);

	(void)append(s, d, 1, 1, 10, 'a');
	CHECK_INT(store_tenant_get(s, 0, &a), 0);
	CHECK_INT(store_commit(s), 0);
	store_free(s);
	CHECK_INT(store_open(cloud_dir, STORE_CREATE, &again, NULL), 0);
	CHECK_INT(store_tenant_get(again, 0, &b), 0);
	CHECK_STR(a.tenant_id, b.tenant_id);
	CHECK_INT(store_begin(again), 0);
	CHECK_INT(append(again, d, 1, 1, 10, 'a').outcome, STORE_DUPLICATE);
	store_free(again);
}

static void says_why_it_cannot_open(void)
{
	struct store *s = NULL;
	struct diag diag = { 0 };

	CHECK_INT(store_open("/nonexistent/x", STORE_READ, &s, &diag), -ENOENT);
	CHECK(strstr(diag.text, "cloudd serve") != NULL);
	diag = (struct diag){ 0 };
	CHECK(store_open("/nonexistent/x", STORE_CREATE, &s, &diag) < 0);
	CHECK(diag.text[0] != '\0');
	CHECK(s == NULL);
}

TEST_MAIN({ "keeps_tenants_and_tokens", keeps_tenants_and_tokens },
	  { "keeps_devices_and_certificates", keeps_devices_and_certificates },
	  { "moves_the_cursor", moves_the_cursor },
	  { "tells_conflicts_and_gaps", tells_conflicts_and_gaps },
	  { "epochs_go_up", epochs_go_up }, { "devices_do_not_meet", devices_do_not_meet },
	  { "undoes_one_job", undoes_one_job }, { "lists_what_is_stored", lists_what_is_stored },
	  { "counts_a_grown_loss_once", counts_a_grown_loss_once },
	  { "is_read_beside_the_writer", is_read_beside_the_writer },
	  { "survives_reopening", survives_reopening },
	  { "says_why_it_cannot_open", says_why_it_cannot_open })
