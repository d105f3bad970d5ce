/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/control/server.h"

#include <stdio.h>
#include <sys/socket.h>

#define READ_CHUNK 4096u
#define PRIORITY_LISTEN 6u
#define PRIORITY_CLIENT 5u
#define OUT_KEEP ((size_t)16 * 1024) /* a larger queue gives its memory back when empty */

const struct server_limits server_limits = {
	.idle_ns = 10 * NSEC_PER_SEC,
	.stall_ns = 30 * NSEC_PER_SEC,
	.wait_ns = CONTROL_WAIT_MS * NSEC_PER_MSEC,
	.tick_ns = 250 * NSEC_PER_MSEC,
};

struct client {
	struct server *server;
	struct loop_source *source;
	int fd;
	uid_t uid;
	bool busy;		/* its command runs */
	bool follower;		/* its command follows the future */
	bool closing;		/* over once the queue is empty */
	bool failed;		/* over now: hung up, out of memory, too slow */
	uint64_t idle_since_ns; /* connected, or last command done */
	uint64_t written_ns;	/* the client last took a byte, or the queue was empty */
	uint64_t last_frame_ns; /* for the sign of life */
	size_t frame_at;
	struct jsonw writer;
	struct buf in;
	struct buf out;
	void *data;
};

struct server {
	struct loop *loop;
	struct loop_source *listen_source;
	struct loop_source *tick;
	int listen_fd;
	bool listen_paused; /* the process is out of descriptors or memory */
	const struct server_limits *limits;
	const struct server_ops *ops;
	void *ctx;
	struct client *clients[SERVER_CLIENTS_MAX];
};

static void client_free(struct client *cl)
{
	if (cl == NULL)
		return;
	loop_source_free(cl->source);
	if (cl->fd >= 0)
		(void)close(cl->fd);
	buf_done(&cl->in);
	buf_done(&cl->out);
	free(cl);
}
DEFINE_CLEANUP(struct client *, client, client_free)

/* A client may fail inside a call of the command's code, which still holds it:
 * the hang-up makes its descriptor ready and the loop's next round drops it. */
static void client_fail(struct client *cl)
{
	cl->failed = true;
	(void)shutdown(cl->fd, SHUT_RDWR);
}

static void client_drop(struct client *cl)
{
	struct server *s = cl->server;

	for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++)
		if (s->clients[i] == cl)
			s->clients[i] = NULL;
	if (cl->busy)
		s->ops->gone(s->ctx, cl);
	client_free(cl);
}

/* A request is taken up only when the answer before it has been read, so a
 * client that only writes holds one answer and one input buffer, no more. */
static bool client_may_ask(const struct client *cl)
{
	return !cl->busy && !cl->closing && !cl->failed && cl->out.len == 0;
}

static void client_watch(struct client *cl)
{
	uint32_t events = EPOLLRDHUP;
	struct str json;

	if (client_may_ask(cl))
		events |= EPOLLIN;
	/* A request that is already here is served from the loop, never from
	 * client_done(): a row of them would nest. */
	if (cl->out.len > 0 ||
	    (client_may_ask(cl) &&
	     control_frame_get(buf_str(&cl->in), CONTROL_REQUEST_MAX, &json) != 0))
		events |= EPOLLOUT;
	loop_source_set_events(cl->source, events);
}

/* Hands the kernel what it takes. */
static void client_flush(struct client *cl)
{
	size_t done = 0;

	while (!cl->failed && done < cl->out.len) {
		ssize_t n = send(cl->fd, cl->out.data + done, cl->out.len - done,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			client_fail(cl);
			break;
		}
		done += (size_t)n;
	}
	if (done > 0) {
		buf_consume(&cl->out, done);
		cl->written_ns = loop_now_ns(cl->server->loop);
	}
	if (cl->out.len == 0 && cl->out.size > OUT_KEEP) {
		buf_done(&cl->out);
		buf_init(&cl->out, SERVER_OUT_MAX);
	}
}

uid_t client_uid(const struct client *cl)
{
	return cl->uid;
}

void client_set_data(struct client *cl, void *data)
{
	cl->data = data;
}

void *client_data(const struct client *cl)
{
	return cl->data;
}

void client_set_follower(struct client *cl)
{
	cl->follower = true;
}

size_t client_queued(const struct client *cl)
{
	return cl->out.len;
}

struct jsonw *client_frame_begin(struct client *cl)
{
	if (cl->out.len == 0)
		cl->written_ns = loop_now_ns(cl->server->loop);
	cl->frame_at = control_frame_begin(&cl->out);
	jsonw_init(&cl->writer, &cl->out);
	return &cl->writer;
}

void client_frame_end(struct client *cl)
{
	control_frame_end(&cl->out, cl->frame_at, CONTROL_FRAME_MAX);
	if (buf_error(&cl->out) != 0) {
		client_fail(cl);
		return;
	}
	cl->last_frame_ns = loop_now_ns(cl->server->loop);
	client_flush(cl);
	client_watch(cl);
}

void client_error(struct client *cl, enum control_code code, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);

	struct jsonw *w = client_frame_begin(cl);
	jsonw_object_begin(w);
	jsonw_kv_str(w, "type", STR("error"));
	jsonw_kv_u64(w, "code", (uint64_t)code);
	jsonw_kv_str(w, "message", str_of(text));
	jsonw_object_end(w);
	client_frame_end(cl);
	client_done(cl);
}

void client_done(struct client *cl)
{
	cl->busy = false;
	cl->follower = false;
	cl->data = NULL;
	cl->idle_since_ns = loop_now_ns(cl->server->loop);
	if (!cl->failed)
		client_watch(cl);
}

/* Serves the requests that are whole, one command at a time. */
static void client_requests(struct client *cl)
{
	while (client_may_ask(cl)) {
		struct str json;
		int r = control_frame_get(buf_str(&cl->in), CONTROL_REQUEST_MAX, &json);

		if (r == 0)
			break;
		if (r < 0) {
			client_error(cl, CONTROL_USAGE, "a request has 1 to %zu bytes",
				     CONTROL_REQUEST_MAX);
			cl->closing = true;
			break;
		}
		cl->busy = true;
		cl->data = NULL;
		cl->last_frame_ns = loop_now_ns(cl->server->loop);
		cl->server->ops->request(cl->server->ctx, cl, json);
		buf_consume(&cl->in, CONTROL_HEADER_SIZE + json.n);
	}
	if (!cl->failed)
		client_watch(cl);
}

/* One chunk a turn, then the loop looks at the others: a client that writes as
 * fast as it is answered would keep it for itself. */
static void client_read(struct client *cl)
{
	size_t room = cl->in.max - cl->in.len;
	size_t size = room < READ_CHUNK ? room : READ_CHUNK;
	char *p = buf_reserve(&cl->in, size);

	if (p == NULL) {
		client_fail(cl);
		return;
	}
	ssize_t n = recv(cl->fd, p, size, MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
		return;
	if (n <= 0) {
		client_fail(cl);
		return;
	}
	cl->in.len += (size_t)n;
	client_requests(cl);
}

static int on_client(void *ctx, uint32_t events)
{
	struct client *cl = ctx;
	struct server *s = cl->server;

	if ((events & EPOLLOUT) != 0 && !cl->failed) {
		client_flush(cl);
		if (cl->out.len == 0 && cl->busy && !cl->failed)
			s->ops->drained(s->ctx, cl);
		client_requests(cl);
	}
	if ((events & EPOLLIN) != 0 && client_may_ask(cl))
		client_read(cl);
	if ((events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0)
		cl->failed = true;
	if (cl->failed || (cl->closing && cl->out.len == 0))
		client_drop(cl);
	return 0;
}

static void client_sign_of_life(struct client *cl)
{
	struct jsonw *w = client_frame_begin(cl);

	jsonw_object_begin(w);
	jsonw_kv_str(w, "type", STR("wait"));
	jsonw_object_end(w);
	client_frame_end(cl);
}

/* Deadlines of one client; true when it is over. */
static bool client_is_late(struct client *cl, uint64_t now_ns)
{
	if (cl->out.len > 0)
		return !cl->follower && now_ns - cl->written_ns > cl->server->limits->stall_ns;
	return !cl->busy && now_ns - cl->idle_since_ns > cl->server->limits->idle_ns;
}

static int on_tick(void *ctx, uint64_t now_ns)
{
	struct server *s = ctx;

	for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++) {
		struct client *cl = s->clients[i];

		if (cl == NULL)
			continue;
		if (cl->failed || client_is_late(cl, now_ns)) {
			client_drop(cl);
			continue;
		}
		/* Only with an empty queue: a reader that is merely slow needs none,
		 * and they must not pile up for one that has stopped. */
		if (cl->busy && cl->out.len == 0 &&
		    now_ns - cl->last_frame_ns >= s->limits->wait_ns)
			client_sign_of_life(cl);
	}
	if (s->listen_paused) {
		s->listen_paused = false;
		loop_source_set_events(s->listen_source, EPOLLIN);
	}
	if (server_client_count(s) > 0)
		loop_timer_set(s->tick, now_ns + s->limits->tick_ns);
	return 0;
}

unsigned int server_client_count(const struct server *s)
{
	unsigned int n = 0;

	for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++)
		n += s->clients[i] != NULL;
	return n;
}

/* A slot for this uid, or NULL when it has had its share. */
static struct client **server_slot(struct server *s, uid_t uid)
{
	unsigned int others = 0;
	unsigned int same = 0;
	struct client **slot = NULL;

	for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++) {
		if (s->clients[i] == NULL)
			slot = &s->clients[i];
		else if (s->clients[i]->uid != 0)
			others++;
		if (s->clients[i] != NULL && s->clients[i]->uid == uid)
			same++;
	}
	if (uid != 0 &&
	    (same >= SERVER_UID_SLOTS || others >= SERVER_CLIENTS_MAX - SERVER_ROOT_SLOTS))
		return NULL;
	return slot;
}

/* Tells a client that finds no slot; what does not fit into an empty socket
 * buffer is nobody's loss. */
static void refuse(int fd)
{
	cleanup_(buf_cleanup) struct buf b = { 0 };
	struct jsonw w;

	buf_init(&b, 512);
	size_t at = control_frame_begin(&b);
	jsonw_init(&w, &b);
	jsonw_object_begin(&w);
	jsonw_kv_str(&w, "type", STR("error"));
	jsonw_kv_u64(&w, "code", CONTROL_BUSY);
	jsonw_kv_str(&w, "message", STR("too many clients; try again"));
	jsonw_object_end(&w);
	control_frame_end(&b, at, CONTROL_FRAME_MAX);
	if (buf_error(&b) == 0)
		(void)send(fd, b.data, b.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int client_new(struct server *s, int fd_taken)
{
	cleanup_(fd_cleanup) int fd = fd_taken;
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	struct client **slot = server_slot(s, cred.uid);
	if (slot == NULL) {
		refuse(fd);
		return -EBUSY;
	}

	cleanup_(client_cleanup) struct client *cl = calloc(1, sizeof(*cl));
	if (cl == NULL)
		return -ENOMEM;
	uint64_t now_ns = loop_now_ns(s->loop);
	*cl = (struct client){ .server = s,
			       .fd = take_fd(fd),
			       .uid = cred.uid,
			       .idle_since_ns = now_ns,
			       .written_ns = now_ns };
	buf_init(&cl->in, CONTROL_HEADER_SIZE + CONTROL_REQUEST_MAX);
	buf_init(&cl->out, SERVER_OUT_MAX);
	int r = loop_add_fd(s->loop, cl->fd, EPOLLIN | EPOLLRDHUP, on_client, cl, &cl->source);
	if (r < 0)
		return r;
	loop_source_set_priority(cl->source, PRIORITY_CLIENT);
	*slot = take_ptr(cl);
	loop_timer_set(s->tick, now_ns + s->limits->tick_ns);
	return 0;
}

static int on_listen(void *ctx, uint32_t events unused_)
{
	struct server *s = ctx;

	/* A few at a time: the loop serves everyone else in between. */
	for (unsigned int i = 0; i < 4; i++) {
		int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 &&
		    (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
			/* The connection stays ready: look again at the next tick. */
			s->listen_paused = true;
			loop_source_set_events(s->listen_source, 0);
			loop_timer_set(s->tick, loop_now_ns(s->loop) + s->limits->tick_ns);
			break;
		}
		if (fd < 0)
			break;
		(void)client_new(s, fd); /* a client that finds no room has been told */
	}
	return 0;
}

void server_free(struct server *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < SERVER_CLIENTS_MAX; i++)
		if (s->clients[i] != NULL)
			client_drop(s->clients[i]);
	loop_source_free(s->listen_source);
	loop_source_free(s->tick);
	if (s->listen_fd >= 0)
		(void)close(s->listen_fd);
	free(s);
}

int server_new(struct loop *l, int listen_fd_taken, const struct server_limits *limits,
	       const struct server_ops *ops, void *ctx, struct server **ret_server)
{
	cleanup_(fd_cleanup) int listen_fd = listen_fd_taken;
	cleanup_(server_cleanup) struct server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -ENOMEM;
	s->loop = l;
	s->limits = limits;
	s->ops = ops;
	s->ctx = ctx;
	s->listen_fd = take_fd(listen_fd);
	int r = loop_add_timer(l, on_tick, s, &s->tick);
	if (r < 0)
		return r;
	r = loop_add_fd(l, s->listen_fd, EPOLLIN, on_listen, s, &s->listen_source);
	if (r < 0)
		return r;
	loop_source_set_priority(s->listen_source, PRIORITY_LISTEN);
	*ret_server = take_ptr(s);
	return 0;
}
