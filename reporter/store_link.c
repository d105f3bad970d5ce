/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/store_link.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/fs.h"
#include "agent/base/log.h"
#include "agent/event/event.h"

#define DEAD_LETTER_FILE "dead-letter.ndjson"
#define DEAD_LETTER_MAX (16 * 1024 * 1024)
#define PATH_SIZE 96u

/* The clock's offset that batches name follows in steps of this. */
#define HEADER_CLOCK_MS 500

/* What the store says. */

static void store_send(struct reporter *r, uint16_t type, const struct buf *b)
{
	struct peer *store = role_link(r->role, ROLE_STORE);
	int e = buf_error(b);

	if (store == NULL)
		return; /* the link's return begins anew */
	if (e == 0)
		e = peer_send_buf(store, type, b);
	if (e < 0)
		log_error("message %u to the store: %s", type, strerrordesc_np(-e));
}

static void epoch_tell(struct reporter *r)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, MSG_EPOCH_SET_MAX);
	msg_put_u64(&b, r->identity.epoch);
	msg_put_str(&b, str_of(r->identity.device_id));
	store_send(r, MSG_EPOCH_SET, &b);
	r->is_epoch_told = true;
}

void store_link_org_tell(struct reporter *r)
{
	const struct onboarding *blob = onboarder_blob(r->onboarder);
	cleanup_(buf_cleanup) struct buf b = { 0 };

	if (r->is_org_told || blob == NULL || role_link(r->role, ROLE_STORE) == NULL)
		return;
	buf_init(&b, MSG_ORG_SET_MAX);
	msg_put_str(&b, str_of(blob->org_id));
	for (size_t i = 0; i < blob->n_previous; i++)
		msg_put_str(&b, str_of(blob->previous_org_ids[i]));
	store_send(r, MSG_ORG_SET, &b);
	r->is_org_told = true;
}

static int on_fetch_rows(void *ctx, struct peer *p, struct msg *m)
{
	struct reporter *r = role_state(ctx);
	struct msg_reader reader;
	struct parcel_part part = { 0 };

	(void)p;
	msg_reader_init(&reader, m->data, m->len);

	uint32_t request = msg_get_u32(&reader);

	part.epoch = msg_get_u64(&reader);
	part.first = msg_get_u64(&reader);
	part.last = msg_get_u64(&reader);
	part.count = msg_get_u32(&reader);
	part.is_last = msg_get_u8(&reader) != 0;
	part.lines = msg_get_rest(&reader);

	int e = msg_reader_end(&reader);

	return e < 0 ? e : ship_on_rows(r->ship, request, &part, clock_mono_ns());
}

static int on_fetch_dropped(void *ctx, struct peer *p, struct msg *m)
{
	struct reporter *r = role_state(ctx);
	struct msg_reader reader;
	struct parcel_dropped d = { 0 };

	(void)p;
	msg_reader_init(&reader, m->data, m->len);

	uint32_t request = msg_get_u32(&reader);
	uint16_t kind = msg_get_u16(&reader);

	d.n = msg_get_u64(&reader);
	d.first = msg_get_u64(&reader);
	d.last = msg_get_u64(&reader);

	int e = msg_reader_end(&reader);

	if (e < 0 || kind >= EVENT_KINDS)
		return -EPROTO;
	(void)!str_copy(str_of(event_kinds[kind].id), d.kind, sizeof(d.kind));
	return ship_on_dropped(r->ship, request, &d);
}

static int on_cursor_ok(void *ctx, struct peer *p, struct msg *m)
{
	struct reporter *r = role_state(ctx);
	struct msg_reader reader;

	(void)p;
	msg_reader_init(&reader, m->data, m->len);

	uint64_t epoch = msg_get_u64(&reader);
	uint64_t seq = msg_get_u64(&reader);
	int e = msg_reader_end(&reader);

	if (e == 0)
		ship_on_cursor(r->ship, epoch, seq, clock_mono_ns());
	return e;
}

static void ship_fetch(void *ctx, uint32_t request, uint32_t max_events, uint32_t max_bytes)
{
	struct reporter *r = ctx;
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, MSG_FETCH_MAX);
	msg_put_u32(&b, request);
	msg_put_u32(&b, max_events);
	msg_put_u32(&b, max_bytes);
	msg_put_u32(&b, (uint32_t)cfg_u64(role_config(r->role), CFG_CLOUD_LINGER_MS));
	store_send(r, MSG_FETCH, &b);
}

/* Stands in health until the next batch is answered, whatever heartbeats are told. */
static void events_refused(struct reporter *r, const char *why)
{
	(void)snprintf(r->ship_error, sizeof(r->ship_error), "events refused: %s", why);
}

static void on_ship_done(void *ctx, const struct session_answer *a)
{
	struct reporter *r = ctx;
	struct session_stats st;
	uint64_t now_ns = clock_mono_ns();

	reporter_traffic(r);
	r->ship_call = NULL;
	r->ship_error[0] = '\0';
	if (a->verdict != ANSWER_OK && a->has_answer) {
		session_stats(r->session, &st);
		events_refused(r, st.error);
	}
	if (a->verdict == ANSWER_WAIT)
		ship_hold(r->ship, now_ns + a->pause_ns);
	ship_on_answer(r->ship, a, now_ns);
	if (a->verdict == ANSWER_OK && r->ship_error[0] == '\0')
		r->last_ack_us = clock_real_us();
}

static int ship_post(void *ctx, const struct ship_post *post, struct backoff *backoff)
{
	struct reporter *r = ctx;
	char path[PATH_SIZE];
	struct session_request request = {
		.path = path, .headers = post->headers, .body = post->body, .backoff = backoff
	};

	(void)snprintf(path, sizeof(path), "/v1/devices/%s/events", r->identity.device_id);
	return session_post(r->session, &request, on_ship_done, r, &r->ship_call);
}

static void ship_cursor_set(void *ctx, uint64_t epoch, uint64_t seq)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, MSG_CURSOR_SET_MAX);
	msg_put_u64(&b, epoch);
	msg_put_u64(&b, seq);
	store_send(ctx, MSG_CURSOR_SET, &b);
}

/* On disk here first: the store's copy follows ours. */
static int ship_epoch_set(void *ctx, uint64_t epoch)
{
	struct reporter *r = ctx;
	uint64_t old = r->identity.epoch;

	if (epoch != old) {
		r->identity.epoch = epoch;

		int e = identity_save(&r->identity, r->cloud_fd);

		if (e < 0) {
			log_error("session %" PRIu64 ": %s", epoch, strerrordesc_np(-e));
			r->identity.epoch = old;
			return e;
		}
		log_warning("session %" PRIu64 " begins: the cloud's cursor was not ours", epoch);
	}
	epoch_tell(r);
	return 0;
}

static void ship_wake_at(void *ctx, uint64_t at_ns)
{
	struct reporter *r = ctx;

	loop_timer_set(r->ship_timer, at_ns);
}

int store_link_on_timer(void *ctx, uint64_t now_ns)
{
	struct reporter *r = ctx;

	ship_on_wake(r->ship, now_ns);
	return 0;
}

/* Kept up to a size, for whoever looks into why the endpoint refused it. */
static void ship_dead_letter(void *ctx, struct str line)
{
	struct reporter *r = ctx;
	cleanup_(fd_cleanup) int fd = openat(r->cloud_fd, DEAD_LETTER_FILE,
					     O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC |
						     O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
					     0600);
	struct stat st;

	log_warning("the cloud refused an event for good; it is kept in %s", DEAD_LETTER_FILE);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    st.st_size + (off_t)line.n > DEAD_LETTER_MAX || fs_write_all(fd, line.p, line.n) < 0 ||
	    fs_write_all(fd, "\n", 1) < 0)
		log_error("%s: full or not writable", DEAD_LETTER_FILE);
}

static void ship_unauthorised(void *ctx, const struct answer_error *error)
{
	reporter_unauthorised(ctx, error);
}

static void ship_refused(void *ctx, const char *what)
{
	struct reporter *r = ctx;

	log_warning("cloud: %s", what);
	events_refused(r, what);
	session_refused(r->session, what);
}

void store_link_header_update(struct reporter *r)
{
	struct identity *id = &r->identity;
	const char *boot_id = role_host(r->role)->boot_id;
	int64_t offset_ms = session_clock_offset_ms(r->session);
	int64_t change_ms = offset_ms - id->clock_offset_ms;
	struct identity old = *id;

	if (strcmp(id->boot_id, boot_id) == 0 && change_ms < HEADER_CLOCK_MS &&
	    change_ms > -HEADER_CLOCK_MS)
		return;
	memcpy(id->boot_id, boot_id, sizeof(id->boot_id));
	id->clock_offset_ms = offset_ms;

	int e = identity_save(id, r->cloud_fd);

	if (e == 0)
		return;
	log_error("identity: %s", strerrordesc_np(-e));
	memcpy(id->boot_id, old.boot_id, sizeof(id->boot_id));
	id->clock_offset_ms = old.clock_offset_ms;
}

static void ship_settled(void *ctx)
{
	store_link_header_update(ctx);
}

static void ship_header(void *ctx, struct parcel_header *ret_header)
{
	struct reporter *r = ctx;

	*ret_header = (struct parcel_header){
		.tenant = str_of(r->identity.tenant_id),
		.boot_id = str_of(r->identity.boot_id),
		.clock_offset_ms = r->identity.clock_offset_ms,
	};
}

static void ship_clock(void *ctx, uint64_t server_time_us, uint64_t elapsed_ns)
{
	struct reporter *r = ctx;

	session_clock(r->session, server_time_us, elapsed_ns);
}

const struct ship_ops store_link_ship_ops = {
	.fetch = ship_fetch,
	.post = ship_post,
	.cursor_set = ship_cursor_set,
	.epoch_set = ship_epoch_set,
	.wake_at = ship_wake_at,
	.dead_letter = ship_dead_letter,
	.unauthorised = ship_unauthorised,
	.refused = ship_refused,
	.settled = ship_settled,
	.header = ship_header,
	.clock = ship_clock,
};

static uint32_t smaller(uint64_t configured, uint64_t endpoint)
{
	return (uint32_t)(endpoint > 0 && endpoint < configured ? endpoint : configured);
}

void store_link_start(struct reporter *r)
{
	const struct config *cfg = role_config(r->role);
	const struct ship_limits limits = {
		.max_events = smaller(cfg_u64(cfg, CFG_CLOUD_BATCH_EVENTS), r->max_events),
		.max_bytes = smaller(cfg_u64(cfg, CFG_CLOUD_BATCH_BYTES), r->max_bytes),
	};

	if (role_link(r->role, ROLE_STORE) == NULL)
		return;
	if (!r->is_epoch_told)
		epoch_tell(r);
	ship_start(r->ship, r->identity.epoch, &limits, clock_mono_ns());
}

void store_link_stop(struct reporter *r)
{
	session_cancel(take_ptr(r->ship_call));
	ship_stop(r->ship);
}

static const struct peer_row store_rows[] = {
	PEER_ROW(MSG_FETCH_ROWS, on_fetch_rows),
	PEER_ROW(MSG_FETCH_DROPPED, on_fetch_dropped),
	PEER_ROW(MSG_CURSOR_OK, on_cursor_ok),
};
const struct peer_table store_link_table = {
	.rows = store_rows,
	.n_rows = ARRAY_LEN(store_rows),
	.priority = 4,
};
