/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/ctl/conn.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "agent/base/clock.h"
#include "agent/base/jsonr.h"

#define READ_CHUNK ((size_t)64 * 1024)

struct conn {
	int fd;
	struct buf in;
	size_t used; /* bytes of the frame that was given out last */
};

static int on_member(void *ctx, const struct jsonr_member *m)
{
	struct frame *f = ctx;
	uint64_t code;
	bool is_true = str_eq(m->raw, STR("true"));

	if (str_eq(m->key, STR("licensed")) && m->type == JSONR_BOOL)
		f->licensed = is_true;
	else if (str_eq(m->key, STR("truncated")) && m->type == JSONR_BOOL)
		f->truncated = is_true;
	else if (str_eq(m->key, STR("data")) && m->type == JSONR_OBJECT)
		f->data = m->raw;
	else if (str_eq(m->key, STR("rows")) && m->type == JSONR_ARRAY)
		f->rows = m->raw;
	else if (str_eq(m->key, STR("columns")) && m->type == JSONR_ARRAY)
		f->columns = m->raw;
	else if (str_eq(m->key, STR("message")) && m->type == JSONR_STRING)
		f->message = (struct str){ .p = m->raw.p + 1, .n = m->raw.n - 2 };
	else if (str_eq(m->key, STR("code")) && parse_u64(m->raw, 1, 255, &code) == 0)
		f->code = (unsigned int)code;
	return 0;
}

static int on_type(void *ctx, const struct jsonr_member *m)
{
	static const char *const names[] = {
		[FRAME_BEGIN] = "\"begin\"",	 [FRAME_DATA] = "\"data\"",
		[FRAME_COLUMNS] = "\"columns\"", [FRAME_ROWS] = "\"rows\"",
		[FRAME_WAIT] = "\"wait\"",	 [FRAME_END] = "\"end\"",
		[FRAME_ERROR] = "\"error\"",
	};
	struct frame *f = ctx;

	if (!str_eq(m->key, STR("type")))
		return on_member(ctx, m);
	for (size_t i = FRAME_BEGIN; i < ARRAY_LEN(names); i++)
		if (str_eq(m->raw, str_of(names[i])))
			f->type = (enum frame_type)i;
	return 0;
}

int frame_parse(struct str json, struct frame *ret_frame)
{
	static const struct jsonr_limits limits = { .max_bytes = CONTROL_FRAME_MAX,
						    .max_depth = JSONR_DEPTH_MAX };
	struct frame f = { .type = FRAME_OTHER };

	if (json.n == 0 || json.p[0] != '{' || jsonr_scan(json, &limits, on_type, &f, NULL) < 0)
		return -EPROTO;
	if ((f.type == FRAME_DATA && f.data.p == NULL) ||
	    (f.type == FRAME_ROWS && f.rows.p == NULL) ||
	    (f.type == FRAME_COLUMNS && f.columns.p == NULL))
		return -EPROTO;
	if (f.type == FRAME_ERROR && f.code == 0)
		f.code = CONTROL_FAILED;
	*ret_frame = f;
	return 0;
}

void conn_free(struct conn *c)
{
	if (c == NULL)
		return;
	if (c->fd >= 0)
		(void)close(c->fd);
	buf_done(&c->in);
	free(c);
}

int conn_open(const char *run_dir, unsigned int limit_ms, struct conn **ret_conn)
{
	/* unix(7): a name holds 107 bytes; a --prefix may well be longer. */
	cleanup_(fd_cleanup) int dir = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = (time_t)(limit_ms / 1000),
				 .tv_usec = (suseconds_t)(limit_ms % 1000 * 1000) };

	if (dir < 0)
		return -errno;
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/%s", dir,
		       CONTROL_SOCKET_NAME);

	cleanup_(conn_cleanup) struct conn *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	buf_init(&c->in, CONTROL_HEADER_SIZE + CONTROL_FRAME_MAX + READ_CHUNK);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	/* The send timeout also bounds connect() when nobody accepts. */
	if (setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	if (connect(c->fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	*ret_conn = take_ptr(c);
	return 0;
}

int conn_request(struct conn *c, struct str json)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };

	buf_init(&b, CONTROL_HEADER_SIZE + CONTROL_REQUEST_MAX);
	size_t at = control_frame_begin(&b);
	buf_add_str(&b, json);
	control_frame_end(&b, at, CONTROL_REQUEST_MAX);
	int r = buf_error(&b);
	if (r < 0)
		return r;
	for (size_t done = 0; done < b.len;) {
		ssize_t n = send(c->fd, b.data + done, b.len - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

static int wait_readable(int fd, uint64_t deadline_ns)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now_ns = clock_mono_ns();
		uint64_t left_ms =
			now_ns >= deadline_ns ? 0 : (deadline_ns - now_ns) / NSEC_PER_MSEC + 1;
		int r = poll(&p, 1, (int)(left_ms > INT32_MAX ? INT32_MAX : left_ms));

		if (r > 0)
			return 0;
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

int conn_next(struct conn *c, uint64_t deadline_ns, struct frame *ret_frame)
{
	buf_consume(&c->in, c->used);
	c->used = 0;
	for (;;) {
		struct str json;
		int r = control_frame_get(buf_str(&c->in), CONTROL_FRAME_MAX, &json);

		if (r < 0)
			return r;
		if (r > 0) {
			c->used = CONTROL_HEADER_SIZE + json.n;
			return frame_parse(json, ret_frame);
		}
		r = wait_readable(c->fd, deadline_ns);
		if (r < 0)
			return r;
		char *p = buf_reserve(&c->in, READ_CHUNK);
		if (p == NULL)
			return buf_error(&c->in);
		ssize_t n = recv(c->fd, p, READ_CHUNK, MSG_DONTWAIT);
		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		c->in.len += n > 0 ? (size_t)n : 0;
	}
}
