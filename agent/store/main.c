/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * agent-store: keeps the journal. Takes batches from the sensor and says when they
 * are safe, hands rows to the reporter and remembers what the cloud has, lets old
 * rows go. No kernel waits for it, so it may wait for the disk.
 */
#include <sys/stat.h>

#include "agent/base/clock.h"
#include "agent/base/fs.h"
#include "agent/base/log.h"
#include "agent/config/health.h"
#include "agent/role/role.h"
#include "agent/store/cursor.h"
#include "agent/store/retention.h"
#include "agent/store/wire.h"

#define RETRY_NS (2 * NSEC_PER_SEC)  /* after the journal refused something */
#define QUIET_NS (5 * NSEC_PER_SEC)  /* without a batch: checkpoint, give memory back */
#define AGE_NS (60 * NSEC_PER_SEC)   /* between looks for rows that are too old */
#define MARK_NS (600 * NSEC_PER_SEC) /* between notes of the newest numbers */
#define CHECKPOINT_BYTES 8388608u    /* of the log, while batches keep coming: 8 MiB */
/* Rows leave for their age only while the wall clock has run evenly for so long: a
 * host that boots with a wrong date must not lose its journal. */
#define CLOCK_STEADY_NS (3600 * NSEC_PER_SEC)
#define CLOCK_STEP_US (300 * USEC_PER_SEC)
#define STOP_NS (1900 * NSEC_PER_MSEC) /* role.h: at most 2 s; the sensor takes 1.8 */
#define DEVICE_ID_MAX 256u
#define LINES_MAX (CURSOR_BYTES_MAX + 2 * EVENT_LINE_MAX)
#define ROWS_HEAD 33u /* of MSG_FETCH_ROWS */

struct store {
	struct role *role;
	struct journal *journal;
	struct loop_source *upkeep; /* checkpoints, retention */
	struct loop_source *linger; /* a fetch that waits for more rows */
	struct loop_source *retry;  /* after an error */

	/* The reporter's open questions; the newest of each kind. */
	struct wire_fetch fetch;
	struct wire_cursor cursor;
	struct wire_orgs orgs; /* n 0: not told yet */
	uint64_t epoch;
	uint64_t waiting_since_ns; /* the oldest row behind the cursor came about then */
	uint64_t answered_ns;	   /* when the newest fetch was answered */
	uint64_t org_since_us;	   /* boot time; events of before are another organisation's */

	/* Upkeep. */
	uint64_t quiet_ns; /* when it is, unless a batch comes */
	uint64_t age_ns;   /* next look for old rows */
	uint64_t mark_ns;
	uint64_t clock_offset_us; /* real minus boot time at the last look */
	uint64_t clock_since_ns;  /* and since when it is about that */

	/* What went wrong, for health. */
	uint64_t refused; /* batches */
	int error;	  /* 0 while all is well */

	bool has_fetch;
	bool has_cursor;
	bool has_epoch;
	bool has_orgs;
	bool has_strays;   /* events of the earlier organisation came late */
	bool answered_all; /* the newest answer left no row */
	bool is_quiet;
	bool is_aging;
	bool is_retrying;
	bool has_refused; /* a batch that the sensor will send again */
	struct diag words;
	char device_id[DEVICE_ID_MAX];
};

/* Errors. */

static void all_well(struct store *s)
{
	if (s->error == 0)
		return;
	log_info("journal: works again");
	s->error = 0;
	s->words = (struct diag){ 0 };
}

/* Remembers an error and looks again soon. */
static void in_trouble(struct store *s, const char *what, int error, const struct diag *words)
{
	struct diag d = { 0 };

	if (words != NULL && words->text[0] != '\0')
		(void)diag_set(&d, error, "%s", words->text);
	else
		(void)diag_set(&d, error, "journal cannot be %s: %s", what,
			       strerrordesc_np(-error));
	if (s->error != error)
		log_error("%s", d.text);
	s->error = error;
	s->words = d;
	if (!s->is_retrying) /* who asks again and again does not put it off */
		loop_timer_set(s->retry, clock_mono_ns() + RETRY_NS);
	s->is_retrying = true;
}

static void skipped_say(const struct store *s, const struct cursor_skipped *skipped)
{
	if (skipped->n == 0)
		return;
	log_warning("journal: %llu events (%llu to %llu) were gathered for another organisation"
		    " than %s: they stay here, no cloud gets them",
		    (unsigned long long)skipped->n, (unsigned long long)skipped->first,
		    (unsigned long long)skipped->last, s->orgs.ids[0]);
}

/* What was gathered for one organisation is sent to no other. */
static int orgs_keep(struct store *s)
{
	const char *orgs[ARRAY_LEN(s->orgs.ids)];
	struct cursor_skipped skipped;

	for (size_t i = 0; i < s->orgs.n; i++)
		orgs[i] = s->orgs.ids[i];

	int e = s->orgs.n == 0 ? 0 : cursor_org_set(s->journal, orgs, s->orgs.n, &skipped);

	if (e < 0)
		return e;
	if (e == 1) {
		s->org_since_us = clock_boot_us();
		skipped_say(s, &skipped);
	}
	s->has_orgs = false;
	return 0;
}

/* The sensor had them in hand when the organisation changed. */
static int strays_skip(struct store *s)
{
	struct cursor_skipped skipped;
	int e = cursor_skip(s->journal, &skipped);

	if (e < 0)
		return e;
	skipped_say(s, &skipped);
	s->has_strays = false;
	return 0;
}

/* What an opened journal is told first. */
static int journal_greet(struct store *s)
{
	int e = orgs_keep(s);

	if (e == 0 && s->device_id[0] == '\0')
		e = journal_device_get(s->journal, s->device_id, sizeof(s->device_id));
	if (e == 0)
		e = journal_device_set(s->journal, str_of(s->device_id),
				       str_of(role_host(s->role)->hostname));
	if (e == 0)
		e = journal_tell_loss(s->journal, clock_real_us(), clock_boot_us());
	return e;
}

/* Opens the journal, or begins a new one when `is_damaged`. */
static int journal_bring(struct store *s, bool is_damaged)
{
	struct diag diag = { 0 };
	int e = is_damaged ? journal_heal(s->journal, clock_real_us(), &diag)
			   : journal_open(s->journal, clock_real_us(), &diag);

	if (e < 0) {
		in_trouble(s, "opened", e, &diag);
		return e;
	}
	e = journal_greet(s);
	if (e < 0)
		in_trouble(s, "written", e, NULL);
	return e;
}

/* What to do about an error of the journal. 0: the file was damaged, a new one is
 * in its place, and what failed may be tried again. */
static int recover(struct store *s, const char *what, int error)
{
	if (error != -EUCLEAN) {
		in_trouble(s, what, error, NULL);
		return error;
	}
	log_error("journal: damaged or gone, a new one begins");
	return journal_bring(s, true);
}

/* Upkeep: one slice a turn of the loop. */

static void clock_watch(struct store *s, uint64_t now_ns)
{
	uint64_t offset_us = clock_real_us() - clock_boot_us();
	uint64_t step_us = offset_us > s->clock_offset_us ? offset_us - s->clock_offset_us
							  : s->clock_offset_us - offset_us;

	if (s->clock_since_ns == 0 || step_us > CLOCK_STEP_US)
		s->clock_since_ns = now_ns;
	s->clock_offset_us = offset_us;
}

static struct retention_limits limits_now(const struct store *s, uint64_t now_ns)
{
	const struct config *cfg = role_config(s->role);
	struct retention_limits limits = { .max_bytes = cfg_u64(cfg, CFG_JOURNAL_MAX_BYTES) };
	uint64_t age_us = cfg_u64(cfg, CFG_JOURNAL_MAX_AGE_DAYS) * 86400 * USEC_PER_SEC;
	uint64_t now_us = clock_real_us();

	if (s->is_aging && now_ns - s->clock_since_ns >= CLOCK_STEADY_NS && now_us > age_us)
		limits.oldest_real_us = now_us - age_us;
	return limits;
}

static void upkeep(struct store *s, uint64_t now_ns)
{
	struct retention_limits limits;
	int e = 0;

	if (!journal_is_open(s->journal))
		return;
	if (now_ns >= s->age_ns) {
		clock_watch(s, now_ns);
		s->is_aging = true;
		s->age_ns = now_ns + AGE_NS;
	}
	limits = limits_now(s, now_ns);
	if (journal_log_bytes(s->journal) >= CHECKPOINT_BYTES ||
	    (!s->is_quiet && now_ns >= s->quiet_ns))
		e = retention_checkpoint(s->journal);
	if (e == 0)
		e = retention_step(s->journal, &limits);
	if (e == 1) {
		loop_timer_set(s->upkeep, now_ns);
		return;
	}
	s->is_aging = false;
	if (e == 0 && now_ns >= s->mark_ns) {
		e = journal_mark(s->journal);
		s->mark_ns = now_ns + MARK_NS;
	}
	if (e < 0)
		(void)recover(s, "trimmed", e);
	if (!s->is_quiet && now_ns >= s->quiet_ns) {
		s->is_quiet = true;
		retention_memory_release(s->journal);
	}
	loop_timer_set(s->upkeep, s->is_quiet || s->age_ns < s->quiet_ns ? s->age_ns : s->quiet_ns);
}

static int on_upkeep(void *ctx, uint64_t now_ns)
{
	upkeep(ctx, now_ns);
	return 0;
}

/* Fetch. */

/* Rows wait until what they depend on is kept. */
static bool is_told_open(const struct store *s)
{
	return s->has_epoch || s->has_orgs || s->has_strays;
}

static bool is_fetch_due(const struct store *s, uint64_t now_ns)
{
	const struct wire_fetch *f = &s->fetch;

	return cursor_depth(s->journal) >= f->max_events ||
	       cursor_depth_bytes(s->journal) >= f->max_bytes ||
	       now_ns >= s->waiting_since_ns + f->linger_ms * NSEC_PER_MSEC;
}

static int dropped_send(struct store *s, struct peer *p, const struct cursor_batch *batch)
{
	for (uint32_t i = 0; i < batch->n_dropped; i++) {
		const struct cursor_dropped *d = &batch->dropped[i];
		cleanup_(buf_cleanup) struct buf b = { .max = MSG_FETCH_DROPPED_MAX };

		msg_put_u32(&b, s->fetch.request);
		msg_put_u16(&b, d->kind);
		msg_put_u64(&b, d->n);
		msg_put_u64(&b, d->first);
		msg_put_u64(&b, d->last);

		int e = peer_send_buf(p, MSG_FETCH_DROPPED, &b);

		if (e < 0)
			return e;
	}
	return 0;
}

/* Whole lines, as many as fit into a message. */
static struct str part_take(struct str *rest)
{
	struct str part = *rest;

	if (part.n > MSG_PAYLOAD_MAX - ROWS_HEAD) {
		const char *end = memrchr(part.p, '\n', MSG_PAYLOAD_MAX - ROWS_HEAD);

		/* A line is at most half of a message: there is one. */
		part.n = end == NULL ? 0 : (size_t)(end - part.p) + 1;
	}
	rest->p += part.n;
	rest->n -= part.n;
	return part;
}

static int rows_send(struct store *s, struct peer *p, const struct cursor_batch *batch,
		     struct str lines)
{
	while (lines.n > 0) {
		cleanup_(buf_cleanup) struct buf head = { .max = ROWS_HEAD };
		struct str part = part_take(&lines);

		msg_put_u32(&head, s->fetch.request);
		msg_put_u64(&head, batch->epoch);
		msg_put_u64(&head, batch->first);
		msg_put_u64(&head, batch->last);
		msg_put_u32(&head, batch->count);
		msg_put_u8(&head, lines.n == 0 ? 1 : 0);

		int e = buf_error(&head);

		if (e == 0 && part.n == 0)
			e = -EMSGSIZE;
		if (e == 0)
			e = peer_send(p, MSG_FETCH_ROWS, buf_str(&head), part, -1);
		if (e < 0)
			return e;
	}
	return 0;
}

static int fetch_answer(struct store *s, struct peer *p, uint64_t now_ns)
{
	cleanup_(buf_cleanup) struct buf lines = { .max = LINES_MAX };
	const struct event_line_device device = {
		.device_id = str_of(s->device_id),
		.device_name = str_of(role_host(s->role)->hostname),
	};
	struct cursor_batch batch;
	int e = cursor_fetch(s->journal, s->fetch.max_events, s->fetch.max_bytes, &device, &lines,
			     &batch);

	if (e < 0)
		return e;
	s->has_fetch = false;
	s->answered_ns = now_ns;
	s->answered_all = !batch.has_more;
	e = dropped_send(s, p, &batch);
	if (e == 0)
		e = rows_send(s, p, &batch, buf_str(&lines));
	if (e < 0) /* the reporter asks again */
		log_warning("reporter does not take rows: %s", strerrordesc_np(-e));
	return 0;
}

/* Answers the reporter if there is enough to say. */
static void fetch_try(struct store *s)
{
	struct peer *p = role_link(s->role, ROLE_REPORTER);
	uint64_t now_ns = clock_mono_ns();

	if (!s->has_fetch || is_told_open(s) || p == NULL || !journal_is_open(s->journal) ||
	    cursor_depth(s->journal) == 0)
		return;
	if (!is_fetch_due(s, now_ns)) {
		loop_timer_set(s->linger, s->waiting_since_ns + s->fetch.linger_ms * NSEC_PER_MSEC);
		return;
	}

	int e = fetch_answer(s, p, now_ns);

	if (e < 0 && e != -ENODATA)
		(void)recover(s, "read", e);
}

static int on_linger(void *ctx, uint64_t now_ns)
{
	(void)now_ns;
	fetch_try(ctx);
	return 0;
}

/* Cursor and epoch. */

static void cursor_answer(struct store *s)
{
	struct cursor c = cursor_get(s->journal);
	cleanup_(buf_cleanup) struct buf b = { .max = MSG_CURSOR_OK_MAX };
	struct peer *p = role_link(s->role, ROLE_REPORTER);

	msg_put_u64(&b, c.epoch);
	msg_put_u64(&b, c.seq);
	if (p != NULL && peer_send_buf(p, MSG_CURSOR_OK, &b) < 0)
		log_warning("reporter does not take an answer");
}

/* Does what the reporter has told and could not be kept so far. */
static void told_try(struct store *s)
{
	uint64_t before = cursor_get(s->journal).seq;
	int e = 0;

	if (s->has_orgs)
		e = orgs_keep(s);
	if (e == 0 && s->has_strays)
		e = strays_skip(s);
	if (e == 0 && s->has_epoch)
		e = cursor_epoch_set(s->journal, s->epoch, str_of(s->device_id));
	if (e == 0) {
		s->has_epoch = false;
		if (!s->has_cursor)
			return;
		e = cursor_set(s->journal, s->cursor.epoch, s->cursor.seq);
	}
	if (e == -ERANGE) {
		log_warning("the cloud acknowledged event %llu, which it was never sent",
			    (unsigned long long)s->cursor.seq);
		e = 0;
	}
	if (e < 0) {
		if (recover(s, "written", e) == 0)
			loop_timer_set(s->retry, clock_mono_ns()); /* in the new file */
		return;
	}
	s->has_cursor = false;
	/* Rows that are left behind a whole answer came after it; others waited before. */
	if (cursor_get(s->journal).seq > before)
		s->waiting_since_ns = s->answered_all ? s->answered_ns : 0;
	cursor_answer(s);
}

static int on_fetch(void *ctx, struct peer *p, struct msg *m)
{
	struct store *s = role_state(ctx);
	int e = wire_fetch_get(m, &s->fetch);

	(void)p;
	if (e < 0)
		return e;
	if (s->fetch.max_events > CURSOR_EVENTS_MAX)
		s->fetch.max_events = CURSOR_EVENTS_MAX;
	if (s->fetch.max_bytes > CURSOR_BYTES_MAX)
		s->fetch.max_bytes = CURSOR_BYTES_MAX;
	s->has_fetch = true;
	fetch_try(s);
	return 0;
}

static int on_cursor_set(void *ctx, struct peer *p, struct msg *m)
{
	struct store *s = role_state(ctx);
	int e = wire_cursor_get(m, &s->cursor);

	(void)p;
	if (e < 0)
		return e;
	s->has_cursor = true;
	told_try(s);
	fetch_try(s);
	return 0;
}

static int on_epoch_set(void *ctx, struct peer *p, struct msg *m)
{
	struct store *s = role_state(ctx);
	struct wire_epoch w;
	int e = wire_epoch_get(m, &w);

	(void)p;
	if (e == 0)
		e = str_copy(w.device_id, s->device_id, sizeof(s->device_id));
	if (e < 0)
		return e;
	s->epoch = w.epoch;
	s->has_epoch = true;
	told_try(s);
	fetch_try(s);
	return 0;
}

static int on_org_set(void *ctx, struct peer *p, struct msg *m)
{
	struct store *s = role_state(ctx);
	int e = wire_orgs_get(m, &s->orgs);

	(void)p;
	if (e < 0)
		return e;
	s->has_orgs = true;
	told_try(s);
	return 0;
}

/* Batches. */

/* Keeps one batch. -EPROTO when the message is malformed. */
static int batch_keep(struct store *s, struct wire_events *w, struct journal_put *ret_put)
{
	bool has_strays = false;
	struct event_record rec;
	int e = journal_begin(s->journal);

	while (e == 0) {
		int more = wire_events_next(w, &rec);

		if (more <= 0) {
			e = more;
			break;
		}
		has_strays = has_strays || rec.mono_us < s->org_since_us;
		e = journal_add(s->journal, &rec);
	}
	if (e == 0)
		e = journal_commit(s->journal, ret_put);
	if (e < 0)
		journal_abort(s->journal);
	else
		s->has_strays = s->has_strays || has_strays;
	return e;
}

static int ack_send(struct peer *p, uint64_t batch, const struct journal_put *put, int error)
{
	cleanup_(buf_cleanup) struct buf b = { .max = MSG_EVENTS_ACK_MAX };

	msg_put_u64(&b, batch);
	msg_put_u64(&b, put->last_seq);
	msg_put_u32(&b, put->stored);
	msg_put_u32(&b, put->duplicates);
	msg_put_u32(&b, (uint32_t)error);
	return peer_send_buf(p, MSG_EVENTS_ACK, &b);
}

static int on_events_put(void *ctx, struct peer *p, struct msg *m)
{
	struct store *s = role_state(ctx);
	uint64_t now_ns = loop_now_ns(role_loop(ctx));
	struct journal_put put = { 0 };
	struct wire_events w;
	int e = wire_events_begin(m, &w);

	if (e < 0)
		return e;

	bool was_empty = cursor_depth(s->journal) == 0;
	struct wire_events again = w;

	e = batch_keep(s, &w, &put);
	if (e == -EUCLEAN && recover(s, "written", e) == 0)
		e = batch_keep(s, &again, &put);
	if (e == -EPROTO)
		return e;
	if (e == 0)
		all_well(s);
	else if (journal_is_open(s->journal))
		in_trouble(s, "written", e, NULL);
	else /* why not was said when it could not be opened */
		e = s->error < 0 ? s->error : e;
	s->has_refused = e < 0;
	s->refused += e < 0 ? 1 : 0;
	if (e == 0 && was_empty)
		s->waiting_since_ns = now_ns;
	s->quiet_ns = now_ns + QUIET_NS;
	s->is_quiet = false;

	int sent = ack_send(p, w.batch, &put, e);

	if (s->has_strays)
		told_try(s);
	fetch_try(s);
	upkeep(s, now_ns);
	return sent;
}

static int on_tail_get(void *ctx, struct peer *p, struct msg *m)
{
	struct store *s = role_state(ctx);
	uint64_t origin = 0;
	int e = journal_newest_origin(s->journal, &origin);

	(void)m;
	if (e < 0) /* asked again */
		return 0;
	return peer_send(p, MSG_JOURNAL_TAIL,
			 (struct str){ .p = (const char *)&origin, .n = sizeof(origin) },
			 (struct str){ 0 }, -1);
}

static int on_retry(void *ctx, uint64_t now_ns)
{
	struct store *s = ctx;
	int e;

	s->is_retrying = false;
	if (!journal_is_open(s->journal)) {
		e = journal_bring(s, false);
	} else {
		e = journal_probe(s->journal);
		if (e < 0)
			e = recover(s, "written", e);
	}
	if (e < 0)
		return 0;
	/* A full disk may still have room for little: only the batch itself can tell. */
	if (!s->has_refused) {
		all_well(s);
	} else {
		s->is_retrying = true;
		loop_timer_set(s->retry, now_ns + RETRY_NS);
	}
	if (is_told_open(s) || s->has_cursor)
		told_try(s);
	fetch_try(s);
	upkeep(s, now_ns);
	return 0;
}

/* The program. */

static void on_health(struct role *r, struct buf *out)
{
	struct store *s = role_state(r);
	struct journal_stats st;

	journal_stats(s->journal, &st);
	health_put_u64(out, HEALTH_QUEUE_DEPTH, st.depth);
	health_put_u64(out, HEALTH_JOURNAL_EVENTS, st.rows);
	health_put_u64(out, HEALTH_JOURNAL_LAST_SEQ, st.last_seq);
	health_put_u64(out, HEALTH_JOURNAL_BYTES, st.bytes);
	if (st.oldest_us > 0)
		health_put_u64(out, HEALTH_JOURNAL_OLDEST, st.oldest_us / 1000);
	health_put_u64(out, HEALTH_JOURNAL_DROPPED, st.dropped);
	health_put_u64(out, HEALTH_JOURNAL_ERRORS, s->refused);
	health_put_str(out, HEALTH_JOURNAL_STATE,
		       s->error == 0 ? STR("ok") : str_of(s->words.text));
	if (s->error != 0)
		health_put_str(out, HEALTH_ISSUES, str_of(s->words.text));
	if (st.untold > 0 && cfg_bool(role_config(r), CFG_CLOUD_ENABLED))
		health_put_str(out, HEALTH_ISSUES, STR("event queue overflow"));
	if (st.corrupt > 0) {
		struct diag d = { 0 };

		(void)diag_set(&d, 0,
			       "journal was damaged: %u file(s) kept as %s/journal/%s.corrupt-*",
			       st.corrupt, role_paths(r)->state, "journal.db");
		health_put_str(out, HEALTH_ISSUES, str_of(d.text));
	}
}

static void on_reload(struct role *r)
{
	struct store *s = role_state(r);
	const struct licence *l = role_licence(r);

	/* The reporter's word with the epoch comes first and is the same. */
	if (s->device_id[0] == '\0' &&
	    str_copy(str_of(l->device_id), s->device_id, sizeof(s->device_id)) < 0)
		s->device_id[0] = '\0';
	if (journal_is_open(s->journal) && journal_device_set(s->journal, str_of(s->device_id),
							      str_of(role_host(r)->hostname)) < 0)
		log_warning("journal: the device's name could not be kept");
	if (s->upkeep != NULL)
		loop_timer_set(s->upkeep, clock_mono_ns()); /* the limits may be others now */
}

static void on_link_changed(struct role *r, enum role_id other, struct peer *peer)
{
	struct store *s = role_state(r);

	if (other == ROLE_SENSOR && peer == NULL)
		s->has_refused = false;
	/* A new reporter asks anew; what the old one told stays told. */
	if (other == ROLE_REPORTER && peer == NULL)
		s->has_fetch = false;
}

static int open_files(struct role *r)
{
	struct store *s = role_state(r);
	char dir[PATHS_MAX];
	int e = fs_path(dir, sizeof(dir), "%s/journal", role_paths(r)->state);

	s->role = r;
	(void)umask(077);
	if (e == 0)
		e = journal_new(dir, &s->journal);
	if (e == 0)
		e = role_allow_path(r, dir, SANDBOX_READ | SANDBOX_WRITE);
	return e;
}

static int start(struct role *r)
{
	struct store *s = role_state(r);
	struct loop *l = role_loop(r);
	int e = loop_add_timer(l, on_upkeep, s, &s->upkeep);

	if (e == 0)
		e = loop_add_timer(l, on_linger, s, &s->linger);
	if (e == 0)
		e = loop_add_timer(l, on_retry, s, &s->retry);
	if (e < 0)
		return e;
	/* A journal that cannot be opened now is said in health and tried again. */
	if (journal_bring(s, false) == 0)
		loop_timer_set(s->upkeep, clock_mono_ns());
	return 0;
}

/* agentd stops the sensor first. When it was killed both end at once, and what the sensor has
 * in hand is still to be kept. */
static void stop(struct role *r)
{
	struct store *s = role_state(r);
	const uint64_t deadline_ns = clock_mono_ns() + STOP_NS;

	while (role_link(r, ROLE_SENSOR) != NULL && clock_mono_ns() < deadline_ns)
		if (loop_run_once(role_loop(r), 10) < 0)
			break;
	journal_free(take_ptr(s->journal));
}

static const char *const syscalls[] = {
	/* SQLite writing, and the mark file. */
	"open",	      "openat",	    "pread64",	"pwrite64",   "fsync",	"fdatasync",
	"ftruncate",  "fallocate",  "unlink",	"unlinkat",   "rename", "renameat",
	"renameat2",  "stat",	    "lstat",	"newfstatat", "statx",	"access",
	"faccessat",  "faccessat2", "readlink", "readlinkat", "getcwd", "fchmod",
	"getdents64", "fstatfs",    NULL
};

static const struct sandbox_policy cage = {
	.name = "store",
	.syscalls = syscalls,
};

static const struct peer_row sensor_rows[] = {
	PEER_ROW(MSG_EVENTS_PUT, on_events_put),
	PEER_ROW(MSG_JOURNAL_TAIL_GET, on_tail_get),
};
static const struct peer_table sensor_table = {
	.rows = sensor_rows,
	.n_rows = ARRAY_LEN(sensor_rows),
	.priority = 1,
};

static const struct peer_row reporter_rows[] = {
	PEER_ROW(MSG_FETCH, on_fetch),
	PEER_ROW(MSG_CURSOR_SET, on_cursor_set),
	PEER_ROW(MSG_EPOCH_SET, on_epoch_set),
	PEER_ROW(MSG_ORG_SET, on_org_set),
};
static const struct peer_table reporter_table = {
	.rows = reporter_rows,
	.n_rows = ARRAY_LEN(reporter_rows),
	.priority = 2,
};

int main(int argc, char **argv)
{
	static const struct role_ops ops = {
		.id = ROLE_STORE,
		.state_size = sizeof(struct store),
		.sandbox = &cage,
		.open = open_files,
		.start = start,
		.links = { [ROLE_SENSOR] = &sensor_table, [ROLE_REPORTER] = &reporter_table },
		.link_changed = on_link_changed,
		.reload = on_reload,
		.health = on_health,
		.stop = stop,
	};

	return role_main(argc, argv, &ops);
}
