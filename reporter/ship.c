/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/ship.h"

#include <inttypes.h>
#include <string.h>

#include "agent/base/hash.h"

#define HEADERS_SIZE 512u
#define DEAD_LETTER_KIND STR("dead_letter")

/* Endpoints bound what they unpack: 64 times the bytes received (section 3.4). */
#define RATIO_MAX 60u

/* When nothing but time can help: no memory, a store of another session. */
#define AGAIN_NS NSEC_PER_SEC

/* A batch is not held in memory for a longer pause than this: the store still has it. */
#define HOLD_MAX_NS (30 * NSEC_PER_SEC)

/* The store answers a cursor when it is on disk; a full disk may take it a while. */
#define SAVE_AGAIN_NS (10 * NSEC_PER_SEC)

/* A store without rows says nothing; one that lost the question does neither. */
#define FETCH_AGAIN_NS (60 * NSEC_PER_SEC)

/* So many refused events without an accepted one mean that the endpoint refuses us,
 * not the events: then nothing more is thrown away for a long while. */
#define BURY_MAX 16u
#define BURY_PAUSE_NS SESSION_MISMATCH_NS

/* Answers without sense come ever slower, at most this slow. */
#define DISPUTE_PAUSE_MAX_NS (300 * NSEC_PER_SEC)

enum ship_state {
	SHIP_OFF,
	SHIP_FETCHING, /* the store has been asked */
	SHIP_SENDING,  /* the endpoint has been asked */
	SHIP_WAITING,  /* a batch in hand, and a time before which it is not sent */
	SHIP_SAVING,   /* the store writes the cursor */
	SHIP_RESTING,  /* nothing in hand, and a time before which nothing is fetched */
};

struct ship {
	const struct ship_ops *ops;
	void *ctx;
	enum ship_state state;
	uint64_t epoch;
	struct ship_limits limits;
	uint32_t events_now; /* smaller than the limit after a batch was refused */
	uint32_t request;
	uint64_t rest_until_ns;
	uint64_t hold_until_ns;
	enum compress_encoding encoding; /* the best one the endpoint takes */
	struct backoff backoff;
	struct parcel parcel;
	struct buf compressed;
	uint64_t sent_max; /* highest sequence sent in this epoch */
	uint64_t saving_seq;
	bool is_backing_off; /* the pause is for an endpoint that did not answer */
	uint32_t buried;     /* events refused since one was accepted */
	uint32_t disputes;   /* answers without sense since a batch was accepted */
	struct ship_stats stats;
};

int ship_new(const struct ship_ops *ops, void *ctx, struct ship **ret_ship)
{
	struct ship *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->ops = ops;
	s->ctx = ctx;
	parcel_init(&s->parcel);
	buf_init(&s->compressed, PARCEL_BYTES_MAX);
	*ret_ship = s;
	return 0;
}

void ship_free(struct ship *s)
{
	if (s == NULL)
		return;
	parcel_done(&s->parcel);
	buf_done(&s->compressed);
	free(s);
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void parcel_forget(struct ship *s)
{
	parcel_done(&s->parcel);
	buf_done(&s->compressed);
	buf_init(&s->compressed, PARCEL_BYTES_MAX);
}

static void fetch(struct ship *s, uint64_t now_ns)
{
	parcel_forget(s);
	s->state = SHIP_FETCHING;
	s->request++;
	s->ops->wake_at(s->ctx, now_ns + FETCH_AGAIN_NS);
	s->ops->fetch(s->ctx, s->request, s->events_now, s->limits.max_bytes);
}

/* Fetches, but not before at_ns. */
static void rest(struct ship *s, uint64_t at_ns, uint64_t now_ns)
{
	at_ns = later(at_ns, s->hold_until_ns);
	if (at_ns <= now_ns) {
		fetch(s, now_ns);
		return;
	}
	parcel_forget(s);
	s->state = SHIP_RESTING;
	s->rest_until_ns = at_ns;
	s->ops->wake_at(s->ctx, at_ns);
}

/* Sends the batch in hand again, but not before at_ns. */
static void wait(struct ship *s, uint64_t at_ns, uint64_t now_ns)
{
	at_ns = later(at_ns, s->hold_until_ns);
	if (at_ns > now_ns && at_ns - now_ns > HOLD_MAX_NS) {
		rest(s, at_ns, now_ns);
		return;
	}
	s->state = SHIP_WAITING;
	s->ops->wake_at(s->ctx, at_ns);
}

static void headers_format(const struct ship *s, enum compress_encoding encoding,
			   const char *sha256, struct buf *out)
{
	const struct parcel *p = &s->parcel;

	buf_printf(out, "Content-Type: application/x-ndjson\nContent-Encoding: %s\n",
		   compress_name(encoding));
	buf_printf(out, "Batch-Epoch: %" PRIu64 "\nBatch-First: %" PRIu64 "\n", s->epoch, p->first);
	buf_printf(out, "Batch-Last: %" PRIu64 "\nBatch-Count: %" PRIu32 "\n", p->last, p->count);
	buf_printf(out, "Batch-SHA256: %s\n", sha256);
}

/* The body as it goes out. Events that repeat themselves pack better than an
 * endpoint dares to unpack: those go as they are. */
static int body_pack(struct ship *s, struct str plain, enum compress_encoding *ret_encoding,
		     struct str *ret_body)
{
	enum compress_encoding encoding = s->encoding;

	*ret_encoding = COMPRESS_IDENTITY;
	*ret_body = plain;
	if (encoding == COMPRESS_IDENTITY)
		return 0;
	buf_clear(&s->compressed);

	int r = compress_body(encoding, plain, &s->compressed);

	if (r == -ENOMEM)
		return r;
	if (r < 0 || plain.n / RATIO_MAX >= s->compressed.len)
		return 0;
	*ret_encoding = encoding;
	*ret_body = buf_str(&s->compressed);
	return 0;
}

static int parcel_post(struct ship *s)
{
	struct parcel_header header = { 0 };
	struct ship_post post = { 0 };
	enum compress_encoding encoding;
	char digest[SHA256_HEX_SIZE], text[HEADERS_SIZE];
	struct buf headers;
	struct str plain;
	int r;

	s->ops->header(s->ctx, &header);
	if ((r = parcel_seal(&s->parcel, &header, &plain)) < 0 ||
	    (r = sha256_hex(plain, digest)) < 0 ||
	    (r = body_pack(s, plain, &encoding, &post.body)) < 0)
		return r;
	buf_init_fixed(&headers, text, sizeof(text));
	headers_format(s, encoding, digest, &headers);
	if (buf_error(&headers) < 0)
		return buf_error(&headers);
	post.headers = buf_str(&headers);
	return s->ops->post(s->ctx, &post, &s->backoff);
}

static void send(struct ship *s, uint64_t now_ns)
{
	if (s->hold_until_ns > now_ns) {
		wait(s, s->hold_until_ns, now_ns);
		return;
	}
	s->ops->wake_at(s->ctx, UINT64_MAX);
	if (parcel_post(s) < 0) {
		wait(s, now_ns + AGAIN_NS, now_ns);
		return;
	}
	s->state = SHIP_SENDING;
	s->sent_max = later(s->sent_max, s->parcel.last);
	s->stats.sent += s->parcel.count;
}

void ship_start(struct ship *s, uint64_t epoch, const struct ship_limits *limits, uint64_t now_ns)
{
	s->limits = *limits;
	if (s->events_now == 0 || s->events_now > limits->max_events)
		s->events_now = limits->max_events;
	if (s->epoch != epoch) {
		s->epoch = epoch;
		s->sent_max = 0;
	}
	if (s->state == SHIP_OFF)
		rest(s, now_ns, now_ns);
}

void ship_stop(struct ship *s)
{
	parcel_forget(s);
	s->state = SHIP_OFF;
	s->is_backing_off = false;
	s->request++; /* what the store still sends is for nobody */
	s->ops->wake_at(s->ctx, UINT64_MAX);
}

int ship_on_dropped(struct ship *s, uint32_t request, const struct parcel_dropped *d)
{
	if (s->state != SHIP_FETCHING || request != s->request)
		return 0;

	int r = parcel_add_dropped(&s->parcel, str_of(d->kind), d->n, d->first, d->last);

	return r == -ENOMEM ? 0 : r; /* then the rows make a gap, which the endpoint reports */
}

/* The store's session is another one: it missed ours, or ours was restored from an
 * old copy. The higher one counts; a session never falls. */
static void epoch_mismatch(struct ship *s, uint64_t theirs, uint64_t now_ns)
{
	if (theirs > s->epoch && theirs <= ANSWER_EPOCH_MAX) {
		s->epoch = theirs;
		s->sent_max = 0;
	}
	(void)s->ops->epoch_set(s->ctx, s->epoch);
	rest(s, now_ns + AGAIN_NS, now_ns);
}

int ship_on_rows(struct ship *s, uint32_t request, const struct parcel_part *part, uint64_t now_ns)
{
	if (s->state != SHIP_FETCHING || request != s->request)
		return 0;

	int r = parcel_add_rows(&s->parcel, part);

	if (r == -ENOMEM) {
		rest(s, now_ns + AGAIN_NS, now_ns);
		return 0;
	}
	if (r < 0 || !part->is_last)
		return r;
	if (part->epoch != s->epoch)
		epoch_mismatch(s, part->epoch, now_ns);
	else
		send(s, now_ns);
	return 0;
}

/* Sends again after a pause that doubles until the endpoint accepts a batch: two sides that
 * cannot agree neither race through the numbers nor fill the line with the same bytes. */
static void dispute(struct ship *s, uint64_t now_ns)
{
	uint64_t pause = DISPUTE_PAUSE_MAX_NS;

	if (s->disputes < 9)
		pause = AGAIN_NS << s->disputes++;
	wait(s, now_ns + pause, now_ns);
}

/* The endpoint's idea of this session is not ours: begin another one, which it
 * takes from wherever our cursor stands. */
static void epoch_next(struct ship *s, uint64_t theirs, uint64_t now_ns)
{
	uint64_t next = later(s->epoch, theirs) + 1;

	if (next <= ANSWER_EPOCH_MAX && s->ops->epoch_set(s->ctx, next) == 0) {
		s->epoch = next;
		s->sent_max = 0;
		s->ops->settled(s->ctx); /* of this session nothing was sent yet */
	}
	dispute(s, now_ns);
}

static void save(struct ship *s, uint64_t seq, uint64_t now_ns)
{
	s->state = SHIP_SAVING;
	s->saving_seq = seq;
	s->ops->wake_at(s->ctx, now_ns + SAVE_AGAIN_NS);
	s->ops->cursor_set(s->ctx, s->epoch, seq);
}

/* 200: the acknowledgement must be about what was sent. */
static void on_ok(struct ship *s, const struct session_answer *a, uint64_t now_ns)
{
	struct answer_events said;
	uint64_t last = s->parcel.last;

	if (answer_events_parse(a->body, &said) < 0) {
		s->ops->refused(s->ctx, "acknowledgement not readable");
		dispute(s, now_ns);
		return;
	}
	s->ops->clock(s->ctx, said.server_time_us, a->elapsed_ns);
	if (said.epoch > s->epoch || (said.epoch == s->epoch && said.seq > s->sent_max)) {
		/* It has more of us than we ever sent: we are a restored copy. */
		epoch_next(s, said.epoch, now_ns);
		return;
	}
	if (said.epoch < s->epoch) {
		s->ops->refused(s->ctx, "acknowledgement of another epoch");
		dispute(s, now_ns);
		return;
	}
	if (said.seq < s->parcel.first) {
		/* 200 says that the batch is durable, the cursor says that it is not. */
		s->ops->refused(s->ctx, "acknowledgement of less than was there");
		epoch_next(s, said.epoch, now_ns);
		return;
	}
	s->disputes = 0;
	if (s->parcel.count > 0)
		s->buried = 0;
	if (said.seq >= last) {
		s->stats.acked += s->parcel.count;
		/* The endpoint takes this size again: grow back step by step. */
		s->events_now = s->events_now > s->limits.max_events / 2 ? s->limits.max_events
									 : s->events_now * 2;
	}
	s->rest_until_ns = now_ns + said.min_interval_ms * NSEC_PER_MSEC;
	save(s, said.seq < last ? said.seq : last, now_ns);
}

/* Takes out what the endpoint will never take, so that it blocks nothing. */
static void line_bury(struct ship *s, uint32_t index, uint64_t now_ns)
{
	struct str line = parcel_line(&s->parcel, index);

	if (s->buried >= BURY_MAX) {
		s->buried = 0;
		rest(s, now_ns + BURY_PAUSE_NS, now_ns);
		return;
	}
	s->buried++;
	s->ops->dead_letter(s->ctx, line);
	if (parcel_remove_line(&s->parcel, index, DEAD_LETTER_KIND) < 0) {
		/* No room to tell it: a smaller batch has some. */
		s->events_now = s->parcel.count > 1 ? s->parcel.count / 2 : 1;
		rest(s, now_ns + AGAIN_NS, now_ns);
		return;
	}
	s->stats.dead_letters++;
	send(s, now_ns);
}

/* Fetches half as many, down to one event. */
static void halve(struct ship *s, uint64_t now_ns)
{
	s->events_now = s->parcel.count / 2;
	rest(s, now_ns, now_ns);
}

/* Some event of the batch is refused, nobody says which: halves find it. A batch of none is
 * refused for what we are: the cursor stays, for nothing was stored. */
static void narrow(struct ship *s, uint64_t now_ns)
{
	if (s->parcel.count > 1)
		halve(s, now_ns);
	else if (s->parcel.count == 1)
		line_bury(s, 0, now_ns);
	else
		rest(s, now_ns + BURY_PAUSE_NS, now_ns);
}

static void on_bad_request(struct ship *s, const struct session_answer *a, uint64_t now_ns)
{
	if (strcmp(a->error.code, "bad_batch") != 0)
		/* Something about the request, not about an event. */
		wait(s, now_ns + a->pause_ns, now_ns);
	else if (a->error.line >= 2 && a->error.line - 2 < s->parcel.count)
		/* Line 1 is the header line, so event k (from 0) is line k + 2. */
		line_bury(s, (uint32_t)(a->error.line - 2), now_ns);
	else
		narrow(s, now_ns);
}

static void on_encoding(struct ship *s, const struct session_answer *a, uint64_t now_ns)
{
	if (s->encoding == COMPRESS_IDENTITY) {
		wait(s, now_ns + a->pause_ns, now_ns);
		return;
	}
	s->encoding++;
	send(s, now_ns);
}

/* 409 carries the endpoint's cursor, when it has one. */
static void on_conflict(struct ship *s, const struct session_answer *a, uint64_t now_ns)
{
	struct answer_events said = { 0 };

	if (answer_events_parse(a->body, &said) < 0)
		said.epoch = 0;
	epoch_next(s, said.epoch, now_ns);
}

void ship_on_answer(struct ship *s, const struct session_answer *a, uint64_t now_ns)
{
	if (s->state != SHIP_SENDING)
		return;
	s->is_backing_off = false;
	switch (a->verdict) {
	case ANSWER_OK:
		on_ok(s, a, now_ns);
		return;
	case ANSWER_BAD_REQUEST:
		on_bad_request(s, a, now_ns);
		return;
	case ANSWER_TOO_LARGE:
		narrow(s, now_ns);
		return;
	case ANSWER_ENCODING:
		on_encoding(s, a, now_ns);
		return;
	case ANSWER_CONFLICT:
		on_conflict(s, a, now_ns);
		return;
	case ANSWER_UNAUTHORISED:
		wait(s, now_ns + a->pause_ns, now_ns);
		s->ops->unauthorised(s->ctx, &a->error);
		return;
	case ANSWER_FORBIDDEN:
	case ANSWER_MISMATCH:
		/* A long pause: nothing is kept in memory for it. */
		rest(s, now_ns + a->pause_ns, now_ns);
		return;
	case ANSWER_RETRY:
	case ANSWER_NOT_PROTOCOL:
		s->is_backing_off = true;
		wait(s, now_ns + a->pause_ns, now_ns);
		return;
	case ANSWER_WAIT:
		wait(s, now_ns + a->pause_ns, now_ns);
		return;
	}
}

void ship_on_cursor(struct ship *s, uint64_t epoch, uint64_t seq, uint64_t now_ns)
{
	if (s->state != SHIP_SAVING)
		return;
	if (epoch != s->epoch || seq < s->saving_seq) {
		/* Another session there, or rows it does not know to have given: ask anew. */
		rest(s, now_ns + AGAIN_NS, now_ns);
		return;
	}
	s->stats.acked_seq = seq;
	s->ops->settled(s->ctx);
	rest(s, s->rest_until_ns, now_ns);
}

void ship_on_wake(struct ship *s, uint64_t now_ns)
{
	if (s->state == SHIP_WAITING)
		send(s, now_ns);
	else if (s->state == SHIP_RESTING)
		rest(s, s->rest_until_ns, now_ns);
	else if (s->state == SHIP_SAVING)
		save(s, s->saving_seq, now_ns);
	else if (s->state == SHIP_FETCHING)
		fetch(s, now_ns);
}

void ship_on_reachable(struct ship *s, uint64_t now_ns)
{
	if (!s->is_backing_off || s->hold_until_ns > now_ns)
		return;
	s->is_backing_off = false;
	backoff_reset(&s->backoff);
	if (s->state == SHIP_WAITING)
		send(s, now_ns);
	else if (s->state == SHIP_RESTING)
		fetch(s, now_ns);
}

void ship_hold(struct ship *s, uint64_t until_ns)
{
	s->hold_until_ns = later(s->hold_until_ns, until_ns);
}

void ship_stats(const struct ship *s, struct ship_stats *ret_stats)
{
	*ret_stats = s->stats;
	ret_stats->in_flight =
		s->state == SHIP_SENDING || s->state == SHIP_WAITING ? s->parcel.count : 0;
	ret_stats->is_running = s->state != SHIP_OFF;
}
