/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/sensor/batch.h"

#include "agent/event/messages.h"
#include "tests/test.h"

static char body[EVENT_LINE_MAX];

static struct event_record record(size_t len)
{
	memset(body, 'a', sizeof(body));
	body[0] = '{';
	body[len - 1] = '}';
	return (struct event_record){ .origin = 1, .body = { .p = body, .n = len } };
}

static struct batches *make(void)
{
	struct batches *b = NULL;

	CHECK_INT(batches_new(&b), 0);
	return b;
}

static void closes_at_count_and_at_size(void)
{
	cleanup_(batches_cleanup) struct batches *b = make();
	struct event_record small = record(10), large = record(60000);
	struct batch_mark mark = { .ring_pos = 7 };

	for (uint32_t i = 0; i < BATCH_EVENTS_MAX; i++)
		CHECK_INT(batches_add(b, &small), 0);
	CHECK_INT(batches_add(b, &small), -EAGAIN);
	CHECK_INT(batches_open_events(b), BATCH_EVENTS_MAX);
	batches_seal(b, &mark);
	CHECK_INT(batches_open_events(b), 0);
	CHECK_INT(batches_waiting(b), 1);
	CHECK_INT(batches_add(b, &large), 0);
	CHECK_INT(batches_add(b, &large), 0);
	CHECK_INT(batches_add(b, &large), -EAGAIN);
	batches_seal(b, &mark);
	batches_seal(b, &mark); /* nothing open */
	CHECK_INT(batches_waiting(b), 2);
}

static void an_acknowledgement_covers_all_before(void)
{
	cleanup_(batches_cleanup) struct batches *b = make();
	struct event_record rec = record(10);
	struct batch_mark mark = { 0 };

	for (uint64_t i = 1; i <= 5; i++) {
		mark.ring_pos = i * 100;
		CHECK_INT(batches_add(b, &rec), 0);
		batches_seal(b, &mark);
	}
	CHECK_INT(batches_ack(b, 6, &mark), -EPROTO);
	CHECK_INT(batches_ack(b, 3, &mark), 3);
	CHECK_INT(mark.ring_pos, 300);
	CHECK_INT(batches_ack(b, 3, &mark), 0);
	CHECK_INT(batches_ack(b, 1, &mark), 0);
	CHECK_INT(batches_waiting(b), 2);
	CHECK_INT(batches_ack(b, 5, &mark), 2);
	CHECK_INT(mark.ring_pos, 500);
}

static void the_window_is_bounded(void)
{
	cleanup_(batches_cleanup) struct batches *b = make();
	struct event_record rec = record(10);
	struct batch_mark mark = { 0 };
	uint32_t n = 0;

	for (int lap = 0; lap < 3; lap++) {
		while (batches_add(b, &rec) == 0) {
			batches_seal(b, &mark);
			n++;
			CHECK_INT(batches_is_full(b), batches_waiting(b) >= BATCH_WINDOW);
		}
		CHECK_INT(batches_waiting(b), BATCH_HARD_MAX);
		CHECK_INT(batches_add(b, &rec), -ENOBUFS);
		CHECK_INT(batches_ack(b, n, &mark), BATCH_HARD_MAX);
		CHECK(!batches_is_full(b));
	}
}

static void on_closed(void *ctx, struct peer *p, int reason)
{
	(void)ctx;
	(void)p;
	(void)reason;
}

/* The number of the next batch at the far end; 0 when there is none. */
static uint64_t take(int sock)
{
	static char buffer[MSG_PAYLOAD_MAX + sizeof(struct msg_header) + 1];
	struct msg_reader r;
	struct msg m;

	if (msg_recv(sock, buffer, sizeof(buffer), &m) <= 0)
		return 0;
	CHECK_INT(m.type, MSG_EVENTS_PUT);
	msg_reader_init(&r, m.data, m.len);
	return msg_get_u64(&r);
}

static void sends_in_order_and_again(void)
{
	static const struct peer_table table = { .name = "store", .closed = on_closed };
	cleanup_(batches_cleanup) struct batches *b = make();
	cleanup_(loop_cleanup) struct loop *l = NULL;
	cleanup_(peer_cleanup) struct peer *p = NULL;
	struct event_record rec = record(10);
	struct batch_mark mark = { 0 };
	int pair[2];

	CHECK_INT(loop_new(&l), 0);
	CHECK_INT(msg_pair(pair), 0);
	CHECK_INT(peer_new(l, pair[0], &table, NULL, &p), 0);
	for (int i = 0; i < 3; i++) {
		CHECK_INT(batches_add(b, &rec), 0);
		batches_seal(b, &mark);
	}
	batches_send(b, NULL);
	batches_send(b, p);
	for (uint64_t i = 1; i <= 3; i++)
		CHECK_INT(take(pair[1]), i);
	batches_send(b, p);
	CHECK_INT(take(pair[1]), 0);
	CHECK_INT(batches_ack(b, 1, &mark), 1);
	batches_unsend(b);
	batches_send(b, p);
	CHECK_INT(take(pair[1]), 2);
	CHECK_INT(take(pair[1]), 3);
	(void)close(pair[1]);
}

TEST_MAIN({ "closes_at_count_and_at_size", closes_at_count_and_at_size },
	  { "an_acknowledgement_covers_all_before", an_acknowledgement_covers_all_before },
	  { "the_window_is_bounded", the_window_is_bounded },
	  { "sends_in_order_and_again", sends_in_order_and_again })
