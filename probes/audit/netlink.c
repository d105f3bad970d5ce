/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probes/audit/netlink.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include "agent/base/clock.h"

#define CONTROL_BUFFER (1024 * 1024)	  /* a LIST_RULES of some hundred rules at once */
#define FALLBACK_BUFFER (8 * 1024 * 1024) /* of records, where 32 MiB are refused */
#define DATAGRAM_MAX (16u * 1024u)	  /* linux/audit.h: messages end below 8,970 bytes */
#define ERRNO_MAX 4095			  /* include/linux/err.h */

struct audit_netlink {
	int fd;
	uint32_t seq;
	uint8_t datagram[DATAGRAM_MAX];
};

int audit_reply_parse(const void *data, size_t len, struct audit_reply *ret_reply)
{
	struct nlmsghdr h;

	if (len < sizeof(h))
		return -EPROTO;
	memcpy(&h, data, sizeof(h));
	if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len)
		return -EPROTO;

	*ret_reply = (struct audit_reply){
		.type = h.nlmsg_type,
		.seq = h.nlmsg_seq,
		.body = { (const char *)data + sizeof(h), h.nlmsg_len - sizeof(h) },
	};
	return 0;
}

int audit_reply_error(struct str body, int *ret_error)
{
	int32_t error;

	if (body.n < sizeof(error))
		return -EPROTO;
	memcpy(&error, body.p, sizeof(error));
	if (error > 0 || error < -ERRNO_MAX)
		return -EPROTO;
	*ret_error = error;
	return 0;
}

int audit_reply_status(struct str body, struct audit_status *ret_status)
{
	struct audit_status s = { 0 };

	if (body.n < offsetof(struct audit_status, feature_bitmap))
		return -EPROTO;
	memcpy(&s, body.p, body.n < sizeof(s) ? body.n : sizeof(s));
	*ret_status = s;
	return 0;
}

static int open_socket(int *ret_fd)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* A connected netlink socket takes messages from the kernel only; other processes that
 * send to its port get ECONNREFUSED (net/netlink/af_netlink.c, netlink_getsockbyportid). */
static int connect_kernel(int fd)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	return 0;
}

int audit_netlink_new(int fd_taken, struct audit_netlink **ret_netlink)
{
	cleanup_(fd_cleanup) int fd = fd_taken;

	cleanup_(audit_netlink_cleanup) struct audit_netlink *n = calloc(1, sizeof(*n));
	if (n == NULL)
		return -ENOMEM;
	n->fd = take_fd(fd);
	*ret_netlink = take_ptr(n);
	return 0;
}

int audit_netlink_open(struct audit_netlink **ret_netlink)
{
	const int size = CONTROL_BUFFER;
	cleanup_(fd_cleanup) int fd = -1;
	int error;

	error = open_socket(&fd);
	if (error == 0)
		error = connect_kernel(fd);
	if (error < 0)
		return error;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return audit_netlink_new(take_fd(fd), ret_netlink);
}

void audit_netlink_free(struct audit_netlink *n)
{
	if (n == NULL)
		return;
	fd_cleanup(&n->fd);
	free(n);
}

/* Waits for `events` on fd until the deadline; -ETIMEDOUT. */
static int wait_until(int fd, short events, uint64_t deadline_ns)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = events };
		uint64_t now = clock_mono_ns();
		int n;

		if (now >= deadline_ns)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)((deadline_ns - now) / NSEC_PER_MSEC) + 1);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
}

static int send_message(int fd, const struct nlmsghdr *h, struct str body, uint64_t deadline_ns)
{
	struct nlmsghdr head = *h;
	union {
		const char *in;
		void *out;
	} const_away = { .in = body.p }; /* sendmsg(2) only reads what iov_base points at */
	struct iovec iov[2] = {
		{ .iov_base = &head, .iov_len = sizeof(head) },
		{ .iov_base = const_away.out, .iov_len = body.n },
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = body.n > 0 ? 2 : 1 };

	head.nlmsg_len = (uint32_t)(sizeof(head) + body.n);
	for (;;) {
		int error;

		if (sendmsg(fd, &m, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		error = wait_until(fd, POLLOUT, deadline_ns);
		if (error < 0)
			return error;
	}
}

/* The next well-formed datagram, whoever it answers. */
static int receive(struct audit_netlink *n, uint64_t deadline_ns, struct audit_reply *ret_reply)
{
	for (;;) {
		ssize_t len = recv(n->fd, n->datagram, sizeof(n->datagram), MSG_TRUNC);
		int error;

		if (len >= 0) {
			if ((size_t)len > sizeof(n->datagram))
				return -EPROTO;
			return audit_reply_parse(n->datagram, (size_t)len, ret_reply);
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return -errno;
		error = wait_until(n->fd, POLLIN, deadline_ns);
		if (error < 0)
			return error;
	}
}

/* Called for each reply to the request: 1 when it was the last one, 0 for more. */
typedef int (*reply_fn)(void *ctx, const struct audit_reply *reply);

static int request(struct audit_netlink *n, uint16_t type, uint16_t flags, struct str body,
		   reply_fn fn, void *ctx)
{
	uint64_t deadline = clock_mono_ns() + AUDIT_NETLINK_TIMEOUT_MS * NSEC_PER_MSEC;
	struct nlmsghdr h = { .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags };
	int error;

	n->seq = n->seq == UINT32_MAX ? 1 : n->seq + 1; /* 0 marks what the kernel began itself */
	h.nlmsg_seq = n->seq;
	error = send_message(n->fd, &h, body, deadline);

	for (uint32_t i = 0; error == 0 && i < AUDIT_NETLINK_REPLIES_MAX; i++) {
		struct audit_reply reply = { 0 };
		int refused;

		error = receive(n, deadline, &reply);
		if (error < 0)
			return error;
		if (reply.seq != n->seq)
			continue; /* a late answer to a request that timed out */
		if (reply.type != NLMSG_ERROR) {
			error = fn(ctx, &reply);
			if (error == 1)
				return 0;
			continue;
		}
		error = audit_reply_error(reply.body, &refused);
		if (error == 0 && (refused < 0 || (flags & NLM_F_ACK) != 0))
			return refused;
	}
	return error < 0 ? error : -EPROTO;
}

static int on_status(void *ctx, const struct audit_reply *reply)
{
	int error;

	if (reply->type != AUDIT_GET)
		return -EPROTO;
	error = audit_reply_status(reply->body, ctx);
	return error < 0 ? error : 1;
}

int audit_netlink_status(struct audit_netlink *n, struct audit_status *ret_status)
{
	struct audit_status s;
	int error = request(n, AUDIT_GET, 0, (struct str){ 0 }, on_status, &s);

	if (error < 0)
		return error;
	*ret_status = s;
	return 0;
}

/* A request that is answered by an acknowledgement has no other reply. */
static int on_unexpected(unused_ void *ctx, unused_ const struct audit_reply *reply)
{
	return -EPROTO;
}

int audit_netlink_set(struct audit_netlink *n, uint32_t mask, uint32_t value)
{
	struct audit_status s = { .mask = mask };

	switch (mask) {
	case AUDIT_STATUS_ENABLED:
		s.enabled = value;
		break;
	case AUDIT_STATUS_FAILURE:
		s.failure = value;
		break;
	case AUDIT_STATUS_PID:
		s.pid = value;
		break;
	case AUDIT_STATUS_RATE_LIMIT:
		s.rate_limit = value;
		break;
	case AUDIT_STATUS_BACKLOG_LIMIT:
		s.backlog_limit = value;
		break;
	case AUDIT_STATUS_BACKLOG_WAIT_TIME:
		s.backlog_wait_time = value;
		break;
	default:
		return -EINVAL;
	}
	return request(n, AUDIT_SET, NLM_F_ACK, (struct str){ (const char *)&s, sizeof(s) },
		       on_unexpected, NULL);
}

static int rule_request(struct audit_netlink *n, uint16_t type, const struct audit_rule *r)
{
	return request(n, type, NLM_F_ACK, (struct str){ (const char *)r, audit_rule_size(r) },
		       on_unexpected, NULL);
}

int audit_netlink_rule_add(struct audit_netlink *n, const struct audit_rule *r)
{
	return rule_request(n, AUDIT_ADD_RULE, r);
}

int audit_netlink_rule_del(struct audit_netlink *n, const struct audit_rule *r)
{
	return rule_request(n, AUDIT_DEL_RULE, r);
}

struct rule_list {
	audit_netlink_rule_fn fn;
	void *ctx;
	int error; /* first error of fn */
};

static int on_rule(void *ctx, const struct audit_reply *reply)
{
	struct rule_list *list = ctx;
	struct audit_rule r;
	int error;

	if (reply->type == NLMSG_DONE)
		return 1;
	if (reply->type != AUDIT_LIST_RULES)
		return -EPROTO;
	error = audit_rule_read(reply->body.p, reply->body.n, &r);
	if (error == -E2BIG)
		return 0;
	if (error < 0)
		return error;
	if (list->error == 0)
		list->error = list->fn(list->ctx, &r);
	return 0;
}

int audit_netlink_rules_list(struct audit_netlink *n, audit_netlink_rule_fn fn, void *ctx)
{
	struct rule_list list = { .fn = fn, .ctx = ctx };
	int error = request(n, AUDIT_LIST_RULES, 0, (struct str){ 0 }, on_rule, &list);

	return error < 0 ? error : list.error;
}

int audit_netlink_user(struct audit_netlink *n, const char *text)
{
	const struct nlmsghdr h = { .nlmsg_type = AUDIT_USER, .nlmsg_flags = NLM_F_REQUEST };

	return send_message(n->fd, &h, (struct str){ text, strlen(text) + 1 }, clock_mono_ns());
}

void audit_netlink_records_buffer(int fd, uint32_t receive_buffer)
{
	int wanted = receive_buffer > INT32_MAX / 2 ? INT32_MAX / 2 : (int)receive_buffer;
	int fallback = wanted < FALLBACK_BUFFER ? wanted : FALLBACK_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &wanted, sizeof(wanted)) == 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &fallback, sizeof(fallback)) == 0)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &fallback, sizeof(fallback));
}

int audit_netlink_records_open(enum audit_mode mode, uint32_t receive_buffer, int *ret_fd)
{
	const struct sockaddr_nl readlog = {
		.nl_family = AF_NETLINK,
		.nl_groups = 1u << (AUDIT_NLGRP_READLOG - 1),
	};
	cleanup_(fd_cleanup) int fd = -1;
	int error;

	if (mode != AUDIT_MODE_UNICAST && mode != AUDIT_MODE_MULTICAST)
		return -EINVAL;
	error = open_socket(&fd);
	if (error < 0)
		return error;
	/* Before the bind: records may come at once. */
	audit_netlink_records_buffer(fd, receive_buffer);
	if (mode == AUDIT_MODE_MULTICAST) {
		if (bind(fd, (const struct sockaddr *)&readlog, sizeof(readlog)) < 0)
			return -errno;
	} else {
		error = connect_kernel(fd);
		if (error < 0)
			return error;
	}
	*ret_fd = take_fd(fd);
	return 0;
}

int audit_netlink_records_own(int fd)
{
	const struct nlmsghdr h = {
		.nlmsg_type = AUDIT_SET,
		.nlmsg_flags = NLM_F_REQUEST,
		.nlmsg_seq = 1,
	};
	/* The kernel refuses any pid but the sender's own (audit_set, -EINVAL). */
	const struct audit_status s = {
		.mask = AUDIT_STATUS_PID,
		.pid = (uint32_t)getpid(),
	};

	return send_message(fd, &h, (struct str){ (const char *)&s, sizeof(s) }, clock_mono_ns());
}
