/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/control/queries.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "agent/base/clock.h"
#include "agent/event/messages.h"
#include "tests/test.h"

#define GRACE_NS (60 * NSEC_PER_SEC)
#define GRACE_SHORT_NS (100 * NSEC_PER_MSEC)

/* A client, the server, and the hunting program's end of the link, in one loop. */
struct world {
	struct loop *loop;
	struct server *server;
	struct queries *queries;
	struct peer *link; /* control's end */
	int hunt;	   /* the other */
	int client;
	bool follow;
	unsigned int requests;
};

static void on_request(void *ctx, struct client *cl, struct str json)
{
	struct world *w = ctx;
	struct request q = { .sql = STR("SELECT 1"), .table = STR("DeviceEvents") };

	w->requests++;
	q.follow = w->follow;
	if (str_eq(json, STR("\"sql\"")))
		queries_sql(w->queries, cl, &q, 10, 20);
	else
		queries_events(w->queries, cl, &q);
}

static void on_drained(void *ctx, struct client *cl)
{
	struct world *w = ctx;

	queries_drained(w->queries, cl);
}

static void on_gone(void *ctx, struct client *cl)
{
	struct world *w = ctx;

	queries_gone(w->queries, cl);
}

static const struct server_ops ops = { on_request, on_drained, on_gone };
static const struct server_limits limits = { .idle_ns = 60 * NSEC_PER_SEC,
					     .stall_ns = 60 * NSEC_PER_SEC,
					     .wait_ns = 60 * NSEC_PER_SEC,
					     .tick_ns = 20 * NSEC_PER_MSEC };

static int on_rows(void *ctx, struct peer *p unused_, struct msg *m)
{
	struct world *w = ctx;

	return queries_on_rows(w->queries, m);
}

static int on_end(void *ctx, struct peer *p unused_, struct msg *m)
{
	struct world *w = ctx;

	return queries_on_end(w->queries, m);
}

static void on_closed(void *ctx, struct peer *p, int reason unused_)
{
	struct world *w = ctx;

	peer_free(p);
	w->link = NULL;
	queries_set_peer(w->queries, NULL);
}

static const struct peer_row rows[] = {
	PEER_ROW(MSG_HUNT_ROWS, on_rows),
	PEER_ROW(MSG_HUNT_END, on_end),
};
static const struct peer_table table = {
	.name = "hunt", .rows = rows, .n_rows = ARRAY_LEN(rows), .closed = on_closed
};

static void world_init(struct world *w, uint64_t grace_ns)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(name.sun_family);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int pair[2];

	*w = (struct world){ 0 };
	CHECK(bind(fd, (const struct sockaddr *)&name, len) == 0);
	len = sizeof(name);
	CHECK(getsockname(fd, (struct sockaddr *)&name, &len) == 0);
	CHECK(listen(fd, 8) == 0);
	CHECK_INT(loop_new(&w->loop), 0);
	CHECK_INT(queries_new(w->loop, grace_ns, &w->queries), 0);
	CHECK_INT(server_new(w->loop, fd, &limits, &ops, w, &w->server), 0);
	CHECK_INT(msg_pair(pair), 0);
	CHECK_INT(peer_new(w->loop, pair[0], &table, w, &w->link), 0);
	w->hunt = pair[1];
	queries_set_peer(w->queries, w->link);
	w->client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	CHECK(connect(w->client, (const struct sockaddr *)&name, len) == 0);
}

static void world_done(struct world *w)
{
	if (w->client >= 0)
		(void)close(w->client);
	server_free(w->server);
	peer_free(w->link);
	queries_free(w->queries);
	loop_free(w->loop);
	if (w->hunt >= 0)
		(void)close(w->hunt);
}

static void ask(struct world *w, const char *what)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 64);
	size_t at = control_frame_begin(&b);
	buf_add_str(&b, str_of(what));
	control_frame_end(&b, at, 32);
	CHECK_INT(send(w->client, b.data, b.len, MSG_NOSIGNAL), b.len);
}

static const char *client_frame(struct world *w)
{
	static char bytes[200000];
	uint64_t end_ns = clock_mono_ns() + test_patience_ms() * NSEC_PER_MSEC;
	size_t have = 0;
	size_t want = CONTROL_HEADER_SIZE;

	for (;;) {
		struct str json;
		ssize_t n = recv(w->client, bytes + have, want - have, MSG_DONTWAIT);

		CHECK(n != 0);
		have += n > 0 ? (size_t)n : 0;
		if (have == CONTROL_HEADER_SIZE && want == have)
			want += (size_t)(uint8_t)bytes[1] << 16 | (size_t)(uint8_t)bytes[2] << 8 |
				(uint8_t)bytes[3];
		if (control_frame_get((struct str){ .p = bytes, .n = have }, sizeof(bytes),
				      &json) == 1) {
			bytes[have] = '\0';
			return json.p;
		}
		if (n < 0) {
			CHECK(clock_mono_ns() < end_ns);
			CHECK_INT(loop_run_once(w->loop, 5), 0);
		}
	}
}

/* The next message at the hunting program's end; its first word must be `query`. */
static struct msg_reader hunt_message(struct world *w, uint16_t type, uint32_t query)
{
	static char buffer[MSG_PAYLOAD_MAX + 64];
	uint64_t end_ns = clock_mono_ns() + test_patience_ms() * NSEC_PER_MSEC;
	struct msg_reader r;
	struct msg m;
	int n;

	while ((n = msg_recv(w->hunt, buffer, sizeof(buffer), &m)) == -EAGAIN) {
		CHECK(clock_mono_ns() < end_ns);
		CHECK_INT(loop_run_once(w->loop, 5), 0);
	}
	CHECK_INT(n, 1);
	CHECK_INT(m.type, type);
	msg_reader_init(&r, m.data, m.len);
	CHECK_INT(msg_get_u32(&r), query);
	return r;
}

static void hunt_rows(struct world *w, uint32_t query, const char *lines)
{
	CHECK_INT(msg_send(w->hunt, MSG_HUNT_ROWS,
			   (struct str){ .p = (const char *)&query, .n = 4 }, str_of(lines), -1),
		  0);
}

static void hunt_end(struct world *w, uint32_t query, uint32_t n, int error, const char *text)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 1024);
	msg_put_u32(&b, query);
	msg_put_u32(&b, n);
	msg_put_u8(&b, 1);
	msg_put_u32(&b, (uint32_t)error);
	msg_put_str(&b, str_of(text));
	CHECK_INT(msg_send(w->hunt, MSG_HUNT_END, buf_str(&b), (struct str){ 0 }, -1), 0);
}

static void passes_a_query_and_its_rows(void)
{
	struct world w;

	world_init(&w, GRACE_NS);
	ask(&w, "\"sql\"");
	struct msg_reader r = hunt_message(&w, MSG_HUNT_SQL, 1);
	CHECK_INT(msg_get_u32(&r), 10);
	CHECK_INT(msg_get_u32(&r), 20);
	CHECK_STRN(msg_get_str(&r), "SELECT 1");
	CHECK_INT(msg_reader_end(&r), 0);
	hunt_rows(&w, 1, "[\"a\",\"b\"]\n[1,\"x\"]\n[2,null]\n");
	hunt_rows(&w, 1, "[3,[]]\n");
	hunt_end(&w, 1, 3, 0, "");
	CHECK_STR(client_frame(&w), "{\"type\":\"columns\",\"columns\":[\"a\",\"b\"]}");
	CHECK_STR(client_frame(&w), "{\"type\":\"rows\",\"rows\":[[1,\"x\"],[2,null]]}");
	CHECK_STR(client_frame(&w), "{\"type\":\"rows\",\"rows\":[[3,[]]]}");
	CHECK_STR(client_frame(&w), "{\"type\":\"end\",\"rows\":3,\"truncated\":true}");
	world_done(&w);
}

static void passes_events_as_they_come(void)
{
	struct world w;

	world_init(&w, GRACE_NS);
	w.follow = true;
	ask(&w, "\"events\"");
	struct msg_reader r = hunt_message(&w, MSG_HUNT_EVENTS, 1);
	CHECK_INT(msg_get_u64(&r), 0);
	CHECK_INT(msg_get_u64(&r), 0);
	CHECK_INT(msg_get_u32(&r), 0);
	CHECK_INT(msg_get_u8(&r), 1);
	CHECK_STRN(msg_get_str(&r), "DeviceEvents");
	CHECK_INT(msg_reader_end(&r), 0);
	hunt_rows(&w, 1, "{\"seq\":1}\n{\"seq\":2}\n");
	CHECK_STR(client_frame(&w), "{\"type\":\"rows\",\"rows\":[{\"seq\":1},{\"seq\":2}]}");
	/* The client leaves: the query is called off. */
	(void)close(w.client);
	w.client = -1;
	(void)hunt_message(&w, MSG_HUNT_CREDIT, 1);
	(void)hunt_message(&w, MSG_HUNT_CANCEL, 1);
	/* What is still under way for it is dropped. */
	hunt_rows(&w, 1, "{\"seq\":3}\n");
	hunt_end(&w, 1, 3, -ECANCELED, "");
	for (int i = 0; i < 3; i++)
		CHECK_INT(loop_run_once(w.loop, 5), 0);
	CHECK(w.link != NULL);
	world_done(&w);
}

static void credit_follows_what_the_client_reads(void)
{
	static char lines[120000];
	struct world w;

	world_init(&w, GRACE_NS);
	(void)memset(lines, ' ', sizeof(lines) - 1);
	(void)memcpy(lines, "{\"a\":1", 6);
	(void)memcpy(lines + sizeof(lines) - 3, "}\n", 2);
	ask(&w, "\"events\"");
	(void)hunt_message(&w, MSG_HUNT_EVENTS, 1);
	for (unsigned int i = 0; i < QUERIES_CREDIT; i++) {
		hunt_rows(&w, 1, lines);
		CHECK_INT(loop_run_once(w.loop, 5), 0);
	}
	for (int i = 0; i < 3; i++)
		CHECK_INT(loop_run_once(w.loop, 5), 0);
	/* The socket took the first ones; then nobody reads, and no credit comes. */
	uint32_t given = 0;
	for (unsigned int i = 0; i < QUERIES_CREDIT; i++)
		CHECK(strstr(client_frame(&w), "{\"type\":\"rows\"") != NULL);
	while (given < QUERIES_CREDIT) {
		struct msg_reader r = hunt_message(&w, MSG_HUNT_CREDIT, 1);
		uint32_t n = msg_get_u32(&r);

		CHECK(n > 0);
		given += n;
	}
	CHECK_INT(given, QUERIES_CREDIT);
	world_done(&w);
}

static void errors_reach_the_client(void)
{
	static const struct {
		int error;
		const char *frame;
	} cases[] = {
		{ -EINVAL, "{\"type\":\"error\",\"code\":1,\"message\":\"no such column: x\"}" },
		{ -ETIMEDOUT, "{\"type\":\"error\",\"code\":8,\"message\":\"no such column: x\"}" },
	};
	struct world w;

	world_init(&w, GRACE_NS);
	for (uint32_t i = 0; i < ARRAY_LEN(cases); i++) {
		ask(&w, "\"sql\"");
		(void)hunt_message(&w, MSG_HUNT_SQL, i + 1);
		hunt_end(&w, i + 1, 0, cases[i].error, "no such column: x");
		CHECK_STR(client_frame(&w), cases[i].frame);
	}
	world_done(&w);
}

static void a_silent_hunter_is_given_up(void)
{
	struct world w;

	world_init(&w, GRACE_SHORT_NS);
	ask(&w, "\"sql\"");
	(void)hunt_message(&w, MSG_HUNT_SQL, 1);
	CHECK(strstr(client_frame(&w), "\"code\":8") != NULL);
	(void)hunt_message(&w, MSG_HUNT_CANCEL, 1);
	world_done(&w);
}

static void without_a_hunter_the_client_is_told(void)
{
	struct world w;

	world_init(&w, GRACE_NS);
	ask(&w, "\"sql\"");
	(void)hunt_message(&w, MSG_HUNT_SQL, 1);
	(void)close(w.hunt);
	w.hunt = -1;
	CHECK(strstr(client_frame(&w), "stopped") != NULL);
	ask(&w, "\"sql\"");
	CHECK(strstr(client_frame(&w), "not running") != NULL);
	world_done(&w);
}

/* The hunting program runs hostile SQL: what comes from it is not believed. */
static void malformed_rows_end_the_link(void)
{
	static const char *const cases[] = {
		"",
		"\n",
		"{\"a\":1}",
		"{\"a\":1}\n\n",
		"{\"a\":1},{}\n",
		"[1]\n",
		"{\"a\":\n",
		"{\"a\":\"\xff\"}\n",
		"7\n",
		"{}x\n",
		"{\"a\":1}]}\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;

		world_init(&w, GRACE_NS);
		ask(&w, "\"events\"");
		(void)hunt_message(&w, MSG_HUNT_EVENTS, 1);
		hunt_rows(&w, 1, cases[i]);
		CHECK(strstr(client_frame(&w), "\"type\":\"error\"") != NULL);
		CHECK(w.link == NULL);
		world_done(&w);
	}
}

TEST_MAIN({ "passes_a_query_and_its_rows", passes_a_query_and_its_rows },
	  { "passes_events_as_they_come", passes_events_as_they_come },
	  { "credit_follows_what_the_client_reads", credit_follows_what_the_client_reads },
	  { "errors_reach_the_client", errors_reach_the_client },
	  { "a_silent_hunter_is_given_up", a_silent_hunter_is_given_up },
	  { "without_a_hunter_the_client_is_told", without_a_hunter_the_client_is_told },
	  { "malformed_rows_end_the_link", malformed_rows_end_the_link })
