/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/peer.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "tests/test.h"

enum { TYPE_DATA = 1, TYPE_WITH_FD = 2, TYPE_FREES = 3, TYPE_REFUSES = 4 };

struct world {
	struct loop *loop;
	struct peer *peer;
	int other; /* the hostile end */
	unsigned int seen;
	size_t bytes;
	int fds;
	bool is_closed;
	int reason;
};

static int on_data(void *ctx, struct peer *p, struct msg *m)
{
	struct world *w = ctx;

	(void)p;
	w->seen++;
	w->bytes += m->len;
	return 0;
}

static int on_fd_message(void *ctx, struct peer *p, struct msg *m)
{
	struct world *w = ctx;

	(void)p;
	CHECK(fcntl(m->fd, F_GETFD) == FD_CLOEXEC);
	w->fds++;
	return 0; /* not taken: the caller closes it */
}

static int on_frees(void *ctx, struct peer *p, struct msg *m)
{
	struct world *w = ctx;

	(void)m;
	w->seen++;
	w->peer = NULL;
	peer_free(p);
	return 0;
}

static int on_refuses(void *ctx, struct peer *p, struct msg *m)
{
	(void)ctx;
	(void)p;
	(void)m;
	return -EPERM;
}

static void on_closed(void *ctx, struct peer *p, int reason)
{
	struct world *w = ctx;

	w->is_closed = true;
	w->reason = reason;
	w->peer = NULL;
	peer_free(p);
}

static const struct peer_row rows[] = {
	{ TYPE_DATA, 0, 4, MSG_PAYLOAD_MAX, on_data },
	{ TYPE_WITH_FD, PEER_FD, 0, 8, on_fd_message },
	{ TYPE_FREES, 0, 0, 0, on_frees },
	{ TYPE_REFUSES, 0, 0, 0, on_refuses },
};

static const struct peer_table table = { .name = "hostile",
					 .rows = rows,
					 .n_rows = ARRAY_LEN(rows),
					 .priority = 3,
					 .closed = on_closed };

static void world_init(struct world *w)
{
	int fds[2];

	*w = (struct world){ .other = -1 };
	CHECK_INT(loop_new(&w->loop), 0);
	CHECK_INT(msg_pair(fds), 0);
	w->other = fds[1];
	CHECK_INT(peer_new(w->loop, fds[0], &table, w, &w->peer), 0);
}

static void world_done(struct world *w)
{
	peer_free(w->peer);
	(void)close(w->other);
	loop_free(w->loop);
}

static void turn(struct world *w)
{
	CHECK_INT(loop_run_once(w->loop, 1000), 0);
}

static void send_raw(struct world *w, const void *data, size_t n)
{
	CHECK_INT(send(w->other, data, n, 0), (long long)n);
}

static void a_message_reaches_its_handler(void)
{
	struct world w;

	world_init(&w);
	CHECK_INT(msg_send(w.other, TYPE_DATA, STR("head"), STR("tail"), -1), 0);
	turn(&w);
	CHECK_INT(w.seen, 1);
	CHECK_INT(w.bytes, 8);
	world_done(&w);
}

/* Each of these must end the peer and call no handler. */
static void check_refused(uint16_t type, struct str payload, int fd)
{
	struct world w;

	world_init(&w);
	CHECK_INT(msg_send(w.other, type, payload, (struct str){ 0 }, fd), 0);
	turn(&w);
	CHECK(w.is_closed);
	CHECK_INT(w.seen + (unsigned int)w.fds, 0);
	world_done(&w);
}

static void what_the_table_lacks_ends_the_peer(void)
{
	check_refused(99, STR("unknown type"), -1);
	check_refused(TYPE_DATA, STR("abc"), -1);  /* too short */
	check_refused(TYPE_FREES, STR("x"), -1);   /* too long */
	check_refused(TYPE_DATA, STR("abcd"), 0);  /* a descriptor nobody asked for */
	check_refused(TYPE_WITH_FD, STR("x"), -1); /* none where one is needed */
}

static void malformed_packets_end_the_peer(void)
{
	const struct msg_header lies[] = {
		{ .type = TYPE_DATA, .len = 400 },		/* more than is there */
		{ .type = TYPE_DATA, .reserved = 1, .len = 0 }, /* reserved bits */
		{ .type = TYPE_DATA, .len = UINT32_MAX },
	};

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct world w;

		world_init(&w);
		send_raw(&w, &lies[i], sizeof(lies[i]));
		turn(&w);
		CHECK(w.is_closed);
		CHECK_INT(w.reason, -EPROTO);
		world_done(&w);
	}
	struct world w;

	world_init(&w);
	send_raw(&w, "abc", 3); /* shorter than a header */
	turn(&w);
	CHECK(w.is_closed);
	world_done(&w);
}

static void an_oversized_packet_ends_the_peer(void)
{
	size_t n = MSG_PAYLOAD_MAX + 2 * sizeof(struct msg_header);
	char *big = calloc(1, n);

	CHECK(big != NULL);
	CHECK_INT(msg_send(0, TYPE_DATA, (struct str){ big, n }, (struct str){ 0 }, -1), -EMSGSIZE);

	struct world w;

	world_init(&w);
	struct msg_header h = { .type = TYPE_DATA, .len = (uint32_t)(n - sizeof(h)) };

	memcpy(big, &h, sizeof(h));
	send_raw(&w, big, n);
	turn(&w);
	CHECK(w.is_closed);
	CHECK_INT(w.seen, 0);
	world_done(&w);
	free(big);
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void descriptors_never_leak(void)
{
	struct world w;

	world_init(&w);
	int before = count_fds();
	union {
		char bytes[CMSG_SPACE(3 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msg_header h = { .type = TYPE_WITH_FD };
	struct iovec iov = { &h, sizeof(h) };
	struct msghdr mh = { .msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
	const int three[3] = { 0, 1, 2 };

	CHECK_INT(msg_send(w.other, TYPE_WITH_FD, STR("ok"), (struct str){ 0 }, 1), 0);
	turn(&w);
	CHECK_INT(w.fds, 1);
	CHECK_INT(count_fds(), before); /* the handler left it, the peer closed it */

	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
			       .cmsg_type = SCM_RIGHTS,
			       .cmsg_len = CMSG_LEN(sizeof(three)) };
	memcpy(CMSG_DATA(c), three, sizeof(three));
	CHECK_INT(sendmsg(w.other, &mh, 0), (long long)sizeof(h));
	turn(&w);
	CHECK(w.is_closed);
	CHECK_INT(count_fds(), before - 1); /* all three closed, and the socket */
	world_done(&w);
}

static void unwanted_descriptors_are_refused_to_their_sender(void)
{
	int fds[2];

	CHECK_INT(msg_pair(fds), 0);
	msg_refuse_fds(fds[0]);

	int r = msg_send(fds[1], TYPE_WITH_FD, STR("x"), (struct str){ 0 }, 0);

	if (r == 0)
		printf("# this kernel has no SO_PASSRIGHTS\n");
	else
		CHECK_INT(r, -EPERM);
	CHECK_INT(msg_send(fds[1], TYPE_DATA, STR("x"), (struct str){ 0 }, -1), 0);
	CHECK_INT(msg_send(fds[0], TYPE_WITH_FD, STR("x"), (struct str){ 0 }, 0), 0);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void a_handler_may_free_its_peer(void)
{
	struct world w;

	world_init(&w);
	CHECK_INT(msg_send(w.other, TYPE_FREES, (struct str){ 0 }, (struct str){ 0 }, -1), 0);
	CHECK_INT(msg_send(w.other, TYPE_FREES, (struct str){ 0 }, (struct str){ 0 }, -1), 0);
	turn(&w);
	CHECK_INT(w.seen, 1);
	CHECK(!w.is_closed);
	world_done(&w);
}

static void a_handlers_error_is_the_reason(void)
{
	struct world w;

	world_init(&w);
	CHECK_INT(msg_send(w.other, TYPE_REFUSES, (struct str){ 0 }, (struct str){ 0 }, -1), 0);
	turn(&w);
	CHECK_INT(w.reason, -EPERM);
	world_done(&w);
}

static void a_slow_reader_is_queued_then_refused(void)
{
	struct world w;

	world_init(&w);
	static char chunk[64 * 1024];
	char *buffer = malloc(MSG_PAYLOAD_MAX + 64);
	uint64_t sent = 0;
	uint64_t got = 0;
	int r = 0;

	CHECK(buffer != NULL);
	while (r == 0) {
		memcpy(chunk, &sent, sizeof(sent));
		r = peer_send(w.peer, TYPE_DATA, (struct str){ chunk, sizeof(chunk) },
			      (struct str){ 0 }, -1);
		sent += r == 0;
	}
	CHECK_INT(r, -ENOBUFS);
	CHECK(peer_queued(w.peer) <= PEER_QUEUE_MAX);
	CHECK(sent * sizeof(chunk) > PEER_QUEUE_MAX - sizeof(chunk));
	while (got < sent) {
		struct msg m;
		uint64_t number;

		r = msg_recv(w.other, buffer, MSG_PAYLOAD_MAX + 64, &m);
		if (r == -EAGAIN) {
			turn(&w);
			continue;
		}
		CHECK_INT(r, 1);
		memcpy(&number, m.data, sizeof(number));
		CHECK_INT(number, got); /* in order, none missing */
		got++;
	}
	CHECK_INT(peer_queued(w.peer), 0);
	CHECK_INT(peer_flush(w.peer, 0), 0);
	free(buffer);
	world_done(&w);
}

static void a_paused_peer_waits_but_hears_the_end(void)
{
	struct world w;

	world_init(&w);
	CHECK_INT(msg_send(w.other, TYPE_DATA, STR("abcd"), (struct str){ 0 }, -1), 0);
	peer_pause(w.peer, true);
	CHECK_INT(loop_run_once(w.loop, 0), 0);
	CHECK_INT(w.seen, 0);
	peer_pause(w.peer, false);
	turn(&w);
	CHECK_INT(w.seen, 1);
	peer_pause(w.peer, true);
	(void)close(w.other);
	turn(&w);
	CHECK(w.is_closed);
	w.other = -1;
	world_done(&w);
}

/* unix(7): who closes with messages unread resets the connection; what it had sent
 * before stands in our queue all the same. */
static void last_words_are_heard(bool is_queueing)
{
	static char chunk[64 * 1024];
	const struct str text = { chunk, is_queueing ? sizeof(chunk) : 4 };
	struct world w;

	world_init(&w);
	do
		CHECK_INT(peer_send(w.peer, TYPE_DATA, text, (struct str){ 0 }, -1), 0);
	while (is_queueing && peer_queued(w.peer) == 0);
	for (int i = 0; i < 20; i++) /* more than one turn serves */
		CHECK_INT(msg_send(w.other, TYPE_DATA, STR("last"), (struct str){ 0 }, -1), 0);
	(void)close(w.other);
	w.other = -1;
	for (int i = 0; i < 5 && !w.is_closed; i++)
		turn(&w);
	CHECK_INT(w.seen, 20);
	CHECK(w.is_closed);
	CHECK_INT(w.reason, 0);
	world_done(&w);
}

static void what_a_dead_one_said_is_heard(void)
{
	last_words_are_heard(false);
	last_words_are_heard(true);
}

static void payload_readers_are_total(void)
{
	const uint8_t bytes[] = { 1, 0, 0, 0, 200, 0, 0, 0, 'x' };
	struct msg_reader r;

	msg_reader_init(&r, bytes, sizeof(bytes));
	CHECK_INT(msg_get_u32(&r), 1);
	CHECK_INT(msg_get_str(&r).n, 0); /* says 200, has 1 */
	CHECK_INT(msg_get_u64(&r), 0);
	CHECK_INT(msg_reader_end(&r), -EPROTO);

	msg_reader_init(&r, bytes, 4);
	CHECK_INT(msg_get_u16(&r), 1);
	CHECK_INT(msg_reader_end(&r), -EPROTO); /* trailing bytes */
	CHECK_INT(msg_get_u16(&r), 0);
	CHECK_INT(msg_reader_end(&r), 0);
	CHECK_INT(msg_get_u8(&r), 0);
	CHECK_INT(msg_reader_end(&r), -EPROTO);
}

static void payloads_round_trip(void)
{
	struct buf b;
	struct msg_reader r;

	buf_init(&b, 256);
	msg_put_u8(&b, 7);
	msg_put_u16(&b, 65535);
	msg_put_u64(&b, UINT64_MAX);
	msg_put_str(&b, STR("a\0b"));
	CHECK_INT(buf_error(&b), 0);
	msg_reader_init(&r, b.data, b.len);
	CHECK_INT(msg_get_u8(&r), 7);
	CHECK_INT(msg_get_u16(&r), 65535);
	CHECK(msg_get_u64(&r) == UINT64_MAX);
	CHECK(str_eq(msg_get_str(&r), STR("a\0b")));
	CHECK_INT(msg_reader_end(&r), 0);
	buf_done(&b);
}

TEST_MAIN({ "a_message_reaches_its_handler", a_message_reaches_its_handler },
	  { "what_the_table_lacks_ends_the_peer", what_the_table_lacks_ends_the_peer },
	  { "malformed_packets_end_the_peer", malformed_packets_end_the_peer },
	  { "an_oversized_packet_ends_the_peer", an_oversized_packet_ends_the_peer },
	  { "descriptors_never_leak", descriptors_never_leak },
	  { "unwanted_descriptors_are_refused_to_their_sender",
	    unwanted_descriptors_are_refused_to_their_sender },
	  { "a_handler_may_free_its_peer", a_handler_may_free_its_peer },
	  { "a_handlers_error_is_the_reason", a_handlers_error_is_the_reason },
	  { "a_slow_reader_is_queued_then_refused", a_slow_reader_is_queued_then_refused },
	  { "a_paused_peer_waits_but_hears_the_end", a_paused_peer_waits_but_hears_the_end },
	  { "what_a_dead_one_said_is_heard", what_a_dead_one_said_is_heard },
	  { "payload_readers_are_total", payload_readers_are_total },
	  { "payloads_round_trip", payloads_round_trip })
