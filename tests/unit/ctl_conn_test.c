/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/conn.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "agent/base/clock.h"
#include "tests/test.h"

/* A control socket in a folder whose name is longer than a socket's may be. */
struct world {
	char dir[512];
	char top[64];
	int listen_fd;
	int at; /* the folder, to bind below it */
};

static void world_init(struct world *w)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char part[101];

	(void)snprintf(w->top, sizeof(w->top), "/tmp/conn_test.XXXXXX");
	CHECK(mkdtemp(w->top) != NULL);
	memset(part, 'p', sizeof(part) - 1);
	part[sizeof(part) - 1] = '\0';
	(void)snprintf(w->dir, sizeof(w->dir), "%s/%s", w->top, part);
	CHECK(mkdir(w->dir, 0700) == 0);
	w->at = open(w->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(w->at >= 0);
	w->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET_NAME,
		       w->at);
	CHECK(bind(w->listen_fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0);
	CHECK(listen(w->listen_fd, 4) == 0);
}

static void world_done(struct world *w)
{
	CHECK(unlinkat(w->at, CONTROL_SOCKET_NAME, 0) == 0);
	(void)close(w->at);
	(void)close(w->listen_fd);
	CHECK(rmdir(w->dir) == 0 && rmdir(w->top) == 0);
}

static uint64_t soon(unsigned int ms)
{
	return clock_mono_ns() + ms * NSEC_PER_MSEC;
}

static void add_frame(struct buf *b, const char *json)
{
	size_t at = control_frame_begin(b);

	buf_add_str(b, str_of(json));
	control_frame_end(b, at, CONTROL_FRAME_MAX);
}

static void asks_and_reads_frames(void)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };
	cleanup_(conn_cleanup) struct conn *c = NULL;
	struct frame f;
	struct world w;
	char bytes[64];

	world_init(&w);
	CHECK_INT(conn_open(w.dir, test_patience_ms(), &c), 0);
	CHECK_INT(conn_request(c, STR("{\"command\":\"x\"}")), 0);
	int fd = accept(w.listen_fd, NULL, NULL);
	CHECK_INT(recv(fd, bytes, sizeof(bytes), 0), 19);
	CHECK(memcmp(bytes, "\0\0\0\x0f{\"command\"", 14) == 0);
	/* Two frames and a half in one piece, then the rest. */
	buf_init(&b, 4096);
	add_frame(&b, "{\"type\":\"begin\",\"licensed\":true,\"x\":[]}");
	add_frame(&b, "{\"type\":\"strange\"}");
	size_t half = b.len + 7;
	add_frame(&b, "{\"type\":\"end\",\"truncated\":true}");
	CHECK_INT(send(fd, b.data, half, MSG_NOSIGNAL), half);
	CHECK_INT(conn_next(c, soon(test_patience_ms()), &f), 0);
	CHECK(f.type == FRAME_BEGIN && f.licensed);
	CHECK_INT(conn_next(c, soon(test_patience_ms()), &f), 0);
	CHECK_INT(f.type, FRAME_OTHER);
	CHECK_INT(conn_next(c, soon(20), &f), -ETIMEDOUT);
	CHECK_INT(send(fd, b.data + half, b.len - half, MSG_NOSIGNAL), b.len - half);
	CHECK_INT(conn_next(c, soon(test_patience_ms()), &f), 0);
	CHECK(f.type == FRAME_END && f.truncated);
	(void)close(fd);
	CHECK_INT(conn_next(c, soon(test_patience_ms()), &f), -EPIPE);
	world_done(&w);
}

static void knows_when_nobody_is_there(void)
{
	struct conn *c = NULL;
	struct world w;

	CHECK_INT(conn_open("/nonexistent/run", test_patience_ms(), &c), -ENOENT);
	world_init(&w);
	(void)close(w.listen_fd);
	w.listen_fd = -1;
	CHECK_INT(conn_open(w.dir, test_patience_ms(), &c), -ECONNREFUSED);
	world_done(&w);
	CHECK(c == NULL);
}

/* A daemon that is stopped: its queue of connections fills and nobody answers. */
static void never_hangs(void)
{
	struct conn *conns[64] = { NULL };
	struct frame f;
	struct world w;
	size_t n = 0;
	int r = 0;

	world_init(&w);
	uint64_t start_ns = clock_mono_ns();
	while (n < ARRAY_LEN(conns) && (r = conn_open(w.dir, 100, &conns[n])) == 0)
		n++;
	CHECK_INT(r, -EAGAIN);
	CHECK_INT(conn_next(conns[0], soon(50), &f), -ETIMEDOUT);
	CHECK(clock_mono_ns() - start_ns < 20 * NSEC_PER_SEC);
	for (size_t i = 0; i < n; i++)
		conn_free(conns[i]);
	world_done(&w);
}

static void refuses_broken_frames(void)
{
	static const char *const cases[] = {
		"",
		"[]",
		"7",
		"{",
		"{\"type\":\"rows\"}",
		"{\"type\":\"rows\",\"rows\":{}}",
		"{\"type\":\"data\",\"data\":[]}",
		"{\"type\":\"columns\"}",
		"{\"type\":\"end\"}x",
	};
	struct frame f = { .code = 42 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		CHECK_INT(frame_parse(str_of(cases[i]), &f), -EPROTO);
	CHECK_INT(f.code, 42);
	CHECK_INT(frame_parse(STR("{\"type\":\"error\",\"code\":3,\"message\":\"a\\nb\"}"), &f), 0);
	CHECK_INT(f.code, 3);
	CHECK_STRN(f.message, "a\\nb");
	/* Codes that are no exit status become one that is. */
	CHECK_INT(frame_parse(STR("{\"type\":\"error\",\"code\":0}"), &f), 0);
	CHECK_INT(f.code, CONTROL_FAILED);
	CHECK_INT(frame_parse(STR("{\"type\":\"error\",\"code\":256}"), &f), 0);
	CHECK_INT(f.code, CONTROL_FAILED);
	CHECK_INT(frame_parse(STR("{}"), &f), 0);
	CHECK_INT(f.type, FRAME_OTHER);
}

TEST_MAIN({ "asks_and_reads_frames", asks_and_reads_frames },
	  { "knows_when_nobody_is_there", knows_when_nobody_is_there },
	  { "never_hangs", never_hangs }, { "refuses_broken_frames", refuses_broken_frames })
