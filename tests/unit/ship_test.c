/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "reporter/ship.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/test.h"

#define S NSEC_PER_SEC
#define START (1000 * S)

/* The world around the machine: what it asked for, as words. */
struct world {
	struct ship *ship;
	char said[4096];
	uint64_t wake_at;
	uint64_t now;
	uint32_t request;
	uint32_t max_events;
	int post_result;
	int epoch_result;
	struct str body;
	char buried[256];
	char refused[64];
	int settled;
};

static void say(struct world *w, const char *text)
{
	size_t n = strlen(w->said);

	(void)snprintf(w->said + n, sizeof(w->said) - n, "%s%s", n > 0 ? "; " : "", text);
}

static void on_fetch(void *ctx, uint32_t request, uint32_t max_events, uint32_t max_bytes)
{
	struct world *w = ctx;
	char text[64];

	w->request = request;
	w->max_events = max_events;
	(void)snprintf(text, sizeof(text), "fetch %u/%u", max_events, max_bytes);
	say(w, text);
}

/* "EPOCH:FIRST-LAST/COUNT ENCODING" of the request's headers. */
static int on_post(void *ctx, const struct ship_post *post, struct backoff *backoff)
{
	struct world *w = ctx;
	struct str rest = post->headers, v[7] = { 0 };
	char text[128];

	(void)backoff;
	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		v[i] = str_split(&rest, '\n');
		(void)str_split(&v[i], ' ');
	}
	CHECK_INT(rest.n, 0);
	CHECK_STRN(v[0], "application/x-ndjson");
	CHECK_INT(v[6].n, 64);
	(void)snprintf(text, sizeof(text), "post %.*s:%.*s-%.*s/%.*s %.*s", (int)v[2].n, v[2].p,
		       (int)v[3].n, v[3].p, (int)v[4].n, v[4].p, (int)v[5].n, v[5].p, (int)v[1].n,
		       v[1].p);
	say(w, text);
	w->body = post->body;
	return w->post_result;
}

static void on_cursor_set(void *ctx, uint64_t epoch, uint64_t seq)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "cursor %" PRIu64 ":%" PRIu64, epoch, seq);
	say(ctx, text);
}

static int on_epoch_set(void *ctx, uint64_t epoch)
{
	struct world *w = ctx;
	char text[64];

	(void)snprintf(text, sizeof(text), "epoch %" PRIu64, epoch);
	say(w, text);
	return w->epoch_result;
}

static void on_wake_at(void *ctx, uint64_t at_ns)
{
	struct world *w = ctx;

	w->wake_at = at_ns;
}

static void on_dead_letter(void *ctx, struct str line)
{
	struct world *w = ctx;

	(void)snprintf(w->buried, sizeof(w->buried), "%.*s", (int)line.n, line.p);
	say(w, "bury");
}

static void on_unauthorised(void *ctx, const struct answer_error *error)
{
	say(ctx, error->code);
}

static void on_refused(void *ctx, const char *what)
{
	struct world *w = ctx;

	(void)snprintf(w->refused, sizeof(w->refused), "%s", what);
	say(w, "refused");
}

static void on_settled(void *ctx)
{
	struct world *w = ctx;

	w->settled++;
}

static void on_header(void *ctx, struct parcel_header *h)
{
	(void)ctx;
	*h = (struct parcel_header){ .tenant = STR("t"), .boot_id = STR("b") };
}

static void on_clock(void *ctx, uint64_t server_time_us, uint64_t elapsed_ns)
{
	(void)ctx;
	(void)server_time_us;
	(void)elapsed_ns;
}

static const struct ship_ops ops = {
	.fetch = on_fetch,
	.post = on_post,
	.cursor_set = on_cursor_set,
	.epoch_set = on_epoch_set,
	.wake_at = on_wake_at,
	.dead_letter = on_dead_letter,
	.unauthorised = on_unauthorised,
	.refused = on_refused,
	.settled = on_settled,
	.header = on_header,
	.clock = on_clock,
};

static const struct ship_limits limits = { .max_events = 8, .max_bytes = 65536 };

static void world_init(struct world *w)
{
	*w = (struct world){ .now = START, .wake_at = UINT64_MAX };
	CHECK_INT(ship_new(&ops, w, &w->ship), 0);
}

static void world_done(struct world *w)
{
	ship_free(w->ship);
}

/* What was said since the last question. */
#define CHECK_SAID(w, want)                                                                        \
	do {                                                                                       \
		CHECK_STR((w)->said, want);                                                        \
		(w)->said[0] = '\0';                                                               \
	} while (0)

/* The store answers the newest fetch with count events from `first` on. */
static void rows(struct world *w, uint64_t epoch, uint64_t first, uint32_t count)
{
	char lines[4096] = "";
	size_t n = 0;

	for (uint32_t i = 0; i < count; i++)
		n += (size_t)snprintf(lines + n, sizeof(lines) - n,
				      "{\"seq\":%" PRIu64 ",\"x\":\"%08x\"}\n", first + i,
				      (i + 1) * 2654435761u);

	const struct parcel_part part = { .epoch = epoch,
					  .first = first,
					  .last = first + count - 1,
					  .count = count,
					  .is_last = true,
					  .lines = str_of(lines) };

	CHECK_INT(ship_on_rows(w->ship, w->request, &part, w->now), 0);
}

static void answer(struct world *w, enum answer_verdict verdict, const char *body, uint64_t pause)
{
	struct session_answer a = {
		.verdict = verdict, .body = str_of(body), .pause_ns = pause, .has_answer = true
	};

	answer_error_parse(a.body, &a.error);
	ship_on_answer(w->ship, &a, w->now);
}

static void acked(struct world *w, uint64_t epoch, uint64_t seq)
{
	char body[128];

	(void)snprintf(body, sizeof(body),
		       "{\"acked\":{\"epoch\":%" PRIu64 ",\"seq\":%" PRIu64 "}}", epoch, seq);
	answer(w, ANSWER_OK, body, 0);
}

static void refused_line(struct world *w, unsigned int line)
{
	char body[128];

	(void)snprintf(body, sizeof(body), "{\"error\":{\"code\":\"bad_batch\",\"line\":%u}}",
		       line);
	answer(w, ANSWER_BAD_REQUEST, body, S);
}

#define BAD_BATCH "{\"error\":{\"code\":\"bad_batch\"}}"

static void start(struct world *w)
{
	ship_start(w->ship, 1, &limits, w->now);
}

/* Time passes to the wish. */
static void wake(struct world *w)
{
	CHECK(w->wake_at != UINT64_MAX);
	w->now = w->wake_at;
	ship_on_wake(w->ship, w->now);
}

static void carries_batches(void)
{
	cleanup_(world_done) struct world w;
	struct ship_stats st;

	world_init(&w);
	start(&w);
	CHECK_SAID(&w, "fetch 8/65536");
	start(&w); /* harmless */
	CHECK_SAID(&w, "");
	wake(&w); /* a question that got lost */
	CHECK_SAID(&w, "fetch 8/65536");
	rows(&w, 1, 5, 3);
	CHECK_SAID(&w, "post 1:5-7/3 zstd");
	acked(&w, 1, 7);
	CHECK_SAID(&w, "cursor 1:7");
	CHECK_INT(w.settled, 0);
	ship_on_cursor(w.ship, 1, 7, w.now);
	CHECK_INT(w.settled, 1);
	CHECK_SAID(&w, "fetch 8/65536");
	ship_stats(w.ship, &st);
	CHECK_INT(st.sent, 3);
	CHECK_INT(st.acked, 3);
	CHECK_INT(st.acked_seq, 7);
	CHECK_INT(st.in_flight, 0);
	CHECK(st.is_running);
}

static void moves_no_further_than_the_endpoint_says(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	start(&w);
	rows(&w, 1, 5, 3);
	w.said[0] = '\0';
	acked(&w, 1, 6);
	CHECK_SAID(&w, "cursor 1:6");

	/* The rest waits as long as the endpoint wishes. */
	ship_on_cursor(w.ship, 1, 6, w.now);
	rows(&w, 1, 7, 1);
	w.said[0] = '\0';
	answer(&w, ANSWER_OK, "{\"acked\":{\"epoch\":1,\"seq\":7},\"min_interval_ms\":2000}", 0);
	ship_on_cursor(w.ship, 1, 7, w.now);
	CHECK_SAID(&w, "cursor 1:7");
	CHECK_INT(w.wake_at, START + 2 * S);
	wake(&w);
	CHECK_SAID(&w, "fetch 8/65536");
}

static void repeats_the_same_bytes(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	start(&w);
	rows(&w, 1, 5, 3);

	CHECK(w.body.n > 0);

	cleanup_(free_cleanup) char *first = malloc(w.body.n);

	CHECK(first != NULL);
	memcpy(first, w.body.p, w.body.n);
	w.said[0] = '\0';
	answer(&w, ANSWER_RETRY, "", 3 * S);
	CHECK_SAID(&w, "");
	CHECK_INT(w.wake_at, START + 3 * S);
	wake(&w);
	CHECK_SAID(&w, "post 1:5-7/3 zstd");
	CHECK(memcmp(first, w.body.p, w.body.n) == 0);

	/* For a long pause nothing is held. */
	answer(&w, ANSWER_RETRY, "", 300 * S);
	wake(&w);
	CHECK_SAID(&w, "fetch 8/65536");
}

static void goes_on_when_the_endpoint_is_back(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	start(&w);
	rows(&w, 1, 5, 3);
	answer(&w, ANSWER_RETRY, "", 20 * S);
	w.said[0] = '\0';
	ship_on_reachable(w.ship, w.now);
	CHECK_SAID(&w, "post 1:5-7/3 zstd");
	ship_on_reachable(w.ship, w.now); /* only once, and only out of a back-off */
	CHECK_SAID(&w, "");
	answer(&w, ANSWER_WAIT, "", 20 * S);
	ship_on_reachable(w.ship, w.now);
	CHECK_SAID(&w, "");
}

static void holds_while_the_endpoint_is_closed(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	start(&w);
	w.said[0] = '\0';
	ship_hold(w.ship, START + 5 * S);
	rows(&w, 1, 5, 3);
	CHECK_SAID(&w, "");
	CHECK_INT(w.wake_at, START + 5 * S);
	wake(&w);
	CHECK_SAID(&w, "post 1:5-7/3 zstd");
}

static void buries_one_event_by_its_line(void)
{
	cleanup_(world_done) struct world w;
	struct ship_stats st;

	world_init(&w);
	start(&w);
	rows(&w, 1, 5, 3);
	w.said[0] = '\0';
	refused_line(&w, 3);
	CHECK_SAID(&w, "bury; post 1:5-7/2 zstd");
	CHECK(strstr(w.buried, "{\"seq\":6,") == w.buried);
	acked(&w, 1, 7);
	CHECK_SAID(&w, "cursor 1:7");
	ship_stats(w.ship, &st);
	CHECK_INT(st.dead_letters, 1);
	CHECK_INT(st.acked, 2);
}

static void finds_a_bad_event_by_halves(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	start(&w);
	rows(&w, 1, 1, 8);
	w.said[0] = '\0';
	answer(&w, ANSWER_BAD_REQUEST, BAD_BATCH, S);
	CHECK_SAID(&w, "fetch 4/65536");
	rows(&w, 1, 1, 4);
	refused_line(&w, 1); /* the header line is no event */
	CHECK_SAID(&w, "post 1:1-4/4 zstd; fetch 2/65536");
	rows(&w, 1, 1, 2);
	refused_line(&w, 99); /* nor is what is not there */
	CHECK_SAID(&w, "post 1:1-2/2 zstd; fetch 1/65536");
	rows(&w, 1, 1, 1);
	answer(&w, ANSWER_BAD_REQUEST, BAD_BATCH, S);
	CHECK_SAID(&w, "post 1:1-1/1 zstd; bury; post 1:1-1/0 zstd");
	acked(&w, 1, 1);
	ship_on_cursor(w.ship, 1, 1, w.now);
	CHECK_SAID(&w, "cursor 1:1; fetch 2/65536");
	/* Good batches grow back to the limit. */
	rows(&w, 1, 2, 1);
	acked(&w, 1, 2);
	ship_on_cursor(w.ship, 1, 2, w.now);
	rows(&w, 1, 3, 2);
	acked(&w, 1, 4);
	ship_on_cursor(w.ship, 1, 4, w.now);
	CHECK_SAID(&w, "post 1:2-2/1 zstd; cursor 1:2; fetch 4/65536; post 1:3-4/2 zstd; "
		       "cursor 1:4; fetch 8/65536");
}

/* An endpoint that refuses everything must not empty the journal. */
/* An endpoint that refuses also a batch without events refuses us: nothing is passed by. */
static void loses_nothing_to_an_endpoint_that_refuses_all(void)
{
	static const enum answer_verdict verdicts[] = { ANSWER_BAD_REQUEST, ANSWER_TOO_LARGE };

	for (size_t i = 0; i < ARRAY_LEN(verdicts); i++) {
		cleanup_(world_done) struct world w;

		world_init(&w);
		start(&w);
		rows(&w, 1, 1, 1);
		w.said[0] = '\0';
		answer(&w, verdicts[i], BAD_BATCH, S);
		CHECK_SAID(&w, "bury; post 1:1-1/0 zstd");
		answer(&w, verdicts[i], BAD_BATCH, S);
		CHECK_SAID(&w, "");
		CHECK_INT(w.wake_at, START + 900 * S);
		wake(&w);
		rows(&w, 1, 1, 1);
		acked(&w, 1, 1);
		CHECK_SAID(&w, "fetch 8/65536; post 1:1-1/1 zstd; cursor 1:1");
	}
}

static void stops_burying_when_all_is_refused(void)
{
	cleanup_(world_done) struct world w;
	struct ship_stats st;

	world_init(&w);
	start(&w);
	for (int i = 0; i < 3; i++) {
		rows(&w, 1, 1, 8);
		for (int line = 0; line < 8 && w.wake_at == UINT64_MAX; line++)
			refused_line(&w, 2);
		if (w.wake_at != UINT64_MAX)
			break;
		acked(&w, 1, 8); /* only ranges were accepted: that proves nothing */
		ship_on_cursor(w.ship, 1, 8, w.now);
	}
	ship_stats(w.ship, &st);
	CHECK_INT(st.dead_letters, 16);
	CHECK(w.wake_at >= START + 900 * S);
}

/* Refusals that are about the request and not about an event. */
static void buries_nothing_for_a_bad_request(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	start(&w);
	rows(&w, 1, 5, 1);
	w.said[0] = '\0';
	answer(&w, ANSWER_BAD_REQUEST, "{\"error\":{\"code\":\"bad_header\",\"line\":2}}", 2 * S);
	CHECK_SAID(&w, "");
	CHECK_INT(w.wake_at, START + 2 * S);
	wake(&w);
	CHECK_SAID(&w, "post 1:5-5/1 zstd");
}

static void halves_what_is_too_large(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	start(&w);
	rows(&w, 1, 5, 2);
	w.said[0] = '\0';
	answer(&w, ANSWER_TOO_LARGE, "", S);
	CHECK_SAID(&w, "fetch 1/65536");
	rows(&w, 1, 5, 1);
	answer(&w, ANSWER_TOO_LARGE, "", S);
	CHECK_SAID(&w, "post 1:5-5/1 zstd; bury; post 1:5-5/0 zstd");
}

static void falls_back_to_other_encodings(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	start(&w);
	rows(&w, 1, 5, 1);
	answer(&w, ANSWER_ENCODING, "", S);
	answer(&w, ANSWER_ENCODING, "", S);
	CHECK_SAID(&w,
		   "fetch 8/65536; post 1:5-5/1 zstd; post 1:5-5/1 gzip; post 1:5-5/1 identity");
	CHECK(w.body.n > 7 && memcmp(w.body.p, "{\"v\":1,", 7) == 0);
	answer(&w, ANSWER_ENCODING, "", 4 * S); /* nothing is left: as any other trouble */
	CHECK_SAID(&w, "");
	CHECK_INT(w.wake_at, START + 4 * S);
	wake(&w);
	CHECK_SAID(&w, "post 1:5-5/1 identity");
}

/* What packs better than an endpoint dares to unpack goes as it is. */
static void sends_very_regular_batches_as_they_are(void)
{
	cleanup_(world_done) struct world w;
	cleanup_(free_cleanup) char *line = malloc(40000);
	struct parcel_part part = {
		.epoch = 1, .first = 5, .last = 5, .count = 1, .is_last = true
	};

	CHECK(line != NULL);
	memset(line, 'a', 40000);
	memcpy(line, "{\"seq\":5,\"x\":\"", 14);
	memcpy(line + 40000 - 3, "\"}\n", 3);
	part.lines = (struct str){ .p = line, .n = 40000 };
	world_init(&w);
	start(&w);
	CHECK_INT(ship_on_rows(w.ship, w.request, &part, w.now), 0);
	CHECK_SAID(&w, "fetch 8/65536; post 1:5-5/1 identity");
}

static void begins_an_epoch_when_cursors_differ(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	start(&w);
	rows(&w, 1, 5, 3);
	w.said[0] = '\0';
	acked(&w, 1, 8); /* more than was ever sent: we are a restored copy */
	CHECK_SAID(&w, "epoch 2");
	wake(&w);
	CHECK_SAID(&w, "post 2:5-7/3 zstd");
	acked(&w, 7, 7); /* a copy of us went on much further */
	CHECK_SAID(&w, "epoch 8");
	wake(&w);
	CHECK_SAID(&w, "post 8:5-7/3 zstd");
	answer(&w, ANSWER_CONFLICT,
	       "{\"error\":{\"code\":\"stale_epoch\"},\"acked\":{\"epoch\":20,\"seq\":1}}", S);
	CHECK_SAID(&w, "epoch 21");
	wake(&w);
	answer(&w, ANSWER_CONFLICT, "{\"error\":{\"code\":\"range_conflict\"}}", S);
	CHECK_SAID(&w, "post 21:5-7/3 zstd; epoch 22");
	/* They come ever slower. */
	CHECK(w.wake_at - w.now >= 4 * S);
	wake(&w);
	acked(&w, 22, 7);
	CHECK_SAID(&w, "post 22:5-7/3 zstd; cursor 22:7");
}

static void believes_no_impossible_acknowledgement(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	ship_start(w.ship, 5, &limits, w.now);
	rows(&w, 5, 5, 3);
	w.said[0] = '\0';
	acked(&w, 4, 7);
	CHECK_SAID(&w, "refused");
	CHECK_STR(w.refused, "acknowledgement of another epoch");
	wake(&w);
	answer(&w, ANSWER_OK, "{\"acked\":{}}", 0);
	CHECK_SAID(&w, "post 5:5-7/3 zstd; refused");
	CHECK_STR(w.refused, "acknowledgement not readable");
	wake(&w);
	acked(&w, 5, 4);
	CHECK_SAID(&w, "post 5:5-7/3 zstd; refused; epoch 6");
	CHECK_STR(w.refused, "acknowledgement of less than was there");
}

/* Pauses between answers that help nobody. */
static void asks_ever_slower(const char *body, int epoch_result)
{
	cleanup_(world_done) struct world w;
	uint64_t pause = S, answered_at;

	world_init(&w);
	w.epoch_result = epoch_result;
	start(&w);
	rows(&w, 1, 5, 3);
	for (int i = 0; i < 12; i++) {
		answered_at = w.now;
		answer(&w, ANSWER_OK, body, 0);
		CHECK_INT(w.wake_at, answered_at + pause);
		w.said[0] = '\0';
		wake(&w);
		if (strncmp(w.said, "fetch", 5) == 0) /* too long to keep the batch */
			rows(&w, 1, 5, 3);
		pause = 2 * pause < 300 * S ? 2 * pause : 300 * S;
	}
	acked(&w, 1, 7);
	ship_on_cursor(w.ship, 1, 7, w.now);
	rows(&w, 1, 8, 1);
	answer(&w, ANSWER_OK, body, 0);
	CHECK_INT(w.wake_at, w.now + S);
}

static void does_not_argue(void)
{
	asks_ever_slower("not json", 0);
	asks_ever_slower("{\"acked\":{\"epoch\":0,\"seq\":7}}", 0);
	asks_ever_slower("{\"acked\":{\"epoch\":9,\"seq\":7}}", -ENOSPC);
	asks_ever_slower("{\"acked\":{\"epoch\":4503599627370496,\"seq\":7}}", 0);
}

static void keeps_the_epoch_that_is_on_disk(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	w.epoch_result = -ENOSPC;
	start(&w);
	rows(&w, 1, 5, 3);
	w.said[0] = '\0';
	acked(&w, 9, 9);
	CHECK_SAID(&w, "epoch 10");
	wake(&w);
	CHECK_SAID(&w, "post 1:5-7/3 zstd");
}

static void agrees_with_the_store_on_the_epoch(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	ship_start(w.ship, 5, &limits, w.now);
	rows(&w, 4, 5, 3); /* it missed ours: told again */
	CHECK_SAID(&w, "fetch 8/65536; epoch 5");
	wake(&w);
	rows(&w, 9, 5, 3); /* ours was restored: theirs counts */
	CHECK_SAID(&w, "fetch 8/65536; epoch 9");
	wake(&w);
	rows(&w, 9, 5, 3);
	CHECK_SAID(&w, "fetch 8/65536; post 9:5-7/3 zstd");
}

static void asks_anew_when_the_store_denies(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	start(&w);
	rows(&w, 1, 5, 3);
	acked(&w, 1, 7);
	w.said[0] = '\0';
	wake(&w); /* no answer: asked again */
	CHECK_SAID(&w, "cursor 1:7");
	ship_on_cursor(w.ship, 1, 4, w.now);
	wake(&w);
	CHECK_SAID(&w, "fetch 8/65536");
}

static void ignores_answers_for_nobody(void)
{
	cleanup_(world_done) struct world w;
	const struct parcel_part part = { .epoch = 1, .first = 1, .last = 1, .is_last = true };
	const struct parcel_dropped d = { .kind = "x", .n = 1, .first = 1, .last = 1 };

	world_init(&w);
	acked(&w, 1, 7);
	ship_on_cursor(w.ship, 1, 7, w.now);
	ship_on_wake(w.ship, w.now);
	CHECK_INT(ship_on_rows(w.ship, 0, &part, w.now), 0);
	CHECK_SAID(&w, "");
	start(&w);
	CHECK_INT(ship_on_rows(w.ship, w.request - 1, &part, w.now), 0);
	CHECK_INT(ship_on_dropped(w.ship, w.request - 1, &d), 0);
	CHECK_SAID(&w, "fetch 8/65536");
	ship_stop(w.ship);
	CHECK_INT(ship_on_rows(w.ship, w.request, &part, w.now), 0);
	CHECK_SAID(&w, "");
}

static void tells_dropped_ranges(void)
{
	cleanup_(world_done) struct world w;
	const struct parcel_dropped d = { .kind = "LOGOFF", .n = 2, .first = 3, .last = 4 };
	const struct parcel_dropped bad = { .kind = "LOGOFF", .n = 0, .first = 3, .last = 4 };
	struct parcel_part part = { .epoch = 1,
				    .first = 3,
				    .last = 5,
				    .count = 1,
				    .is_last = true,
				    .lines = STR("{\"seq\":5,\"x\":1}\n") };

	world_init(&w);
	start(&w);
	CHECK_INT(ship_on_dropped(w.ship, w.request, &bad), -EPROTO);
	CHECK_INT(ship_on_dropped(w.ship, w.request, &d), 0);
	CHECK_INT(ship_on_rows(w.ship, w.request, &part, w.now), 0);
	answer(&w, ANSWER_ENCODING, "", S);
	answer(&w, ANSWER_ENCODING, "", S);
	CHECK(w.body.n > 0);
	CHECK(memmem(w.body.p, w.body.n, "\"n\":2,\"first\":3,\"last\":4", 23) != NULL);
}

static void waits_for_a_new_identity(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	start(&w);
	rows(&w, 1, 5, 3);
	w.said[0] = '\0';
	answer(&w, ANSWER_UNAUTHORISED, "{\"error\":{\"code\":\"unknown_device\"}}", 2 * S);
	CHECK_SAID(&w, "unknown_device");
	/* Another device begins with what the store writes for it. */
	ship_stop(w.ship);
	ship_start(w.ship, 1, &limits, w.now);
	CHECK_SAID(&w, "fetch 8/65536");
}

static void rests_when_it_is_not_wanted(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	start(&w);
	rows(&w, 1, 5, 3);
	w.said[0] = '\0';
	answer(&w, ANSWER_FORBIDDEN, "{\"error\":{\"code\":\"plan\"}}", 3600 * S);
	CHECK_SAID(&w, "");
	CHECK_INT(w.wake_at, START + 3600 * S);
	wake(&w);
	CHECK_SAID(&w, "fetch 8/65536");
}

static void tries_again_what_could_not_be_sent(void)
{
	cleanup_(world_done) struct world w;

	world_init(&w);
	w.post_result = -ENOMEM;
	start(&w);
	rows(&w, 1, 5, 3);
	CHECK_SAID(&w, "fetch 8/65536; post 1:5-7/3 zstd");
	w.post_result = 0;
	wake(&w);
	CHECK_SAID(&w, "post 1:5-7/3 zstd");
}

TEST_MAIN({ "carries_batches", carries_batches },
	  { "moves_no_further_than_the_endpoint_says", moves_no_further_than_the_endpoint_says },
	  { "repeats_the_same_bytes", repeats_the_same_bytes },
	  { "goes_on_when_the_endpoint_is_back", goes_on_when_the_endpoint_is_back },
	  { "holds_while_the_endpoint_is_closed", holds_while_the_endpoint_is_closed },
	  { "buries_one_event_by_its_line", buries_one_event_by_its_line },
	  { "finds_a_bad_event_by_halves", finds_a_bad_event_by_halves },
	  { "loses_nothing_to_an_endpoint_that_refuses_all",
	    loses_nothing_to_an_endpoint_that_refuses_all },
	  { "stops_burying_when_all_is_refused", stops_burying_when_all_is_refused },
	  { "buries_nothing_for_a_bad_request", buries_nothing_for_a_bad_request },
	  { "halves_what_is_too_large", halves_what_is_too_large },
	  { "falls_back_to_other_encodings", falls_back_to_other_encodings },
	  { "sends_very_regular_batches_as_they_are", sends_very_regular_batches_as_they_are },
	  { "begins_an_epoch_when_cursors_differ", begins_an_epoch_when_cursors_differ },
	  { "believes_no_impossible_acknowledgement", believes_no_impossible_acknowledgement },
	  { "does_not_argue", does_not_argue },
	  { "keeps_the_epoch_that_is_on_disk", keeps_the_epoch_that_is_on_disk },
	  { "agrees_with_the_store_on_the_epoch", agrees_with_the_store_on_the_epoch },
	  { "asks_anew_when_the_store_denies", asks_anew_when_the_store_denies },
	  { "ignores_answers_for_nobody", ignores_answers_for_nobody },
	  { "tells_dropped_ranges", tells_dropped_ranges },
	  { "waits_for_a_new_identity", waits_for_a_new_identity },
	  { "rests_when_it_is_not_wanted", rests_when_it_is_not_wanted },
	  { "tries_again_what_could_not_be_sent", tries_again_what_could_not_be_sent })
