/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/control/server.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "agent/base/clock.h"
#include "tests/test.h"

#define NOBODY 64999u

struct world {
	struct loop *loop;
	struct server *server;
	struct sockaddr_un name;
	struct client *busy; /* whose command runs */
	unsigned int requests;
	unsigned int drained;
	unsigned int gone;
	uid_t uid;
	char last[64];
};

/* "now": answered at once. "mute": done without a word. Anything else stays busy. */
static void on_request(void *ctx, struct client *cl, struct str json)
{
	struct world *w = ctx;

	w->requests++;
	w->uid = client_uid(cl);
	CHECK(client_data(cl) == NULL);
	(void)snprintf(w->last, sizeof(w->last), "%.*s", (int)json.n, json.p);
	if (str_eq(json, STR("\"now\""))) {
		struct jsonw *out = client_frame_begin(cl);

		jsonw_str(out, STR("ok"));
		client_frame_end(cl);
		client_done(cl);
		return;
	}
	if (str_eq(json, STR("\"mute\""))) {
		client_done(cl);
		return;
	}
	client_set_data(cl, w);
	w->busy = cl;
}

static void on_drained(void *ctx, struct client *cl)
{
	struct world *w = ctx;

	CHECK(client_data(cl) == w);
	CHECK_INT(client_queued(cl), 0);
	w->drained++;
}

static void on_gone(void *ctx, struct client *cl)
{
	struct world *w = ctx;

	CHECK(cl == w->busy);
	w->busy = NULL;
	w->gone++;
}

static const struct server_ops ops = { on_request, on_drained, on_gone };

/* Long enough not to matter; each test shortens what it is about. */
static struct server_limits limits_long(void)
{
	return (struct server_limits){ .idle_ns = 60 * NSEC_PER_SEC,
				       .stall_ns = 60 * NSEC_PER_SEC,
				       .wait_ns = 60 * NSEC_PER_SEC,
				       .tick_ns = 10 * NSEC_PER_MSEC };
}

/* An autobound abstract name (unix(7)): nothing to clean up. */
static void world_init(struct world *w, const struct server_limits *limits)
{
	socklen_t len = sizeof(w->name.sun_family);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*w = (struct world){ .name.sun_family = AF_UNIX };
	CHECK(bind(fd, (const struct sockaddr *)&w->name, len) == 0);
	len = sizeof(w->name);
	CHECK(getsockname(fd, (struct sockaddr *)&w->name, &len) == 0);
	CHECK(listen(fd, 64) == 0);
	CHECK_INT(loop_new(&w->loop), 0);
	CHECK_INT(server_new(w->loop, fd, limits, &ops, w, &w->server), 0);
}

static void world_done(struct world *w)
{
	server_free(w->server);
	loop_free(w->loop);
}

/* Abstract names are 6 bytes when autobound. */
static int connect_to(struct world *w)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	CHECK(connect(fd, (const struct sockaddr *)&w->name, sizeof(w->name.sun_family) + 6) == 0);
	return fd;
}

/* The kernel notes the effective uid at connect(). */
static int connect_as(struct world *w, uid_t uid)
{
	CHECK(seteuid(uid) == 0);
	int fd = connect_to(w);
	CHECK(seteuid(0) == 0);
	return fd;
}

static void run_until(struct world *w, const unsigned int *counter, unsigned int wanted)
{
	uint64_t end_ns = clock_mono_ns() + test_patience_ms() * NSEC_PER_MSEC;

	while (*counter < wanted) {
		CHECK(clock_mono_ns() < end_ns);
		CHECK_INT(loop_run_once(w->loop, 20), 0);
	}
}

/* Reads one frame's JSON; "" when the server hung up. */
static const char *read_frame(struct world *w, int fd)
{
	static char bytes[65536];
	uint64_t end_ns = clock_mono_ns() + test_patience_ms() * NSEC_PER_MSEC;
	size_t have = 0;

	for (;;) {
		struct str json;
		/* One byte at a time: what follows stays for the next call. */
		ssize_t n = recv(fd, bytes + have, 1, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return "";
		have += n > 0 ? (size_t)n : 0;
		if (n > 0 && control_frame_get((struct str){ .p = bytes, .n = have }, sizeof(bytes),
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

static void send_requests(int fd, const char *json, unsigned int n)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, 65536);
	while (n-- > 0) {
		size_t at = control_frame_begin(&b);

		buf_add_str(&b, str_of(json));
		control_frame_end(&b, at, 4000);
	}
	CHECK_INT(send(fd, b.data, b.len, MSG_NOSIGNAL), b.len);
}

static void send_request(int fd, const char *json)
{
	send_requests(fd, json, 1);
}

static void answers_requests_one_after_the_other(void)
{
	struct server_limits limits = limits_long();
	struct world w;

	world_init(&w, &limits);
	int fd = connect_to(&w);
	/* Three at once: each is answered, none nests. */
	for (int i = 0; i < 3; i++)
		send_request(fd, "\"now\"");
	for (int i = 0; i < 3; i++)
		CHECK_STR(read_frame(&w, fd), "\"ok\"");
	CHECK_INT(w.requests, 3);
	CHECK_INT(w.uid, geteuid());
	(void)close(fd);
	world_done(&w);
}

/* More requests than one turn of the loop serves: others come in between. */
static void a_flood_leaves_room_for_others(void)
{
	struct server_limits limits = limits_long();
	struct world w;

	world_init(&w, &limits);
	int flood = connect_to(&w);
	int other = connect_to(&w);
	for (int i = 0; i < 2; i++)
		CHECK_INT(loop_run_once(w.loop, 5), 0);
	send_requests(flood, "\"mute\"", 5000);
	send_request(other, "\"slow\"");
	CHECK_INT(loop_run_once(w.loop, 5), 0);
	CHECK(w.busy != NULL);
	CHECK(w.requests < 1000);
	run_until(&w, &w.requests, 5001);
	(void)close(flood);
	(void)close(other);
	world_done(&w);
}

static void takes_a_request_in_pieces(void)
{
	struct server_limits limits = limits_long();
	struct world w;
	static const char bytes[] = "\0\0\0\5\"now\"";

	world_init(&w, &limits);
	int fd = connect_to(&w);
	for (size_t i = 0; i < sizeof(bytes) - 1; i++) {
		CHECK_INT(send(fd, bytes + i, 1, MSG_NOSIGNAL), 1);
		CHECK_INT(loop_run_once(w.loop, 5), 0);
	}
	CHECK_STR(read_frame(&w, fd), "\"ok\"");
	(void)close(fd);
	world_done(&w);
}

static void waits_with_the_next_while_one_runs(void)
{
	struct server_limits limits = limits_long();
	struct world w;

	world_init(&w, &limits);
	int fd = connect_to(&w);
	send_request(fd, "\"slow\"");
	send_request(fd, "\"now\"");
	run_until(&w, &w.requests, 1);
	for (int i = 0; i < 5; i++)
		CHECK_INT(loop_run_once(w.loop, 5), 0);
	CHECK_INT(w.requests, 1);
	CHECK(w.busy != NULL);
	client_error(w.busy, CONTROL_FAILED, "no %s", "luck");
	CHECK_STR(read_frame(&w, fd), "{\"type\":\"error\",\"code\":1,\"message\":\"no luck\"}");
	CHECK_STR(read_frame(&w, fd), "\"ok\"");
	(void)close(fd);
	world_done(&w);
}

static void ends_a_client_that_breaks_the_protocol(void)
{
	static const struct str cases[] = { { "\0\0\0\0", 4 },
					    { "\0\1\0\1", 4 },
					    { "\xff\xff\xff\xff", 4 },
					    { "GET / HTTP/1.0\r\n", 16 } };
	struct server_limits limits = limits_long();
	struct world w;

	world_init(&w, &limits);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int fd = connect_to(&w);

		CHECK_INT(send(fd, cases[i].p, cases[i].n, MSG_NOSIGNAL), cases[i].n);
		CHECK(strstr(read_frame(&w, fd), "\"code\":2") != NULL);
		CHECK_STR(read_frame(&w, fd), "");
		(void)close(fd);
	}
	CHECK_INT(w.requests, 0);
	CHECK_INT(server_client_count(w.server), 0);
	world_done(&w);
}

static void drops_the_silent_but_not_the_busy(void)
{
	struct server_limits limits = limits_long();
	struct world w;

	limits.idle_ns = 60 * NSEC_PER_MSEC;
	limits.wait_ns = 30 * NSEC_PER_MSEC;
	world_init(&w, &limits);
	int silent = connect_to(&w);
	int half = connect_to(&w);
	int busy = connect_to(&w);
	CHECK_INT(send(half, "\0\0\0\7{", 5, MSG_NOSIGNAL), 5);
	send_request(busy, "\"slow\"");
	CHECK_STR(read_frame(&w, silent), "");
	CHECK_STR(read_frame(&w, half), "");
	/* Meanwhile the busy one is told that the server lives. */
	CHECK_STR(read_frame(&w, busy), "{\"type\":\"wait\"}");
	CHECK_STR(read_frame(&w, busy), "{\"type\":\"wait\"}");
	CHECK_INT(server_client_count(w.server), 1);
	(void)close(silent);
	(void)close(half);
	(void)close(busy);
	run_until(&w, &w.gone, 1);
	CHECK_INT(server_client_count(w.server), 0);
	world_done(&w);
}

/* Frames of 16 kB until the socket takes no more. */
static void fill(struct world *w, size_t bytes)
{
	static char text[16384];

	memset(text, 'x', sizeof(text) - 1);
	CHECK(w->busy != NULL);
	for (size_t n = 0; n < bytes; n += sizeof(text)) {
		struct jsonw *out = client_frame_begin(w->busy);

		jsonw_str(out, str_of(text));
		client_frame_end(w->busy);
	}
}

static void a_slow_reader_is_told_when_it_has_read(void)
{
	struct server_limits limits = limits_long();
	struct world w;

	world_init(&w, &limits);
	int fd = connect_to(&w);
	send_request(fd, "\"slow\"");
	run_until(&w, &w.requests, 1);
	fill(&w, (size_t)1024 * 1024);
	CHECK(client_queued(w.busy) > 0);
	CHECK_INT(w.drained, 0);
	for (size_t n = 0; n < 64; n++)
		CHECK(read_frame(&w, fd)[0] == '"');
	run_until(&w, &w.drained, 1);
	(void)close(fd);
	run_until(&w, &w.gone, 1);
	world_done(&w);
}

static void a_reader_that_stops_is_dropped_at_the_cap(void)
{
	struct server_limits limits = limits_long();
	struct world w;

	world_init(&w, &limits);
	int fd = connect_to(&w);
	int other = connect_to(&w);
	send_request(fd, "\"slow\"");
	run_until(&w, &w.requests, 1);
	fill(&w, SERVER_OUT_MAX + (size_t)1024 * 1024);
	run_until(&w, &w.gone, 1);
	send_request(other, "\"now\""); /* the others go on */
	CHECK_STR(read_frame(&w, other), "\"ok\"");
	(void)close(fd);
	(void)close(other);
	world_done(&w);
}

static void a_reader_that_stalls_is_dropped_unless_it_follows(void)
{
	struct server_limits limits = limits_long();
	struct world w;

	limits.stall_ns = 50 * NSEC_PER_MSEC;
	for (int follows = 0; follows < 2; follows++) {
		world_init(&w, &limits);
		int fd = connect_to(&w);

		send_request(fd, "\"slow\"");
		run_until(&w, &w.requests, 1);
		if (follows)
			client_set_follower(w.busy);
		fill(&w, (size_t)1024 * 1024);
		if (!follows)
			run_until(&w, &w.gone, 1);
		uint64_t end_ns = clock_mono_ns() + 200 * NSEC_PER_MSEC;
		while (follows && clock_mono_ns() < end_ns)
			CHECK_INT(loop_run_once(w.loop, 10), 0);
		CHECK_INT(w.gone, !follows);
		(void)close(fd);
		world_done(&w);
	}
}

static void no_user_keeps_the_others_away(void)
{
	struct server_limits limits = limits_long();
	int fds[SERVER_CLIENTS_MAX + 8];
	struct world w;
	size_t n = 0;

	if (geteuid() != 0)
		return; /* one uid cannot play several */
	world_init(&w, &limits);
	/* One user gets its share and is told when it is spent. */
	for (; n < SERVER_UID_SLOTS; n++)
		fds[n] = connect_as(&w, NOBODY);
	int refused = connect_as(&w, NOBODY);
	CHECK(strstr(read_frame(&w, refused), "\"code\":8") != NULL);
	CHECK_STR(read_frame(&w, refused), "");
	/* Many users get all but root's slots. */
	for (uid_t u = 1; n < SERVER_CLIENTS_MAX - SERVER_ROOT_SLOTS; u++)
		fds[n++] = connect_as(&w, NOBODY - u);
	int crowded = connect_as(&w, NOBODY - 100);
	CHECK(strstr(read_frame(&w, crowded), "\"code\":8") != NULL);
	for (size_t i = 0; i < SERVER_ROOT_SLOTS; i++)
		fds[n++] = connect_to(&w);
	send_request(fds[n - 1], "\"now\"");
	CHECK_STR(read_frame(&w, fds[n - 1]), "\"ok\"");
	CHECK_INT(w.uid, 0);
	CHECK_INT(server_client_count(w.server), SERVER_CLIENTS_MAX);
	int full = connect_to(&w);
	CHECK(strstr(read_frame(&w, full), "\"code\":8") != NULL);
	send_request(fds[0], "\"now\"");
	CHECK_STR(read_frame(&w, fds[0]), "\"ok\"");
	CHECK_INT(w.uid, NOBODY);
	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
	(void)close(refused);
	(void)close(crowded);
	(void)close(full);
	world_done(&w);
}

static void a_client_that_leaves_ends_its_command(void)
{
	struct server_limits limits = limits_long();
	struct world w;

	world_init(&w, &limits);
	int fd = connect_to(&w);
	send_request(fd, "\"slow\"");
	run_until(&w, &w.requests, 1);
	(void)close(fd);
	run_until(&w, &w.gone, 1);
	/* Also when the server goes first. */
	fd = connect_to(&w);
	send_request(fd, "\"slow\"");
	run_until(&w, &w.requests, 2);
	world_done(&w);
	CHECK_INT(w.gone, 2);
	(void)close(fd);
}

TEST_MAIN({ "answers_requests_one_after_the_other", answers_requests_one_after_the_other },
	  { "a_flood_leaves_room_for_others", a_flood_leaves_room_for_others },
	  { "takes_a_request_in_pieces", takes_a_request_in_pieces },
	  { "waits_with_the_next_while_one_runs", waits_with_the_next_while_one_runs },
	  { "ends_a_client_that_breaks_the_protocol", ends_a_client_that_breaks_the_protocol },
	  { "drops_the_silent_but_not_the_busy", drops_the_silent_but_not_the_busy },
	  { "a_slow_reader_is_told_when_it_has_read", a_slow_reader_is_told_when_it_has_read },
	  { "a_reader_that_stops_is_dropped_at_the_cap",
	    a_reader_that_stops_is_dropped_at_the_cap },
	  { "a_reader_that_stalls_is_dropped_unless_it_follows",
	    a_reader_that_stalls_is_dropped_unless_it_follows },
	  { "no_user_keeps_the_others_away", no_user_keeps_the_others_away },
	  { "a_client_that_leaves_ends_its_command", a_client_that_leaves_ends_its_command })
