/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/base/peer.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "agent/base/clock.h"

#define MESSAGES_PER_TURN 16 /* then the loop looks at the other descriptors */

struct queued {
	struct queued *next;
	uint32_t len;
	uint16_t type;
	int fd;
	char payload[];
};

struct peer {
	struct loop *loop;
	struct loop_source *source;
	const struct peer_table *table;
	void *ctx;
	int fd;
	struct queued *first;
	struct queued *last;
	size_t queued_bytes;
	bool is_paused;
	bool is_open;
	bool *is_gone; /* set when freed while its messages are being served */
	/* Room for one packet and one byte more than any valid one has. */
	char *buffer;
};

#define BUFFER_SIZE (MSG_PAYLOAD_MAX + sizeof(struct msg_header) + 1)

static void queue_pop(struct peer *p)
{
	struct queued *q = p->first;

	p->first = q->next;
	if (p->first == NULL)
		p->last = NULL;
	p->queued_bytes -= sizeof(*q) + q->len;
	if (q->fd >= 0)
		(void)close(q->fd);
	free(q);
}

static void queue_clear(struct peer *p)
{
	while (p->first != NULL)
		queue_pop(p);
}

static void update_events(struct peer *p)
{
	uint32_t events = (p->is_paused ? 0u : (uint32_t)EPOLLIN) |
			  (p->first != NULL ? (uint32_t)EPOLLOUT : 0u);

	if (p->source != NULL)
		loop_source_set_events(p->source, events);
}

static void shut(struct peer *p)
{
	loop_source_free(take_ptr(p->source));
	if (p->fd >= 0)
		(void)close(take_fd(p->fd));
	queue_clear(p);
	p->is_open = false;
}

/* Ends the peer and tells its owner, who may free it. */
static void end(struct peer *p, int reason)
{
	if (!p->is_open)
		return;
	shut(p);
	p->table->closed(p->ctx, p, reason);
}

/* Hands queued messages to the kernel. -EAGAIN while some wait. */
static int queue_send(struct peer *p)
{
	while (p->first != NULL) {
		struct queued *q = p->first;
		struct str payload = { .p = q->payload, .n = q->len };
		int r = msg_send(p->fd, q->type, payload, (struct str){ 0 }, q->fd);

		if (r < 0)
			return r;
		queue_pop(p);
	}
	return 0;
}

static const struct peer_row *row_find(const struct peer_table *t, uint16_t type)
{
	for (size_t i = 0; i < t->n_rows; i++)
		if (t->rows[i].type == type)
			return &t->rows[i];
	return NULL;
}

/* Checks m against the table and calls its handler; closes what the handler left. */
static int dispatch(struct peer *p, struct msg *m)
{
	const struct peer_row *row = row_find(p->table, m->type);
	int r = -EPROTO;

	if (row != NULL && m->len >= row->min_len && m->len <= row->max_len &&
	    (m->fd >= 0 ? (row->flags & (PEER_FD | PEER_FD_OPTIONAL)) != 0
			: (row->flags & PEER_FD) == 0))
		r = row->fn(p->ctx, p, m);
	if (m->fd >= 0)
		(void)close(m->fd);
	return r;
}

/* Serves a turn's messages. False when the peer is over or gone. */
static bool receive(struct peer *p)
{
	bool is_gone = false;

	/* cppcheck-suppress autoVariables; p forgets it before this function returns */
	p->is_gone = &is_gone;
	for (int i = 0; i < MESSAGES_PER_TURN && !p->is_paused; i++) {
		struct msg m = { .fd = -1 };
		int r = msg_recv(p->fd, p->buffer, BUFFER_SIZE, &m);

		if (r == -EAGAIN)
			break;
		/* unix(7): the other end closed with messages unread. Said once; what it
		 * had sent comes behind it. */
		if (r == -ECONNRESET)
			continue;
		if (r > 0) {
			r = dispatch(p, &m);
			if (is_gone)
				return false;
			if (r >= 0)
				continue;
		}
		p->is_gone = NULL;
		end(p, r);
		return false;
	}
	p->is_gone = NULL;
	return true;
}

static int on_fd(void *ctx, uint32_t epoll_events)
{
	struct peer *p = ctx;

	if ((epoll_events & EPOLLOUT) != 0) {
		int r = queue_send(p);

		if (r == -EPIPE || r == -ECONNRESET) {
			queue_clear(p); /* nobody reads it; what the other sent is still heard */
		} else if (r < 0 && r != -EAGAIN) {
			end(p, r);
			return 0;
		}
		update_events(p);
	}
	if ((epoll_events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0 || !receive(p))
		return 0;
	/* A paused peer still hears of its end: EPOLLHUP cannot be masked. */
	if (p->is_paused && (epoll_events & EPOLLHUP) != 0)
		end(p, 0);
	return 0;
}

int peer_new(struct loop *l, int fd_taken, const struct peer_table *table, void *ctx,
	     struct peer **ret_peer)
{
	cleanup_(fd_cleanup) int fd = fd_taken;
	cleanup_(peer_cleanup) struct peer *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	p->fd = take_fd(fd);
	p->is_open = true;
	p->loop = l;
	p->table = table;
	p->ctx = ctx;
	p->buffer = malloc(BUFFER_SIZE); /* touched pages only: idle links stay small */
	if (p->buffer == NULL)
		return -ENOMEM;

	int r = loop_add_fd(l, p->fd, EPOLLIN, on_fd, p, &p->source);

	if (r < 0)
		return r;
	loop_source_set_priority(p->source, table->priority);
	*ret_peer = take_ptr(p);
	return 0;
}

void peer_free(struct peer *p)
{
	if (p == NULL)
		return;
	if (p->is_gone != NULL)
		*p->is_gone = true;
	shut(p);
	free(p->buffer);
	free(p);
}

/* Keeps a copy of a message that the socket does not take now. */
static int queue_add(struct peer *p, uint16_t type, struct str head, struct str tail, int fd)
{
	size_t len = head.n + tail.n;

	if (p->queued_bytes + sizeof(struct queued) + len > PEER_QUEUE_MAX)
		return -ENOBUFS;

	cleanup_(free_cleanup) struct queued *q = malloc(sizeof(*q) + len);

	if (q == NULL)
		return -ENOMEM;
	*q = (struct queued){ .type = type, .len = (uint32_t)len, .fd = -1 };
	if (fd >= 0) {
		q->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (q->fd < 0)
			return -errno;
	}
	if (head.n > 0)
		memcpy(q->payload, head.p, head.n);
	if (tail.n > 0)
		memcpy(q->payload + head.n, tail.p, tail.n);
	p->queued_bytes += sizeof(*q) + len;
	if (p->last != NULL)
		p->last->next = q;
	else
		p->first = q;
	p->last = take_ptr(q);
	update_events(p);
	return 0;
}

int peer_send(struct peer *p, uint16_t type, struct str head, struct str tail, int fd)
{
	if (!p->is_open)
		return -EPIPE;
	if (head.n > MSG_PAYLOAD_MAX || tail.n > MSG_PAYLOAD_MAX - head.n)
		return -EMSGSIZE;
	if (p->first == NULL) {
		int r = msg_send(p->fd, type, head, tail, fd);

		if (r != -EAGAIN)
			return r == -ECONNRESET ? -EPIPE : r;
	}
	return queue_add(p, type, head, tail, fd);
}

int peer_send_buf(struct peer *p, uint16_t type, const struct buf *payload)
{
	int r = buf_error(payload);

	if (r < 0)
		return r;
	return peer_send(p, type, buf_str(payload), (struct str){ 0 }, -1);
}

size_t peer_queued(const struct peer *p)
{
	return p->queued_bytes;
}

void peer_pause(struct peer *p, bool paused)
{
	p->is_paused = paused;
	update_events(p);
}

int peer_flush(struct peer *p, int timeout_ms)
{
	uint64_t deadline_ns = clock_mono_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC;

	for (;;) {
		int r = p->is_open ? queue_send(p) : -EPIPE;
		uint64_t now_ns = clock_mono_ns();

		if (r != -EAGAIN)
			return r;
		if (now_ns >= deadline_ns)
			return -ETIMEDOUT;

		struct pollfd pfd = { .fd = p->fd, .events = POLLOUT };

		(void)poll(&pfd, 1, (int)((deadline_ns - now_ns) / NSEC_PER_MSEC) + 1);
	}
}

bool peer_is_open(const struct peer *p)
{
	return p->is_open;
}

int peer_fd(const struct peer *p)
{
	return p->fd;
}
